//! Asks services whether they are ready and well.

use std::cell::Cell;
use std::path::PathBuf;
use std::process::Stdio;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, Resource, Rlimit, prlimit};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{Instant, sleep, timeout};
use url::Url;

use super::core::{Core, GLANCE};
use super::entry::Entry;
use super::index::log_path;
use super::scope::Task;
use super::spawn::{argv, make_folders};
use crate::keeper::mark;
use crate::name::PartName;
use crate::service::state::Event;
use crate::service::{Headers, Probe, ProbeKind, Promise, ServiceSpec};
use crate::text::Text;

/// The most that is read of an answer.
const ANSWER: u64 = 1 << 20;

/// What a probe needs to know of the service that it asks.
struct Asker {
    core: Rc<Core>,
    spec: Arc<ServiceSpec>,
    /// What the keeper calls its process.
    child: PartName,
    /// How far its log was searched.
    searched: Cell<u64>,
    latency: Rc<Cell<Option<Duration>>>,
}

/// Asks until the service is ready; its deadline is the state's matter.
pub(super) fn ready(core: &Rc<Core>, entry: &Entry, serial: u64) -> Task {
    let asker = Asker::new(core, entry);
    Task::spawn(async move {
        let Some(probe) = asker.spec.ready.clone() else { return };
        loop {
            let start = Instant::now();
            if asker.ask(&probe).await.is_ok() {
                break;
            }
            sleep(probe.interval.max(GLANCE).saturating_sub(start.elapsed())).await;
        }
        asker.tell(Event::Answered(serial));
    })
}

/// Asks while the service runs, and says so when it failed too often in a row.
pub(super) fn live(core: &Rc<Core>, entry: &Entry, serial: u64) -> Task {
    let asker = Asker::new(core, entry);
    Task::spawn(async move {
        let Some(live) = asker.spec.live.clone() else { return };
        let mut failures = 0;
        loop {
            sleep(live.probe.interval.max(GLANCE)).await;
            match asker.ask(&live.probe).await {
                Ok(()) => failures = 0,
                Err(_) if failures + 1 < live.failures => failures += 1,
                Err(reason) => {
                    let times = failures + 1;
                    return asker
                        .tell(Event::Unwell(serial, format!("it was not well {times} times in a row: {reason}")));
                }
            }
        }
    })
}

/// Asks until a promise holds or its deadline has passed; says why it does not.
pub(super) async fn promise(core: &Rc<Core>, promise: &Promise) -> Result<(), String> {
    let facts = {
        let inner = core.inner.borrow();
        let mut of_part = inner.entries.values().filter(|entry| entry.spec.part == promise.part);
        // In the surroundings of the service that is called as the part; a part without one has others.
        let main = of_part.clone().find(|entry| entry.spec.name == promise.part);
        main.or_else(|| of_part.next()).map(Asker::facts)
    };
    let none = || (Arc::new(ServiceSpec::bare(promise.part.clone())), promise.part.clone(), 0);
    let (spec, child, searched) = facts.unwrap_or_else(none);
    // A job that has not run yet has none.
    make_folders(core.layout.root(), &spec).map_err(|error| format!("{}: no folder: {error}", promise.name))?;
    let asker = Asker { core: Rc::clone(core), spec, child, searched: Cell::new(searched), latency: Rc::default() };
    let end = Instant::now() + promise.probe.deadline;
    loop {
        match asker.ask(&promise.probe).await {
            Ok(()) => return Ok(()),
            Err(reason) if Instant::now() >= end => return Err(format!("{}: {reason}", promise.name)),
            Err(_) => sleep(promise.probe.interval.max(GLANCE)).await,
        }
    }
}

impl Asker {
    fn new(core: &Rc<Core>, entry: &Entry) -> Self {
        let (spec, child, searched) = Self::facts(entry);
        Self { core: Rc::clone(core), spec, child, searched: Cell::new(searched), latency: Rc::clone(&entry.latency) }
    }

    fn facts(entry: &Entry) -> (Arc<ServiceSpec>, PartName, u64) {
        (Arc::clone(&entry.spec), entry.child.clone(), entry.log_from)
    }

    /// From a task of its own: the step that follows may drop this one.
    fn tell(&self, event: Event) {
        let (core, name) = (Rc::clone(&self.core), self.spec.name.clone());
        tokio::task::spawn_local(async move { core.tell(&name, event) });
    }

    async fn ask(&self, probe: &Probe) -> Result<(), String> {
        let asked = Instant::now();
        let answer = timeout(probe.timeout, self.ask_kind(&probe.kind)).await;
        self.latency.set(Some(asked.elapsed()));
        match answer {
            Ok(answer) => answer,
            Err(_) => Err(format!("no answer within {} s", probe.timeout.as_secs_f64())),
        }
    }

    async fn ask_kind(&self, kind: &ProbeKind) -> Result<(), String> {
        match kind {
            ProbeKind::Exec(command) => self.run(command).await,
            ProbeKind::Http { url, status, contains, headers, expect_headers } => {
                get(url, headers, &Wanted { status: *status, contains, headers: expect_headers }).await
            }
            ProbeKind::Log(words) => self.search(words),
            ProbeKind::Notify => Err("it has no notify socket".to_owned()),
            ProbeKind::Tcp(address) => {
                TcpStream::connect(address.as_str()).await.map(drop).map_err(|error| format!("{address}: {error}"))
            }
            ProbeKind::Unix(path) => {
                UnixStream::connect(path).await.map(drop).map_err(|error| format!("{}: {error}", path.display()))
            }
        }
    }

    async fn run(&self, command: &[Text]) -> Result<(), String> {
        let argv = argv(command)?;
        let Some((program, args)) = argv.split_first() else { return Err("its probe has no command".to_owned()) };
        let secrets = (self.core.secrets)(&self.core.layout);
        let mut vars = Vec::new();
        for (name, value) in &self.spec.vars {
            let value = match (value.as_plain(), &secrets) {
                (Some(plain), _) => plain.to_owned(),
                (None, Ok(secrets)) => value.reveal(&**secrets).map_err(|error| error.to_string())?,
                (None, Err(error)) => return Err(error.clone()),
            };
            vars.push((name, value));
        }
        let mut child = tokio::process::Command::new(program)
            .args(args)
            .env_clear()
            .envs(vars)
            .current_dir(&self.spec.folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| format!("{program}: {error}"))?;
        self.mark(child.id());
        match child.wait().await {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(format!("{program}: {status}")),
            Err(error) => Err(format!("{program}: {error}")),
        }
    }

    /// What a probe leaves behind is its service's: it ends with it.
    fn mark(&self, pid: Option<u32>) {
        let mark = mark::of(self.core.layout.root(), self.child.as_str());
        let pid = pid.and_then(|pid| Pid::from_raw(pid.cast_signed()));
        if pid.is_some() {
            let _ = prlimit(pid, Resource::Rttime, Rlimit { current: Some(mark), maximum: Some(mark) });
        }
    }

    /// Looks for words in what the service said since its start.
    fn search(&self, words: &str) -> Result<(), String> {
        use std::io::{Read as _, Seek as _, SeekFrom};
        self.core.with(&self.spec.name, |entry| entry.pump.as_ref().inspect(|pump| pump.drain()).is_some());
        let path: PathBuf = log_path(&self.core.layout.log(), self.spec.name.as_str(), 0);
        let read = || -> std::io::Result<Vec<u8>> {
            let mut file = std::fs::File::open(&path)?;
            let end = file.metadata()?.len();
            let from = if self.searched.get() > end { 0 } else { self.searched.get() };
            file.seek(SeekFrom::Start(from))?;
            let mut bytes = Vec::new();
            file.take(ANSWER).read_to_end(&mut bytes)?;
            // The words may be cut: their beginning is looked at again.
            self.searched.set((from + bytes.len() as u64).saturating_sub(words.len() as u64).max(from));
            Ok(bytes)
        };
        let bytes = read().map_err(|error| format!("{}: {error}", path.display()))?;
        if words.is_empty() || bytes.windows(words.len()).any(|window| window == words.as_bytes()) {
            return Ok(());
        }
        Err(format!("`{words}` is not in its log"))
    }
}

/// What an answer must have; no status is any from 200 to 399.
#[derive(Clone, Copy)]
struct Wanted<'a> {
    status: u16,
    contains: &'a str,
    headers: &'a Headers,
}

/// A plain GET. The version is 1.0, so that the answer's end is the connection's and nothing comes in chunks.
async fn get(url: &str, headers: &Headers, wanted: &Wanted<'_>) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("{url}: {error}");
    let parsed = Url::parse(url).map_err(|error| format!("{url}: {error}"))?;
    let (Some(host), Some(port)) = (parsed.host_str(), parsed.port_or_known_default()) else {
        return Err(format!("{url}: no host and port"));
    };
    let mut stream = TcpStream::connect((host.trim_matches(['[', ']']), port)).await.map_err(failed)?;
    stream.write_all(request(&parsed, &format!("{host}:{port}"), headers).as_bytes()).await.map_err(failed)?;
    let mut answer = Vec::new();
    // A server that keeps the connection open has still answered: once all that is wanted is there, no more is waited for.
    let mut stream = stream.take(ANSWER);
    while !has_all(&answer, wanted.contains) {
        if stream.read_buf(&mut answer).await.map_err(failed)? == 0 {
            break;
        }
    }
    judge(&answer, wanted).map_err(|reason| format!("{url}: {reason}"))
}

/// Whether the head of an answer is there, and of its body what must be in it.
fn has_all(answer: &[u8], contains: &str) -> bool {
    let Some(body) = answer.windows(4).position(|end| end == b"\r\n\r\n").map(|end| &answer[end + 4..]) else {
        return false;
    };
    contains.is_empty() || body.windows(contains.len()).any(|piece| piece == contains.as_bytes())
}

/// The request, in which a field that was asked for takes the place of ours.
fn request(url: &Url, address: &str, headers: &Headers) -> String {
    let path = &url[url::Position::BeforePath..url::Position::AfterQuery];
    let mut text = format!("GET {path} HTTP/1.0\r\n");
    let own = [("Host", address), ("User-Agent", "jove-install")].into_iter().filter(|(name, _)| !headers.has(name));
    for (name, value) in own.chain(headers.iter()) {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text + "\r\n"
}

fn judge(answer: &[u8], wanted: &Wanted<'_>) -> Result<(), String> {
    let text = String::from_utf8_lossy(answer);
    let status = text.strip_prefix("HTTP/").and_then(|rest| rest.split(' ').nth(1));
    let Some(status) = status.and_then(|status| status.get(..3)?.parse::<u16>().ok()) else {
        return Err("the answer is no HTTP".to_owned());
    };
    let is_good = if wanted.status == 0 { (200..400).contains(&status) } else { status == wanted.status };
    if !is_good {
        let expected = if wanted.status == 0 { "200 to 399".to_owned() } else { wanted.status.to_string() };
        return Err(format!("status {status}, expected {expected}"));
    }
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    for (name, piece) in wanted.headers.iter() {
        // A field may come several times, as `Set-Cookie` does.
        let fields = head.lines().filter_map(|line| line.split_once(':'));
        let values: Vec<&str> =
            fields.filter(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).collect();
        if values.is_empty() {
            return Err(format!("the answer has no header field `{name}`"));
        }
        if !values.iter().any(|value| value.contains(piece)) {
            return Err(format!("header field `{name}` is `{}`, and `{piece}` is not in it", values.join("`, `")));
        }
    }
    if wanted.contains.is_empty() || body.contains(wanted.contains) {
        Ok(())
    } else {
        Err(format!("`{}` is not in the answer", wanted.contains))
    }
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::{Wanted, judge, request};
    use crate::service::Headers;

    fn headers(fields: &[(&str, &str)]) -> Headers {
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Headers::new(fields.collect()).expect("fields")
    }

    #[test]
    fn answers_are_judged_by_status_and_body() {
        let answer = b"HTTP/1.1 200 OK\r\na: b\r\n\r\nhello";
        for (status, contains, expected) in [
            (0, "", Ok(())),
            (200, "hell", Ok(())),
            (404, "", Err("status 200, expected 404".to_owned())),
            (0, "a: b", Err("`a: b` is not in the answer".to_owned())),
        ] {
            assert_eq!(judge(answer, &Wanted { status, contains, headers: &Headers::default() }), expected);
        }
        let any = Wanted { status: 0, contains: "", headers: &Headers::default() };
        assert!(judge(b"HTTP/1.0 503 No\r\n\r\n", &any).is_err());
        assert!(judge(b"SSH-2.0", &any).is_err());
    }

    #[test]
    fn answers_are_judged_by_their_header_fields() {
        let answer = b"HTTP/1.1 200 OK\r\nX-Site: shop\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n\r\nX-Body: yes";
        for (wanted, expected) in [
            (&[("x-site", "sho"), ("Set-Cookie", "b=")][..], Ok(())),
            (&[("X-Site", "")], Ok(())),
            (&[("X-Site", "Shop")], Err("header field `X-Site` is `shop`, and `Shop` is not in it")),
            (&[("Set-Cookie", "c=")], Err("header field `Set-Cookie` is `a=1`, `b=2`, and `c=` is not in it")),
            (&[("X-Body", "")], Err("the answer has no header field `X-Body`")),
        ] {
            let judged = judge(answer, &Wanted { status: 0, contains: "", headers: &headers(wanted) });
            assert_eq!(judged, expected.map_err(str::to_owned), "{wanted:?}");
        }
    }

    #[test]
    fn an_answer_is_read_until_all_is_there() {
        for (answer, contains, expected) in [
            ("HTTP/1.0 200 OK\r\nA: b\r\n", "", false),
            ("HTTP/1.0 200 OK\r\nA: b\r\n\r\n", "", true),
            ("HTTP/1.0 200 OK\r\nA: b\r\n\r\nwe", "well", false),
            ("HTTP/1.0 200 OK\r\nA: well\r\n\r\n", "well", false),
            ("HTTP/1.0 200 OK\r\nA: b\r\n\r\nit is well\n", "well", true),
        ] {
            assert_eq!(super::has_all(answer.as_bytes(), contains), expected, "{answer:?}");
        }
    }

    #[test]
    fn a_field_that_is_asked_for_takes_the_place_of_ours() {
        let url = Url::parse("http://127.0.0.1:80/a?b#c").expect("URL");
        assert_eq!(
            request(&url, "127.0.0.1:80", &Headers::default()),
            "GET /a?b HTTP/1.0\r\nHost: 127.0.0.1:80\r\nUser-Agent: jove-install\r\n\r\n"
        );
        assert_eq!(
            request(&url, "127.0.0.1:80", &headers(&[("Accept", "*/*"), ("host", "shop.example.org")])),
            "GET /a?b HTTP/1.0\r\nUser-Agent: jove-install\r\nAccept: */*\r\nhost: shop.example.org\r\n\r\n"
        );
    }
}
