//! [`Allotter`]: gives ports and secrets to the options that ask for them, once.
//!
//! It works on a copy of the state, so that a plan can ask without changing anything. Ports start at a number that follows
//! from the prefix's id, outside the range from which the kernel takes ports for outgoing connections, and skip those of
//! other prefixes (also stopped ones) and those in use.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::ops::RangeInclusive;

use super::{SecretWord, State, state_key};
use crate::digest::Digest;
use crate::listener::ports_in_use;
use crate::name::{OptionName, PartName};
use crate::text::SecretRef;

/// Where allotted ports lie, but for the kernel's own range.
const PORTS: RangeInclusive<u16> = 10_000..=48_999;

/// Gives ports and secrets.
#[derive(Debug)]
pub struct Allotter {
    state: State,
    id: String,
    taken: BTreeSet<u16>,
    /// Begun with the first new port: most runs need none.
    hunt: Option<Hunt>,
    changed: bool,
}

/// The search for free ports.
#[derive(Debug)]
struct Hunt {
    candidates: std::vec::IntoIter<u16>,
    in_use: BTreeSet<u16>,
    is_free: fn(u16) -> bool,
}

impl Allotter {
    /// Allots for the prefix with that id, upon what its state has. `taken` are ports that must not be given: those of other
    /// prefixes, and those that options name.
    #[must_use]
    pub fn new(state: State, id: &str, mut taken: BTreeSet<u16>) -> Self {
        taken.extend(state.ports.values());
        Self { state, id: id.to_owned(), taken, hunt: None, changed: false }
    }

    /// The port of an option.
    pub fn port(&mut self, part: &PartName, option: &OptionName) -> u16 {
        let key = state_key(part, option);
        if let Some(port) = self.state.ports.get(&key) {
            return *port;
        }
        let port = self.hunt.get_or_insert_with(|| Hunt::begin(&self.id)).next(&self.taken);
        self.taken.insert(port);
        self.state.ports.insert(key, port);
        self.changed = true;
        port
    }

    /// The secret of an option.
    pub fn secret(&mut self, part: &PartName, option: &OptionName) -> SecretRef {
        self.state.secret_ref(part, option).unwrap_or_else(|| {
            self.changed = true;
            self.state.set_secret(part, option, None)
        })
    }

    /// The secret of an option whose word comes from elsewhere (a process variable): a new version only for a new word.
    pub fn secret_given(&mut self, part: &PartName, option: &OptionName, word: &str) -> SecretRef {
        let known = self.state.secrets.get(&state_key(part, option)).is_some_and(|entry| entry.word.reveal() == word);
        if known {
            return self.secret(part, option);
        }
        self.changed = true;
        self.state.set_secret(part, option, Some(SecretWord::new(word)))
    }

    /// Keeps a port, which an option names, from being given to another.
    pub fn reserve(&mut self, port: u16) {
        self.taken.insert(port);
    }

    /// Whether anything was given that was not there before.
    #[must_use]
    pub fn changed(&self) -> bool {
        self.changed
    }

    /// The state with what was given.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The state with what was given.
    #[must_use]
    pub fn into_state(self) -> State {
        self.state
    }
}

impl Hunt {
    fn begin(id: &str) -> Self {
        let text = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
        Self { candidates: candidates(id, parse_range(&text)).into_iter(), in_use: ports_in_use(), is_free }
    }

    fn next(&mut self, taken: &BTreeSet<u16>) -> u16 {
        let Self { candidates, in_use, is_free } = self;
        let free = candidates.find(|port| !taken.contains(port) && !in_use.contains(port) && is_free(*port));
        // With every candidate taken the kernel may know one more; else the port check before starting names who is in the way.
        free.or_else(port_of_kernel).unwrap_or(*PORTS.start())
    }
}

/// All ports that may be given, from the one that the id says, round once.
fn candidates(id: &str, kernel: RangeInclusive<u16>) -> Vec<u16> {
    let mut ports: Vec<u16> = PORTS.filter(|port| !kernel.contains(port)).collect();
    if ports.is_empty() {
        // The kernel takes from the whole range: then a port that is free now must do.
        ports = PORTS.collect();
    }
    let digest = Digest::of(id);
    let number = digest.as_bytes().iter().take(4).fold(0_usize, |number, byte| number << 8 | usize::from(*byte));
    // Prefixes start ten apart, so that the second part of one is seldom the first of another.
    let start = number % ports.len() / 10 * 10;
    ports.rotate_left(start);
    ports
}

/// `32768\t60999`.
fn parse_range(text: &str) -> RangeInclusive<u16> {
    let mut numbers = text.split_whitespace().filter_map(|word| word.parse().ok());
    numbers.next().unwrap_or(32_768)..=numbers.next().unwrap_or(60_999)
}

fn is_free(port: u16) -> bool {
    TcpListener::bind(("127.0.0.1", port)).is_ok()
}

fn port_of_kernel() -> Option<u16> {
    Some(TcpListener::bind(("127.0.0.1", 0)).ok()?.local_addr().ok()?.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(name: &str) -> PartName {
        name.parse().expect("name")
    }

    fn option(name: &str) -> OptionName {
        name.parse().expect("name")
    }

    /// An allotter for which every port is free that nobody says is taken.
    fn allotter(state: State, id: &str, taken: &[u16]) -> Allotter {
        let candidates = candidates(id, 32_768..=60_999).into_iter();
        let hunt = Hunt { candidates, in_use: BTreeSet::new(), is_free: |_| true };
        Allotter { hunt: Some(hunt), ..Allotter::new(state, id, taken.iter().copied().collect()) }
    }

    #[test]
    fn ports_follow_from_the_id_and_stay() {
        let ports = |allotter: &mut Allotter| ["wps", "web"].map(|name| allotter.port(&part(name), &option("port")));
        let mut first = allotter(State::default(), "abc", &[]);
        let given = ports(&mut first);
        assert!(first.changed() && given[0] != given[1]);
        assert_eq!(ports(&mut allotter(State::default(), "abc", &[])), given);
        assert_ne!(ports(&mut allotter(State::default(), "abd", &[])), given);
        let mut again = allotter(first.into_state(), "another id", &given);
        assert_eq!(ports(&mut again), given);
        assert!(!again.changed());
    }

    #[test]
    fn ports_of_others_and_of_the_kernel_are_never_given() {
        let free = allotter(State::default(), "abc", &[]).port(&part("wps"), &option("port"));
        let mut hindered = allotter(State::default(), "abc", &[free]);
        hindered.reserve(free + 1);
        let given = hindered.port(&part("wps"), &option("port"));
        assert!(given != free && given != free + 1);
        assert!(candidates("x", 32_768..=60_999).iter().all(|port| (10_000..32_768).contains(port)));
        assert_eq!(candidates("x", 1024..=65_535).len(), PORTS.count());
        assert_eq!(parse_range("32768\t60999\n"), 32_768..=60_999);
        assert_eq!(parse_range(""), 32_768..=60_999);
    }

    #[test]
    fn a_port_in_use_is_not_given() {
        let first = candidates("busy", 32_768..=60_999).into_iter().find_map(|port| {
            let listener = TcpListener::bind(("127.0.0.1", port)).ok()?;
            Some((port, listener))
        });
        let (busy, _listener) = first.expect("a port");
        let mut allotter = Allotter::new(State::default(), "busy", BTreeSet::new());
        assert_ne!(allotter.port(&part("wps"), &option("port")), busy);
    }

    #[test]
    fn when_all_are_taken_the_kernel_is_asked() {
        let mut allotter = allotter(State::default(), "abc", &PORTS.collect::<Vec<_>>());
        assert!(allotter.port(&part("wps"), &option("port")) > 0);
    }

    #[test]
    fn a_secret_is_made_once() {
        let mut allotter = allotter(State::default(), "abc", &[]);
        let one = allotter.secret(&part("db"), &option("password"));
        assert!(allotter.changed());
        assert_eq!(allotter.secret(&part("db"), &option("password")), one);
        assert_eq!(allotter.state().secrets.len(), 1);
        let mut again = self::allotter(allotter.into_state(), "abc", &[]);
        assert_eq!(again.secret(&part("db"), &option("password")), one);
        assert!(!again.changed());
    }
}
