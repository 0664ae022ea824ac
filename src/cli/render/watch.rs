//! The live view of `status --watch`: services with what they use, and the last lines of their logs.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use anstyle::{AnsiColor, Style};

use crate::cli::render::status::{colored, harmless, head, last_lines, more};
use crate::cli::render::table::{bytes, seconds, table};
use crate::name::PartName;
use crate::ops::status::PrefixStatus;
use crate::supervisor::logs::{LogLine, Stream};
use crate::supervisor::{ServiceStatus, Usage};

/// Two readings of what services use.
pub struct Sample<'a> {
    /// The time between them.
    pub since: Option<Duration>,
    /// The one before.
    pub former: Option<&'a BTreeMap<PartName, Usage>>,
    /// The one of now.
    pub usage: &'a BTreeMap<PartName, Usage>,
}

/// The whole screen, from its first place on: each line clears what was behind it.
#[must_use]
pub fn screen(
    status: &PrefixStatus,
    sample: &Sample<'_>,
    lines: &VecDeque<LogLine>,
    rows: usize,
    now: jiff::Timestamp,
) -> String {
    let cells: Vec<Vec<String>> = status.services.iter().map(|service| row(service, sample, now)).collect();
    let above =
        head(status) + "\n" + &table(&["SERVICE", "STATE", "PID", "UPTIME", "RESTARTS", "CPU", "MEMORY", ""], &cells);
    let above = above + &last_lines(&status.services);
    let mut shown: Vec<String> = above.lines().map(str::to_owned).take(rows.saturating_sub(1)).collect();
    let room = rows.saturating_sub(shown.len() + 2);
    if room > 0 && !lines.is_empty() {
        shown.push(String::new());
        shown.extend(lines.iter().skip(lines.len().saturating_sub(room)).map(line));
    }
    let body: String = shown.iter().map(|line| format!("{line}\x1b[K\r\n")).collect();
    format!("\x1b[H{body}\x1b[J")
}

fn row(service: &ServiceStatus, sample: &Sample<'_>, now: jiff::Timestamp) -> Vec<String> {
    let none = || "-".to_owned();
    let usage = sample.usage.get(&service.name);
    let uptime = usage.filter(|usage| usage.started > 0.0);
    let uptime = uptime.map(|usage| seconds((now.as_duration().as_secs_f64() - usage.started).max(0.0)));
    vec![
        service.name.to_string(),
        colored(service.state),
        service.pid.map_or_else(none, |pid| pid.to_string()),
        uptime.unwrap_or_else(none),
        service.restarts.to_string(),
        load(service, sample).map_or_else(none, |load| format!("{load:.1} %")),
        usage.map_or_else(none, |usage| bytes(usage.memory)),
        more(service, now),
    ]
}

/// The share of one processor that was used between two readings.
fn load(service: &ServiceStatus, sample: &Sample<'_>) -> Option<f64> {
    let (now, former) = (sample.usage.get(&service.name)?, sample.former?.get(&service.name)?);
    let since = sample.since?.as_secs_f64();
    (since > 0.0).then(|| ((now.cpu - former.cpu) / since * 100.0).max(0.0))
}

fn line(line: &LogLine) -> String {
    let style = match line.stream {
        Stream::Err => Style::new().fg_color(Some(AnsiColor::Yellow.into())),
        Stream::Out => Style::new(),
    };
    let text = harmless(&line.text);
    format!("{} {} {style}{text}{style:#}", line.when.strftime("%H:%M:%S"), line.service)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, VecDeque};
    use std::time::Duration;

    use super::{Sample, screen};
    use crate::ops::status::PrefixStatus;
    use crate::supervisor::Usage;
    use crate::supervisor::logs::{LogLine, Stream};

    #[test]
    fn a_screen_holds_as_many_lines_as_it_has() {
        let status: crate::supervisor::ServiceStatus = serde_json::from_str(
            r#"{"name":"web","part":"web","kind":"daemon","state":"ready","pid":7,"since":"","restarts":1,"urls":["http://x/"],"reason":null,"last_exit":null}"#,
        )
        .expect("a status");
        let status = PrefixStatus {
            prefix: "/p".into(),
            profile: "demo".into(),
            generation: Some(3),
            supervised: true,
            held: None,
            services: vec![status],
            usage: BTreeMap::new(),
        };
        let name = || "web".parse().expect("name");
        let usage =
            |cpu| BTreeMap::from([(name(), Usage { processes: 2, cpu, memory: 3 << 20, started: 40.0, group: None })]);
        let (former, now) = (usage(1.0), usage(1.5));
        let sample = Sample { since: Some(Duration::from_secs(2)), former: Some(&former), usage: &now };
        let said = |number| LogLine {
            service: name(),
            when: jiff::Timestamp::from_second(number).expect("time"),
            stream: Stream::Out,
            text: format!("line {number}\x1b[2J"),
        };
        let lines: VecDeque<LogLine> = (0..20).map(said).collect();
        let text = screen(&status, &sample, &lines, 8, jiff::Timestamp::from_second(100).expect("time"));
        let plain = anstream::adapter::strip_str(&text).to_string().replace('\r', "");
        insta::assert_snapshot!(plain, @r"
        /p (demo, generation 3)

        SERVICE  STATE  PID  UPTIME     RESTARTS  CPU     MEMORY
        web      ready  7    1 min 0 s  1         25.0 %  3.00 MiB  http://x/

        00:00:18 web line 18 [2J
        00:00:19 web line 19 [2J
        ");
        assert_eq!(text.matches("\r\n").count(), 7);
    }
}
