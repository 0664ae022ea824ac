//! Tests with real software from the package indexes; run by CI, apart from the others (`cargo test --test real`).
//!
//! With the variable `JOVE_TEST_OFFLINE` those that need an index say that they are skipped.

#![allow(clippy::unwrap_used, reason = "a test panics where something is not as it should be")]

mod bad_days;
mod browser;
mod canary;
mod closure;
mod conda;
mod confined;
mod crash;
mod demo;
mod dev;
mod guide;
mod home;
#[path = "../it/index_server.rs"]
mod index_server;
mod letters;
#[path = "../it/markdown.rs"]
mod markdown;
mod migration;
mod nginx;
mod own_python;
mod packages;
mod processes;
mod production;
mod python;
mod resolving;
#[path = "../it/sandbox.rs"]
mod sandbox;
mod servers;
mod sites;
mod source;
mod stack;
mod twice;
mod visits;
mod walls;
mod wsgi;
