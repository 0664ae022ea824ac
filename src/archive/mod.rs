//! Archives, unpacked without trust.
