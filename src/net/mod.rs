//! Fetching: addresses to verified files of the download cache.
//!
//! # Theory
//!
//! A file that is wanted has a name, a digest and a list of addresses (mirrors). The digest is the identity: where the bytes
//! come from does not matter, so a broken download goes on at another mirror, and a file that is in the cache is never
//! fetched. A download grows in a `.part` file beside the place it will have; whoever holds the file lock of that part is
//! the only writer; it gets its name by one rename after its digest was compared. So a cache entry is whole or absent.
//!
//! Waiting, retrying and giving up are decided in [`patience`]; what is shown of an address in [`address`] (never user
//! info, tokens or query values); who may be trusted in [`trust`].
//!
//! # On disk
//!
//! ```text
//! $XDG_CACHE_HOME/jove-install/
//!   CACHEDIR.TAG
//!   files/sha256/<ab>/<hex>/<name>     0444: content that a publisher named by its digest
//!   files/blake3/<ab>/<hex>/<name>     0444: content that we made (a built wheel, compiled bytecode)
//!   files/…/<hex>/.part                a download in progress; its lock is the entry's lock
//!   files/…/<hex>/.part.json           what the server said about the bytes in it, so that it can be asked for the rest
//! ```
//!
//! What is made of these files lies beside `files/`, told where it is made: unpacked packages, tools, bytecode.
//!
//! A cache that cannot be written serves with what it has. What cannot be kept is made for one use ([`Cache::note_unkept`]); what
//! is missing fails with the folder and what to do.
//!
//! # Weakness
//!
//! Nothing is ever dropped from the cache by itself (`wipe --cache` does). A server that sends one byte every few seconds
//! is never called stalled.

pub mod address;
pub mod answer;
pub mod cache;
pub mod client;
pub mod fetch;
pub mod netrc;
mod part;
pub mod patience;
#[cfg(test)]
pub(crate) mod test_server;
#[cfg(test)]
mod tests;
mod transfer;
pub mod trouble;
pub mod trust;

pub use address::show;
pub use answer::Answer;
pub use cache::{Cache, CacheError, Content};
pub use client::{Client, NetError};
pub use fetch::{FetchError, Wanted, fetch};
pub use patience::Patience;
pub use trouble::Trouble;
