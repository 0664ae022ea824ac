//! Small tables of a service (`ready`, `live`, `stop`, `restart`, `log`), read from resolved values.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::name::nearest;
use crate::recipe::parse::PROBE_KINDS;
use crate::recipe::schema::OptionType;
use crate::recipe::service::{marked_path, signal, signals, span};
use crate::recipe::stack::OptionValue;
use crate::recipe::value::{self, Misfit};
use crate::service::{
    CatchUp, Compress, Headers, Liveness, LogFormat, LogPolicy, OnFull, Overlap, Probe, ProbeKind, Restart,
    RestartPolicy, Schedule, Stop,
};
use crate::text::Text;

/// A table that is emptied key by key; an entry that is nothing is not there.
pub(super) struct Table {
    what: &'static str,
    left: BTreeMap<String, OptionValue>,
    asked: Vec<&'static str>,
}

impl Table {
    pub(super) fn new(what: &'static str, entries: BTreeMap<String, OptionValue>) -> Self {
        let left = entries.into_iter().filter(|(_, value)| *value != OptionValue::None).collect();
        Self { what, left, asked: Vec::new() }
    }

    /// What was not taken is misspelt.
    pub(super) fn done(&self) -> Result<(), String> {
        let Some(key) = self.left.keys().next() else { return Ok(()) };
        let near = nearest(key, self.asked.iter().copied());
        let near = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
        Err(format!("`{}` knows no `{key}`{near}", self.what))
    }

    pub(super) fn take(&mut self, key: &'static str, kind: &OptionType) -> Result<Option<OptionValue>, String> {
        self.asked.push(key);
        let Some(value) = self.left.remove(key) else { return Ok(None) };
        value::fit(kind, value, true)
            .map(Some)
            .map_err(|Misfit(found)| format!("`{key}` of `{}` must be {}, but is {found}", self.what, kind.expected()))
    }

    fn text(&mut self, key: &'static str) -> Result<Option<Text>, String> {
        Ok(match self.take(key, &OptionType::String)? {
            Some(OptionValue::Text(text)) => Some(text),
            _ => None,
        })
    }

    pub(super) fn plain(&mut self, key: &'static str) -> Result<Option<String>, String> {
        let Some(text) = self.text(key)? else { return Ok(None) };
        match text.as_plain() {
            Some(plain) => Ok(Some(plain.to_owned())),
            None => {
                Err(format!("`{key}` of `{}` cannot hold a secret or the folder of an object (`{text}`)", self.what))
            }
        }
    }

    pub(super) fn int(&mut self, key: &'static str) -> Result<Option<i64>, String> {
        Ok(match self.take(key, &OptionType::Int)? {
            Some(OptionValue::Int(number)) => Some(number),
            _ => None,
        })
    }

    fn count(&mut self, key: &'static str) -> Result<Option<u32>, String> {
        let Some(number) = self.int(key)? else { return Ok(None) };
        let count = u32::try_from(number).ok().filter(|count| *count > 0);
        count.map(Some).ok_or_else(|| format!("`{key}` of `{}` must be a number from 1, but is {number}", self.what))
    }

    fn duration(&mut self, key: &'static str, into: &mut Duration) -> Result<(), String> {
        if let Some(OptionValue::Seconds(seconds)) = self.take(key, &OptionType::Duration)? {
            *into = span(seconds);
        }
        Ok(())
    }

    /// A probe: exactly one kind, and its times.
    pub(super) fn probe(&mut self) -> Result<Probe, String> {
        let mut probe = Probe::new(self.probe_kind()?);
        self.duration("interval", &mut probe.interval)?;
        self.duration("timeout", &mut probe.timeout)?;
        self.duration("deadline", &mut probe.deadline)?;
        Ok(probe)
    }

    fn probe_kind(&mut self) -> Result<ProbeKind, String> {
        let given: Vec<&str> = PROBE_KINDS.into_iter().filter(|kind| self.left.contains_key(*kind)).collect();
        self.asked.extend(PROBE_KINDS);
        let [kind] = given.as_slice() else {
            let kinds = PROBE_KINDS.join("`, `");
            return Err(format!("`{}` must have exactly one of `{kinds}`, but has {}", self.what, given.len()));
        };
        match *kind {
            "exec" => self.exec(),
            "http" => self.http(),
            "log" => Ok(ProbeKind::Log(self.plain("log")?.unwrap_or_default())),
            "notify" => match self.take("notify", &OptionType::Bool)? {
                Some(OptionValue::Bool(true)) => Ok(ProbeKind::Notify),
                _ => Err(format!("`notify` of `{}` is `true` or not there", self.what)),
            },
            "tcp" => {
                let address = self.plain("tcp")?.unwrap_or_default();
                match address.rsplit_once(':').map(|(host, port)| (host.is_empty(), port.parse::<u16>())) {
                    Some((false, Ok(1..))) => Ok(ProbeKind::Tcp(address)),
                    _ => Err(format!("`tcp` of `{}` must be `host:port`, but is `{address}`", self.what)),
                }
            }
            _ => {
                let path = self.text("unix")?.unwrap_or_default();
                Ok(ProbeKind::Unix(marked_path(&path)))
            }
        }
    }

    fn exec(&mut self) -> Result<ProbeKind, String> {
        let list = match self.take("exec", &OptionType::List(Box::new(OptionType::String)))? {
            Some(OptionValue::List(list)) => list,
            _ => Vec::new(),
        };
        let command: Vec<Text> = list.iter().filter_map(value::as_text).collect();
        if command.is_empty() {
            return Err(format!("`exec` of `{}` is empty", self.what));
        }
        match command.iter().find(|text| text.is_secret()) {
            Some(text) => Err(format!("`exec` of `{}` holds a secret (`{text}`), which everybody can read", self.what)),
            None => Ok(ProbeKind::Exec(command)),
        }
    }

    fn http(&mut self) -> Result<ProbeKind, String> {
        let url = self.plain("http")?.unwrap_or_default();
        if !url.starts_with("http://") {
            return Err(format!("`http` of `{}` must begin with `http://`, but is `{url}`", self.what));
        }
        let status = self.int("status")?.unwrap_or(0);
        let status = u16::try_from(status).ok().filter(|status| *status == 0 || (100..600).contains(status));
        let status = status.ok_or_else(|| format!("`status` of `{}` is no status of HTTP", self.what))?;
        let contains = self.plain("contains")?.unwrap_or_default();
        let (headers, expect_headers) = (self.headers("headers")?, self.headers("expect_headers")?);
        Ok(ProbeKind::Http { url, status, contains, headers, expect_headers })
    }

    /// A table of header fields, each a text.
    fn headers(&mut self, key: &'static str) -> Result<Headers, String> {
        let Some(OptionValue::Table(entries)) = self.take(key, &OptionType::Table)? else {
            return Ok(Headers::default());
        };
        let mut fields = BTreeMap::new();
        for (name, value) in entries.into_iter().filter(|(_, value)| *value != OptionValue::None) {
            let text = value::as_text(&value).ok_or_else(|| {
                format!("`{name}` in `{key}` of `{}` must be a text, but is {}", self.what, value::found(&value))
            })?;
            let plain = text.as_plain().ok_or_else(|| {
                let what = self.what;
                format!("`{name}` in `{key}` of `{what}` cannot hold a secret or the folder of an object (`{text}`)")
            })?;
            fields.insert(name, plain.to_owned());
        }
        Headers::new(fields).map_err(|error| format!("`{key}` of `{}`: {error}", self.what))
    }

    /// A probe of what runs, which need not be asked often.
    pub(super) fn liveness(&mut self) -> Result<Liveness, String> {
        let has_interval = self.left.contains_key("interval");
        let mut probe = self.probe()?;
        if !has_interval {
            probe.interval = Duration::from_secs(10);
        }
        Ok(Liveness { probe, failures: self.count("failures")?.unwrap_or(3) })
    }

    pub(super) fn stop(&mut self) -> Result<Stop, String> {
        let mut stop = Stop::default();
        if let Some(word) = self.plain("signal")? {
            stop.signal = signal(&word).ok_or_else(|| format!("`{word}` is no signal: there are {}", signals()))?;
        }
        self.duration("grace", &mut stop.grace)?;
        Ok(stop)
    }

    pub(super) fn restart(&mut self) -> Result<Restart, String> {
        let mut restart = Restart::default();
        if let Some(word) = self.plain("policy")? {
            restart.policy = match word.as_str() {
                "always" => RestartPolicy::Always,
                "on-failure" => RestartPolicy::OnFailure,
                "never" => RestartPolicy::Never,
                other => return Err(format!("`{other}` is no policy: there are always, on-failure and never")),
            };
        }
        self.duration("first", &mut restart.first)?;
        self.duration("max", &mut restart.max)?;
        self.duration("settle", &mut restart.settle)?;
        restart.burst = self.count("burst")?.unwrap_or(restart.burst);
        self.duration("window", &mut restart.window)?;
        Ok(restart)
    }

    /// The times of a job.
    pub(super) fn schedule(&mut self) -> Result<Schedule, String> {
        let catch_up = match self.plain("catch_up")?.as_deref() {
            None | Some("none") => CatchUp::None,
            Some("once") => CatchUp::Once,
            Some("all") => CatchUp::All,
            Some(other) => return Err(format!("`{other}` is no `catch_up`: there are none, once and all")),
        };
        let overlap = match self.plain("overlap")?.as_deref() {
            None | Some("skip") => Overlap::Skip,
            Some("queue") => Overlap::Queue,
            Some("kill") => Overlap::Kill,
            Some(other) => return Err(format!("`{other}` is no `overlap`: there are skip, queue and kill")),
        };
        let mut schedule = Schedule {
            at: self.plain("at")?.unwrap_or_default(),
            zone: self.plain("zone")?.filter(|zone| !zone.is_empty()),
            catch_up,
            overlap,
            delay: Duration::ZERO,
        };
        self.duration("delay", &mut schedule.delay)?;
        Ok(schedule)
    }

    pub(super) fn log(&mut self) -> Result<LogPolicy, String> {
        let mut log = LogPolicy::default();
        if let Some(OptionValue::Int(bytes)) = self.take("max_bytes", &OptionType::Size)? {
            log.max_bytes = u64::try_from(bytes).unwrap_or(log.max_bytes);
        }
        log.keep = self.count("keep")?.unwrap_or(log.keep);
        let mut age = Duration::ZERO;
        self.duration("max_age", &mut age)?;
        log.max_age = Some(age).filter(|age| !age.is_zero());
        log.compress = match self.plain("compress")?.as_deref() {
            None | Some("none") => Compress::None,
            Some("gzip") => Compress::Gzip,
            Some("zstd") => Compress::Zstd,
            Some(other) => return Err(format!("`{other}` is no `compress`: there are none, gzip and zstd")),
        };
        log.format = match self.plain("format")?.as_deref() {
            None | Some("raw") => LogFormat::Raw,
            Some("prefixed") => LogFormat::Prefixed,
            Some(other) => return Err(format!("`{other}` is no `format`: there are raw and prefixed")),
        };
        log.on_full = match self.plain("on_full")?.as_deref() {
            None | Some("drop") => OnFull::Drop,
            Some("block") => OnFull::Block,
            Some(other) => return Err(format!("`{other}` is no `on_full`: there are drop and block")),
        };
        log.forward = self.plain("forward")?.map(Into::into);
        Ok(log)
    }
}
