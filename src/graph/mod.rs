//! The graph of parts (or of options, or of services): who depends on whom, in which of three ways, and what follows from it.
//!
//! Everything here is pure: no threads, no clock, no file. A link points from what depends to what it depends on. The three
//! kinds ([`Kind`]) are kept apart, since a stack is free to have a circle of two kinds together (a server reads the address of
//! the application that it serves, and the application that of the server), while a circle of one kind that must be
//! walked in order is a mistake. [`Graph::build`] is the only constructor and checks exactly that, so whoever holds a graph
//! never checks again.
//!
//! - [`build`]: [`Graph`], its links, and the order that follows from them;
//! - [`cycle`]: what is wrong if there is none, drawn with file and line of each link;
//! - [`queue`]: which node may be worked on now, for a scheduler that has the threads;
//! - [`picture`]: the graph for people: a tree, dot, mermaid, svg.
//!
//! All of it is linear in nodes and links, but for the logarithm of a sort.

pub mod build;
pub mod cycle;
pub mod picture;
pub mod queue;

pub use build::{Graph, Kind, Link};
pub use cycle::{Cycle, Cycles};
pub use picture::Picture;
pub use queue::Queue;
