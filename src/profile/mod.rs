//! Profiles and projects: from layers of TOML to one [`Definition`] in which every value knows where it comes from.
//!
//! Knows nothing of recipes: values are as written, references are still text.

pub mod setting;

pub use setting::{Definition, Layer, LayerKind, Need, Part, Project, Requirement, Setting, Value};
