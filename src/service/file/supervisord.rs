//! supervisord's configuration: its `[program:x]` sections, and what else can be carried over.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::ini::{self, Section};
use super::{FileError, Read, Surroundings, check_names, service_name, services};
use crate::name::PartName;
use crate::service::{Restart, RestartPolicy, ServiceSpec, Stop, signal};
use crate::text::Text;

/// Options of a program that are read below.
const CARRIED: [&str; 14] = [
    "autorestart",
    "autostart",
    "command",
    "directory",
    "environment",
    "killasgroup",
    "numprocs",
    "numprocs_start",
    "process_name",
    "startretries",
    "startsecs",
    "stopasgroup",
    "stopsignal",
    "stopwaitsecs",
];

/// Options whose work is done here in another way, the same for every program.
const OTHERWISE: [&str; 14] = [
    "redirect_stderr",
    "stdout_logfile",
    "stdout_logfile_maxbytes",
    "stdout_logfile_backups",
    "stdout_capture_maxbytes",
    "stdout_events_enabled",
    "stdout_syslog",
    "stderr_logfile",
    "stderr_logfile_maxbytes",
    "stderr_logfile_backups",
    "stderr_capture_maxbytes",
    "stderr_events_enabled",
    "stderr_syslog",
    "serverurl",
];

struct Reader<'a> {
    surroundings: Surroundings<'a>,
    specs: Vec<ServiceSpec>,
    names: Vec<(String, PartName)>,
    left: Vec<String>,
    priorities: BTreeSet<String>,
}

pub(super) fn read(
    text: &str,
    surroundings: Surroundings<'_>,
    include: &dyn Fn(&str) -> Vec<(PathBuf, String)>,
) -> Result<Read, FileError> {
    let mut reader =
        Reader { surroundings, specs: Vec::new(), names: Vec::new(), left: Vec::new(), priorities: BTreeSet::new() };
    let sections = ini::parse(text)?;
    let patterns: Vec<String> = sections
        .iter()
        .filter(|section| section.name == "include")
        .flat_map(|section| section.get("files").unwrap_or_default().split_whitespace())
        .map(str::to_owned)
        .collect();
    reader.sections(&sections, surroundings.folder)?;
    for pattern in patterns {
        let pattern = reader.expand(&pattern, surroundings.folder, &[])?;
        let found = include(&pattern);
        if found.is_empty() {
            reader.left.push(format!("[include] `{pattern}` names no file"));
        }
        for (path, text) in found {
            let folder = path.parent().unwrap_or(surroundings.folder).to_owned();
            reader.sections(&ini::parse(&text)?, &folder)?;
        }
    }
    check_names(&reader.names)?;
    if reader.priorities.len() > 1 {
        reader.left.push("`priority`: services start at once; say in our own form what needs what".to_owned());
    }
    Ok(Read { services: services(reader.specs), left: reader.left })
}

impl Reader<'_> {
    fn sections(&mut self, sections: &[Section], here: &Path) -> Result<(), FileError> {
        for section in sections {
            match section.name.split_once(':') {
                Some(("program", name)) => self.program(name.trim(), section, here)?,
                Some(("group", name)) => {
                    self.left.push(format!("[group:{name}]: its programs keep their own names; name them together"));
                }
                _ => self.other(section),
            }
        }
        Ok(())
    }

    fn other(&mut self, section: &Section) {
        let name = &section.name;
        match name.as_str() {
            "include" | "supervisorctl" => {}
            "unix_http_server" => self.left.push(format!("[{name}]: control is at `control.sock` of the folder")),
            "supervisord" => {
                let keys: Vec<&str> = section.keys().filter(|key| *key != "nodaemon").collect();
                if !keys.is_empty() {
                    let keys = keys.join("`, `");
                    self.left.push(format!(
                        "[supervisord]: `{keys}`: logs are in `log/` of the folder, what runs is in `run/`"
                    ));
                }
            }
            _ if name.starts_with("rpcinterface:") => {}
            _ => self.left.push(format!("[{name}] is not carried over")),
        }
    }

    fn program(&mut self, name: &str, section: &Section, here: &Path) -> Result<(), FileError> {
        let wrong = |reason: String| FileError::Service { service: name.to_owned(), reason };
        let number = |key: &str, default: u32| match section.get(key) {
            None => Ok(default),
            Some(text) => text.parse().map_err(|_| wrong(format!("`{key}` must be a number, but is `{text}`"))),
        };
        let (count, first) = (number("numprocs", 1)?, number("numprocs_start", 0)?);
        let pattern = section.get("process_name").unwrap_or("%(program_name)s");
        for number in first..first.saturating_add(count) {
            let more = [
                ("program_name", name.to_owned()),
                ("group_name", name.to_owned()),
                ("process_num", number.to_string()),
            ];
            let process = self.expand(pattern, here, &more).map_err(|error| wrong(error.to_string()))?;
            let service = service_name(&process)?;
            let spec = self.process(name, &service, section, here, &more)?;
            self.names.push((process, service));
            self.specs.push(spec);
        }
        self.say_rest(name, section);
        Ok(())
    }

    fn process(
        &mut self,
        name: &str,
        service: &PartName,
        section: &Section,
        here: &Path,
        more: &[(&str, String)],
    ) -> Result<ServiceSpec, FileError> {
        let wrong = |reason: String| FileError::Service { service: name.to_owned(), reason };
        let get = |key: &str| match section.get(key) {
            None => Ok(None),
            Some(text) => self.expand(text, here, more).map(Some).map_err(|error| wrong(error.to_string())),
        };
        let seconds = |key: &str, default: u64| match get(key)? {
            None => Ok::<_, FileError>(Duration::from_secs(default)),
            Some(text) => {
                let number = text.parse().map_err(|_| wrong(format!("`{key}` must be a number, but is `{text}`")))?;
                Ok(Duration::from_secs(number))
            }
        };
        let command = get("command")?.ok_or_else(|| wrong("it has no `command`".to_owned()))?;
        let words = shell_words::split(&command).map_err(|error| wrong(format!("`command`: {error}")))?;
        let stop_signal = get("stopsignal")?.unwrap_or_else(|| "TERM".to_owned());
        let signal = stop_signal.trim_start_matches("SIG").to_uppercase();
        if signal::number(&signal).is_none() {
            return Err(wrong(format!("`{stop_signal}` is no signal")));
        }
        let policy = match get("autorestart")?.unwrap_or_else(|| "unexpected".to_owned()).to_lowercase().as_str() {
            "unexpected" => RestartPolicy::OnFailure,
            other if is_true(other) => RestartPolicy::Always,
            _ => RestartPolicy::Never,
        };
        let environment = get("environment")?.unwrap_or_default();
        let vars = environment_of(&environment).map_err(|reason| wrong(format!("`environment`: {reason}")))?;
        let retries = seconds("startretries", 3)?.as_secs();
        let settle = seconds("startsecs", 1)?;
        let folder = get("directory")?
            .map_or_else(|| self.surroundings.folder.to_owned(), |folder| self.surroundings.folder.join(folder));
        Ok(ServiceSpec {
            command: words.into_iter().map(Text::literal).collect(),
            part: service_name(name)?,
            folder,
            vars,
            inherits: true,
            manual: get("autostart")?.is_some_and(|word| !is_true(&word.to_lowercase())),
            stop: Stop { signal, grace: seconds("stopwaitsecs", 10)? },
            restart: Restart {
                policy,
                settle: settle.max(Duration::from_millis(100)),
                burst: u32::try_from(retries).unwrap_or(u32::MAX).saturating_add(1),
                ..Restart::default()
            },
            ..ServiceSpec::bare(service.clone())
        })
    }

    /// What of a program is not carried over.
    fn say_rest(&mut self, name: &str, section: &Section) {
        for key in section.keys() {
            let value = section.get(key).unwrap_or_default();
            let why = match key {
                "user" => "everything runs as you",
                "exitcodes" if value.trim() == "0" => continue,
                "exitcodes" => "only 0 is a good end",
                "umask" => "it is 022",
                "priority" => {
                    self.priorities.insert(value.to_owned());
                    continue;
                }
                _ if CARRIED.contains(&key) || OTHERWISE.contains(&key) => continue,
                _ => "this is not known here",
            };
            self.left.push(format!("[program:{name}] {key} = {value}: {why}"));
        }
        let has_files = |key: &str| section.get(key).is_some_and(|path| !["AUTO", "NONE"].contains(&path));
        if has_files("stdout_logfile") || has_files("stderr_logfile") {
            self.left.push(format!("[program:{name}] its output is in `log/` of the folder; `logs` shows it"));
        }
    }

    /// Puts words in the place of `%(word)s`.
    fn expand(&self, text: &str, here: &Path, more: &[(&str, String)]) -> Result<String, FileError> {
        ini::expand(text, &|word| {
            let own = more.iter().find(|(name, _)| *name == word).map(|(_, value)| value.clone());
            own.or_else(|| match word {
                "here" => Some(here.display().to_string()),
                "host_node_name" => Some(self.surroundings.host.to_owned()),
                _ => self.surroundings.vars.get(word.strip_prefix("ENV_")?).cloned(),
            })
        })
    }
}

fn is_true(word: &str) -> bool {
    ["1", "on", "true", "yes"].contains(&word)
}

/// `A="b",C=d`.
fn environment_of(text: &str) -> Result<BTreeMap<String, Text>, String> {
    let mut vars = BTreeMap::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let (name, after) = rest.split_once('=').ok_or_else(|| format!("no `NAME=value` in `{rest}`"))?;
        let after = after.trim_start();
        let quote = after.chars().next().filter(|first| ['"', '\''].contains(first));
        let (value, next) = match quote {
            Some(quote) => {
                after[1..].split_once(quote).ok_or_else(|| format!("a quote without an end in `{after}`"))?
            }
            None => after.split_at(after.find(',').unwrap_or(after.len())),
        };
        vars.insert(name.trim().to_owned(), Text::literal(value.trim_end()));
        rest = next.trim_start();
        rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
    }
    Ok(vars)
}
