//! How a service is served and bounded: held sockets, instances, reloads, limits.

use std::path::PathBuf;
use std::time::Duration;

use crate::diagnostic::Diagnostic;
use crate::name::PartName;
use crate::recipe::evaluate::{Evaluator, Failed, Place};
use crate::recipe::schema::{OptionType, ServiceForm, Written};
use crate::recipe::service::{signal, signals, span};
use crate::recipe::stack::OptionValue;
use crate::recipe::table::Table;
use crate::service::group::{self, Totals};
use crate::service::limit::{self, Resource};
use crate::service::socket::Address;
use crate::service::{Limits, Need, ReloadShows, ServiceSpec, Sockets};
use crate::text::Text;

/// More instances than this are a mistake.
const MOST: i64 = 100;

/// What of a form this file reads.
pub(super) struct Serving {
    pub listens: Vec<String>,
    pub sockets: Sockets,
    pub overlap: bool,
    pub reload: Option<String>,
    pub reload_shows: ReloadShows,
    pub watchdog: Option<Duration>,
    pub timeout: Option<Duration>,
    pub limits: Limits,
    pub writes: Option<Vec<PathBuf>>,
    pub reads: Option<Vec<PathBuf>>,
}

impl Evaluator<'_, '_> {
    /// How a form's service is served.
    pub(super) fn serving(&mut self, place: &Place<'_>, form: &ServiceForm) -> Result<Serving, Failed> {
        let listens = self.listens(place, form.listens.as_ref());
        let sockets = self.sockets(place, form.sockets.as_ref());
        let overlap = self.truth(place, form.overlap.as_ref());
        let reload = self.reload(place, form.reload.as_ref());
        let watchdog = self.duration(place, form.watchdog.as_ref());
        let timeout = self.duration(place, form.timeout.as_ref());
        let limits = self.table(place, form.limits.as_ref(), "limits", Table::limits);
        let writes = match &form.writes {
            Some(written) if self.written(place, &OptionType::Any, written)? != OptionValue::None => {
                self.path_list(place, form.writes.as_ref()).map(Some)
            }
            Some(_) | None => Ok(None),
        };
        let reads = form.reads.as_ref().map(|_| self.path_list(place, form.reads.as_ref())).transpose();
        let (listens, sockets, (reload, reload_shows)) = (listens?, sockets?, reload?);
        if let (Err(said), Some(written)) = (sockets.check(&listens), form.listens.as_ref().or(form.sockets.as_ref())) {
            return Err(self.say(place, Diagnostic::error(said).at(&written.1, "")));
        }
        Ok(Serving {
            overlap: overlap?.unwrap_or(!sockets.is_none()) && !sockets.is_none(),
            listens,
            sockets,
            reload,
            reload_shows,
            watchdog: watchdog?,
            timeout: timeout?,
            limits: limits?,
            writes: writes?,
            reads: reads?,
        })
    }

    /// The addresses of a service: one that cannot be read would not be looked at before something starts.
    fn listens(&mut self, place: &Place<'_>, written: Option<&Written>) -> Result<Vec<String>, Failed> {
        let listens = self.plain_list(place, written, "an address to listen on")?;
        let Some(written) = written else { return Ok(listens) };
        let origins = self.said_entries(place.part, written);
        let origins = if origins.len() == listens.len() { origins.as_slice() } else { &[] };
        let mut is_failed = false;
        for (index, text) in listens.iter().enumerate() {
            if let Err(error) = Address::check(text) {
                let origin = origins.get(index).unwrap_or(&written.1);
                self.say(place, Diagnostic::error(error.to_string()).at(origin, ""));
                is_failed = true;
            }
        }
        if is_failed { Err(Failed) } else { Ok(listens) }
    }

    fn sockets(&mut self, place: &Place<'_>, written: Option<&Written>) -> Result<Sockets, Failed> {
        let Some(written) = written else { return Ok(Sockets::None) };
        let words = Sockets::WORDS.map(|(word, _)| word.to_owned());
        match self.written(place, &OptionType::Enum(words.into()), written)? {
            OptionValue::Text(text) => {
                let known = Sockets::WORDS.iter().find(|(word, _)| text.as_plain() == Some(word));
                Ok(known.map_or(Sockets::None, |(_, sockets)| *sockets))
            }
            _ => Ok(Sockets::None),
        }
    }

    pub(super) fn truth(&mut self, place: &Place<'_>, written: Option<&Written>) -> Result<Option<bool>, Failed> {
        let Some(written) = written else { return Ok(None) };
        match self.written(place, &OptionType::Bool, written)? {
            OptionValue::Bool(truth) => Ok(Some(truth)),
            _ => Ok(None),
        }
    }

    fn duration(&mut self, place: &Place<'_>, written: Option<&Written>) -> Result<Option<Duration>, Failed> {
        let Some(written) = written else { return Ok(None) };
        match self.written(place, &OptionType::Duration, written)? {
            OptionValue::Seconds(seconds) if seconds > 0.0 => Ok(Some(span(seconds))),
            _ => Ok(None),
        }
    }

    /// `reload = "HUP"`, or a table that also says how the reload shows.
    fn reload(
        &mut self,
        place: &Place<'_>,
        written: Option<&Written>,
    ) -> Result<(Option<String>, ReloadShows), Failed> {
        let Some(written) = written else { return Ok((None, ReloadShows::Nothing)) };
        let read = match self.written(place, &OptionType::Any, written)? {
            OptionValue::None => return Ok((None, ReloadShows::Nothing)),
            OptionValue::Table(entries) => {
                let mut table = Table::new("reload", entries);
                table.reload().and_then(|made| table.done().map(|()| made))
            }
            OptionValue::Text(text) => known_signal(text.as_plain().unwrap_or_default(), &text)
                .map(|signal| (Some(signal), ReloadShows::Nothing)),
            _ => Err("`reload` must be a signal, or a table with `signal` and `shows`".to_owned()),
        };
        read.map_err(|said| self.say(place, Diagnostic::error(said).at(&written.1, "")))
    }

    /// How many of a form's service run.
    pub(super) fn count(&mut self, part: usize, form: &ServiceForm, spec: &ServiceSpec) -> Result<u32, Failed> {
        let place = Place::of(part);
        let Some(written) = &form.count else { return Ok(1) };
        let count = match self.written(&place, &OptionType::Int, written)? {
            OptionValue::Int(count) => count,
            _ => 1,
        };
        let wrong = match count {
            1 => return Ok(1),
            2..=MOST if !spec.sockets.are_held() && !spec.listens.is_empty() => {
                format!("{count} instances cannot all listen on {}: it must be held for them", spec.listens.join(", "))
            }
            2..=MOST => return Ok(u32::try_from(count).unwrap_or(1)),
            other => format!("`count` must be from 1 to {MOST}, but is {other}"),
        };
        Err(self.say(&place, Diagnostic::error(wrong).at(&written.1, "").hint("`sockets = \"listen-fds\"` holds them")))
    }
}

/// A signal's name, or what is wrong with it.
fn known_signal(word: &str, shown: &Text) -> Result<String, String> {
    signal(word).ok_or_else(|| format!("`{shown}` is no signal: there are {}", signals()))
}

impl Table {
    fn reload(&mut self) -> Result<(Option<String>, ReloadShows), String> {
        let Some(word) = self.plain("signal")? else { return Err("`reload` needs a `signal`".to_owned()) };
        let signal = known_signal(&word, &Text::literal(word.clone()))?;
        let shows = match self.plain("shows")?.as_deref() {
            None | Some("nothing") => ReloadShows::Nothing,
            Some("notice") => ReloadShows::Notice,
            Some("workers") => ReloadShows::Workers,
            Some(other) => {
                return Err(format!(
                    "`{other}` is no way in which a reload shows: there are workers, notice and nothing"
                ));
            }
        };
        Ok((Some(signal), shows))
    }

    fn limits(&mut self) -> Result<Limits, String> {
        let mut limits = Limits::default();
        for (word, resource) in Resource::WORDS {
            match self.take(word, &OptionType::Any)? {
                None => {}
                Some(OptionValue::Text(text)) if text.as_plain() == Some("most") => {
                    limits.resources.insert(resource, None);
                }
                Some(value) => {
                    let wrong = || format!("`{word}` of `limits` must be a number, a size (`\"1GiB\"`) or `\"most\"`");
                    limits.resources.insert(resource, Some(size(value).ok_or_else(wrong)?));
                }
            }
        }
        limits.total = self.totals()?;
        limits.nice = self.bounded("nice", limit::NICE)?;
        limits.oom = self.bounded("oom", limit::OOM)?;
        if let Some(word) = self.plain("umask")? {
            limits.umask = Some(
                limit::umask(&word)
                    .ok_or_else(|| format!("`umask` of `limits` must be like `\"027\"`, but is `{word}`"))?,
            );
        }
        Ok(limits)
    }

    /// What all processes of a service may use together.
    fn totals(&mut self) -> Result<Totals, String> {
        let positive = |number: Option<i32>| number.and_then(|number| u32::try_from(number).ok());
        let memory = match self.take("total_memory", &OptionType::Any)? {
            None => None,
            Some(value) => Some(size(value).filter(|bytes| *bytes > 0).ok_or_else(|| {
                "`total_memory` of `limits` must be a number of bytes or a size (`\"1GiB\"`)".to_owned()
            })?),
        };
        Ok(Totals {
            memory,
            cpu: positive(self.bounded("total_cpu", group::TOTAL_CPU)?),
            processes: positive(self.bounded("total_processes", group::TOTAL_PROCESSES)?),
        })
    }

    fn bounded(&mut self, key: &'static str, range: std::ops::RangeInclusive<i64>) -> Result<Option<i32>, String> {
        let Some(number) = self.int(key)? else { return Ok(None) };
        let fits = i32::try_from(number).ok().filter(|_| range.contains(&number));
        let (from, to) = (range.start(), range.end());
        fits.map(Some).ok_or_else(|| format!("`{key}` of `limits` must be from {from} to {to}, but is {number}"))
    }
}

/// Bytes, or a number of something.
fn size(value: OptionValue) -> Option<u64> {
    match crate::recipe::value::fit(&OptionType::Size, value, true) {
        Ok(OptionValue::Int(number)) => u64::try_from(number).ok(),
        _ => None,
    }
}

/// Puts each service that runs several times in the place of its spec, and of needs on it.
pub(super) fn instances(made: Vec<ServiceSpec>, counts: &[(PartName, u32)]) -> Vec<ServiceSpec> {
    let numbered = |name: &PartName| {
        let count = counts.iter().find(|(counted, _)| counted == name).map_or(1, |(_, count)| *count);
        let numbers = (count > 1).then_some(1..=count).into_iter().flatten();
        numbers
            .filter_map(|number| Some((number, format!("{name}-{number}").parse::<PartName>().ok()?)))
            .collect::<Vec<_>>()
    };
    let mut all = Vec::new();
    for mut spec in made {
        let needs = std::mem::take(&mut spec.needs).into_iter().flat_map(|need| {
            let several = numbered(&need.service);
            let condition = need.condition;
            if several.is_empty() {
                vec![need]
            } else {
                several.into_iter().map(|(_, service)| Need { service, condition }).collect()
            }
        });
        spec.needs = needs.collect();
        let several = numbered(&spec.name);
        if several.is_empty() {
            all.push(spec);
            continue;
        }
        for (number, name) in several {
            let mut one = ServiceSpec { name, group: Some(spec.name.clone()), ..spec.clone() };
            one.vars.insert("JOVE_INSTANCE".into(), Text::literal(number.to_string()));
            if number > 1 {
                // People reach all of them by the same addresses.
                one.urls.clear();
            }
            all.push(one);
        }
    }
    all
}
