//! Services as data: what is to run ([`spec`]), the probes that say whether it is well, and the pure rules of its life.

pub mod spec;

pub use spec::{
    Kind, Liveness, LogPolicy, Need, Probe, ProbeKind, Promise, Restart, RestartPolicy, SecretFile, ServiceSpec,
    Services, Stop,
};
