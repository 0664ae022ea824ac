//! What services print: kept byte for byte, whatever it is, turned over by size and age, packed, sent on.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use jove_install::service::{Compress, LogFormat, LogPolicy, ServiceSpec};
use jove_install::supervisor::logs::{LogLine, Stream, Wanted, tail};
use jove_install::supervisor::{Client, ServiceState};

use super::{FOREVER, Prefix, kill, named, until};

impl Prefix {
    fn lines(&self, wanted: &Wanted) -> Vec<LogLine> {
        let mut lines = Vec::new();
        tail(&self.layout, wanted, &mut |line| {
            lines.push(line);
            true
        })
        .expect("lines");
        lines
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.layout.log()).expect("log").flatten();
        let mut names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}

#[test]
fn packed_logs_are_read_as_one() {
    for (compress, ending) in [(Compress::Gzip, ".gz"), (Compress::Zstd, ".zst")] {
        let prefix = Prefix::new();
        let log = LogPolicy { max_bytes: 20_000, keep: 100, compress, ..LogPolicy::default() };
        let script = format!("i=0; while [ $i -lt 20000 ]; do i=$((i+1)); echo line $i; done; echo the end; {FOREVER}");
        prefix.generation(1, vec![ServiceSpec { log, ..prefix.service("web", &script) }]);
        prefix.commit(1);
        until("the end", || prefix.log("web").contains("the end").then_some(()));
        until("packed ones", || {
            (prefix.names().iter().filter(|name| name.starts_with("web.log.") && name.ends_with(ending)).count() >= 3)
                .then_some(())
        });
        let lines = prefix.lines(&Wanted::default());
        let expected = (1..=20_000).map(|number| format!("line {number}")).chain(["the end".to_owned()]);
        assert!(lines.iter().map(|line| line.text.clone()).eq(expected), "{} lines", lines.len());
        let found = prefix.lines(&Wanted { grep: Some("line 777".into()), lines: Some(3), ..Wanted::default() });
        let found: Vec<&str> = found.iter().map(|line| line.text.as_str()).collect();
        assert_eq!(found, ["line 7777", "line 7778", "line 7779"]);
        let since = lines[10_000].when;
        let later = prefix.lines(&Wanted { since: Some(since), ..Wanted::default() });
        assert!(later.len() >= 10_001 && later.iter().all(|line| line.when >= since));
    }
}

#[test]
fn lines_that_tell_time_and_stream_are_whole_although_the_supervisor_is_killed() {
    let prefix = Prefix::new();
    let log = LogPolicy { format: LogFormat::Prefixed, ..LogPolicy::default() };
    let script = "i=0; while :; do i=$((i+1)); echo line $i; sleep 0.01; done";
    prefix.generation(1, vec![ServiceSpec { log, ..prefix.service("web", script) }]);
    prefix.commit(1);
    for _ in 0..2 {
        let length = prefix.log("web").len();
        until("more", || (prefix.log("web").len() > length + 200).then_some(()));
        let former = prefix.client().status().expect("status").supervisor;
        kill(former);
        until("another supervisor", || {
            Client::connect(&prefix.layout).ok()??.status().ok().filter(|status| status.supervisor != former)
        });
    }
    prefix.stop(&["web"]);
    for line in prefix.log("web").lines() {
        let (time, rest) = line.split_once(' ').expect("a time");
        assert!(time.parse::<jiff::Timestamp>().is_ok() && rest.starts_with("out line "), "{line}");
    }
    let lines = prefix.lines(&Wanted::default());
    assert!(lines.iter().all(|line| line.stream == Stream::Out));
    let mut numbers: Vec<u64> = lines.iter().filter_map(|line| line.text.strip_prefix("line ")?.parse().ok()).collect();
    assert_eq!(numbers.len(), lines.len());
    // At most a batch is doubled, none is lost.
    numbers.dedup();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
}

#[test]
fn ten_million_bytes_without_an_end_and_no_text_at_all() {
    let prefix = Prefix::new();
    let script = format!("head -c 10000000 /dev/zero | tr '\\0' x; echo; printf '\\377\\376\\000\\n'; {FOREVER}");
    let log = LogPolicy { max_bytes: 100 << 20, ..LogPolicy::default() };
    prefix.generation(1, vec![ServiceSpec { log, ..prefix.service("web", &script) }]);
    prefix.commit(1);
    let path = prefix.layout.log().join("web.log");
    until("all of it", || (fs::metadata(&path).ok()?.len() == 10_000_005).then_some(()));
    assert!(fs::read(&path).expect("log").ends_with(b"x\n\xff\xfe\0\n"));
    let lines = prefix.lines(&Wanted::default());
    let lengths: Vec<usize> = lines.iter().map(|line| line.text.chars().count()).collect();
    assert_eq!(lengths, [10_000_000, 3]);
    assert_eq!(prefix.status("web").state, ServiceState::Ready);
}

#[test]
fn lines_are_sent_on_to_syslog() {
    let prefix = Prefix::new();
    let path = prefix.path("syslog");
    let socket = UnixDatagram::bind(&path).expect("bind");
    socket.set_read_timeout(Some(Duration::from_secs(60))).expect("set");
    let log = LogPolicy { forward: Some(path), ..LogPolicy::default() };
    let script = format!("echo fine; echo oops >&2; {FOREVER}");
    prefix.generation(1, vec![ServiceSpec { log, ..prefix.service("web", &script) }]);
    prefix.commit(1);
    let mut got: Vec<String> = (0..2)
        .map(|_| {
            let mut buffer = [0; 1000];
            let count = socket.recv(&mut buffer).expect("a datagram");
            String::from_utf8_lossy(&buffer[..count]).into_owned()
        })
        .collect();
    got.sort();
    assert!(got[0].starts_with("<11>") && got[0].ends_with(" web: oops"), "{got:?}");
    assert!(got[1].starts_with("<14>") && got[1].ends_with(" web: fine"), "{got:?}");
    // The log has them all the same, as they were.
    let log = until("the log", || Some(prefix.log("web")).filter(|log| log.len() == 10));
    assert!(log == "fine\noops\n" || log == "oops\nfine\n", "{log}");
}

#[test]
fn those_who_follow_see_lines_over_rotations() {
    let prefix = Prefix::new();
    let log = LogPolicy { max_bytes: 1000, keep: 50, ..LogPolicy::default() };
    let script =
        format!("i=0; while [ $i -lt 300 ]; do i=$((i+1)); echo line $i; sleep 0.002; done; echo the end; {FOREVER}");
    prefix.generation(1, vec![ServiceSpec { log, ..prefix.service("web", &script) }]);
    prefix.commit(1);
    let mut seen = Vec::new();
    let wanted = Wanted { names: vec![named("web")], follow: true, ..Wanted::default() };
    tail(&prefix.layout, &wanted, &mut |line| {
        seen.push(line.text);
        seen.last().is_some_and(|last| last != "the end")
    })
    .expect("followed");
    assert!(prefix.layout.log().join("web.log.1").exists());
    assert_eq!(
        seen,
        (1..=300).map(|number| format!("line {number}")).chain(["the end".to_owned()]).collect::<Vec<_>>()
    );
}
