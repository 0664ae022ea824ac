//! `jove-install`: a buildout-style installer for a plain user.
//!
//! # Floors
//!
//! One crate, in floors. A module uses only lower floors, and two modules of one floor are strangers; `tests/it/architecture.rs` says so.
//!
//! | floor | modules |
//! |---|---|
//! | 8 | [`cli`] faces |
//! | 7 | [`ops`] one use case a file |
//! | 5 | [`apply`] plan → objects → generation |
//! | 4 | [`plan`], [`supervisor`] |
//! | 3 | [`recipe`], [`lock`], [`generation`], [`state`], [`keeper`] |
//! | 2 | [`dump`], [`profile`], [`graph`], [`service`], [`store`], and where software comes from: [`pypi`], [`provider`] |
//! | 1 | [`net`], [`archive`], [`certificate`], [`template`], [`process`], [`sandbox`] |
//! | 0 | [`checkpoint`], [`condition`], [`diagnostic`], [`digest`], [`exec`], [`fs`], [`host`], [`layout`], [`listener`], [`memory`], [`name`], [`platform`], [`progress`], [`stderr`], [`text`] |
//!
//! Files on the user's disk and the modules that own them: see [`layout`].

pub mod apply;
pub mod archive;
pub mod certificate;
pub mod checkpoint;
pub mod cli;
pub mod condition;
pub mod diagnostic;
pub mod digest;
pub mod dump;
pub mod exec;
pub mod fs;
pub mod generation;
pub mod graph;
pub mod host;
pub mod keeper;
pub mod layout;
pub mod listener;
pub mod lock;
pub mod memory;
pub mod name;
pub mod net;
pub mod ops;
pub mod plan;
pub mod platform;
pub mod process;
pub mod profile;
pub mod progress;
pub mod provider;
pub mod pypi;
pub mod recipe;
pub mod sandbox;
pub mod service;
pub mod state;
pub mod stderr;
pub mod store;
pub mod supervisor;
pub mod template;
pub mod text;
