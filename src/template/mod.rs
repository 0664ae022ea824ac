//! Templates (minijinja, strict).
