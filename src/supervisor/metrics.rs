//! What Prometheus scrapes.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::message::{ServiceKind, ServiceState, ServiceStatus, Status};
use super::usage::{Group, Usage};
use crate::name::PartName;

/// All states, so that each has a series that goes from 1 to 0.
const STATES: [ServiceState; 9] = [
    ServiceState::Backoff,
    ServiceState::Done,
    ServiceState::Failed,
    ServiceState::Ready,
    ServiceState::Running,
    ServiceState::Scheduled,
    ServiceState::Starting,
    ServiceState::Stopped,
    ServiceState::Stopping,
];

/// A number of a service, if it has one.
type Number<'a> = Box<dyn Fn(&ServiceStatus) -> Option<f64> + 'a>;

/// A name, its text, and the number of a service.
type Family<'a> = (&'static str, &'static str, Number<'a>);

/// Everything, in the text form of Prometheus.
pub(super) fn text(status: &Status, usage: &BTreeMap<PartName, Usage>) -> String {
    let mut text = String::new();
    head(&mut text, "jove_generation", "The generation whose services run.");
    let _ = writeln!(text, "jove_generation {}", status.generation.unwrap_or(0));
    head(&mut text, "jove_service_state", "1 for the state that a service is in.");
    for service in &status.services {
        for state in STATES {
            let is = u8::from(service.state == state);
            let _ = writeln!(text, "jove_service_state{{{},state=\"{state}\"}} {is}", labels(service));
        }
    }
    for (name, help, number) in families(usage) {
        head(&mut text, name, help);
        for service in &status.services {
            if let Some(number) = number(service) {
                let _ = writeln!(text, "{name}{{{}}} {number}", labels(service));
            }
        }
    }
    text
}

/// A number of what a service uses.
fn used<'a>(usage: &'a BTreeMap<PartName, Usage>, number: fn(&Usage) -> f64) -> Number<'a> {
    Box::new(move |service| usage.get(&service.name).map(number))
}

/// A number of what the control group of a service has used.
fn grouped<'a>(usage: &'a BTreeMap<PartName, Usage>, number: fn(&Group) -> Option<f64>) -> Number<'a> {
    Box::new(move |service| usage.get(&service.name)?.group.as_ref().and_then(number))
}

fn families(usage: &BTreeMap<PartName, Usage>) -> Vec<Family<'_>> {
    let of_state: Number<'_> = Box::new(|service| Some(f64::from(u8::from(is_up(service)))));
    let restarts: Number<'_> = Box::new(|service| Some(f64::from(service.restarts)));
    let latency: Number<'_> = Box::new(|service| service.latency);
    let last: Number<'_> = Box::new(|service| service.last_run.as_ref()?.ok.map(|ok| f64::from(u8::from(ok))));
    let next: Number<'_> = Box::new(|service| {
        let next = service.next.as_ref()?.parse::<jiff::Timestamp>().ok()?;
        Some(next.as_duration().as_secs_f64())
    });
    let uptime = |usage: &Usage| (jiff::Timestamp::now().as_duration().as_secs_f64() - usage.started).max(0.0);
    #[expect(clippy::cast_precision_loss, reason = "no process has so many bytes")]
    let memory = |usage: &Usage| usage.memory as f64;
    #[expect(clippy::cast_precision_loss, reason = "no group has so many bytes")]
    let charged = |group: &Group| group.memory.map(|bytes| bytes as f64);
    vec![
        ("jove_service_up", "1 if it is as it should be.", of_state),
        ("jove_service_restarts", "How often it was started again since it was last asked to start.", restarts),
        ("jove_service_probe_latency_seconds", "How long its last probe took.", latency),
        ("jove_service_start_time_seconds", "When its main process was started.", used(usage, |usage| usage.started)),
        ("jove_service_uptime_seconds", "For how long its main process has been running.", used(usage, uptime)),
        ("jove_service_cpu_seconds", "Processor time of its processes.", used(usage, |usage| usage.cpu)),
        ("jove_service_memory_bytes", "Memory of its processes, shared memory divided.", used(usage, memory)),
        (
            "jove_service_cgroup_cpu_seconds",
            "Processor time of its control group.",
            grouped(usage, |group| Some(group.cpu)),
        ),
        ("jove_service_cgroup_memory_bytes", "Memory charged to its control group.", grouped(usage, charged)),
        ("jove_service_processes", "How many processes it has.", used(usage, |usage| f64::from(usage.processes))),
        ("jove_job_last_run_success", "1 if a job's last run ended well.", last),
        ("jove_job_next_run_time_seconds", "When a job's next run begins.", next),
    ]
}

fn is_up(service: &ServiceStatus) -> bool {
    match service.kind {
        ServiceKind::Daemon | ServiceKind::Step | ServiceKind::Unknown => {
            matches!(service.state, ServiceState::Ready | ServiceState::Done)
        }
        ServiceKind::Schedule => matches!(service.state, ServiceState::Scheduled | ServiceState::Running),
    }
}

fn head(text: &mut String, name: &str, help: &str) {
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge");
}

/// Names of services need no escaping.
fn labels(service: &ServiceStatus) -> String {
    format!("service=\"{}\",part=\"{}\"", service.name, service.part)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::text;
    use crate::supervisor::message::Status;
    use crate::supervisor::usage::{Group, Usage};

    #[test]
    fn a_control_group_is_told_where_there_is_one() {
        let service = |name: &str| {
            format!(
                r#"{{"name":"{name}","part":"{name}","kind":"daemon","state":"ready","pid":7,"since":"","restarts":1,"urls":[],"reason":null,"last_exit":null}}"#
            )
        };
        let status = format!(
            r#"{{"format":1,"supervisor":2,"keeper":1,"generation":3,"switching":null,"problem":null,"services":[{},{}]}}"#,
            service("db"),
            service("web")
        );
        let status: Status = serde_json::from_str(&status).expect("a status");
        let used = |group| Usage { processes: 1, cpu: 0.5, memory: 9, started: 1.0, group };
        let usage = BTreeMap::from([
            ("db".parse().expect("name"), used(None)),
            ("web".parse().expect("name"), used(Some(Group { memory: Some(4096), cpu: 1.5 }))),
        ]);
        let text = text(&status, &usage);
        let told: Vec<&str> = text.lines().filter(|line| line.starts_with("jove_service_cgroup")).collect();
        assert_eq!(
            told,
            [
                r#"jove_service_cgroup_cpu_seconds{service="web",part="web"} 1.5"#,
                r#"jove_service_cgroup_memory_bytes{service="web",part="web"} 4096"#
            ]
        );
    }
}
