//! Services as data: what is to run ([`spec`]), the probes that say whether it is well, and the pure rules of its life.

pub mod exit;
pub mod file;
pub mod group;
pub mod life;
pub mod limit;
pub mod notice;
pub mod order;
pub mod output;
pub mod restart;
pub mod schedule;
pub mod signal;
pub mod socket;
pub mod spec;
pub mod state;
#[cfg(test)]
pub(crate) mod testing;

pub use exit::Exit;
pub use limit::Limits;
pub use output::{Compress, LogFormat, LogPolicy, OnFull};
pub use schedule::{CatchUp, Overlap, Schedule};
pub use socket::Sockets;
pub use spec::{
    ConfFile, DUMP_VAR, DataCommand, DataState, DataVerb, Kind, Liveness, Need, Probe, ProbeKind, Promise, ReloadShows,
    Restart, RestartPolicy, SecretFile, ServiceSpec, Services, Stop,
};
