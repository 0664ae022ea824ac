//! The verbs: each takes its arguments, makes one call into [`crate::ops`], and renders.

pub mod boot;
pub mod catalogue;
pub mod doctor;
pub mod dump;
pub mod explain;
pub mod generation;
pub mod init;
pub mod install;
pub mod internal;
pub mod logs;
pub mod pack;
pub mod plan;
pub mod prefix;
pub mod run;
pub mod secret;
pub mod service;
pub mod shell;
pub mod status;
pub mod supervise;
pub mod update;
pub mod verify;
pub mod wipe;
