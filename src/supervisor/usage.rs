//! What services use, read from /proc when somebody asks, and never else.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::message::ServiceStatus;
use crate::keeper::{group, mark, proc};
use crate::layout::Layout;
use crate::name::PartName;

/// What all processes of a service use.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// How many processes there are.
    pub processes: u32,
    /// Processor time of those that run, in seconds.
    pub cpu: f64,
    /// Memory in bytes, what is shared divided among those who share it.
    pub memory: u64,
    /// When its main process was started, in seconds since 1970.
    pub started: f64,
    /// What its control group has used, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<Group>,
}

/// What the control group of a service tells.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Group {
    /// Memory in bytes that is charged to it, files that it has read among it; where the group has the controller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<u64>,
    /// Processor time since the service was last started by hand, in seconds: also that of processes that have ended.
    pub cpu: f64,
}

/// What services use, by name; one that does not run is not in it.
pub(super) fn of(layout: &Layout, services: &[ServiceStatus]) -> BTreeMap<PartName, Usage> {
    let marks: BTreeMap<u64, &PartName> =
        services.iter().map(|service| (mark::of(layout.root(), service.name.as_str()), &service.name)).collect();
    let sessions: BTreeMap<i32, &PartName> =
        services.iter().filter_map(|service| Some((service.pid?, &service.name))).collect();
    let mut used: BTreeMap<PartName, Usage> = BTreeMap::new();
    for pid in proc::pids() {
        let marked = proc::realtime_limit(pid).and_then(|limit| marks.get(&limit));
        // One that could not be marked is known by its session.
        let own = marked.or_else(|| sessions.get(&proc::stat(pid)?.session));
        let Some(name) = own else { continue };
        let entry = used.entry((*name).clone()).or_default();
        entry.processes += 1;
        entry.memory += memory(pid);
        if let Some((cpu, started)) = times(pid) {
            entry.cpu += cpu;
            if sessions.get(&pid) == Some(name) {
                entry.started = started;
                entry.group = group::of_process(layout.root(), pid).and_then(|folder| charged(&folder));
            }
        }
    }
    used
}

/// What a control group says of itself.
fn charged(folder: &Path) -> Option<Group> {
    let text = fs::read_to_string(folder.join("cpu.stat")).ok()?;
    let spent = text.lines().find_map(|line| line.strip_prefix("usage_usec "))?.trim().parse().ok()?;
    let memory = fs::read_to_string(folder.join("memory.current")).ok();
    let memory = memory.and_then(|text| text.trim().parse().ok());
    Some(Group { memory, cpu: Duration::from_micros(spent).as_secs_f64() })
}

/// Processor time, and when a process began, both in seconds.
fn times(pid: i32) -> Option<(f64, f64)> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_ascii_whitespace().collect();
    #[expect(clippy::cast_precision_loss, reason = "ticks since the machine was started")]
    let ticks = |index: usize| Some(fields.get(index)?.parse::<u64>().ok()? as f64 / 100.0);
    let since_boot = ticks(19)?;
    Some((ticks(11)? + ticks(12)?, boot_time()? + since_boot))
}

fn boot_time() -> Option<f64> {
    let text = fs::read_to_string("/proc/stat").ok()?;
    text.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()
}

fn memory(pid: i32) -> u64 {
    let shared = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok();
    let line = shared.as_deref().and_then(|text| text.lines().find_map(|line| line.strip_prefix("Pss:")));
    let kilobytes = line.and_then(|line| line.split_ascii_whitespace().next()?.parse::<u64>().ok());
    kilobytes.map_or_else(|| resident(pid).unwrap_or(0), |kilobytes| kilobytes * 1024)
}

fn resident(pid: i32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.split_ascii_whitespace().next()?.parse::<u64>().ok()? * 1024)
}

#[cfg(test)]
mod tests {
    use super::{memory, times};

    #[test]
    fn this_process_is_read() {
        let own = rustix::process::getpid().as_raw_nonzero().get();
        assert!(memory(own) > 100_000);
        let (cpu, started) = times(own).expect("times");
        let now = jiff::Timestamp::now().as_second();
        #[expect(clippy::cast_precision_loss, reason = "seconds")]
        let age = now as f64 - started;
        assert!(cpu >= 0.0 && (-2.0..1e6).contains(&age), "{cpu} {age}");
    }
}
