//! The store: immutable objects.
