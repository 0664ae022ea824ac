//! Control by HTTP and JSON over a unix socket; `curl --unix-socket run/control.sock http://jove/v1/status` will do.
//!
//! `GET /v1/openapi.json` describes it: `openapi.json` beside this file, which a test holds against [`routes`].

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path as UrlPath, Query, Request, State};
use axum::http::header::{CONNECTION, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodRouter, get, post};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;

use super::message::{Event, ServicesRequest, SignalRequest, Status, SwitchEvent, SwitchRequest};
use super::{metrics, runs, stream, usage};
use crate::layout::Layout;
use crate::name::PartName;

/// What a client asks; the loop answers.
#[derive(Debug)]
pub(super) enum Ask {
    /// Do something and tell how it goes.
    Do(Action, UnboundedSender<SwitchEvent>),
    /// The history's last entries.
    Events(usize, oneshot::Sender<Vec<Event>>),
    /// What happens from now on, for as long as somebody hears.
    Listen(UnboundedSender<SwitchEvent>),
    /// The state, once no switch is in progress.
    Settled(oneshot::Sender<Status>),
    /// The state.
    Status(oneshot::Sender<Status>),
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Action {
    /// Read the configuration again.
    Reload(Vec<PartName>),
    /// Stop and start.
    Restart(Vec<PartName>),
    /// Begin a run of a job.
    Run(Vec<PartName>),
    /// Stop everything for good.
    Shutdown,
    /// Send a signal.
    Signal(Vec<PartName>, String),
    /// Start.
    Start(Vec<PartName>),
    /// Stop.
    Stop(Vec<PartName>),
    /// Move to another generation.
    Switch(SwitchRequest),
}

/// What every route has.
#[derive(Clone)]
pub(super) struct Desk {
    asks: UnboundedSender<Ask>,
    layout: Arc<Layout>,
}

impl Desk {
    /// Asks the loop; the answer, unless everything ends.
    pub(super) async fn ask<T>(&self, question: impl FnOnce(oneshot::Sender<T>) -> Ask) -> Result<T, Box<Response>> {
        let (sender, answer) = oneshot::channel();
        let _ = self.asks.send(question(sender));
        answer.await.map_err(|_| Box::new(refuse(StatusCode::SERVICE_UNAVAILABLE, "the supervisor is ending")))
    }

    /// Hears what happens from now on.
    pub(super) fn listen(&self) -> UnboundedReceiver<SwitchEvent> {
        let (sender, events) = unbounded_channel();
        let _ = self.asks.send(Ask::Listen(sender));
        events
    }

    pub(super) fn layout(&self) -> Arc<Layout> {
        Arc::clone(&self.layout)
    }
}

/// Method, path and work of each route.
fn routes() -> Vec<(&'static str, &'static str, MethodRouter<Desk>)> {
    let verb = |make: fn(Vec<PartName>) -> Action| {
        post(move |State(desk): State<Desk>, body: Bytes| async move { all(&desk, make, &body) })
    };
    let one = |make: fn(Vec<PartName>) -> Action| {
        post(move |State(desk): State<Desk>, UrlPath(name): UrlPath<String>| async move { one(&desk, make, &name) })
    };
    vec![
        ("get", "/metrics", get(metrics)),
        ("get", "/v1/events", get(events)),
        ("get", "/v1/events/stream", get(|State(desk): State<Desk>| async move { stream::events(&desk).await })),
        ("get", "/v1/logs/{name}", get(stream::logs)),
        ("get", "/v1/openapi.json", get(|| async { ([(CONTENT_TYPE, "application/json")], OPENAPI) })),
        ("post", "/v1/reload", verb(Action::Reload)),
        ("post", "/v1/restart", verb(Action::Restart)),
        ("post", "/v1/run", verb(Action::Run)),
        ("get", "/v1/runs/{name}", get(runs_of)),
        ("post", "/v1/services/{name}/reload", one(Action::Reload)),
        ("post", "/v1/services/{name}/restart", one(Action::Restart)),
        ("post", "/v1/services/{name}/run", one(Action::Run)),
        ("post", "/v1/services/{name}/start", one(Action::Start)),
        ("post", "/v1/services/{name}/stop", one(Action::Stop)),
        ("get", "/v1/settled", get(|State(desk): State<Desk>| async move { answer(desk.ask(Ask::Settled).await) })),
        ("post", "/v1/shutdown", post(|State(desk): State<Desk>| async move { act(&desk, Action::Shutdown) })),
        ("post", "/v1/signal", post(signal)),
        ("post", "/v1/start", verb(Action::Start)),
        ("get", "/v1/status", get(|State(desk): State<Desk>| async move { answer(desk.ask(Ask::Status).await) })),
        ("post", "/v1/stop", verb(Action::Stop)),
        ("post", "/v1/switch", post(switch)),
        ("get", "/v1/usage", get(usage_of)),
    ]
}

/// How long a request's body may take, and how long it may be.
const PATIENCE: Duration = Duration::from_secs(2);
const LONGEST: usize = 2 << 20;

/// The description of all routes.
const OPENAPI: &str = include_str!("openapi.json");

/// The routes.
pub(super) fn router(asks: UnboundedSender<Ask>, layout: Layout) -> Router {
    let router = routes().into_iter().fold(Router::new(), |router, (_, path, work)| router.route(path, work));
    router.layer(from_fn(in_time)).with_state(Desk { asks, layout: Arc::new(layout) })
}

/// One connection, one request, and that within its time: who is slow, or stays for no reason, has a place that others want.
async fn in_time(request: Request, next: Next) -> Response {
    let (head, body) = request.into_parts();
    let heard = tokio::time::timeout(PATIENCE, axum::body::to_bytes(body, LONGEST)).await;
    let mut response = match heard {
        Ok(Ok(body)) => next.run(Request::from_parts(head, body.into())).await,
        Ok(Err(error)) => refuse(StatusCode::BAD_REQUEST, &format!("the request cannot be read: {error}")),
        Err(_) => refuse(StatusCode::REQUEST_TIMEOUT, "the rest of the request did not come in time"),
    };
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

#[derive(Deserialize)]
struct Last {
    last: Option<usize>,
}

async fn events(State(desk): State<Desk>, Query(Last { last }): Query<Last>) -> Response {
    answer(desk.ask(|sender| Ask::Events(last.unwrap_or(100), sender)).await)
}

async fn metrics(State(desk): State<Desk>) -> Response {
    let status = match desk.ask(Ask::Status).await {
        Ok(status) => status,
        Err(response) => return *response,
    };
    let layout = desk.layout();
    let text = off_loop(move || metrics::text(&status, &usage::of(&layout, &status.services))).await;
    ([(CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response()
}

async fn usage_of(State(desk): State<Desk>) -> Response {
    let layout = desk.layout();
    match desk.ask(Ask::Status).await {
        Ok(status) => axum::Json(off_loop(move || usage::of(&layout, &status.services)).await).into_response(),
        Err(response) => *response,
    }
}

/// Does what reads many files beside the loop.
async fn off_loop<T: Default + Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap_or_default()
}

async fn runs_of(
    State(desk): State<Desk>,
    UrlPath(name): UrlPath<String>,
    Query(Last { last }): Query<Last>,
) -> Response {
    let status = match desk.ask(Ask::Status).await {
        Ok(status) => status,
        Err(response) => return *response,
    };
    let Some(service) = status.services.into_iter().find(|service| service.name.as_str() == name) else {
        return refuse(StatusCode::NOT_FOUND, &format!("there is no service `{name}`"));
    };
    let runs = runs::read(&desk.layout, &service.part, &service.name);
    let from = runs.len().saturating_sub(last.unwrap_or(100));
    axum::Json(&runs[from..]).into_response()
}

async fn switch(State(desk): State<Desk>, body: Bytes) -> Response {
    match parse(&body) {
        Ok(request) => act(&desk, Action::Switch(request)),
        Err(response) => *response,
    }
}

async fn signal(State(desk): State<Desk>, body: Bytes) -> Response {
    match parse(&body) {
        Ok(SignalRequest { signal, services }) => act(&desk, Action::Signal(services, signal)),
        Err(response) => *response,
    }
}

fn all(desk: &Desk, make: fn(Vec<PartName>) -> Action, body: &Bytes) -> Response {
    let request = if body.is_empty() { Ok(ServicesRequest::default()) } else { parse(body) };
    match request {
        Ok(request) => act(desk, make(request.services)),
        Err(response) => *response,
    }
}

fn one(desk: &Desk, make: fn(Vec<PartName>) -> Action, name: &str) -> Response {
    match name.parse() {
        Ok(name) => act(desk, make(vec![name])),
        Err(error) => refuse(StatusCode::BAD_REQUEST, &format!("{error}")),
    }
}

fn parse<T: DeserializeOwned>(body: &Bytes) -> Result<T, Box<Response>> {
    serde_json::from_slice(body)
        .map_err(|error| Box::new(refuse(StatusCode::BAD_REQUEST, &format!("the request cannot be read: {error}"))))
}

/// Says no.
pub(super) fn refuse(status: StatusCode, text: &str) -> Response {
    (status, format!("{text}\n")).into_response()
}

fn answer<T: serde::Serialize>(answer: Result<T, Box<Response>>) -> Response {
    answer.map_or_else(|response| *response, |answer| axum::Json(answer).into_response())
}

/// Has something done. The work does not depend on whether the answer is read.
fn act(desk: &Desk, action: Action) -> Response {
    let (sender, events) = unbounded_channel();
    if desk.asks.send(Ask::Do(action, sender)).is_err() {
        return refuse(StatusCode::SERVICE_UNAVAILABLE, "the supervisor is ending");
    }
    let lines = futures_util::stream::unfold(events, next_line);
    ([(CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(lines)).into_response()
}

async fn next_line(
    mut events: UnboundedReceiver<SwitchEvent>,
) -> Option<(Result<Bytes, Infallible>, UnboundedReceiver<SwitchEvent>)> {
    let event = events.recv().await?;
    let mut line = serde_json::to_vec(&event).unwrap_or_default();
    line.push(b'\n');
    Some((Ok(line.into()), events))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{OPENAPI, router, routes};

    #[test]
    fn the_description_has_each_route_and_no_other() {
        let described: serde_json::Value = serde_json::from_str(OPENAPI).expect("JSON");
        assert!(described["openapi"].as_str().is_some_and(|version| version.starts_with("3.")));
        let paths = described["paths"].as_object().expect("paths");
        let mut found = BTreeSet::new();
        for (path, methods) in paths {
            for (method, about) in methods.as_object().expect("methods") {
                assert!(about["summary"].is_string() && about["responses"].is_object(), "{method} {path}");
                let named = path.contains("{name}");
                assert_eq!(about["parameters"].to_string().contains("\"path\""), named, "{method} {path}");
                found.insert((method.clone(), path.clone()));
            }
        }
        let routes = routes().into_iter().map(|(method, path, _)| (method.to_owned(), path.to_owned()));
        assert_eq!(found, routes.collect());
        // Paths that contradict each other would end it here.
        let (asks, _) = tokio::sync::mpsc::unbounded_channel();
        let _ = router(asks, crate::layout::Layout::new("/"));
    }
}
