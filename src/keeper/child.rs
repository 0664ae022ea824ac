//! Fork and exec, and the few system calls that no safe crate offers: the one file with `unsafe`.
//!
//! The keeper has one thread, so that a forked child may do what it likes before exec; it keeps to plain system calls anyway,
//! on memory that was prepared before the fork.
#![allow(unsafe_code, reason = "fork, exec, signalfd and one ioctl; each block says why it is sound")]

use std::ffi::CString;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::ptr;

use rustix::fs::{Mode, OFlags};
use rustix::process::{Pid, Resource, Rlimit, WaitOptions};

use crate::sandbox::{BeforeExec as _, Ruleset};
use crate::service::Exit;

/// A child that is about to be made.
#[derive(Debug)]
pub struct Child<'a> {
    /// Program (an absolute path) and arguments.
    pub argv: Vec<CString>,
    /// `NAME=value`.
    pub vars: Vec<CString>,
    /// Descriptors that it gets from 3 on.
    pub sockets: Vec<BorrowedFd<'a>>,
    /// Whether it also gets `LISTEN_PID`, which is known only once it is there.
    pub tells_pid: bool,
    /// Its working folder.
    pub folder: CString,
    /// Standard input, output and error.
    pub stdio: [BorrowedFd<'a>; 3],
    /// Its mark; see [`super::mark`].
    pub mark: Option<u64>,
    /// Its limits.
    pub limits: Vec<(Resource, Rlimit)>,
    /// Permissions that its files do not get.
    pub umask: u32,
    /// How readily it gives way to others.
    pub nice: Option<i32>,
    /// How readily the kernel ends it when memory runs out.
    pub oom: Option<CString>,
    /// Which files it may use.
    pub rules: Option<Ruleset>,
}

/// What was being done when a child failed before its program ran.
const STAGES: [&str; 8] = [
    "",
    "connecting its input and output",
    "entering its folder",
    "setting its limits",
    "setting how it gives way (`nice`)",
    "setting how it stands when memory runs out (`oom`)",
    "giving it its sockets",
    "closing it in (`writes`)",
];
const RUNNING: u8 = 0;
const CONNECTING: u8 = 1;
const ENTERING: u8 = 2;
const LIMITING: u8 = 3;
const GIVING_WAY: u8 = 4;
const STANDING: u8 = 5;
const PASSING: u8 = 6;
const CLOSING: u8 = 7;

/// What a child is made from, prepared before the fork.
struct Prepared<'a> {
    child: &'a Child<'a>,
    argv: Vec<*const libc::c_char>,
    vars: Vec<*const libc::c_char>,
    /// The sockets, away from the numbers where they are to be.
    sockets: Vec<OwnedFd>,
    line: OwnedFd,
}

impl<'a> Prepared<'a> {
    fn new(child: &'a Child<'a>, line: &UnixStream) -> io::Result<Self> {
        let pointers = |strings: &[CString]| -> Vec<*const libc::c_char> {
            strings.iter().map(|string| string.as_ptr()).chain([ptr::null(), ptr::null()]).collect()
        };
        let free = 10 + i32::try_from(child.sockets.len()).map_err(io::Error::other)?;
        let aside = |socket: &BorrowedFd<'_>| rustix::io::fcntl_dupfd_cloexec(socket, free);
        Ok(Self {
            child,
            argv: pointers(&child.argv),
            vars: pointers(&child.vars),
            sockets: child.sockets.iter().map(aside).collect::<Result<_, _>>()?,
            // Out of the way of what the child gets.
            line: rustix::io::fcntl_dupfd_cloexec(line, free)?,
        })
    }
}

/// Makes a child. `before_exec` sees its number while it waits: no program runs before that has succeeded, and none at all if
/// this process is killed in between.
///
/// # Errors
/// If it cannot be forked, `before_exec` fails, or its program cannot be run; then no process is left.
pub fn spawn(child: &Child<'_>, before_exec: impl FnOnce(i32) -> io::Result<()>) -> io::Result<i32> {
    let (mut ours, theirs) = UnixStream::pair()?;
    let prepared = Prepared::new(child, &theirs)?;
    // A second copy here, and its end would never be seen.
    drop(theirs);
    // SAFETY: this process has one thread, so that the child's memory is whole.
    let pid = unsafe { libc::fork() };
    if pid < 0 {
        return Err(io::Error::last_os_error());
    }
    if pid == 0 {
        become_program(prepared, ours.as_fd());
    }
    drop(prepared);
    let go = before_exec(pid).and_then(|()| ours.write_all(b"!"));
    if let Err(error) = go {
        drop(ours);
        reap(pid);
        return Err(error);
    }
    let mut said = Vec::new();
    ours.read_to_end(&mut said)?;
    let (Some(number), Some(stage)) = (said.first_chunk::<4>(), said.get(4)) else { return Ok(pid) };
    reap(pid);
    let error = io::Error::from_raw_os_error(i32::from_le_bytes(*number));
    match STAGES.get(usize::from(*stage)) {
        None | Some(&"") => Err(error),
        Some(stage) => Err(io::Error::new(error.kind(), format!("{stage} failed: {error}"))),
    }
}

fn reap(pid: i32) {
    let _ = rustix::process::waitpid(Pid::from_raw(pid), WaitOptions::empty());
}

/// The child's side: never returns.
fn become_program(mut prepared: Prepared<'_>, parent: BorrowedFd<'_>) -> ! {
    let (child, line) = (prepared.child, prepared.line.as_fd());
    let sockets = libc::c_uint::try_from(prepared.sockets.len()).unwrap_or(0);
    // SAFETY: plain system calls on numbers and on memory that lives until exec.
    unsafe {
        // Its own end must be the only one left, or the parent's death would go unseen.
        libc::close(parent.as_raw_fd());
        let mut byte = 0u8;
        if libc::read(line.as_raw_fd(), ptr::from_mut(&mut byte).cast(), 1) != 1 {
            libc::_exit(127);
        }
        libc::setsid();
        for (target, source) in (0..).zip(child.stdio) {
            if libc::dup2(source.as_raw_fd(), target) < 0 {
                give_up(line, CONNECTING);
            }
        }
        for (target, source) in (3..).zip(&prepared.sockets) {
            if libc::dup2(source.as_raw_fd(), target) < 0 {
                give_up(line, PASSING);
            }
        }
        for number in 1..=64 {
            libc::signal(number, libc::SIG_DFL);
        }
        let mut none = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, ptr::null_mut());
        // Every other descriptor is closed by exec; `line` tells the parent by closing that it happened.
        libc::syscall(libc::SYS_close_range, 3 + sockets, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC);
        if libc::chdir(child.folder.as_ptr()) < 0 {
            give_up(line, ENTERING);
        }
    }
    rustix::process::umask(Mode::from_bits_truncate(child.umask));
    limit(child, line);
    if let Some(mark) = child.mark {
        // Refused below another marked process: then the service is known by its session only.
        let _ = rustix::process::setrlimit(Resource::Rttime, Rlimit { current: Some(mark), maximum: Some(mark) });
    }
    if let Some(rules) = &child.rules
        && let Err(error) = rules.apply()
    {
        refuse(line, error.raw_os_error().unwrap_or(libc::EIO), CLOSING);
    }
    let mut pid = *b"LISTEN_PID=\0\0\0\0\0\0\0\0\0\0\0\0";
    if child.tells_pid {
        write_number(&mut pid[b"LISTEN_PID=".len()..], rustix::process::getpid().as_raw_nonzero().get());
        // There are two null pointers at the end, so that one may become this.
        let free = prepared.vars.len() - 2;
        prepared.vars[free] = pid.as_ptr().cast();
    }
    // SAFETY: `argv` and `vars` end with a null pointer, and all that they point to lives on.
    unsafe {
        libc::execve(prepared.argv[0], prepared.argv.as_ptr(), prepared.vars.as_ptr());
        give_up(line, RUNNING)
    }
}

/// The child's limits. Nothing here allocates.
fn limit(child: &Child<'_>, line: BorrowedFd<'_>) {
    let refuse = |error: rustix::io::Errno, stage| refuse(line, error.raw_os_error(), stage);
    if let Some(word) = &child.oom {
        let written = rustix::fs::open(c"/proc/self/oom_score_adj", OFlags::WRONLY, Mode::empty())
            .and_then(|file| rustix::io::write(&file, word.as_bytes()));
        if let Err(error) = written {
            refuse(error, STANDING);
        }
    }
    if let Some(nice) = child.nice
        && let Err(error) = rustix::process::setpriority_process(None, nice)
    {
        refuse(error, GIVING_WAY);
    }
    for (resource, limit) in &child.limits {
        if let Err(error) = rustix::process::setrlimit(*resource, *limit) {
            refuse(error, LIMITING);
        }
    }
}

/// The digits of a number, without allocating.
fn write_number(into: &mut [u8], number: i32) {
    let (mut digits, mut rest, mut count) = ([0u8; 10], number.unsigned_abs(), 0);
    while count == 0 || rest > 0 {
        digits[count] = b'0' + (rest % 10) as u8;
        rest /= 10;
        count += 1;
    }
    for (place, digit) in into.iter_mut().zip(digits[..count].iter().rev()) {
        *place = *digit;
    }
}

/// Tells the parent what went wrong.
///
/// # Safety
/// Only in a forked child.
unsafe fn give_up(line: BorrowedFd<'_>, stage: u8) -> ! {
    refuse(line, io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO), stage)
}

/// Tells the parent what went wrong, and ends.
fn refuse(line: BorrowedFd<'_>, number: i32, stage: u8) -> ! {
    let [a, b, c, d] = number.to_le_bytes();
    let said = [a, b, c, d, stage];
    // SAFETY: plain system calls on a local array.
    unsafe {
        libc::write(line.as_raw_fd(), said.as_ptr().cast(), said.len());
        libc::_exit(127)
    }
}

/// Leaves the session of whoever started this process: forks, ends the parent, and becomes leader of a session of its own.
///
/// # Errors
/// If it cannot be forked.
pub fn detach() -> io::Result<()> {
    // SAFETY: this process has one thread; the parent ends at once without running anything.
    let pid = unsafe { libc::fork() };
    match pid {
        0 => rustix::process::setsid().map(drop).map_err(Into::into),
        1.. => {
            // SAFETY: ends the process.
            unsafe { libc::_exit(0) }
        }
        _ => Err(io::Error::last_os_error()),
    }
}

/// Makes standard output and error go elsewhere.
///
/// # Errors
/// What dup2 fails with.
pub fn redirect_output(to: BorrowedFd<'_>) -> io::Result<()> {
    for target in [1, 2] {
        // SAFETY: both are open descriptors; nobody holds 1 or 2 as an owned one.
        if unsafe { libc::dup2(to.as_raw_fd(), target) } < 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

/// Gives back the memory of code and constants that only starting needed; what is needed again comes back by itself.
pub fn forget_code() {
    let text = std::fs::read_to_string("/proc/self/smaps").unwrap_or_default();
    let own = std::fs::read_link("/proc/self/exe").unwrap_or_default().display().to_string();
    if own.is_empty() {
        return;
    }
    let mut range = None;
    for line in text.lines() {
        let mut words = line.split_ascii_whitespace();
        match (words.next().unwrap_or_default(), words.next().unwrap_or_default()) {
            // A page that was written to has no other place than here.
            ("Anonymous:" | "Swap:", size) if size != "0" => range = None,
            ("VmFlags:", _) => {
                if let Some((from, to)) = range.take() {
                    let start: *mut libc::c_void = ptr::without_provenance_mut(from);
                    // SAFETY: these pages are as the program's file has them, and are read from it again when they are needed.
                    unsafe { libc::madvise(start, to - from, libc::MADV_DONTNEED) };
                }
            }
            (first, may) => {
                if let Some((from, to)) = first.split_once('-') {
                    let number = |text| usize::from_str_radix(text, 16).ok();
                    let is_constant = !may.contains('w') && line.ends_with(&own);
                    range = number(from).zip(number(to)).filter(|_| is_constant);
                }
            }
        }
    }
    #[cfg(target_env = "gnu")]
    // SAFETY: gives free memory back, and touches none that is in use.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Makes this process run another program. Signals stay blocked, so that none is lost.
pub(super) fn exec(argv: &[CString], vars: &[CString]) -> io::Error {
    let pointers = |strings: &[CString]| -> Vec<*const libc::c_char> {
        strings.iter().map(|string| string.as_ptr()).chain([ptr::null()]).collect()
    };
    let (argv, vars) = (pointers(argv), pointers(vars));
    // SAFETY: both end with a null pointer, and the strings live on.
    unsafe { libc::execve(argv[0], argv.as_ptr(), vars.as_ptr()) };
    io::Error::last_os_error()
}

/// A descriptor that another program of this process left open for this one; `None` if it is not open.
pub(super) fn take_descriptor(number: i32) -> Option<OwnedFd> {
    // SAFETY: asks only whether it is open.
    let is_open = number > 2 && unsafe { libc::fcntl(number, libc::F_GETFD) } >= 0;
    // SAFETY: it is open, and nothing in this program has it: it came over exec, and each is taken once.
    is_open.then(|| unsafe { OwnedFd::from_raw_fd(number) })
}

/// Blocks some signals and gives a descriptor to read them from.
///
/// # Errors
/// What the system calls fail with.
pub fn signal_descriptor(signals: &[i32]) -> io::Result<OwnedFd> {
    // SAFETY: the set is a local value that the calls fill in; the descriptor is new and owned here.
    unsafe {
        let mut set = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        for signal in signals {
            libc::sigaddset(&raw mut set, *signal);
        }
        if libc::sigprocmask(libc::SIG_BLOCK, &raw const set, ptr::null_mut()) < 0 {
            return Err(io::Error::last_os_error());
        }
        match libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) {
            descriptor if descriptor < 0 => Err(io::Error::last_os_error()),
            descriptor => Ok(OwnedFd::from_raw_fd(descriptor)),
        }
    }
}

/// The next signal that has come in, if any.
#[must_use]
pub fn next_signal(descriptor: &OwnedFd) -> Option<i32> {
    let mut record = [0u8; size_of::<libc::signalfd_siginfo>()];
    match rustix::io::read(descriptor, &mut record) {
        Ok(count) if count == record.len() => {
            // Its first field is the number.
            record.first_chunk::<4>().map(|number| u32::from_ne_bytes(*number).cast_signed())
        }
        _ => None,
    }
}

/// How a process ended that was not our child: what the kernel (6.15 or later) remembers for a pidfd.
#[must_use]
pub fn exit_of(pidfd: &OwnedFd) -> Exit {
    /// `struct pidfd_info` of its first size, 64 bytes: mask, cgroup, eleven numbers, exit status.
    const SIZE: usize = 64;
    const INFO_EXIT: u64 = 1 << 3;
    /// `_IOWR(0xFF, 11, struct pidfd_info)`.
    const GET_INFO: u64 = (3 << 30) | ((SIZE as u64) << 16) | (0xFF << 8) | 11;
    let mut info = [0u64; SIZE / 8];
    info[0] = INFO_EXIT;
    // SAFETY: the request names the size of `info`, which the kernel fills at most.
    let done = unsafe { libc::ioctl(pidfd.as_raw_fd(), GET_INFO as _, info.as_mut_ptr()) };
    if done < 0 || info[0] & INFO_EXIT == 0 {
        return Exit::Unknown;
    }
    let bytes = info[7].to_ne_bytes();
    let status = i32::from_ne_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]);
    if libc::WIFSIGNALED(status) { Exit::Signal(libc::WTERMSIG(status)) } else { Exit::Code(libc::WEXITSTATUS(status)) }
}

#[cfg(test)]
mod tests {
    use rustix::process::{Pid, PidfdFlags, pidfd_open};

    use super::{exit_of, write_number};
    use crate::service::Exit;

    /// Whether this kernel tells how a process ended that was not our child (6.15 and newer).
    fn tells_ends() -> bool {
        let release = rustix::system::uname().release().to_string_lossy().into_owned();
        let mut numbers = release.split(['.', '-']).map_while(|word| word.parse::<u32>().ok());
        (numbers.next(), numbers.next()) >= (Some(6), Some(15))
    }

    #[test]
    fn how_a_buried_process_ended_is_known() {
        let ended = |script: &str| {
            let mut child = std::process::Command::new("/bin/sh").args(["-c", script]).spawn().expect("a child");
            let handle = pidfd_open(Pid::from_child(&child), PidfdFlags::empty()).expect("a handle");
            child.wait().expect("its end");
            exit_of(&handle)
        };
        let told = |exit| if tells_ends() { exit } else { Exit::Unknown };
        assert_eq!(ended("exit 37"), told(Exit::Code(37)));
        assert_eq!(ended("kill -9 $$"), told(Exit::Signal(9)));
    }

    #[test]
    fn digits_of_a_number() {
        for number in [1, 10, 4711, i32::MAX] {
            let mut bytes = [0; 12];
            write_number(&mut bytes, number);
            let text = std::ffi::CStr::from_bytes_until_nul(&bytes).expect("an end").to_str().expect("digits");
            assert_eq!(text, number.to_string());
        }
    }
}
