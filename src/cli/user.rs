//! `--user NAME`: root re-runs the command as that user, with that user's home and a clean set of variables.

use std::os::unix::process::CommandExt as _;
use std::process::Command;

use crate::host::Host;
use crate::ops::OpError;

/// Becomes the same command line as another user. Comes back only if that fails.
#[must_use]
pub fn become_user(host: &Host, name: &str) -> OpError {
    if host.user != 0 {
        return OpError::usage("--user is for root; as an ordinary user leave it out");
    }
    let Some(account) = account(name) else {
        return OpError::usage(format!("there is no user `{name}` on this machine"));
    };
    let arguments = without_user(std::env::args().skip(1));
    let mut command = Command::new(&host.program);
    command.args(arguments).env_clear();
    let keep = |name: &&String| {
        let name = name.as_str();
        matches!(name, "PATH" | "TERM" | "LANG" | "NO_COLOR" | "CI" | "COLORTERM" | "TZ")
            || name.starts_with("LC_")
            || name.starts_with("JOVE_")
            || name.to_ascii_lowercase().ends_with("_proxy")
    };
    command.envs(host.vars.iter().filter(|(name, _)| keep(name)));
    command.env("HOME", &account.home).env("USER", name).env("LOGNAME", name);
    command.uid(account.user).gid(account.group);
    OpError::failed(format!("running as `{name}`: {}", command.exec()))
}

struct Account {
    user: u32,
    group: u32,
    home: String,
}

fn account(name: &str) -> Option<Account> {
    let text = std::fs::read_to_string("/etc/passwd").ok()?;
    let line = text.lines().find(|line| line.split(':').next() == Some(name))?;
    let mut fields = line.split(':').skip(2);
    let user = fields.next()?.parse().ok()?;
    let group = fields.next()?.parse().ok()?;
    Some(Account { user, group, home: fields.nth(1)?.to_owned() })
}

fn without_user(arguments: impl Iterator<Item = String>) -> Vec<String> {
    let mut kept = Vec::new();
    let mut arguments = arguments;
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--" => {
                kept.push(argument);
                kept.extend(arguments);
                break;
            }
            "--user" => drop(arguments.next()),
            other if other.starts_with("--user=") => {}
            _ => kept.push(argument),
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_flag_goes() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let kept = without_user(words("--user a run x --user=b -- --user c").into_iter());
        assert_eq!(kept, words("run x -- --user c"));
    }
}
