//! Running tools.
