//! Services as data: what is to run ([`spec`]), the probes that say whether it is well, and the pure rules of its life.

pub mod exit;
pub mod life;
pub mod order;
pub mod restart;
pub mod signal;
pub mod spec;
pub mod state;
#[cfg(test)]
pub(crate) mod testing;

pub use exit::Exit;
pub use spec::{
    DUMP_VAR, DataCommand, DataState, DataVerb, Kind, Liveness, LogPolicy, Need, Probe, ProbeKind, Promise, Restart,
    RestartPolicy, SecretFile, ServiceSpec, Services, Stop,
};
