//! How results look in a terminal: text that can be read without colours.

pub mod change;
pub mod explain;
pub mod status;
pub mod table;
pub mod watch;
