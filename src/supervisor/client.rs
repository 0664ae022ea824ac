//! The blocking client of the control socket: plain HTTP/1.1 over a unix socket, without a runtime, so that the run that has
//! nothing to do costs one round trip and no more.

use std::collections::BTreeMap;
use std::io::{self, BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::message::{
    Event, Outcome, ServicesRequest, SignalRequest, Status, SwitchEvent, SwitchOutcome, SwitchRequest,
};
use super::reach::{self, BETWEEN, PATIENCE, await_end, handles};
use super::usage::Usage;
use crate::generation;
use crate::layout::Layout;
use crate::name::PartName;

/// How long one waits who only looks.
const GLIMPSE: Duration = Duration::from_secs(3);

/// Why the supervisor could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The socket cannot be reached.
    #[error("connecting to the supervisor at {path} failed: {source}")]
    Connect {
        /// The socket.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Somebody else answers there.
    #[error("{path} belongs to user {user}, not to you; nothing was sent. Remove it, or choose another prefix")]
    Stranger {
        /// The socket.
        path: PathBuf,
        /// Who.
        user: u32,
    },
    /// It was cut off.
    #[error("talking to the supervisor failed: {0}; `jove-install status` shows what runs, log/supervisor.log why")]
    Talk(#[source] io::Error),
    /// It answered with something else.
    #[error("the supervisor gave an answer that cannot be read: {0}")]
    Answer(String),
    /// It said no.
    #[error("the supervisor refused: {0}")]
    Refused(String),
    /// The keeper could not be started.
    #[error("starting the keeper failed: {0}")]
    Start(String),
    /// It came up, and somebody ended it again.
    #[error("the supervisor was shut down while it was started")]
    Ended,
    /// It did not come up, or does not answer.
    #[error("the supervisor did not answer within {} s; log/supervisor.log shows why", .0.as_secs())]
    Silent(Duration),
    /// Somebody has stopped it, or its keeper, by a signal: it is there and does nothing.
    #[error("the {who} (pid {pid}) is stopped by a signal and answers nobody; `kill -CONT {pid}` has it go on")]
    Stopped {
        /// `supervisor` or `keeper`.
        who: &'static str,
        /// Its process.
        pid: i32,
    },
}

impl ClientError {
    /// Whether the supervisor that was asked may have ended meanwhile.
    #[must_use]
    pub const fn is_gone(&self) -> bool {
        matches!(self, Self::Connect { .. } | Self::Talk(_) | Self::Ended)
    }
}

/// A running supervisor.
#[derive(Debug)]
pub struct Client {
    pub(super) layout: Layout,
    pub(super) path: PathBuf,
    /// How long an answer may take that needs no work.
    pub(super) patience: Duration,
}

impl Client {
    /// Finds the supervisor of a prefix; `None` if none runs.
    ///
    /// # Errors
    /// If there is one that cannot be reached, or the socket is somebody else's.
    pub fn connect(layout: &Layout) -> Result<Option<Self>, ClientError> {
        Ok(reach::find(layout, BETWEEN)?.map(|path| Self::at(layout, path)))
    }

    /// The same for one who only looks: he waits for nothing longer than a moment, neither now nor for an answer.
    ///
    /// # Errors
    /// As [`Client::connect`].
    pub fn glance(layout: &Layout) -> Result<Option<Self>, ClientError> {
        let found = reach::find(layout, GLIMPSE)?;
        Ok(found.map(|path| Self { patience: GLIMPSE, ..Self::at(layout, path) }))
    }

    /// Finds the supervisor of a prefix, or starts keeper and supervisor, detached from this session, and waits for them.
    /// Two that start at once are fine: the keeper's file lock lets one through. One that is ending is waited for.
    ///
    /// # Errors
    /// If they cannot be started or do not answer.
    pub fn ensure(layout: &Layout, program: &Path) -> Result<Self, ClientError> {
        if let Some(client) = Self::connect(layout)? {
            match client.status() {
                // Its keeper was killed, and it ends itself at this moment.
                Err(error) if error.is_gone() => {}
                Err(error) => return Err(error),
                Ok(status) if status.is_ending => await_end(&handles(&status), PATIENCE)?,
                Ok(_) => return Ok(client),
            }
        }
        Ok(Self::at(layout, reach::begin(layout, program)?))
    }

    /// Waits until a keeper that is ending is gone, for a moment at most: what it leaves then was left by one that was killed.
    pub fn await_keepers_end(layout: &Layout) {
        reach::await_keepers_end(layout);
    }

    /// Whether it answers and is not about to end.
    pub(super) fn stays(&self) -> bool {
        self.status().is_ok_and(|status| !status.is_ending)
    }

    fn at(layout: &Layout, path: PathBuf) -> Self {
        Self { layout: layout.clone(), path, patience: PATIENCE }
    }

    /// The state of everything.
    ///
    /// # Errors
    /// If the supervisor does not answer.
    pub fn status(&self) -> Result<Status, ClientError> {
        self.question("/v1/status")
    }

    /// The state of everything, once no switch is in progress.
    ///
    /// # Errors
    /// If the supervisor does not answer.
    pub fn settled(&self) -> Result<Status, ClientError> {
        self.read_json(self.request("GET", "/v1/settled", None, None)?)
    }

    /// What services that run use.
    ///
    /// # Errors
    /// If the supervisor does not answer.
    pub fn usage(&self) -> Result<BTreeMap<PartName, Usage>, ClientError> {
        self.question("/v1/usage")
    }

    /// The last entries of the history, oldest first.
    ///
    /// # Errors
    /// If the supervisor does not answer.
    pub fn events(&self, last: usize) -> Result<Vec<Event>, ClientError> {
        self.question(&format!("/v1/events?last={last}"))
    }

    /// Moves services to a generation and commits it, or goes back. The supervisor owns the switch: should it be killed
    /// meanwhile, its successor decides, and this waits for that.
    ///
    /// # Errors
    /// If the supervisor cannot be asked, refuses (another switch is in progress), or does not come back.
    pub fn switch(
        &self,
        to: u32,
        verb: &str,
        on_event: &mut dyn FnMut(SwitchEvent),
    ) -> Result<SwitchOutcome, ClientError> {
        let request = json(&SwitchRequest { to, verb: verb.to_owned() })?;
        match self.stream("/v1/switch", Some(&request), on_event) {
            Ok(SwitchEvent::Committed { .. }) => Ok(SwitchOutcome::Committed),
            Ok(SwitchEvent::BackedOut { reason, last_lines }) => Ok(SwitchOutcome::BackedOut { reason, last_lines }),
            Ok(SwitchEvent::Failed { reason, .. }) => Err(ClientError::Refused(reason)),
            Ok(other) => Err(ClientError::Answer(format!("{other:?}"))),
            Err(ClientError::Talk(_)) => self.outcome_of_successor(to),
            Err(error) => Err(error),
        }
    }

    fn outcome_of_successor(&self, to: u32) -> Result<SwitchOutcome, ClientError> {
        let end = Instant::now() + PATIENCE;
        // The one that dies may still be met at its socket.
        while let Err(error) = Self::at(&self.layout, reach::await_socket(&self.layout)?).settled() {
            if !error.is_gone() || Instant::now() >= end {
                return Err(error);
            }
        }
        if generation::current(&self.layout) == Some(to) {
            return Ok(SwitchOutcome::Committed);
        }
        let reason = match generation::Status::read(&self.layout, to) {
            generation::Status::Failed { reason } => reason,
            generation::Status::Committed | generation::Status::Prepared => {
                "the supervisor was killed during the switch; the same command tries again".to_owned()
            }
        };
        Ok(SwitchOutcome::BackedOut { reason, last_lines: Vec::new() })
    }

    /// Starts services (all, if none is named) and waits until each is ready or has failed.
    ///
    /// # Errors
    /// If the supervisor cannot be asked or refuses.
    pub fn start(&self, services: &[PartName], on_event: &mut dyn FnMut(SwitchEvent)) -> Result<Outcome, ClientError> {
        self.act("/v1/start", services, on_event)
    }

    /// Stops services (all, if none is named) and waits until no process of theirs is left.
    ///
    /// # Errors
    /// If the supervisor cannot be asked or refuses.
    pub fn stop(&self, services: &[PartName], on_event: &mut dyn FnMut(SwitchEvent)) -> Result<Outcome, ClientError> {
        self.act("/v1/stop", services, on_event)
    }

    /// Stops and starts services (all that run, if none is named).
    ///
    /// # Errors
    /// If the supervisor cannot be asked or refuses.
    pub fn restart(
        &self,
        services: &[PartName],
        on_event: &mut dyn FnMut(SwitchEvent),
    ) -> Result<Outcome, ClientError> {
        self.act("/v1/restart", services, on_event)
    }

    /// Begins a run of a job, and waits for its end.
    ///
    /// # Errors
    /// If the supervisor cannot be asked or refuses.
    pub fn run(&self, services: &[PartName], on_event: &mut dyn FnMut(SwitchEvent)) -> Result<Outcome, ClientError> {
        self.act("/v1/run", services, on_event)
    }

    /// Tells services to read their configuration again.
    ///
    /// # Errors
    /// If the supervisor cannot be asked or refuses.
    pub fn reload(&self, services: &[PartName], on_event: &mut dyn FnMut(SwitchEvent)) -> Result<Outcome, ClientError> {
        self.act("/v1/reload", services, on_event)
    }

    /// Sends a signal (`HUP`, `KILL`) to services that run: to all of them, if none is named.
    ///
    /// # Errors
    /// If the supervisor cannot be asked or refuses.
    pub fn signal(&self, services: &[PartName], signal: &str) -> Result<Outcome, ClientError> {
        let request = json(&SignalRequest { signal: signal.to_owned(), services: services.to_vec() })?;
        self.outcome("/v1/signal", &request, &mut |_| {})
    }

    /// Stops all services, then supervisor and keeper, and returns when they are gone.
    ///
    /// # Errors
    /// If the supervisor cannot be asked, or a process does not end. If it was cut off, both are gone, too, but not all services
    /// have to be: its last words may be lost, or its keeper was killed before.
    pub fn shutdown(&self, on_event: &mut dyn FnMut(SwitchEvent)) -> Result<Outcome, ClientError> {
        let handles = handles(&self.status()?);
        let cut_off = match self.stream("/v1/shutdown", None, on_event) {
            Ok(SwitchEvent::Done) => None,
            Ok(SwitchEvent::Failed { reason, last_lines }) => return Ok(Outcome::Failed { reason, last_lines }),
            Ok(other) => return Err(ClientError::Answer(format!("{other:?}"))),
            Err(error) if error.is_gone() => Some(error),
            Err(error) => return Err(error),
        };
        await_end(&handles, PATIENCE)?;
        cut_off.map_or(Ok(Outcome::Done), Err)
    }

    fn act(
        &self,
        path: &str,
        services: &[PartName],
        on_event: &mut dyn FnMut(SwitchEvent),
    ) -> Result<Outcome, ClientError> {
        self.outcome(path, &json(&ServicesRequest { services: services.to_vec() })?, on_event)
    }

    fn outcome(
        &self,
        path: &str,
        request: &[u8],
        on_event: &mut dyn FnMut(SwitchEvent),
    ) -> Result<Outcome, ClientError> {
        match self.stream(path, Some(request), on_event)? {
            SwitchEvent::Done => Ok(Outcome::Done),
            SwitchEvent::Failed { reason, last_lines } => Ok(Outcome::Failed { reason, last_lines }),
            other => Err(ClientError::Answer(format!("{other:?}"))),
        }
    }

    /// Reads a stream of events to its last one, which is returned and not passed on.
    fn stream(
        &self,
        path: &str,
        request: Option<&[u8]>,
        on_event: &mut dyn FnMut(SwitchEvent),
    ) -> Result<SwitchEvent, ClientError> {
        let body = self.request("POST", path, request, Some(self.patience))?;
        // That it has heard comes at once, all else when it happens.
        body.stream().set_read_timeout(None).map_err(ClientError::Talk)?;
        for line in BufReader::new(body).lines() {
            let line = line.map_err(ClientError::Talk)?;
            let event = serde_json::from_str(&line).map_err(|error| ClientError::Answer(error.to_string()))?;
            match event {
                SwitchEvent::Note { .. } | SwitchEvent::Service { .. } => on_event(event),
                SwitchEvent::BackedOut { .. }
                | SwitchEvent::Committed { .. }
                | SwitchEvent::Done
                | SwitchEvent::Failed { .. } => return Ok(event),
            }
        }
        Err(ClientError::Talk(io::ErrorKind::UnexpectedEof.into()))
    }
}

fn json(value: &impl serde::Serialize) -> Result<Vec<u8>, ClientError> {
    serde_json::to_vec(value).map_err(|error| ClientError::Answer(error.to_string()))
}
