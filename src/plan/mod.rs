//! What is to be done and why.
