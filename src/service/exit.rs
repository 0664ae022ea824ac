//! How a process ended.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::signal;

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Exit {
    /// With a status.
    Code(i32),
    /// By a signal.
    Signal(i32),
    /// Nobody could see how.
    Unknown,
}

impl Exit {
    /// Whether it ended with status 0.
    #[must_use]
    pub const fn is_success(self) -> bool {
        matches!(self, Self::Code(0))
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exited with {code}"),
            Self::Signal(number) => match signal::name(*number) {
                Some(name) => write!(f, "was killed by SIG{name}"),
                None => write!(f, "was killed by signal {number}"),
            },
            Self::Unknown => f.write_str("ended in a way that nobody saw"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Exit;

    #[test]
    fn ends_are_told_in_words() {
        assert_eq!(Exit::Code(3).to_string(), "exited with 3");
        assert_eq!(Exit::Signal(9).to_string(), "was killed by SIGKILL");
        assert_eq!(Exit::Signal(40).to_string(), "was killed by signal 40");
    }
}
