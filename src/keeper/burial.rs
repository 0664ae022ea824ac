//! How the keeper learns that processes have ended: its own children, those that it took over, and those of which it is told late.

use std::os::fd::OwnedFd;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::WaitOptions;

use super::child;
use super::children::Running;
use super::message::Reply;
use super::task::Keeper;
use crate::service::Exit;

impl Keeper {
    pub(super) fn reap(&mut self) {
        while let Ok(Some((pid, status))) = rustix::process::wait(WaitOptions::NOHANG) {
            let pid = pid.as_raw_nonzero().get();
            let exit = match (status.exit_status(), status.terminating_signal()) {
                (Some(code), _) => Exit::Code(code),
                (_, Some(signal)) => Exit::Signal(signal),
                (None, None) => continue,
            };
            if self.link.as_ref().is_some_and(|link| link.pid == pid) {
                // Its last requests may still be on the line.
                self.hear();
                self.supervisor_ended(exit);
                continue;
            }
            // One that we took over, or that another process of its service made, may have become our child.
            let is_it = |child: &&mut Running| {
                child.lease.pid == pid && child.exit.is_none() && child.adopted.as_ref().is_none_or(has_ended)
            };
            if let Some(child) = self.children.values_mut().find(is_it) {
                child.exit = Some(exit);
                let service = child.lease.service.to_string();
                self.send(&Reply::Exited { service, exit });
            }
        }
    }

    pub(super) fn see_adopted(&mut self) {
        let mut ended = Vec::new();
        for child in self.children.values_mut().filter(|child| child.exit.is_none()) {
            let Some(handle) = child.adopted.as_ref().filter(|handle| has_ended(handle)) else { continue };
            let (service, exit) = (child.lease.service.to_string(), exit_once_buried(handle));
            if let (Exit::Unknown, Ok(handle)) = (exit, handle.try_clone()) {
                self.late.insert(service.clone(), (child.lease.pid, handle));
            }
            child.exit = Some(exit);
            ended.push(Reply::Exited { service, exit });
        }
        for reply in ended {
            self.send(&reply);
        }
    }

    /// Puts records of ends right that nobody could see at first.
    pub(super) fn see_late(&mut self) {
        let buried = self.late.iter().filter(|(_, (_, handle))| is_buried(handle));
        for service in buried.map(|(service, _)| service.clone()).collect::<Vec<_>>() {
            let told = self.late.remove(&service).map(|(pid, handle)| (pid, child::exit_of(&handle)));
            // A kernel may not remember.
            let Some((pid, exit)) = told.filter(|(_, exit)| *exit != Exit::Unknown) else { continue };
            if let Some(child) = self.children.get_mut(&service).filter(|child| child.lease.pid == pid) {
                child.exit = child.exit.map(|_| exit);
            }
            self.send(&Reply::Explained { service, pid, exit });
        }
    }
}

/// Whether a process that is held has ended.
fn has_ended(handle: &OwnedFd) -> bool {
    let none = Timespec { tv_sec: 0, tv_nsec: 0 };
    matches!(poll(&mut [PollFd::new(handle, PollFlags::IN)], Some(&none)), Ok(1))
}

/// How a process ended that is not our child. The kernel tells once its parent has taken notice, which takes a moment.
fn exit_once_buried(handle: &OwnedFd) -> Exit {
    match child::exit_of(handle) {
        Exit::Unknown => {
            let moment = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
            // Without an event to ask for, only the end of the end is told.
            let _ = poll(&mut [PollFd::new(handle, PollFlags::empty())], Some(&moment));
            child::exit_of(handle)
        }
        known => known,
    }
}

/// Whether a process that is held has ended and its parent has taken notice.
fn is_buried(handle: &OwnedFd) -> bool {
    let none = Timespec { tv_sec: 0, tv_nsec: 0 };
    matches!(poll(&mut [PollFd::new(handle, PollFlags::empty())], Some(&none)), Ok(1))
}
