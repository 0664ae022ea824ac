//! Tests of the whole: the program as a user runs it, and the shape of its source.
//!
//! They need no network and nothing of the user's: a [`sandbox::Sandbox`] has its own home, and an
//! [`index_server::IndexServer`] on loopback serves packages made on the spot. As root they run the program as an
//! ordinary user. What needs a real package index is in `tests/real`.

mod architecture;
mod bad_days;
mod boot;
mod bootstrap;
mod canary;
mod certificate;
mod conda;
mod crash;
mod cron;
mod deb;
mod docs;
mod doctor;
mod dump;
mod full_disk;
mod git;
mod groups;
mod index_server;
mod journey;
mod life;
mod markdown;
mod packages;
mod quotes;
mod sandbox;
mod serve;
mod services;
mod shared_cache;
mod source;
mod standalone;
mod supervisor;
