//! Services as data: what is to run ([`spec`]), the probes that say whether it is well, and the pure rules of its life.

pub mod exit;
pub mod life;
pub mod limit;
pub mod notice;
pub mod order;
pub mod restart;
pub mod signal;
pub mod socket;
pub mod spec;
pub mod state;
#[cfg(test)]
pub(crate) mod testing;

pub use exit::Exit;
pub use limit::Limits;
pub use socket::Sockets;
pub use spec::{
    ConfFile, DUMP_VAR, DataCommand, DataState, DataVerb, Kind, Liveness, LogPolicy, Need, Probe, ProbeKind, Promise,
    ReloadShows, Restart, RestartPolicy, SecretFile, ServiceSpec, Services, Stop,
};
