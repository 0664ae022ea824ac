//! Recipes: folders of data that say how a part is made, and the meaning that they give to a definition.
//!
//! [`schema`] is the form of `recipe.toml`, [`catalogue`] finds recipes (shipped, project), [`stack`] is a definition with all
//! options typed and all references resolved.

pub mod stack;

pub use stack::{Edge, EdgeKind, FilePart, OptionValue, ResolvedOption, ResolvedPart, SourceTree, Stack};
