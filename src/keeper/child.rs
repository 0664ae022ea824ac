//! Fork and exec, and the few system calls that no safe crate offers.
//!
//! The keeper has one thread, which stands still from the making of a child until the child's program runs: so the child may use
//! the keeper's memory meanwhile, and do what it likes with it.
#![allow(unsafe_code, reason = "clone, exec and one ioctl; each block says why it is sound")]

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd};
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
    /// Where it enters its control group; see [`super::group`].
    pub entrance: Option<CString>,
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

/// A child that runs its program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Made {
    /// Its number.
    pub pid: i32,
    /// Whether it bears its mark: below another marked process it cannot.
    pub is_marked: bool,
    /// Whether it is in the control group that it was to enter.
    pub is_grouped: bool,
}

/// Why a child ended before its program ran: what it was doing (a place in [`STAGES`]), and what the system said.
type Refusal = (u8, io::Error);

/// What a child is made from, prepared before it is there. It shares this memory with us, who stand still, until its program
/// runs.
struct Birth<'a, F> {
    child: &'a Child<'a>,
    argv: Vec<*const libc::c_char>,
    vars: Vec<*const libc::c_char>,
    /// The sockets, away from the numbers where they are to be.
    sockets: Vec<OwnedFd>,
    /// `LISTEN_PID=…`, which the child writes; it is here so that the parent, whose memory it is, frees it.
    listen_pid: CString,
    before_exec: Option<F>,
    parent: i32,
    is_marked: bool,
    is_grouped: bool,
    /// Whether all was done that comes before the program.
    is_prepared: bool,
    refusal: Option<Refusal>,
}

impl<'a, F: FnOnce(i32) -> io::Result<()>> Birth<'a, F> {
    fn new(child: &'a Child<'a>, before_exec: F) -> io::Result<Self> {
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
            listen_pid: CString::default(),
            before_exec: Some(before_exec),
            parent: rustix::process::getpid().as_raw_nonzero().get(),
            is_marked: child.mark.is_none(),
            is_grouped: false,
            is_prepared: false,
            refusal: None,
        })
    }
}

/// Makes a child. `before_exec` sees its number, in the child itself: no program runs before that has succeeded, and none at all
/// if this process is killed in between.
///
/// The child is made as by vfork: nothing of this process is copied for it, however large that is, and this returns once its
/// program runs.
///
/// # Errors
/// If it cannot be made, `before_exec` fails, or its program cannot be run; then no process is left.
pub fn spawn<F: FnOnce(i32) -> io::Result<()>>(child: &Child<'_>, before_exec: F) -> io::Result<Made> {
    let stack = Stack::new()?;
    let mut birth = Birth::new(child, before_exec)?;
    // SAFETY: this process has one thread, which stands still while the child uses its memory, on a stack of the child's own.
    let pid = unsafe {
        let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
        libc::clone(live::<F>, stack.top(), flags, ptr::from_mut(&mut birth).cast())
    };
    if pid < 0 {
        return Err(io::Error::last_os_error());
    }
    let Some((stage, error)) = birth.refusal.take() else {
        if birth.is_prepared {
            return Ok(Made { pid, is_marked: birth.is_marked, is_grouped: birth.is_grouped });
        }
        reap(pid);
        return Err(io::Error::other("its process was killed before its program ran"));
    };
    reap(pid);
    match STAGES.get(usize::from(stage)) {
        None | Some(&"") => Err(error),
        Some(stage) => Err(io::Error::new(error.kind(), format!("{stage} failed: {error}"))),
    }
}

fn reap(pid: i32) {
    let _ = rustix::process::waitpid(Pid::from_raw(pid), WaitOptions::empty());
}

/// What a child runs on until its program runs.
struct Stack(*mut libc::c_void);

impl Stack {
    const SIZE: usize = 256 << 10;
    /// Below it nothing may be written.
    const GUARD: usize = 64 << 10;

    fn new() -> io::Result<Self> {
        let (protection, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        // SAFETY: asks for new memory, of which the lowest part is made unusable.
        unsafe {
            let memory = libc::mmap(ptr::null_mut(), Self::SIZE, protection, flags | libc::MAP_STACK, -1, 0);
            if memory == libc::MAP_FAILED || libc::mprotect(memory, Self::GUARD, libc::PROT_NONE) < 0 {
                return Err(io::Error::last_os_error());
            }
            Ok(Self(memory))
        }
    }

    const fn top(&self) -> *mut libc::c_void {
        // SAFETY: one past the end of the memory, where a stack begins that grows down.
        unsafe { self.0.add(Self::SIZE) }
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        // SAFETY: it is ours, and nobody runs on it any more.
        unsafe { libc::munmap(self.0, Self::SIZE) };
    }
}

/// The child's side: comes back only if its program cannot run.
extern "C" fn live<F: FnOnce(i32) -> io::Result<()>>(birth: *mut libc::c_void) -> libc::c_int {
    // SAFETY: `spawn` gave it, and stands still until this process has ended or become its program.
    let birth = unsafe { &mut *birth.cast::<Birth<'_, F>>() };
    birth.refusal = become_program(birth).err();
    127
}

/// Allocates where it must: the parent, whose memory it is, does nothing meanwhile.
fn become_program<F: FnOnce(i32) -> io::Result<()>>(birth: &mut Birth<'_, F>) -> Result<(), Refusal> {
    let pid = rustix::process::getpid().as_raw_nonzero().get();
    // SAFETY: plain system calls. Whoever is killed now takes this process along.
    let is_orphan = unsafe {
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
        libc::getppid() != birth.parent
    };
    if is_orphan {
        return Err((RUNNING, io::Error::from_raw_os_error(libc::ESRCH)));
    }
    birth.before_exec.take().map_or(Ok(()), |work| work(pid)).map_err(|error| (RUNNING, error))?;
    let child = birth.child;
    // Refused, it is ended by its mark, as where there are no groups.
    birth.is_grouped = child.entrance.as_ref().is_some_and(|entrance| super::group::enter(entrance).is_ok());
    connect(birth)?;
    rustix::process::umask(Mode::from_bits_truncate(child.umask));
    limit(child)?;
    if let Some(mark) = child.mark {
        // Refused below another marked process: then the service is known by its session only.
        let mark = Rlimit { current: Some(mark), maximum: Some(mark) };
        birth.is_marked = rustix::process::setrlimit(Resource::Rttime, mark).is_ok();
    }
    if let Some(rules) = &child.rules {
        rules.apply().map_err(|error| (CLOSING, error))?;
    }
    if child.tells_pid {
        birth.listen_pid = CString::new(format!("LISTEN_PID={pid}")).map_err(|error| (RUNNING, error.into()))?;
        // There are two null pointers at the end, so that one may become this.
        let free = birth.vars.len() - 2;
        birth.vars[free] = birth.listen_pid.as_ptr();
    }
    birth.is_prepared = true;
    // SAFETY: `argv` and `vars` end with a null pointer, and all that they point to lives on.
    unsafe {
        libc::prctl(libc::PR_SET_PDEATHSIG, 0);
        libc::execve(birth.argv[0], birth.argv.as_ptr(), birth.vars.as_ptr());
    }
    Err((RUNNING, io::Error::last_os_error()))
}

/// Gives the child its session, its descriptors, the usual signals and its folder.
fn connect<F>(birth: &Birth<'_, F>) -> Result<(), Refusal> {
    let failed = |stage| (stage, io::Error::last_os_error());
    let sockets = libc::c_uint::try_from(birth.sockets.len()).unwrap_or(0);
    // SAFETY: plain system calls on numbers and on memory that lives until exec.
    unsafe {
        libc::setsid();
        for (target, source) in (0..).zip(birth.child.stdio) {
            if libc::dup2(source.as_raw_fd(), target) < 0 {
                return Err(failed(CONNECTING));
            }
        }
        for (target, source) in (3..).zip(&birth.sockets) {
            if libc::dup2(source.as_raw_fd(), target) < 0 {
                return Err(failed(PASSING));
            }
        }
        // What is caught is reset by exec; of what is ignored only this is left, see [`super::signal`].
        libc::signal(libc::SIGPIPE, libc::SIG_DFL);
        let mut none = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, ptr::null_mut());
        // Every other descriptor is closed by exec.
        libc::syscall(libc::SYS_close_range, 3 + sockets, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC);
        if libc::chdir(birth.child.folder.as_ptr()) < 0 {
            return Err(failed(ENTERING));
        }
    }
    Ok(())
}

/// The child's limits.
fn limit(child: &Child<'_>) -> Result<(), Refusal> {
    if let Some(word) = &child.oom {
        rustix::fs::open(c"/proc/self/oom_score_adj", OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())
            .and_then(|file| rustix::io::write(&file, word.as_bytes()))
            .map_err(|error| (STANDING, error.into()))?;
    }
    if let Some(nice) = child.nice {
        rustix::process::setpriority_process(None, nice).map_err(|error| (GIVING_WAY, error.into()))?;
    }
    for (resource, limit) in &child.limits {
        rustix::process::setrlimit(*resource, *limit).map_err(|error| (LIMITING, error.into()))?;
    }
    Ok(())
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

    use super::exit_of;
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
}
