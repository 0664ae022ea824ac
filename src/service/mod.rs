//! Services as data: what is to run ([`spec`]), the probes that say whether it is well, and the pure rules of its life.

pub mod amount;
pub mod data;
mod ending;
pub mod exit;
pub mod file;
pub mod format;
pub mod group;
pub mod header;
pub mod life;
pub mod limit;
pub mod notice;
pub mod order;
pub mod output;
pub mod probe;
pub mod restart;
pub mod schedule;
mod seconds;
pub mod signal;
pub mod socket;
pub mod spec;
pub mod state;
#[cfg(test)]
pub(crate) mod testing;

pub use data::{DUMP_VAR, DataCommand, DataState, DataVerb};
pub use exit::Exit;
pub use format::{DataFormat, FormatRule, Reads};
pub use header::Headers;
pub use limit::Limits;
pub use output::{Compress, LogFormat, LogPolicy, OnFull};
pub use probe::{Liveness, Probe, ProbeKind, Promise};
pub use restart::{Restart, RestartPolicy};
pub use schedule::{CatchUp, Overlap, Schedule};
pub use socket::Sockets;
pub use spec::{ConfFile, Kind, Need, ReloadShows, SecretFile, ServiceSpec, Services, Stop};
