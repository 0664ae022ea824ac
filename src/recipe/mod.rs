//! Recipes: folders of data that say how a part is made, and the meaning that they give to a definition.
//!
//! [`schema`] is the form of `recipe.toml`, [`catalogue`] finds recipes (shipped, project), [`stack`] is a definition with all
//! options typed and all references resolved, which [`resolve()`] makes.

mod bring;
mod brought;
pub mod catalogue;
mod check;
mod checkout;
mod data;
mod evaluate;
pub mod explain;
pub mod kind;
mod make;
mod need;
mod parse;
mod path;
mod process;
mod read;
mod reference;
mod require;
pub mod resolve;
mod said;
pub mod schema;
mod select;
mod service;
mod serving;
mod site;
pub mod stack;
mod table;
mod target;
#[cfg(test)]
mod tests;
mod typed;
mod value;

pub use catalogue::Catalogue;
pub use explain::{Explained, explain};
pub use parse::parse;
pub use resolve::{Allot, Surroundings, Unresolved, resolve};
pub use service::{marked_path, text_of_path};
pub use stack::{Edge, EdgeKind, FilePart, OptionValue, ResolvedOption, ResolvedPart, SourceTree, Stack};
