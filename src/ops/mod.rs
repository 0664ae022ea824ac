//! Use cases: one a file; take data, return data, print nothing.
