//! The supervisor's process: its line to the keeper, its control socket, and the loop between them and the core.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};
use tokio::net::UnixStream;
use tokio::sync::mpsc::unbounded_channel;
use tokio::sync::oneshot;
use tokio::task::LocalSet;

use super::control::{Action, Ask, router};
use super::core::Core;
use super::door::Door;
use super::message::SwitchEvent;
use super::{LoadSecrets, SupervisorError, history, line, ops, recover, schedule, switch, upgrade};
use crate::host::Host;
use crate::keeper::message::{Reply, Request};
use crate::layout::Layout;
use crate::memory::{self, QUIET, SELDOM};

/// A supervisor whose keeper dies sooner than this starts no other: something is wrong that would only repeat.
const TOO_SOON: Duration = Duration::from_secs(1);

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
    let done = LocalSet::new().block_on(&runtime, supervise(layout, run, secrets));
    drop(lock);
    done
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

async fn supervise(layout: Layout, run: PathBuf, secrets: LoadSecrets) -> Result<(), SupervisorError> {
    let began = Instant::now();
    let (mut line, keeper) = line::open(keeper_line().map_err(|_| SupervisorError::NoKeeper)?);
    let _ = keeper.send(Request::List);
    let children = line.children().await.map_err(SupervisorError::Begin)?;
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
                Err(_) => {
                    orphaned(&core, began);
                    return Ok(());
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
    Ok(())
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

/// The keeper is gone: services go on, and another keeper takes them over and starts another supervisor.
fn orphaned(core: &Core, began: Instant) {
    if core.inner.borrow().is_ending {
        return;
    }
    history::append(&core.layout, None, "supervisor", "the keeper died; services go on");
    if began.elapsed() < TOO_SOON {
        return;
    }
    let start = || -> io::Result<()> {
        let program = Host::current().map_err(io::Error::other)?.program;
        let mut keeper = Command::new(program);
        keeper.arg("internal-keeper").arg("--root").arg(core.layout.root()).stdin(Stdio::null()).spawn().map(drop)
    };
    if let Err(error) = start() {
        eprintln!("supervisor: another keeper cannot be started: {error}");
    }
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
