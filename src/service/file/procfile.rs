//! A `Procfile`: a line `name: command` a service, read by a shell, with the variables of a file `.env` beside it.

use super::{FileError, Read, Surroundings, check_names, declared, service_name, services, shell};
use crate::service::ServiceSpec;
use crate::text::Text;

/// The port of the first service, unless `PORT` says otherwise; the next ones are 100 apart.
const FIRST_PORT: u16 = 5000;

pub(super) fn read(text: &str, surroundings: Surroundings<'_>) -> Result<Read, FileError> {
    let (mut specs, mut names) = (Vec::new(), Vec::new());
    let mut left = vec![
        "a process that ends is started again after a growing wait; other Procfile runners end all of them".to_owned(),
    ];
    let base = surroundings.declared.get("PORT").or_else(|| surroundings.vars.get("PORT"));
    let base = base.and_then(|port| port.parse().ok()).unwrap_or(FIRST_PORT);
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let wrong = |reason: &str| FileError::Line { line: number, reason: reason.to_owned() };
        let (written, command) = line.split_once(':').ok_or_else(|| wrong("no `name: command`"))?;
        if command.trim().is_empty() {
            return Err(wrong("a name without a command"));
        }
        let name = service_name(written.trim())?;
        if name.as_str() != written.trim() {
            left.push(format!("`{}` is called `{name}` here", written.trim()));
        }
        let port = u16::try_from(specs.len() * 100).ok().and_then(|step| base.checked_add(step));
        let port = port.ok_or_else(|| wrong("there is no port left for it"))?;
        names.push((written.trim().to_owned(), name.clone()));
        let mut vars = declared(surroundings);
        vars.insert("PORT".to_owned(), Text::literal(port.to_string()));
        specs.push(ServiceSpec {
            command: shell(command.trim()),
            folder: surroundings.folder.to_owned(),
            vars,
            inherits: true,
            ..ServiceSpec::bare(name)
        });
    }
    check_names(&names)?;
    Ok(Read { services: services(specs), left })
}

/// The variables of a file `.env`: `NAME=value` lines, with quotes or without, `export` before them or not.
///
/// # Errors
/// A line that is none.
pub fn variables(text: &str) -> Result<Vec<(String, String)>, FileError> {
    let mut vars = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let line = line.strip_prefix("export ").unwrap_or(line);
        let wrong = || FileError::Line { line: number, reason: "no `NAME=value`".to_owned() };
        let (name, value) = line.split_once('=').ok_or_else(wrong)?;
        let (name, value) = (name.trim(), value.trim());
        if name.is_empty() || name.contains(char::is_whitespace) {
            return Err(wrong());
        }
        let quoted = |quote: char| value.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
        let value = match (quoted('\''), quoted('"')) {
            (Some(plain), _) => plain.to_owned(),
            (None, Some(text)) => text.replace("\\n", "\n").replace("\\\"", "\"").replace("\\\\", "\\"),
            (None, None) => value.to_owned(),
        };
        vars.push((name.to_owned(), value));
    }
    Ok(vars)
}
