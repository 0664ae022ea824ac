//! The services of a prefix.

use anstyle::{AnsiColor, Style};

use crate::cli::render::table::{seconds, table};
use crate::ops::status::PrefixStatus;
use crate::supervisor::message::{ServiceState, ServiceStatus};

/// A table of services with what is worth knowing above it.
#[must_use]
pub fn status(status: &PrefixStatus, now: jiff::Timestamp) -> String {
    let mut text = head(status);
    text.push('\n');
    match status.services.is_empty() {
        true => text.push_str("it has no services\n"),
        false => text.push_str(&services(&status.services, now)),
    }
    text + &last_lines(&status.services)
}

/// What those that have failed said last.
pub(super) fn last_lines(services: &[ServiceStatus]) -> String {
    let mut text = String::new();
    for service in services.iter().filter(|service| !service.last_lines.is_empty()) {
        text.push_str(&format!("\n{} said last:\n", service.name));
        for line in &service.last_lines {
            text.push_str(&format!("  | {}\n", harmless(line)));
        }
    }
    text
}

/// A line of a service, which must not move the cursor.
pub(super) fn harmless(line: &str) -> String {
    line.chars().map(|c| if c.is_control() { ' ' } else { c }).take(400).collect()
}

/// Which prefix it is, and how.
pub(super) fn head(status: &PrefixStatus) -> String {
    let generation = status
        .generation
        .map_or_else(|| "no generation is committed yet".to_owned(), |number| format!("generation {number}"));
    let is_any = |state: ServiceState| status.services.iter().any(|service| service.state == state);
    let runs = is_any(ServiceState::Unsupervised);
    let supervised = match status.supervised {
        true => "",
        false if runs || is_any(ServiceState::Elsewhere) => ", not supervised",
        false => ", stopped",
    };
    let mut text = format!("{} ({}, {generation}{supervised})\n", status.prefix.display(), status.profile);
    if let Some(held) = &status.held {
        text.push_str(&format!("{held}\n"));
    }
    if runs {
        text.push_str("what supervised them was killed; `jove-install start` takes over those that run\n");
    }
    text
}

/// A table of services.
#[must_use]
pub fn services(services: &[ServiceStatus], now: jiff::Timestamp) -> String {
    let rows: Vec<Vec<String>> = services.iter().map(|service| row(service, now)).collect();
    table(&["SERVICE", "STATE", "PID", "SINCE", "RESTARTS", ""], &rows)
}

fn row(service: &ServiceStatus, now: jiff::Timestamp) -> Vec<String> {
    let since = service.since.parse::<jiff::Timestamp>().ok();
    let since = since.map(|since| seconds(now.duration_since(since).as_secs_f64().max(0.0)));
    vec![
        service.name.to_string(),
        colored(service.state),
        service.pid.map_or_else(|| "-".to_owned(), |pid| pid.to_string()),
        since.unwrap_or_else(|| "-".to_owned()),
        service.restarts.to_string(),
        more(service, now),
    ]
}

/// Where it is reached, why it is as it is, and what comes next.
pub(super) fn more(service: &ServiceStatus, now: jiff::Timestamp) -> String {
    let mut rest: Vec<String> = service.urls.clone();
    if !matches!(service.state, ServiceState::Ready | ServiceState::Done) {
        rest.extend(service.reason.clone());
    }
    rest.extend(service.status.clone());
    if let Some(next) = service.next.as_ref().and_then(|next| next.parse::<jiff::Timestamp>().ok()) {
        rest.push(format!("next in {}", seconds(next.duration_since(now).as_secs_f64().max(0.0))));
    }
    rest.join("  ")
}

pub(super) fn colored(state: ServiceState) -> String {
    let color = match state {
        ServiceState::Ready | ServiceState::Done | ServiceState::Scheduled => AnsiColor::Green,
        ServiceState::Running
        | ServiceState::Starting
        | ServiceState::Stopping
        | ServiceState::Backoff
        | ServiceState::Unsupervised
        | ServiceState::Elsewhere => AnsiColor::Yellow,
        ServiceState::Failed => AnsiColor::Red,
        ServiceState::Stopped | ServiceState::Unknown => AnsiColor::BrightBlack,
    };
    let style = Style::new().fg_color(Some(color.into()));
    format!("{style}{state}{style:#}")
}
