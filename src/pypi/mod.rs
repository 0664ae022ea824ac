//! The Python package index.
