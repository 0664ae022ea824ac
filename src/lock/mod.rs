//! The lock: every outside byte by digest.
