//! Where software would come from: the conda channels and Debian archives that answer, and the order in which they are tried.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::join_all;

use super::{Check, Verdict, check};
use crate::host::Host;
use crate::net::{Client, show};
use crate::ops::error::OpError;
use crate::ops::pin::{interpreter, offer, packages};
use crate::profile::{Setting, user_sources};
use crate::provider::conda::login::logins;
use crate::provider::conda::{Channel, Channels, CondaError, is_there};
use crate::provider::deb::Packages;

/// How long a channel or an archive may take to answer.
const PATIENCE: Duration = Duration::from_secs(4);

/// What was found of them.
pub(super) struct Sources {
    said: BTreeMap<String, Setting>,
    is_offline: bool,
    channels: Vec<Check>,
    debian: Check,
}

impl Sources {
    /// Asks all at once. What a part says of its own is not looked at: it is of a project.
    pub(super) fn look(host: &Host, is_offline: bool) -> Self {
        let said = host.config().map(|folder| user_sources(&folder)).unwrap_or_default();
        let (channels, debian) = match Client::new(host, is_offline) {
            Ok(client) => std::thread::scope(|scope| {
                let debian = scope.spawn(|| debian(&client, &said));
                let channels = channels(host, &client, &said);
                (channels, debian.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            }),
            Err(error) => {
                let limited = |subject: &str| check(subject, Verdict::Limited, error.to_string());
                (vec![limited("conda channels")], limited("Debian archives"))
            }
        };
        Self { said, is_offline, channels, debian }
    }

    /// They, one by one.
    pub(super) fn checks(self) -> impl Iterator<Item = Check> {
        let order = match packages::order(&self.said) {
            Ok(order) => check("provider order", Verdict::Good, order.join(", ")),
            Err(error) => check("provider order", Verdict::Limited, told(&error)),
        };
        [order].into_iter().chain(self.channels).chain([self.debian])
    }

    /// What an environment can do on a machine without a Python that fits: the first in order that has one and answers.
    pub(super) fn python(&self, missing: String) -> Check {
        let order = interpreter::order(&self.said).unwrap_or_default();
        let from = order.iter().find_map(|provider| match provider.as_str() {
            "conda" => self.channels.iter().any(is_good).then_some("conda packages"),
            "deb" => is_good(&self.debian).then_some("Debian packages"),
            _ => None,
        });
        match from {
            Some(from) => {
                let found = format!("none that fits: one is unpacked from {from} where it is needed");
                check("python", Verdict::Good, found)
            }
            None if self.is_offline => {
                let found = "none that fits, and offline nobody is asked for one: what the cache has may do";
                check("python", Verdict::Limited, found)
            }
            None => check("python", Verdict::Missing, missing),
        }
    }
}

/// A mistake with what to do about it, on one line.
fn told(error: &OpError) -> String {
    [error.to_string()].iter().chain(&error.hints).map(String::as_str).collect::<Vec<_>>().join("; ")
}

fn is_good(check: &Check) -> bool {
    check.verdict == Verdict::Good
}

/// The conda channels that a part without its own would be served from, and whether they are there.
fn channels(host: &Host, client: &Client, said: &BTreeMap<String, Setting>) -> Vec<Check> {
    let limited = |finding: String| vec![check("conda channels", Verdict::Limited, finding)];
    let channels = match Channels::of(host, &offer::words(said, "conda.channels"), None) {
        Ok(channels) => channels,
        Err(error) => return limited(error.to_string()),
    };
    let logins = match logins(host, &channels) {
        Ok(logins) => logins,
        Err(error) => return limited(error.to_string()),
    };
    let asked = channels.list.iter().map(|channel| is_there(client, &logins, channel, PATIENCE));
    let found = client.block_on(join_all(asked));
    let one = |(channel, found): (&Channel, Result<(), CondaError>)| {
        let subject = format!("channel {}", channel.name);
        match found {
            Ok(()) => check(&subject, Verdict::Good, show(&channel.address)),
            Err(error) => check(&subject, Verdict::Limited, error.to_string()),
        }
    };
    channels.list.iter().zip(found).map(one).collect()
}

/// The Debian archives: those of `[sources.debian]`, else this machine's.
fn debian(client: &Client, said: &BTreeMap<String, Setting>) -> Check {
    let found = offer::debian(said).map_err(|error| told(&error)).and_then(|sources| {
        let packages = Packages { packages: Vec::new(), without: Vec::new(), cures: Vec::new(), sources };
        packages.reach(client, PATIENCE).map_err(|error| error.to_string())
    });
    match found {
        Ok(found) => check("Debian archives", Verdict::Good, found),
        Err(why) => check("Debian archives", Verdict::Limited, why),
    }
}
