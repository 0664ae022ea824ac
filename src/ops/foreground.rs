//! Staying in the foreground while services run: for containers, for a service manager above, for a terminal.
//!
//! The first SIGTERM or Ctrl-C stops everything in order, a second one kills it. As process 1 of a container, orphans are reaped. A
//! manager that gave a notify socket hears when all is up and when it stops. If keeper and supervisor are killed, others take
//! over; if this process is killed, services go on, and the same command takes them over.

use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::host::Host;
use crate::ops::error::{ErrorKind, OpError, OpResult};
use crate::ops::place::Place;
use crate::ops::reach;
use crate::progress::{Event, Reporter};
use crate::stderr::say;
use crate::supervisor::client::Client;

/// How long a start that was interrupted has until it is stopped again.
const AGAIN: Duration = Duration::from_millis(100);

/// What is heard.
enum Heard {
    /// The keeper is gone.
    Gone,
    /// Another keeper has taken over; or nothing is left that it would, for somebody has shut everything down.
    Revived(OpResult<bool>),
    /// A signal.
    Signal(i32),
    /// The start is over.
    Started(OpResult<()>),
    /// The stop is over.
    Stopped(OpResult<()>),
}

/// What a foreground run does at its ends.
pub struct Acts<'a> {
    /// Starts everything.
    pub start: &'a (dyn Fn() -> OpResult<()> + Sync),
    /// Reads what is to run again (SIGHUP).
    pub reread: &'a (dyn Fn() -> OpResult<()> + Sync),
    /// Says that all is up.
    pub up: &'a (dyn Fn() + Sync),
}

/// Starts everything, and stays until it was stopped.
///
/// # Errors
/// If it cannot be started, or something cannot be stopped.
pub fn stay(place: &Place, acts: &Acts<'_>, report: &Reporter) -> OpResult<()> {
    let signals = [SIGCHLD, SIGHUP, SIGINT, SIGTERM];
    let mut signals = Signals::new(signals).map_err(|error| OpError::failed(format!("signals: {error}")))?;
    let (sender, heard) = channel();
    let handle = signals.handle();
    let done = thread::scope(|scope| {
        let ears = sender.clone();
        scope.spawn(move || {
            for signal in signals.forever() {
                if ears.send(Heard::Signal(signal)).is_err() {
                    return;
                }
            }
        });
        let starter = sender.clone();
        scope.spawn(move || drop(starter.send(Heard::Started((acts.start)()))));
        let mut stay = Stay {
            place,
            acts,
            report,
            sender: &sender,
            stops: 0,
            is_started: false,
            is_up: false,
            stopping: 0,
            failure: None,
        };
        let done = stay.listen(scope, &heard);
        handle.close();
        done
    });
    notify(&place.host, "STOPPING=1");
    done
}

struct Stay<'a, 'b> {
    place: &'a Place,
    acts: &'a Acts<'b>,
    report: &'a Reporter,
    sender: &'a Sender<Heard>,
    stops: u32,
    /// The start is over, well or not.
    is_started: bool,
    is_up: bool,
    /// How many stops are under way.
    stopping: u32,
    failure: Option<OpError>,
}

impl<'a> Stay<'a, '_> {
    fn listen<'scope>(&mut self, scope: &'scope thread::Scope<'scope, '_>, heard: &Receiver<Heard>) -> OpResult<()>
    where
        'a: 'scope,
    {
        while let Ok(heard) = heard.recv() {
            match heard {
                Heard::Gone => self.revive(scope),
                // A stop that came meanwhile ends what was taken over.
                Heard::Revived(_) if self.stops > 0 => {}
                Heard::Revived(Ok(false)) => break,
                Heard::Revived(Err(error)) => return Err(error),
                Heard::Revived(Ok(true)) => {
                    reach::reap();
                    self.started()?;
                }
                Heard::Signal(SIGCHLD) => reach::reap(),
                Heard::Signal(SIGHUP) if self.is_up => {
                    if let Err(error) = (self.acts.reread)() {
                        self.report.report(Event::Note(format!("it goes on as before: {error}")));
                    }
                }
                Heard::Signal(SIGINT | SIGTERM) => self.stop(scope),
                Heard::Signal(_) => {}
                Heard::Started(done) => {
                    self.is_started = true;
                    reach::reap();
                    match done {
                        // Stopped while it started: what came up meanwhile is stopped, too.
                        _ if self.stops > 0 => self.stop_all(scope),
                        Ok(()) => self.started()?,
                        Err(error) if is_cut_off(&error) && reach::is_ending(&self.place.layout)? => {
                            self.report.report(Event::Note("everything was shut down while it started".into()));
                            self.started()?;
                        }
                        Err(error) => {
                            self.failure = Some(error);
                            self.stop(scope);
                        }
                    }
                }
                // The start may not have been there yet: what it brings up afterwards is stopped as well.
                Heard::Stopped(_) if !self.is_started => {
                    self.stopping -= 1;
                    self.stop_after(AGAIN, scope);
                }
                Heard::Stopped(_) if self.stopping > 1 => self.stopping -= 1,
                Heard::Stopped(done) => return self.failure.take().map_or(done, Err),
            }
        }
        Ok(())
    }

    /// Stops everything; the second time by force.
    fn stop<'scope>(&mut self, scope: &'scope thread::Scope<'scope, '_>)
    where
        'a: 'scope,
    {
        self.stops += 1;
        match self.stops {
            1 => {
                self.report.report(Event::Stage("stopping".into()));
                notify(&self.place.host, "STOPPING=1");
                self.stop_all(scope);
            }
            2 => {
                self.report.report(Event::Stage("killing".into()));
                let place = self.place;
                scope.spawn(move || {
                    if let Ok(Some(client)) = Client::connect(&place.layout) {
                        let _ = client.signal(&[], "KILL");
                    }
                });
            }
            _ => {}
        }
    }

    fn stop_all<'scope>(&mut self, scope: &'scope thread::Scope<'scope, '_>)
    where
        'a: 'scope,
    {
        self.stop_after(Duration::ZERO, scope);
    }

    /// Stops everything in a while; signals are heard meanwhile.
    fn stop_after<'scope>(&mut self, pause: Duration, scope: &'scope thread::Scope<'scope, '_>)
    where
        'a: 'scope,
    {
        self.stopping += 1;
        let (place, sender) = (self.place, self.sender.clone());
        scope.spawn(move || {
            thread::sleep(pause);
            drop(sender.send(Heard::Stopped(reach::stop_all(place, &mut |_| {}))));
        });
    }

    /// Everything is up, unless somebody ends it already.
    fn started(&mut self) -> OpResult<()> {
        if self.watch_keeper()? && !self.is_up {
            self.is_up = true;
            notify(&self.place.host, "READY=1");
            (self.acts.up)();
        }
        Ok(())
    }

    /// The keeper is gone: somebody has shut everything down, or killed it; then another takes over. Signals are heard meanwhile.
    fn revive<'scope>(&self, scope: &'scope thread::Scope<'scope, '_>)
    where
        'a: 'scope,
    {
        if self.stops > 0 {
            return;
        }
        let (place, report, sender) = (self.place, self.report, self.sender.clone());
        scope.spawn(move || drop(sender.send(Heard::Revived(revive(place, report)))));
    }

    /// Hears when the keeper ends. Says whether it is there to stay.
    fn watch_keeper(&self) -> OpResult<bool> {
        let sender = self.sender.clone();
        let status = match Client::connect(&self.place.layout)?.map(|client| client.status()) {
            Some(Ok(status)) => status,
            Some(Err(error)) if !error.is_gone() => return Err(error.into()),
            None | Some(Err(_)) => {
                drop(sender.send(Heard::Gone));
                return Ok(false);
            }
        };
        let keeper = Pid::from_raw(status.keeper).map(|pid| pidfd_open(pid, PidfdFlags::empty()));
        // Not one of the scope: it ends with the keeper only.
        thread::spawn(move || {
            if let Some(Ok(keeper)) = keeper {
                while matches!(poll(&mut [PollFd::new(&keeper, PollFlags::IN)], None), Err(rustix::io::Errno::INTR)) {}
            }
            let _ = sender.send(Heard::Gone);
        });
        Ok(!status.is_ending)
    }
}

/// Has another keeper take over what one that was killed has left; says whether anybody is there. Asked and begun in one, so that
/// a stop at the same time is not followed by a keeper that nobody ends.
fn revive(place: &Place, report: &Reporter) -> OpResult<bool> {
    Client::await_keepers_end(&place.layout);
    if reach::has_leases(&place.layout) {
        report.report(Event::Note("the keeper was killed; another takes over".into()));
    }
    Ok(reach::existing(place)?.is_some())
}

/// Whether a start may have failed because somebody else ended everything.
fn is_cut_off(error: &OpError) -> bool {
    matches!(error.kind, ErrorKind::Gone | ErrorKind::NotReady)
}

/// Tells whoever manages this process (sd_notify).
fn notify(host: &Host, text: &str) {
    let send = || -> io::Result<()> {
        let Some(socket) = host.var("NOTIFY_SOCKET") else { return Ok(()) };
        let address = match socket.strip_prefix('@') {
            Some(name) => SocketAddr::from_abstract_name(name)?,
            None => SocketAddr::from_pathname(socket)?,
        };
        UnixDatagram::unbound()?.send_to_addr(text.as_bytes(), &address).map(drop)
    };
    if let Err(error) = send() {
        say(format_args!("NOTIFY_SOCKET: {error}"));
    }
}
