//! [`OptionType`]: what an option takes.

use std::fmt;

/// The type of an option.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OptionType {
    /// Whatever was written: exports, and the entries of tables.
    Any,
    /// `true` or `false`.
    Bool,
    /// `"5s"`, `"2m"`, or a number of seconds.
    Duration,
    /// One of some words.
    Enum(Vec<String>),
    /// A number.
    Float,
    /// A whole number.
    Int,
    /// A list of one type.
    List(Box<OptionType>),
    /// A path, made absolute from the folder of the file that wrote it.
    Path,
    /// A port from 1 to 65535, or `"auto"`.
    Port,
    /// A word that is never shown.
    Secret,
    /// Names of parts that export a site, or `"*"` for all: a list of what they export.
    Sites,
    /// A number of bytes, or `"10MiB"`.
    Size,
    /// Text.
    String,
    /// A table.
    Table,
    /// A number of processes, or `"auto"` for as many as fit the machine's processors.
    Workers,
}

impl OptionType {
    /// The type's word in `recipe.toml`.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::Bool => "bool",
            Self::Duration => "duration",
            Self::Enum(_) => "enum",
            Self::Float => "float",
            Self::Int => "int",
            Self::List(_) => "list",
            Self::Path => "path",
            Self::Port => "port",
            Self::Secret => "secret",
            Self::Sites => "sites",
            Self::Size => "size",
            Self::String => "string",
            Self::Table => "table",
            Self::Workers => "workers",
        }
    }

    /// What a value must look like, for people.
    #[must_use]
    pub fn expected(&self) -> String {
        match self {
            Self::Any => "a value".into(),
            Self::Bool => "`true` or `false`".into(),
            Self::Duration => "a duration such as `\"5s\"`, `\"2m\"` or a number of seconds".into(),
            Self::Enum(words) => {
                let words: Vec<String> = words.iter().map(|word| format!("`\"{word}\"`")).collect();
                format!("one of {}", words.join(", "))
            }
            Self::Float => "a number".into(),
            Self::Int => "a whole number".into(),
            Self::List(of) if **of == Self::Any => "a list".into(),
            Self::List(of) => format!("a list of {} values", of.word()),
            Self::Path => "a path".into(),
            Self::Port => "a port from 1 to 65535, or `\"auto\"`".into(),
            Self::Secret => "a secret: `\"generate\"` or a reference".into(),
            Self::Sites => "a list of parts, or `\"*\"` for all that are sites".into(),
            Self::Size => "a size such as `\"10MiB\"` or a number of bytes".into(),
            Self::String => "a text".into(),
            Self::Table => "a table".into(),
            Self::Workers => "a number of processes from 1 on, or `\"auto\"`".into(),
        }
    }
}

/// `string`, or `list of string`.
impl fmt::Display for OptionType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::List(of) => write!(f, "list of {of}"),
            Self::Enum(words) => write!(f, "enum ({})", words.join(", ")),
            other => f.write_str(other.word()),
        }
    }
}
