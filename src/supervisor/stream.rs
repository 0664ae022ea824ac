//! Streams that go on: server-sent events of states, and lines of logs.

use std::convert::Infallible;

use axum::body::{Body, Bytes};
use axum::extract::{Path as UrlPath, Query, State};
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use tokio::sync::mpsc::{Receiver, channel};

use super::control::{Ask, Desk, refuse};
use super::logs::{self, LogLine, Wanted};
use super::message::SwitchEvent;

/// Who does not read so many is cut off.
const BEHIND: usize = 1024;

/// `event: status` with everything, then `event: service` whenever one changes its state.
pub(super) async fn events(desk: &Desk) -> Response {
    // Heard before the state is asked for, so that no change falls between.
    let mut events = desk.listen();
    let status = match desk.ask(Ask::Status).await {
        Ok(status) => status,
        Err(response) => return *response,
    };
    let (sender, receiver) = channel(BEHIND);
    let _ = sender.try_send(sent("status", &status));
    tokio::spawn(async move {
        while let Some(event) = events.recv().await {
            let text = match &event {
                SwitchEvent::Service { service } => sent("service", service),
                SwitchEvent::Note { text } => sent("note", text),
                SwitchEvent::BackedOut { .. }
                | SwitchEvent::Committed { .. }
                | SwitchEvent::Done
                | SwitchEvent::Failed { .. } => sent("switch", &event),
            };
            if sender.try_send(text).is_err() {
                return;
            }
        }
    });
    flow(receiver, "text/event-stream")
}

/// One server-sent event.
fn sent(event: &str, data: &impl serde::Serialize) -> Bytes {
    let data = serde_json::to_string(data).unwrap_or_default();
    format!("event: {event}\ndata: {data}\n\n").into()
}

/// Which lines of a log.
#[derive(Debug, Deserialize)]
pub(super) struct LinesQuery {
    lines: Option<usize>,
    since: Option<String>,
    grep: Option<String>,
    #[serde(default)]
    follow: bool,
}

/// Lines as JSON, one a line; with `follow=true` as server-sent events that go on.
pub(super) async fn logs(
    State(desk): State<Desk>,
    UrlPath(name): UrlPath<String>,
    Query(query): Query<LinesQuery>,
) -> Response {
    let (layout, follow) = (desk.layout(), query.follow);
    let names: Vec<_> = name.parse().into_iter().collect();
    if names.is_empty() || logs::services(&layout, &names).is_empty() {
        return refuse(StatusCode::NOT_FOUND, &format!("there is no log of `{name}`"));
    }
    let since = match query.since.as_deref().map(str::parse::<jiff::Timestamp>).transpose() {
        Ok(since) => since,
        Err(error) => return refuse(StatusCode::BAD_REQUEST, &format!("`since`: {error}")),
    };
    let lines = query.lines.or_else(|| since.is_none().then_some(100));
    let wanted = Wanted { names, lines, follow, since, grep: query.grep, until: None };
    let (sender, receiver) = channel(BEHIND);
    // A thread of its own: it reads files, and waits for them.
    std::thread::spawn(move || {
        let mut write = |line: LogLine| {
            let text = if follow {
                sent("line", &line)
            } else {
                Bytes::from(serde_json::to_string(&line).unwrap_or_default() + "\n")
            };
            sender.blocking_send(text).is_ok()
        };
        if let Err(error) = logs::tail_while(&layout, &wanted, &mut write, &|| !sender.is_closed()) {
            let _ = sender.blocking_send(sent("error", &error.to_string()));
        }
    });
    flow(receiver, if follow { "text/event-stream" } else { "application/x-ndjson" })
}

fn flow(receiver: Receiver<Bytes>, kind: &'static str) -> Response {
    let stream = futures_util::stream::unfold(receiver, |mut receiver| async {
        let bytes = receiver.recv().await?;
        Some((Ok::<_, Infallible>(bytes), receiver))
    });
    ([(CONTENT_TYPE, kind), (CACHE_CONTROL, "no-store")], Body::from_stream(stream)).into_response()
}
