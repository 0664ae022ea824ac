//! The control socket: what any client of HTTP may do with it, and what it survives.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::FileTypeExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::Duration;

use jove_install::service::{Probe, ProbeKind, Restart, RestartPolicy, ServiceSpec};
use jove_install::supervisor::{Client, Outcome, ServiceState};
use jove_install::text::Text;

use super::{FOREVER, Prefix, kill, named, until};

impl Prefix {
    fn connect(&self) -> UnixStream {
        let stream = UnixStream::connect(self.layout.run().join("control.sock")).expect("connect");
        stream.set_read_timeout(Some(Duration::from_secs(60))).expect("set");
        stream
    }

    fn ask(&self, method: &str, target: &str, body: &str) -> (u16, String) {
        let mut stream = self.connect();
        let length = body.len();
        // The old version, in which an answer of unknown length comes as it is, not in chunks.
        write!(
            stream,
            "{method} {target} HTTP/1.0\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
        )
        .expect("write");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("read");
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        (head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0), body.to_owned())
    }

    fn get(&self, target: &str) -> String {
        let (status, body) = self.ask("GET", target, "");
        assert_eq!(status, 200, "{target}: {body}");
        body
    }
}

fn a_web_and_more(prefix: &Prefix) {
    let ready = Probe::new(ProbeKind::Exec(["/bin/sh", "-c", "true"].map(Text::literal).into()));
    let web =
        ServiceSpec { ready: Some(ready), ..prefix.service("web", &format!("echo one; echo two >&2; {FOREVER}")) };
    prefix.generation(1, vec![web, prefix.service("db", FOREVER)]);
    prefix.commit(1);
}

#[test]
fn every_described_route_answers() {
    let prefix = Prefix::new();
    a_web_and_more(&prefix);
    let described: serde_json::Value = serde_json::from_str(&prefix.get("/v1/openapi.json")).expect("JSON");
    for (path, methods) in described["paths"].as_object().expect("paths") {
        for method in methods.as_object().expect("methods").keys() {
            if path == "/v1/shutdown" || path == "/v1/events/stream" {
                continue;
            }
            let target = path.replace("{name}", "web");
            let body = match path.as_str() {
                "/v1/signal" => r#"{"signal":"CONT"}"#,
                "/v1/switch" => r#"{"to":1,"verb":"test"}"#,
                _ => "",
            };
            let (status, said) = prefix.ask(&method.to_uppercase(), &target, body);
            assert_eq!(status, 200, "{method} {target}: {said}");
        }
    }
    assert_eq!(prefix.ask("GET", "/v1/nothing", "").0, 404);
    assert_eq!(prefix.ask("GET", "/v1/start", "").0, 405);
    assert_eq!(prefix.ask("POST", "/v1/start", "{").0, 400);
    assert_eq!(prefix.ask("POST", "/v1/services/NOT%20A%20NAME/start", "").0, 400);
    assert_eq!(prefix.ask("GET", "/v1/logs/nobody", "").0, 404);
    assert!(prefix.ask("POST", "/v1/services/wep/start", "").1.contains("did you mean `web`?"));
}

#[test]
fn metrics_and_lines_and_usage() {
    let prefix = Prefix::new();
    a_web_and_more(&prefix);
    let text = prefix.get("/metrics");
    for expected in [
        "jove_service_state{service=\"web\",part=\"web\",state=\"ready\"} 1\n",
        "jove_service_state{service=\"web\",part=\"web\",state=\"failed\"} 0\n",
        "jove_service_up{service=\"db\",part=\"db\"} 1\n",
        "jove_service_restarts{service=\"web\",part=\"web\"} 0\n",
        "# TYPE jove_service_memory_bytes gauge\n",
        "jove_generation 1\n",
    ] {
        assert!(text.contains(expected), "{expected} in {text}");
    }
    let number = |name: &str| -> f64 {
        let start = format!("{name}{{service=\"web\",part=\"web\"}} ");
        let line =
            text.lines().find_map(|line| line.strip_prefix(&start)).unwrap_or_else(|| panic!("{name} in {text}"));
        line.parse().expect("a number")
    };
    assert!(number("jove_service_memory_bytes") > 10_000.0);
    assert!(number("jove_service_processes") >= 1.0);
    assert!(number("jove_service_probe_latency_seconds") > 0.0);
    assert!(number("jove_service_start_time_seconds") > 1e9);
    let usage = prefix.client().usage().expect("usage");
    assert!(usage[&named("web")].memory > 0 && usage.contains_key(&named("db")));
    let lines = until("both lines", || {
        let text = prefix.get("/v1/logs/web?lines=10");
        (text.lines().count() == 2).then_some(text)
    });
    assert!(
        lines.contains("\"stream\":\"out\",\"text\":\"one\"") && lines.contains("\"stream\":\"err\",\"text\":\"two\"")
    );
    assert_eq!(prefix.get("/v1/logs/web?grep=two").lines().count(), 1);
}

#[test]
fn states_and_lines_come_as_server_sent_events() {
    let prefix = Prefix::new();
    a_web_and_more(&prefix);
    let listen = |target: &str| {
        let mut stream = prefix.connect();
        write!(stream, "GET {target} HTTP/1.1\r\nhost: x\r\n\r\n").expect("write");
        BufReader::new(stream)
    };
    let next = |reader: &mut BufReader<UnixStream>, words: &str| loop {
        let mut line = String::new();
        assert!(reader.read_line(&mut line).expect("a line") > 0, "the end before {words}");
        if line.contains(words) {
            return line;
        }
    };
    let (mut states, mut lines) = (listen("/v1/events/stream"), listen("/v1/logs/web?follow=true&lines=0"));
    next(&mut states, "event: status");
    next(&mut lines, "200 OK");
    assert_eq!(prefix.client().restart(&[named("web")], &mut |_| {}).expect("restart"), Outcome::Done);
    for state in ["stopping", "starting", "ready"] {
        let line = next(&mut states, &format!("\"state\":\"{state}\""));
        assert!(line.starts_with("data: {\"name\":\"web\""), "{line}");
    }
    assert!(next(&mut lines, "\"text\":\"one\"").starts_with("data: "));
    // Who goes away is no burden: places are free again.
    drop((states, lines));
    for _ in 0..200 {
        drop(listen("/v1/logs/web?follow=true"));
    }
    until("a place", || (prefix.ask("GET", "/v1/status", "").0 == 200).then_some(()));
}

#[test]
fn too_many_clients_are_told_so_and_the_others_go_on() {
    let prefix = Prefix::new();
    a_web_and_more(&prefix);
    let follow = || {
        let mut stream = prefix.connect();
        write!(stream, "GET /v1/events/stream HTTP/1.1\r\nhost: x\r\n\r\n").expect("write");
        let mut reader = BufReader::new(stream);
        reader.read_line(&mut String::new()).expect("a line");
        reader
    };
    let mut held: Vec<BufReader<UnixStream>> = (0..64).map(|_| follow()).collect();
    assert_eq!(prefix.ask("GET", "/v1/status", ""), (503, "too many clients\n".to_owned()));
    // Our own client tries again, and those who were let in are served for as long as they like.
    std::thread::scope(|scope| {
        let asked = scope.spawn(|| prefix.client().status().expect("status"));
        let mut first = held.remove(0);
        let mut line = String::new();
        while !line.contains("\"name\":\"web\"") {
            line.clear();
            assert!(first.read_line(&mut line).expect("a line") > 0);
        }
        drop(first);
        assert_eq!(asked.join().expect("thread").services.len(), 2);
    });
}

#[test]
fn those_who_connect_and_say_nothing_lock_nobody_out() {
    let prefix = Prefix::new();
    a_web_and_more(&prefix);
    let words: [&[u8]; 4] = [
        b"",
        b"\r\n\r\n",
        b"GET /v1/status HTTP/1.1\r\nhost: x\r\n",
        b"POST /v1/stop HTTP/1.1\r\ncontent-length: 30\r\n\r\n{",
    ];
    let mut held: Vec<UnixStream> = (0..200).map(|_| prefix.connect()).collect();
    for (stream, words) in held.iter_mut().zip(words.iter().cycle()) {
        // It may have been turned away already.
        let _ = stream.write_all(words);
    }
    prefix.stop(&[]);
    assert_eq!(prefix.status("web").state, ServiceState::Stopped);
    // Nor does one who was answered keep his place.
    let mut asked: Vec<UnixStream> = (0..64).map(|_| prefix.connect()).collect();
    for stream in &mut asked {
        write!(stream, "GET /v1/status HTTP/1.1\r\nhost: x\r\n\r\n").expect("write");
        stream.read_to_end(&mut Vec::new()).expect("its end");
    }
}

/// Its services go on meanwhile, and no command is needed to have it back.
#[test]
fn a_socket_that_is_removed_or_replaced_comes_back() {
    let prefix = Prefix::new();
    a_web_and_more(&prefix);
    let (pid, former) = (prefix.pid("web"), prefix.client().status().expect("status"));
    let path = prefix.layout.run().join("control.sock");
    let is_socket = || fs::symlink_metadata(&path).is_ok_and(|facts| facts.file_type().is_socket());
    let removals: [&dyn Fn(); 4] = [
        &|| fs::remove_file(&path).expect("remove"),
        &|| {
            fs::remove_file(&path).expect("remove");
            fs::write(&path, "").expect("write");
        },
        &|| {
            fs::write(prefix.path("other"), "").expect("write");
            fs::rename(prefix.path("other"), &path).expect("rename");
        },
        &|| fs::rename(&path, prefix.path("away")).expect("rename"),
    ];
    for remove in removals {
        remove();
        until("a socket", || is_socket().then_some(()));
        let status = prefix.client().status().expect("status");
        assert_eq!((status.supervisor, status.keeper), (former.supervisor, former.keeper));
        assert_eq!(prefix.pid("web"), pid);
    }
    fs::remove_file(&path).expect("remove");
    // Whoever comes at this moment waits for it.
    assert_eq!(prefix.client().restart(&[named("web")], &mut |_| {}).expect("restart"), Outcome::Done);
    assert_ne!(prefix.pid("web"), pid);
    fs::remove_file(&path).expect("remove");
    prefix.stop(&[]);
    assert_eq!(prefix.client().shutdown(&mut |_| {}).expect("shutdown"), Outcome::Done);
    assert!(!path.exists());
}

#[test]
fn what_others_left_where_the_socket_is_to_be_makes_room() {
    let leavings: [&dyn Fn(&Path); 2] = [
        &|path| fs::write(path, "not ours").expect("write"),
        // Its file stays when whoever listened has ended.
        &|path| drop(UnixListener::bind(path).expect("bind")),
    ];
    for leave in leavings {
        let prefix = Prefix::new();
        fs::create_dir_all(prefix.layout.run()).expect("run");
        let path = prefix.layout.run().join("control.sock");
        leave(&path);
        a_web_and_more(&prefix);
        assert!(fs::symlink_metadata(&path).expect("facts").file_type().is_socket());
        assert_eq!(prefix.status("web").state, ServiceState::Ready);
    }
}

/// A folder may hold something: it is named, and left to whoever made it.
#[test]
fn a_folder_where_the_socket_is_to_be_is_named() {
    let prefix = Prefix::new();
    let path = prefix.layout.run().join("control.sock");
    fs::create_dir_all(&path).expect("folder");
    let error = Client::ensure(&prefix.layout, Path::new(env!("CARGO_BIN_EXE_jove-install"))).expect_err("no socket");
    let said = error.to_string();
    let log = prefix.layout.log().join("supervisor.log");
    assert!(said.contains(&log.display().to_string()), "{said}");
    let shown = fs::read_to_string(log).expect("log");
    assert!(shown.contains(&format!("`{}`", path.display())), "{shown}");
    fs::remove_dir(&path).expect("remove");
    a_web_and_more(&prefix);
}

#[test]
fn garbage_is_survived() {
    use rand::{Rng as _, SeedableRng as _};
    let prefix = Prefix::new();
    a_web_and_more(&prefix);
    let supervisor = prefix.client().status().expect("status").supervisor;
    let mut random = rand::rngs::StdRng::seed_from_u64(4);
    let starts: [&[u8]; 6] = [
        b"",
        b"GET /v1/status HTTP/1.1\r\n",
        b"POST /v1/start HTTP/1.1\r\ncontent-length: 99999999999999999999\r\n\r\n",
        b"POST /v1/switch HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n",
        b"POST /v1/signal HTTP/1.1\r\ncontent-length: 30\r\n\r\n{\"signal\":",
        b"GET /v1/logs/%ff%00?lines=-1&since=x HTTP/1.1\r\n\r\n",
    ];
    for round in 0..300 {
        let mut bytes = starts[round % starts.len()].to_vec();
        let length = random.gen_range(0..2000);
        bytes.extend((0..length).map(|_| random.r#gen::<u8>()));
        let mut stream = prefix.connect();
        // It may hang up before all is said.
        let _ = stream.write_all(&bytes).and_then(|()| stream.shutdown(std::net::Shutdown::Write));
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
    }
    let status = prefix.client().status().expect("status");
    assert_eq!(status.supervisor, supervisor);
    assert!(status.services.iter().all(|service| service.state == ServiceState::Ready), "{status:?}");
}

#[test]
fn the_history_outlives_supervisors() {
    let prefix = Prefix::new();
    a_web_and_more(&prefix);
    let former = prefix.client().status().expect("status").supervisor;
    kill(former);
    until("another supervisor", || {
        Client::connect(&prefix.layout).ok()??.status().ok().filter(|status| status.supervisor != former)
    });
    let events: serde_json::Value = serde_json::from_str(&prefix.get("/v1/events?last=1000")).expect("JSON");
    let what: Vec<&str> =
        events.as_array().expect("a list").iter().filter_map(|event| event["what"].as_str()).collect();
    assert_eq!(what.iter().filter(|what| **what == "supervisor").count(), 2, "{what:?}");
    assert!(what.contains(&"commit") && what.contains(&"adopt"), "{what:?}");
}

#[test]
fn a_failure_is_told_once_with_its_words() {
    let prefix = Prefix::new();
    let tell = "echo \"$JOVE_SERVICE: $JOVE_REASON: $JOVE_LAST_LINES\" >> told; ";
    let never = Restart { policy: RestartPolicy::Never, ..Restart::default() };
    let web = ServiceSpec {
        on_failed: ["/bin/sh", "-c", tell].map(Text::literal).into(),
        restart: never,
        ..prefix.service("web", "while [ ! -f go ]; do sleep 0.05; done; echo the end; exit 3")
    };
    prefix.generation(1, vec![web]);
    prefix.commit(1);
    std::fs::write(prefix.path("go"), "").expect("write");
    let told = || std::fs::read_to_string(prefix.path("told")).unwrap_or_default();
    until("a word", || told().ends_with('\n').then_some(()));
    assert_eq!(told(), "web: it exited with 3: the end\n");
    // A second failure within the minute is written down only.
    assert!(matches!(prefix.client().start(&[], &mut |_| {}).expect("start"), Outcome::Failed { .. }));
    let events = until("a note", || {
        let events = prefix.client().events(100).ok()?;
        events.iter().any(|event| event.what == "on-failed" && event.text.starts_with("not told")).then_some(events)
    });
    assert!(events.iter().any(|event| event.what == "on-failed" && event.text == "told"), "{events:?}");
    assert_eq!(told().lines().count(), 1);
}

#[test]
fn a_signal_is_passed_on() {
    let prefix = Prefix::new();
    prefix.generation(1, vec![prefix.service("web", "trap 'echo got it' USR1; while :; do sleep 0.02; done")]);
    prefix.commit(1);
    until("its trap", || {
        assert_eq!(prefix.client().signal(&[named("web")], "SIGUSR1").expect("signal"), Outcome::Done);
        prefix.log("web").contains("got it").then_some(())
    });
    assert!(matches!(prefix.client().signal(&[], "NONSENSE").expect("signal"), Outcome::Failed { .. }));
}
