//! The keeper: parent of every service.
