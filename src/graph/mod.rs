//! The graph of parts.
