//! Obeys a plan: objects, then a generation.
