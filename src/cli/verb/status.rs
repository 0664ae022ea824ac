//! `status`.

use std::collections::{BTreeMap, VecDeque};
use std::io::{IsTerminal as _, Write as _};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGINT, SIGTERM, SIGWINCH};
use signal_hook::iterator::Signals;

use crate::cli::Exit;
use crate::cli::args::StatusArguments;
use crate::cli::face::Face;
use crate::cli::render::status::status as drawn;
use crate::cli::render::watch::{Sample, screen};
use crate::name::PartName;
use crate::ops::place::Place;
use crate::ops::{OpError, OpResult, status};
use crate::supervisor::Usage;
use crate::supervisor::logs::{LogLine, Wanted, tail};

/// How many lines of logs are held for the live view.
const LINES: usize = 100;

/// Between two looks.
const LOOK: Duration = Duration::from_secs(1);

/// Shows how the services are; the exit code says whether all are ready.
///
/// # Errors
/// As [`status::status`].
pub fn run(face: &Face, arguments: &StatusArguments) -> OpResult<Exit> {
    let place = face.place("status")?;
    if arguments.watch && std::io::stdout().is_terminal() && !face.global.json {
        return live(&place, &arguments.services);
    }
    let look = || -> OpResult<status::PrefixStatus> {
        let mut seen = status::status(&place, &arguments.services)?;
        // Reading it takes a while, and people see it with `--watch`.
        if face.global.json && seen.supervised {
            seen.usage = status::usage(&place);
            let shown = &seen.services;
            seen.usage.retain(|name, _| shown.iter().any(|service| service.name == *name));
        }
        Ok(seen)
    };
    let mut seen = look()?;
    face.result(&seen, || drawn(&seen, jiff::Timestamp::now()));
    if arguments.watch {
        loop {
            std::thread::sleep(Duration::from_millis(500));
            let now = look()?;
            if now.services != seen.services || now.generation != seen.generation {
                seen = now;
                face.result(&seen, || format!("\n{}", drawn(&seen, jiff::Timestamp::now())));
            }
        }
    }
    Ok(if seen.is_ready() { Exit::Ok } else { Exit::Failed })
}

/// Fills the terminal, anew each second, until Ctrl-C.
fn live(place: &Place, names: &[String]) -> OpResult<Exit> {
    let mut signals =
        Signals::new([SIGINT, SIGTERM, SIGWINCH]).map_err(|error| OpError::failed(format!("signals: {error}")))?;
    let (sender, heard) = channel();
    std::thread::spawn(move || signals.forever().try_for_each(|signal| sender.send(signal)));
    let lines = follow(place, names);
    // Another screen, without a cursor and without wrapping: what was there before comes back.
    write("\x1b[?1049h\x1b[?25l\x1b[?7l");
    let mut former: Option<(Instant, BTreeMap<PartName, Usage>)> = None;
    let ended = loop {
        let seen = match status::status(place, names) {
            Ok(seen) => seen,
            Err(error) => break Err(error),
        };
        let usage = status::usage(place);
        let sample = Sample {
            since: former.as_ref().map(|(when, _)| when.elapsed()),
            former: former.as_ref().map(|(_, usage)| usage),
            usage: &usage,
        };
        let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok();
        let rows = size.map_or(24, |size| usize::from(size.ws_row)).max(4);
        let text = {
            let lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
            screen(&seen, &sample, &lines, rows, jiff::Timestamp::now())
        };
        write(&text);
        former = Some((Instant::now(), usage));
        match heard.recv_timeout(LOOK) {
            Ok(SIGWINCH) | Err(RecvTimeoutError::Timeout) => {}
            Ok(_) | Err(RecvTimeoutError::Disconnected) => break Ok(Exit::Interrupted),
        }
    };
    write("\x1b[?7h\x1b[?25h\x1b[?1049l");
    ended
}

fn write(text: &str) {
    let mut out = std::io::stdout().lock();
    if out.write_all(text.as_bytes()).and_then(|()| out.flush()).is_err() {
        std::process::exit(0);
    }
}

/// The last lines of logs, as they come.
fn follow(place: &Place, names: &[String]) -> Arc<Mutex<VecDeque<LogLine>>> {
    let lines: Arc<Mutex<VecDeque<LogLine>>> = Arc::default();
    let (layout, kept) = (place.layout.clone(), Arc::clone(&lines));
    let names = names.iter().filter_map(|name| name.parse().ok()).collect();
    std::thread::spawn(move || {
        let wanted = Wanted { names, lines: Some(LINES), follow: true, ..Wanted::default() };
        let _ = tail(&layout, &wanted, &mut |line| {
            let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.push_back(line);
            if kept.len() > LINES {
                kept.pop_front();
            }
            true
        });
    });
    lines
}
