//! Python packages: an interpreter of the host, and wheels from the Python package index, resolved and installed by `uv`.
//!
//! # Theory
//!
//! `uv` decides (which versions) and installs (wheels to files); everything between is ours. What it decides is data, a list
//! of [`Pinned`] that names content and never a host. We fetch each file ourselves by name and digest from wherever the
//! user's configuration says ([`Index`]), and `uv` installs, offline, exactly these files. Its usual cache is hard-linked into
//! environments and hands a byte that was altered there out again; so it copies, from a cache that only we use, and each
//! installed file is proved against its wheel.
//!
//! The chain of tools, each needing only the one before: [`Interpreter`] (a Python of the host) → [`Uv`] (the host's, or a
//! wheel that the host's pip fetches, kept in the cache by digest) → [`resolve`] → [`fetch`] → [`environment`].
//!
//! In the download cache, beside `files/`:
//!
//! ```text
//! tools/uv-<version>-<sha256>/uv            the tool, checked against its digest before each use
//! built/<sha256>-<tag>-<platform>/<wheel>   wheels that were built from source here
//! bytecode/<sha256>-<cache tag>-….zst       the bytecode of one wheel or library, behind a digest of itself
//! contents/<sha256>                         the digests of one wheel's files, to prove what was installed
//! unpacked/                                 wheels that uv unpacked, copied from and never linked
//! uv/                                       what uv keeps of indexes for its decisions, and what builds need
//! tmp/                                      work in progress
//! ```

mod absent;
pub mod brought;
mod built;
mod bytecode;
pub mod choose;
mod config;
pub mod editable;
pub mod environment;
pub mod fetch;
pub mod index;
pub mod interpreter;
pub mod kit;
pub mod pin;
mod proof;
pub mod pylock;
pub mod range;
pub mod requirement;
pub mod resolve;
mod script;
pub mod simple;
pub mod tags;
pub mod tool;
pub mod uv_lock;

pub use absent::AbsentFile;
pub use brought::{Brought, brought};
pub use built::BuildError;
pub use bytecode::{BytecodeError, CompileError, Compiler, compile_all};
pub use choose::{Chooser, NoWheel};
pub use editable::{Described, EditableError, describe};
pub use environment::{Built, EnvironmentError, Recipe, build};
pub use fetch::{PackageFetchError, fetch, look};
pub use index::{Index, IndexError};
pub use interpreter::{Interpreter, InterpreterError};
pub use kit::Kit;
pub use pin::{PackageName, Pinned, PinnedFile};
pub use range::{PythonRange, PythonRangeError};
pub use requirement::{EditableSource, Gathered, Inputs, Line, RequirementError, RequirementMistake, gather};
pub use resolve::{ResolveError, Upgrade, resolve};
pub use tool::{ToolError, Uv, UvSource};
pub use uv_lock::UvLock;
