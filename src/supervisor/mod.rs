//! The supervisor: policy, probes, control.
