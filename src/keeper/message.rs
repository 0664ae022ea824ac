//! What the supervisor asks of the keeper and what it answers: JSON behind a length of four bytes, over a socket pair that only
//! these two hold.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::sandbox::Access;
use crate::service::{Exit, Limits};

/// No message is longer; a length above this means that the other side is not ours.
const LONGEST: usize = 64 << 20;

/// So much memory is kept for messages that come in.
const SPARE: usize = 1 << 14;

/// What the supervisor asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// When the supervisor ends after this, the keeper becomes that program, and keeps what it holds.
    Become {
        /// The program.
        program: PathBuf,
    },
    /// The service has ended and is not started again: its exit record and lease go.
    Forget {
        /// Which.
        service: String,
        /// Whether it is no service of this prefix any more, so that its FIFOs go too.
        is_gone: bool,
    },
    /// SIGKILL to everything that bears the service's mark.
    KillTree {
        /// Which.
        service: String,
    },
    /// What is known of all services.
    List,
    /// Listen on these addresses, until they are released: services get the sockets.
    Listen {
        /// As [`crate::service::socket::Address`] reads them.
        addresses: Vec<String>,
    },
    /// Keep this with the lease.
    Note {
        /// Which.
        service: String,
        /// What the supervisor wants to know again after its death.
        note: Note,
    },
    /// Close what listens on these addresses.
    Release {
        /// The addresses.
        addresses: Vec<String>,
    },
    /// When the supervisor ends after this, the keeper ends too.
    Shutdown,
    /// A signal to the service's process group.
    Signal {
        /// Which.
        service: String,
        /// Its number.
        signal: i32,
    },
    /// Start it.
    Spawn(Box<Spawn>),
    /// The control socket is there: whoever started the keeper may go on.
    Up,
}

/// How a child is to be started.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spawn {
    /// The service.
    pub service: String,
    /// Program (an absolute path) and arguments.
    pub argv: Vec<String>,
    /// Its variables, these and no others. They may hold secrets.
    pub vars: BTreeMap<String, String>,
    /// Its working folder.
    pub folder: PathBuf,
    /// What the supervisor wants to know again after its death.
    pub note: Note,
    /// The addresses whose sockets it gets, from descriptor 3 on.
    pub addresses: Vec<String>,
    /// Whether these never wait for a connection, as nginx has them from its predecessor: where two of its processes see one come,
    /// the one that is late would wait for the next one, and whoever it serves with it.
    #[serde(default)]
    pub nonblocking: bool,
    /// Whether it gets `LISTEN_PID`, which is known only once it is there.
    pub tells_pid: bool,
    /// Whether it gets a `NOTIFY_SOCKET`.
    pub notifies: bool,
    /// What its processes may use.
    pub limits: Limits,
    /// The only files that they may read and write, where the kernel can see to that.
    pub access: Option<Access>,
}

/// Hides the variables: they may hold secrets.
impl std::fmt::Debug for Spawn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Spawn").field("service", &self.service).field("argv", &self.argv).finish_non_exhaustive()
    }
}

/// What a supervisor leaves for its successor. No secret is in it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Note {
    /// The digest of the spec that it was started from.
    pub digest: String,
    /// Whether it was ready.
    pub ready: bool,
    /// How often it was started again.
    pub restarts: u32,
    /// Where its output since the start begins in its log.
    pub log_from: u64,
    /// The digest of the configuration that it has read.
    pub reload_digest: String,
}

/// What the keeper answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// All services that the keeper knows.
    Children(Vec<ChildRecord>),
    /// A service's main process ended.
    Exited {
        /// Which.
        service: String,
        /// How.
        exit: Exit,
    },
    /// How a service's process ended that nobody could see at first: its parent has taken notice only now.
    Explained {
        /// Which.
        service: String,
        /// The process that it was.
        pid: i32,
        /// How.
        exit: Exit,
    },
    /// Answers [`Request::KillTree`].
    Killed {
        /// Which.
        service: String,
        /// How many were killed.
        killed: usize,
        /// Who is still there (they have SIGKILL pending).
        left: Vec<i32>,
    },
    /// Answers [`Request::Listen`].
    Listening {
        /// The address that could not be had, and why; then none of them was opened that was not open before.
        problem: Option<(String, String)>,
    },
    /// Another process of the service is its main one now: it said so.
    Main {
        /// Which.
        service: String,
        /// The process.
        pid: i32,
    },
    /// A service said something over its notify socket.
    Noted {
        /// Which.
        service: String,
        /// What.
        text: String,
    },
    /// The child could not be started.
    SpawnFailed {
        /// Which.
        service: String,
        /// Why.
        reason: String,
    },
    /// The child runs its program.
    Spawned {
        /// Which.
        service: String,
        /// Its process.
        pid: i32,
    },
    /// The keeper was told to end (SIGTERM): stop everything, then ask for [`Request::Shutdown`].
    Terminate,
}

/// One service, as the keeper knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChildRecord {
    /// The service.
    pub service: String,
    /// Its process.
    pub pid: i32,
    /// When it was started, in milliseconds since 1970.
    pub since: u64,
    /// What the supervisor left.
    pub note: Note,
    /// How it ended, if it did.
    pub exit: Option<Exit>,
    /// Whether this keeper took it over from another.
    pub adopted: bool,
    /// What it said of itself that still counts, a line each.
    pub said: String,
}

/// One message with its length before it.
#[must_use]
pub fn encode(message: &impl Serialize) -> Vec<u8> {
    let body = serde_json::to_vec(message).expect("messages are valid JSON");
    let mut frame = u32::try_from(body.len()).expect("messages are short").to_le_bytes().to_vec();
    frame.extend_from_slice(&body);
    frame
}

/// What has come in and was not read yet.
#[derive(Debug, Default)]
pub struct Inbox {
    bytes: Vec<u8>,
    /// Where the first message that was not read begins.
    from: usize,
}

impl Inbox {
    /// Where bytes are put that come in, behind those that are there.
    pub fn room(&mut self) -> &mut Vec<u8> {
        if self.from == self.bytes.len() {
            // What one long moment needed is given back.
            self.bytes.clear();
            self.bytes.shrink_to(SPARE);
            self.from = 0;
        } else if self.from > SPARE {
            self.bytes.drain(..self.from);
            self.from = 0;
        }
        &mut self.bytes
    }

    /// Takes the first whole message out of it.
    ///
    /// # Errors
    /// If it is no message.
    pub fn take<T: DeserializeOwned>(&mut self) -> io::Result<Option<T>> {
        let rest = &self.bytes[self.from..];
        let Some((head, rest)) = rest.split_first_chunk::<4>() else { return Ok(None) };
        let length = u32::from_le_bytes(*head) as usize;
        if length > LONGEST {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a message is too long"));
        }
        let Some(body) = rest.get(..length) else { return Ok(None) };
        let message = serde_json::from_slice(body)?;
        self.from += 4 + length;
        Ok(Some(message))
    }
}

#[cfg(test)]
mod tests {
    use super::{Inbox, Reply, Request, encode};

    #[test]
    fn messages_come_out_whole_however_they_are_cut() {
        let mut bytes = encode(&Request::List);
        bytes.extend(encode(&Request::Signal { service: "web".into(), signal: 15 }));
        let (mut inbox, mut seen) = (Inbox::default(), Vec::new());
        for byte in bytes {
            inbox.room().push(byte);
            while let Some(request) = inbox.take::<Request>().expect("a message") {
                seen.push(request);
            }
        }
        assert_eq!(seen, [Request::List, Request::Signal { service: "web".into(), signal: 15 }]);
    }

    #[test]
    fn a_hostile_length_is_refused() {
        let mut inbox = Inbox::default();
        inbox.room().extend([0xff; 8]);
        assert!(inbox.take::<Reply>().is_err());
    }
}
