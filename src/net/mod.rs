//! Fetching: addresses to verified cache files.
