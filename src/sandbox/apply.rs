//! Between fork and exec: plain system calls on what was prepared. The one file of the sandbox with `unsafe`.
#![allow(unsafe_code, reason = "raw system calls after fork; each block says why it is sound")]

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd, AsRawFd as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::ptr;

use super::{BeforeExec, Confinement, Filter, Namespaces, Ruleset};
use crate::exec::{close_from, end_as};

/// Says by its error that all went well.
const ALL_WELL: i32 = libc::ECANCELED;

fn check(result: libc::c_long) -> io::Result<libc::c_long> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// Without this no plain user may confine itself: programs with the set-user-ID bit would run confined.
fn no_new_privileges() -> io::Result<()> {
    // SAFETY: takes numbers only.
    check(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }.into()).map(drop)
}

// SAFETY: two system calls on numbers.
unsafe impl BeforeExec for Ruleset {
    fn apply(&self) -> io::Result<()> {
        no_new_privileges()?;
        // SAFETY: the descriptor is open as long as `self`.
        let done = unsafe { libc::syscall(libc::SYS_landlock_restrict_self, self.as_fd().as_raw_fd(), 0) };
        check(done).map(drop)
    }
}

// SAFETY: two system calls; the program was prepared before.
unsafe impl BeforeExec for Filter {
    fn apply(&self) -> io::Result<()> {
        no_new_privileges()?;
        let program = libc::sock_fprog {
            len: u16::try_from(self.program.len()).unwrap_or(0),
            // The kernel only reads it; its instructions have the shape of libc's.
            filter: self.program.as_ptr().cast_mut().cast(),
        };
        // SAFETY: `program` and what it points to live through the call.
        let done =
            unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, ptr::from_ref(&program)) };
        check(done).map(drop)
    }
}

// SAFETY: plain system calls on strings that were prepared before; the processes made on the way run nothing else.
unsafe impl BeforeExec for Namespaces {
    fn apply(&self) -> io::Result<()> {
        let all =
            libc::CLONE_NEWUSER | libc::CLONE_NEWNS | libc::CLONE_NEWNET | libc::CLONE_NEWIPC | libc::CLONE_NEWPID;
        // SAFETY: takes a number.
        check(unsafe { libc::unshare(all) }.into())?;
        write(c"/proc/self/setgroups", b"deny")?;
        write(c"/proc/self/uid_map", &self.users)?;
        write(c"/proc/self/gid_map", &self.groups)?;
        self.mount()?;
        // The first process of a namespace is its init: it dies with whoever waits for it, and everything else dies with it.
        go_on_as_child()?;
        go_on_as_child()?;
        // Shows this namespace's processes. Where it is refused, the machine's stays: nothing is seen that was not before.
        let kind = c"proc".as_ptr();
        let flags = libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOEXEC;
        // SAFETY: constant strings.
        unsafe { libc::mount(kind, c"/proc".as_ptr(), kind, flags, ptr::null()) };
        Ok(())
    }
}

impl Namespaces {
    fn mount(&self) -> io::Result<()> {
        // Of all file systems below, too; the number is libc's on some systems only.
        const AT_RECURSIVE: libc::c_uint = 0x8000;
        let (root, none) = (c"/".as_ptr(), ptr::null::<libc::c_char>());
        let private = libc::MS_REC | libc::MS_PRIVATE;
        // SAFETY: constant strings, and null pointers where the call says so.
        check(unsafe { libc::mount(none, root, none, private, ptr::null()) }.into())?;
        for path in &self.writable {
            let path = path.as_ptr();
            let again = libc::MS_BIND | libc::MS_REC;
            // SAFETY: the string lives as long as `self`.
            check(unsafe { libc::mount(path, path, none, again, ptr::null()) }.into())?;
        }
        set_read_only(c"/", AT_RECURSIVE, true)?;
        self.writable.iter().try_for_each(|path| set_read_only(path, 0, false))?;
        // The working folder is still seen where it was: go there again, through the new mounts.
        let mut folder = [0 as libc::c_char; libc::PATH_MAX as usize];
        // SAFETY: the array is as long as it is said to be; getcwd ends it with a NUL.
        unsafe {
            if libc::getcwd(folder.as_mut_ptr(), folder.len()).is_null() {
                return Err(io::Error::last_os_error());
            }
            check(libc::chdir(folder.as_ptr()).into()).map(drop)
        }
    }
}

fn set_read_only(path: &CStr, flags: libc::c_uint, is_read_only: bool) -> io::Result<()> {
    const READ_ONLY: u64 = 1;
    // `struct mount_attr`: what to set, what to clear, propagation, user namespace.
    let attributes: [u64; 4] = if is_read_only { [READ_ONLY, 0, 0, 0] } else { [0, READ_ONLY, 0, 0] };
    // SAFETY: the string and the array live through the call, which is told the array's size.
    let done = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            libc::AT_FDCWD,
            path.as_ptr(),
            flags,
            attributes.as_ptr(),
            size_of_val(&attributes),
        )
    };
    check(done).map(drop)
}

/// Writes a small file in one call.
fn write(path: &CStr, bytes: &[u8]) -> io::Result<()> {
    // SAFETY: the string and the slice live through the calls; the descriptor is closed here.
    unsafe {
        let descriptor = libc::open(path.as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC);
        check(descriptor.into())?;
        let done = libc::write(descriptor, bytes.as_ptr().cast(), bytes.len());
        let result = check(done as libc::c_long).map(drop);
        libc::close(descriptor);
        result
    }
}

/// Forks; the child goes on, the parent only waits for it and ends as it ended. The child is killed when the parent dies.
fn go_on_as_child() -> io::Result<()> {
    // SAFETY: takes numbers only.
    let parent = check(unsafe { libc::syscall(libc::SYS_pidfd_open, libc::getpid(), 0) })?;
    // SAFETY: a plain fork without libc's handlers, which could wait for a lock that a thread of the first parent held.
    let child = check(unsafe { libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0) })?;
    if child == 0 {
        let mut watched = libc::pollfd { fd: parent as libc::c_int, events: libc::POLLIN, revents: 0 };
        // SAFETY: plain system calls on numbers and a local value.
        unsafe {
            check(libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL, 0, 0, 0).into())?;
            // One that died before that has told nobody, and the init of a namespace cannot see its parent's number.
            if libc::poll(&raw mut watched, 1, 0) != 0 {
                libc::_exit(127);
            }
            libc::close(watched.fd);
        }
        return Ok(());
    }
    close_from(3);
    // SAFETY: plain system calls on numbers and a local value; never returns.
    unsafe {
        let mut status = 0;
        loop {
            let ended = libc::wait4(-1, &raw mut status, 0, ptr::null_mut());
            if ended < 0 && *libc::__errno_location() != libc::EINTR {
                libc::_exit(127);
            }
            // Others are orphans of the namespace.
            if libc::c_long::from(ended) == child {
                end_as(status);
            }
        }
    }
}

// SAFETY: each wall's own.
unsafe impl BeforeExec for Confinement {
    fn apply(&self) -> io::Result<()> {
        // Landlock forbids mounts, so it comes after them.
        self.namespaces.as_ref().map_or(Ok(()), BeforeExec::apply)?;
        self.ruleset.as_ref().map_or(Ok(()), BeforeExec::apply)?;
        self.filter.as_ref().map_or(Ok(()), BeforeExec::apply)
    }
}

/// The kernel's version of Landlock.
pub(super) fn landlock_version() -> io::Result<u32> {
    const VERSION: libc::c_uint = 1;
    let none = ptr::null::<libc::c_void>();
    // SAFETY: asks for a number; no memory is read or written.
    let version = check(unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, none, 0, VERSION) })?;
    Ok(u32::try_from(version).unwrap_or(0))
}

/// Whether something can be applied here: tries it in a child that becomes no program.
pub(super) fn try_out(what: impl BeforeExec + 'static) -> io::Result<()> {
    let mut command = Command::new("/");
    command.current_dir("/").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // SAFETY: the closure does what the trait allows only, and makes an error of a number.
    unsafe {
        command.pre_exec(move || {
            what.apply()?;
            Err(io::Error::from_raw_os_error(ALL_WELL))
        });
    }
    match command.spawn() {
        Err(error) if error.raw_os_error() == Some(ALL_WELL) => Ok(()),
        Err(error) => Err(error),
        Ok(mut child) => {
            // No program is at `/`.
            child.kill()?;
            child.wait().map(drop)
        }
    }
}
