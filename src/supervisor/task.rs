//! The supervisor's process: its line to the keeper, its control socket, and the loop between them and the core.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use jiff::Timestamp;
use rustix::fs::{FlockOperation, flock};
use tokio::net::UnixStream;
use tokio::sync::mpsc::unbounded_channel;
use tokio::sync::oneshot;
use tokio::task::LocalSet;

use super::control::{Action, Ask, router};
use super::core::Core;
use super::door::Door;
use super::message::{Event, SwitchEvent};
use super::{LoadSecrets, SupervisorError, history, line, ops, reach, recover, schedule, switch, upgrade};
use crate::host::Host;
use crate::keeper::message::{Reply, Request};
use crate::layout::Layout;
use crate::memory::{self, QUIET, SELDOM};
use crate::stderr::say;

/// What is told of a keeper's death.
const KEEPER_DIED: &str = "the keeper died; services go on";

/// So many deaths of keepers within so long are too many: whatever is wrong would only repeat. The events of that time are among so
/// many of the last.
const TOO_OFTEN: usize = 10;
const OF_LATE: Duration = Duration::from_secs(10);
const MANY: usize = 200;

/// How long it waits then before it starts another, and how often it looks meanwhile whether somebody else did. Where one cannot be
/// started it waits for as long as that at first, and longer each time.
const SELDOM_TRIED: Duration = Duration::from_secs(60);
const AGAIN: Duration = Duration::from_secs(1);
const TICK: Duration = Duration::from_millis(50);

/// How long answers may take that are under way when everything ends.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// Runs the supervisor of the prefix at `root` until it is shut down or its keeper dies.
///
/// # Errors
/// If it cannot begin.
pub fn run(root: &Path, secrets: LoadSecrets) -> Result<(), SupervisorError> {
    crate::keeper::fall_over_panics();
    let layout = Layout::new(root);
    let run = layout.run();
    let run = run.canonicalize().map_err(|source| SupervisorError::File { path: run, source })?;
    let lock = take_lock(run.join("supervisor.lock"))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(SupervisorError::Begin)?;
    let end = LocalSet::new().block_on(&runtime, supervise(layout.clone(), run, secrets))?;
    drop(lock);
    match end {
        End::Done => {}
        End::Orphaned => replace_keeper(&layout),
    }
    Ok(())
}

/// How a supervisor came to its end.
enum End {
    /// It was told to, or another one takes over.
    Done,
    /// Its keeper died, which nobody else sees.
    Orphaned,
}

/// Waits until a former supervisor is gone: two must never move one service.
fn take_lock(path: PathBuf) -> Result<File, SupervisorError> {
    let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
    let locked = file.and_then(|file| {
        flock(&file, FlockOperation::LockExclusive)?;
        Ok(file)
    });
    locked.map_err(|source| SupervisorError::File { path, source })
}

async fn supervise(layout: Layout, run: PathBuf, secrets: LoadSecrets) -> Result<End, SupervisorError> {
    let (mut line, keeper) = line::open(keeper_line().map_err(|_| SupervisorError::NoKeeper)?);
    let _ = keeper.send(Request::List);
    let Ok(children) = line.children().await else {
        history::append(&layout, None, "supervisor", KEEPER_DIED);
        return Ok(End::Orphaned);
    };
    let core = Rc::new(Core::new(layout, run, secrets, keeper));
    let found = recover::take_over(&core, children);
    let (asks, mut questions) = unbounded_channel();
    let path = core.run.join("control.sock");
    let door = Door::open(&path).map_err(|source| SupervisorError::File { path: path.clone(), source })?;
    let (end, ended) = oneshot::channel::<()>();
    let server =
        axum::serve(door, router(asks, core.layout.clone())).with_graceful_shutdown(async { drop(ended.await) });
    let server = tokio::task::spawn_local(async move { drop(server.await) });
    let _ = core.keeper.send(Request::Up);
    history::append(&core.layout, None, "supervisor", "started");
    let settling = Rc::clone(&core);
    tokio::task::spawn_local(async move {
        recover::settle(&settling, found).await;
        upgrade::hand_over(settling).await;
    });
    tokio::task::spawn_local(schedule::keep(Rc::clone(&core)));
    tokio::task::spawn_local(rest(Rc::clone(&core)));
    loop {
        tokio::select! {
            () = core.over.notified() => break,
            Some(question) = questions.recv() => answer(&core, question),
            reply = line.next() => match reply {
                Ok(Reply::Terminate) => drop(tokio::task::spawn_local(terminate(Rc::clone(&core)))),
                Ok(reply) => core.heard(reply),
                Err(_) if core.inner.borrow().is_ending => return Ok(End::Done),
                Err(_) => {
                    history::append(&core.layout, None, "supervisor", KEEPER_DIED);
                    return Ok(End::Orphaned);
                }
            },
        }
    }
    // The next supervisor puts its own in its place, so that nobody finds none.
    if !core.inner.borrow().is_handing_over {
        let _ = std::fs::remove_file(path);
    }
    let _ = end.send(());
    let _ = tokio::time::timeout(LAST_WORDS, async { (core.keeper.drain().await, server.await) }).await;
    Ok(End::Done)
}

/// Gives back the memory that only a busy moment needed, once it is over; while nothing happens, nothing wakes up.
async fn rest(core: Rc<Core>) {
    loop {
        while tokio::time::timeout(QUIET, core.changed.notified()).await.is_ok() {}
        memory::forget_code();
        let seldom = tokio::time::sleep(SELDOM);
        core.changed.notified().await;
        seldom.await;
    }
}

/// The line to the keeper is standard input.
fn keeper_line() -> io::Result<UnixStream> {
    let line = StdUnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    line.peer_addr()?;
    line.set_nonblocking(true)?;
    UnixStream::from_std(line)
}

async fn terminate(core: Rc<Core>) {
    history::append(&core.layout, None, "supervisor", "the keeper was told to end");
    let _ = ops::shutdown(&core).await;
}

/// Services go on without the keeper; another one takes them over and starts another supervisor. Nobody is needed for that, and
/// a command that starts one sooner is not kept waiting: nothing is locked here any more.
fn replace_keeper(layout: &Layout) {
    // One that was told to end has taken its lock along, and a wiped prefix has none: then nobody wants another.
    let is_wanted = || !reach::has_keeper(layout) && layout.run().join("keeper.lock").exists();
    let mut wait = if is_useless(&history::last(layout, MANY)) { SELDOM_TRIED } else { Duration::ZERO };
    let mut next = AGAIN;
    while is_wanted() {
        if !wait.is_zero() {
            let tick = wait.min(TICK);
            std::thread::sleep(tick);
            wait -= tick;
            continue;
        }
        // Comes back once there is a supervisor again, which sees what becomes of its keeper.
        let started = Host::current()
            .map_err(|error| error.to_string())
            .and_then(|host| reach::start_keeper(layout, &host.program).map_err(|error| error.to_string()));
        if let Err(error) = started {
            say(format_args!("supervisor: another keeper cannot be started: {error}"));
        }
        (wait, next) = (next, SELDOM_TRIED.min(next * 2));
    }
}

/// Whether keepers died so often of late that another would only die, too.
fn is_useless(events: &[Event]) -> bool {
    let since = Timestamp::now() - OF_LATE;
    let died = events.iter().filter(|event| event.text == KEEPER_DIED);
    died.filter(|event| event.when.parse().is_ok_and(|when: Timestamp| when >= since)).count() >= TOO_OFTEN
}

fn answer(core: &Rc<Core>, question: Ask) {
    let core = Rc::clone(core);
    match question {
        Ask::Do(action, events) => {
            core.inner.borrow_mut().listeners.push(events.clone());
            tokio::task::spawn_local(async move {
                let last = act(&core, action).await;
                let _ = events.send(last);
                core.inner.borrow_mut().listeners.retain(|listener| !listener.same_channel(&events));
                drop(events);
                upgrade::hand_over(core).await;
            });
        }
        Ask::Events(count, sender) => drop(sender.send(history::last(&core.layout, count))),
        Ask::Listen(sender) => core.inner.borrow_mut().listeners.push(sender),
        Ask::Settled(sender) => {
            tokio::task::spawn_local(async move {
                core.until(|inner| inner.journal.is_none().then_some(())).await;
                let _ = sender.send(core.status());
            });
        }
        Ask::Status(sender) => drop(sender.send(core.status())),
    }
}

async fn act(core: &Rc<Core>, action: Action) -> SwitchEvent {
    match action {
        Action::Reload(names) => ops::reload(core, &names).await.into(),
        Action::Restart(names) => ops::restart(core, &names).await.into(),
        Action::Run(names) => schedule::run_now(core, &names).await.into(),
        Action::Signal(names, signal) => ops::signal(core, &names, &signal).into(),
        Action::Shutdown => ops::shutdown(core).await.into(),
        Action::Start(names) => ops::start(core, &names).await.into(),
        Action::Stop(names) => ops::stop(core, &names).await.into(),
        Action::Switch(request) => switch::switch(core, request.to, &request.verb).await,
    }
}
