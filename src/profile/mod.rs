//! Profiles and projects: from layers of TOML to one [`Definition`] in which every value knows where it comes from.
//!
//! Knows nothing of recipes: values are as written, references are still text.

mod assign;
pub mod edit;
mod extend;
pub mod find;
mod finish;
mod layers;
mod like;
pub mod load;
mod merge;
mod read;
pub mod refer;
mod rule;
pub mod setting;
mod sheet;
#[cfg(test)]
mod tests;
mod trust;
mod value;
mod when;

pub use find::find_project;
pub use load::{ProfileChoice, Request, Shipped, Unloaded, load, profile_name, user_sources};
pub use setting::{Definition, Layer, LayerKind, Need, Part, Project, Requirement, Setting, Value};
