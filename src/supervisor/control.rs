//! Control by HTTP and JSON over a unix socket; `curl --unix-socket run/control.sock http://jove/v1/status` will do.
//!
//! | | |
//! |---|---|
//! | `GET /v1/status` | the state of everything |
//! | `GET /v1/settled` | the same, once no switch is in progress |
//! | `GET /v1/events?last=N` | the history's last entries |
//! | `POST /v1/start` `stop` `restart` `reload` | `{"services": [...]}`, empty for all; answers with a stream of events, a line each |
//! | `POST /v1/services/{name}/start` … | the same for one |
//! | `POST /v1/switch` | `{"to": N, "verb": "..."}`; a stream of events |
//! | `POST /v1/shutdown` | a stream of events; then supervisor and keeper end |

use std::convert::Infallible;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path as UrlPath, Query, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::serve::Listener;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::unix::SocketAddr;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::message::{Event, ServicesRequest, Status, SwitchEvent, SwitchRequest};
use crate::name::PartName;

/// How many may talk at once.
const CLIENTS: usize = 64;

/// What a client asks; the loop answers.
#[derive(Debug)]
pub(super) enum Ask {
    /// Do something and tell how it goes.
    Do(Action, UnboundedSender<SwitchEvent>),
    /// The history's last entries.
    Events(usize, oneshot::Sender<Vec<Event>>),
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
    /// Stop everything for good.
    Shutdown,
    /// Start.
    Start(Vec<PartName>),
    /// Stop.
    Stop(Vec<PartName>),
    /// Move to another generation.
    Switch(SwitchRequest),
}

type Asks = UnboundedSender<Ask>;

/// The routes.
pub(super) fn router(asks: Asks) -> Router {
    Router::new()
        .route("/v1/status", get(|State(asks): State<Asks>| async move { ask(&asks, Ask::Status).await }))
        .route("/v1/settled", get(|State(asks): State<Asks>| async move { ask(&asks, Ask::Settled).await }))
        .route("/v1/events", get(events))
        .route("/v1/switch", post(switch))
        .route("/v1/shutdown", post(|State(asks): State<Asks>| async move { act(&asks, Action::Shutdown) }))
        .route("/v1/{verb}", post(all))
        .route("/v1/services/{name}/{verb}", post(one))
        .with_state(asks)
}

#[derive(Deserialize)]
struct Last {
    last: Option<usize>,
}

async fn events(State(asks): State<Asks>, Query(Last { last }): Query<Last>) -> Response {
    ask(&asks, |sender| Ask::Events(last.unwrap_or(100), sender)).await
}

async fn switch(State(asks): State<Asks>, body: Bytes) -> Response {
    match parse(&body) {
        Ok(request) => act(&asks, Action::Switch(request)),
        Err(response) => *response,
    }
}

async fn all(State(asks): State<Asks>, UrlPath(verb): UrlPath<String>, body: Bytes) -> Response {
    let request = if body.is_empty() { Ok(ServicesRequest::default()) } else { parse(&body) };
    match request {
        Ok(request) => act_on(&asks, &verb, request.services),
        Err(response) => *response,
    }
}

async fn one(State(asks): State<Asks>, UrlPath((name, verb)): UrlPath<(String, String)>) -> Response {
    match name.parse() {
        Ok(name) => act_on(&asks, &verb, vec![name]),
        Err(error) => refuse(StatusCode::BAD_REQUEST, &format!("{error}")),
    }
}

fn act_on(asks: &Asks, verb: &str, services: Vec<PartName>) -> Response {
    let action = match verb {
        "reload" => Action::Reload(services),
        "restart" => Action::Restart(services),
        "start" => Action::Start(services),
        "stop" => Action::Stop(services),
        _ => return refuse(StatusCode::NOT_FOUND, "there is no such verb; reload, restart, start and stop are"),
    };
    act(asks, action)
}

fn parse<T: DeserializeOwned>(body: &Bytes) -> Result<T, Box<Response>> {
    serde_json::from_slice(body)
        .map_err(|error| Box::new(refuse(StatusCode::BAD_REQUEST, &format!("the request cannot be read: {error}"))))
}

fn refuse(status: StatusCode, text: &str) -> Response {
    (status, format!("{text}\n")).into_response()
}

async fn ask<T: serde::Serialize>(asks: &Asks, question: impl FnOnce(oneshot::Sender<T>) -> Ask) -> Response {
    let (sender, answer) = oneshot::channel();
    let _ = asks.send(question(sender));
    match answer.await {
        Ok(answer) => axum::Json(answer).into_response(),
        Err(_) => refuse(StatusCode::SERVICE_UNAVAILABLE, "the supervisor is ending"),
    }
}

/// Has something done. The work does not depend on whether the answer is read.
fn act(asks: &Asks, action: Action) -> Response {
    let (sender, events) = unbounded_channel();
    if asks.send(Ask::Do(action, sender)).is_err() {
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

/// The control socket: lets in only its owner, and no more than [`CLIENTS`] at once.
#[derive(Debug)]
pub(super) struct Door {
    listener: UnixListener,
    places: Arc<Semaphore>,
}

impl Door {
    /// Opens the socket at `path`: under another name first, so that whoever finds it can connect.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        use std::os::unix::fs::PermissionsExt as _;
        let aside = path.with_extension("new");
        match std::fs::remove_file(&aside) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(&aside)?;
        std::fs::set_permissions(&aside, std::fs::Permissions::from_mode(0o600))?;
        fs_err::rename(&aside, path)?;
        Ok(Self { listener, places: Arc::new(Semaphore::new(CLIENTS)) })
    }
}

impl Listener for Door {
    type Io = Guest;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Guest, SocketAddr) {
        loop {
            let (stream, address) = match self.listener.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    eprintln!("supervisor: accepting a client failed: {error}");
                    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                    continue;
                }
            };
            let own = rustix::process::geteuid().as_raw();
            if !stream.peer_cred().is_ok_and(|peer| peer.uid() == own || peer.uid() == 0) {
                continue;
            }
            match Arc::clone(&self.places).try_acquire_owned() {
                Ok(place) => return (Guest { stream, _place: place }, address),
                Err(_) => drop(tokio::spawn(turn_away(stream))),
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

async fn turn_away(mut stream: UnixStream) {
    let answer =
        "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 17\r\nconnection: close\r\n\r\ntoo many clients\n";
    let _ = stream.write_all(answer.as_bytes()).await;
}

/// A client that was let in.
#[derive(Debug)]
pub(super) struct Guest {
    stream: UnixStream,
    _place: OwnedSemaphorePermit,
}

impl AsyncRead for Guest {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Guest {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
