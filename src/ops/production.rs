//! `doctor --production`: what an operator should still look at before people depend on an installation.

use crate::certificate;
use crate::dump;
use crate::generation::{self, Manifest};
use crate::ops::boot::{self, Rung};
use crate::ops::doctor::{Check, Verdict, check};
use crate::ops::error::OpResult;
use crate::ops::place::Place;
use crate::ops::prepare;
use crate::recipe::{OptionValue, ResolvedPart, Stack};
use crate::state::State;
use crate::supervisor::client::Client;

/// How old the newest proven dump may be.
const FRESH_DAYS: i64 = 2;

/// Looks at an installation.
///
/// # Errors
/// If nothing is installed, or its definition is wrong.
pub fn production(place: &Place) -> OpResult<Vec<Check>> {
    place.installed()?;
    let mut loaded = prepare::load(place)?;
    let (stack, state) = prepare::resolved(place, &mut loaded, State::load(&place.layout)?)?;
    let mut checks = vec![running(place)?, lock(place, loaded.definition.locked), room(place), dumps(place)?];
    checks.extend(guessable(&stack, &state));
    for part in stack.parts.values().filter(|part| part.recipe == "nginx") {
        checks.push(reach(part));
        checks.push(tls(part));
    }
    checks.extend(debugging(&stack));
    checks.push(logout(place));
    checks.push(reboot(place)?);
    Ok(checks)
}

fn running(place: &Place) -> OpResult<Check> {
    let Some(client) = Client::connect(&place.layout)? else {
        return Ok(check("services", Verdict::Missing, format!("nothing runs; {} start", place.command())));
    };
    let status = client.status()?;
    let ill: Vec<String> = status
        .services
        .iter()
        .filter(|service| !crate::ops::status::is_well(service))
        .map(|service| format!("{} is {}", service.name, service.state))
        .collect();
    Ok(match (ill.is_empty(), generation::current(&place.layout)) {
        (true, Some(number)) => check("services", Verdict::Good, format!("all run, of generation {number}")),
        _ => check("services", Verdict::Missing, format!("{}; {} logs", ill.join(", "), place.command())),
    })
}

fn lock(place: &Place, is_locked: bool) -> Check {
    let path = prepare::lock_path(place);
    match (path.is_file(), is_locked) {
        (false, _) => {
            check("lock", Verdict::Missing, format!("there is no {}: another install may differ", path.display()))
        }
        (true, false) => check(
            "lock",
            Verdict::Limited,
            "`update` may change it: set `[profile] locked = true` to have what was tried",
        ),
        (true, true) => check("lock", Verdict::Good, format!("updates take what {} says", path.display())),
    }
}

fn room(place: &Place) -> Check {
    let free = crate::fs::free_bytes(place.layout.root()).unwrap_or(0) >> 20;
    let verdict = if free < 2_000 { Verdict::Limited } else { Verdict::Good };
    check(
        "room",
        verdict,
        format!("{free} MiB are free; an update needs the old and the new side by side, a proven dump thrice its data"),
    )
}

fn dumps(place: &Place) -> OpResult<Check> {
    let holding = match generation::current(&place.layout) {
        Some(current) => Manifest::services(&place.layout, current)?.data.len(),
        None => 0,
    };
    if holding == 0 {
        return Ok(check("dumps", Verdict::Good, "no part has data to dump"));
    }
    let newest = dump::list(&place.layout.dumps()).into_iter().rev().find(dump::Dump::is_proven);
    let make = format!("{} dump", place.command());
    let Some(newest) = newest else {
        return Ok(check("dumps", Verdict::Missing, format!("there is none that was restored once: {make}")));
    };
    let made: Option<jiff::Timestamp> = newest.manifest.created.parse().ok();
    let days = made.map_or(i64::MAX, |made| (jiff::Timestamp::now().as_second() - made.as_second()) / 86_400);
    let said = format!("the newest that was restored once is {}, in {}", newest.name, newest.path.display());
    Ok(match days {
        0..=FRESH_DAYS => check("dumps", Verdict::Good, format!("{said}; copy it to another machine now and then")),
        _ => check("dumps", Verdict::Limited, format!("{said}: {days} days old; {make}")),
    })
}

fn guessable(stack: &Stack, state: &State) -> Option<Check> {
    let of_part = |key: &str| key.split_once('.').is_some_and(|(part, _)| stack.parts.contains_key(part));
    let weak: Vec<&str> = state
        .secrets
        .iter()
        .filter(|(key, entry)| of_part(key) && entry.is_guessable())
        .map(|(key, _)| key.as_str())
        .collect();
    (!weak.is_empty()).then(|| {
        check(
            "secrets",
            Verdict::Missing,
            format!("anybody would try these: {}; secret rotate makes others", weak.join(", ")),
        )
    })
}

fn text(part: &ResolvedPart, option: &str) -> String {
    match part.options.get(option).map(|option| &option.value) {
        Some(OptionValue::Text(text)) => text.to_string(),
        Some(OptionValue::Int(number)) => number.to_string(),
        _ => String::new(),
    }
}

fn reach(part: &ResolvedPart) -> Check {
    let (host, url, name) = (text(part, "host"), text(part, "url"), &part.name);
    let is_loopback = host.parse::<std::net::IpAddr>().is_ok_and(|host| host.is_loopback()) || host == "localhost";
    if is_loopback {
        let said =
            format!("{url} is for this machine alone; `host = \"0.0.0.0\"` and a `domain` in [parts.{name}] open it");
        return check(&format!("{name}: reach"), Verdict::Limited, said);
    }
    let forwarded = text(part, "public_port").is_empty();
    let said = if forwarded {
        format!(
            "{url}; an administrator must forward 80 to {} and 443 to {}",
            text(part, "port"),
            text(part, "tls_port")
        )
    } else {
        format!("{url}; to have no number in it, an administrator forwards 443 and you set `public_port = \"\"`")
    };
    check(&format!("{name}: reach"), Verdict::Good, format!("{said} (jove-install recipe show nginx says how)"))
}

fn tls(part: &ResolvedPart) -> Check {
    let subject = format!("{}: TLS", part.name);
    match text(part, "tls").as_str() {
        "files" => match certificate::read(std::path::Path::new(&text(part, "certificate"))) {
            Ok(found) => {
                let days = (found.ends.as_second() - jiff::Timestamp::now().as_second()) / 86_400;
                let verdict = if days < 21 { Verdict::Limited } else { Verdict::Good };
                let has_hsts = part.options.get("headers").is_some_and(|headers| {
                    matches!(&headers.value, OptionValue::Table(table) if table.contains_key("Strict-Transport-Security"))
                });
                let hsts =
                    if has_hsts { "" } else { "; the header `Strict-Transport-Security` would keep browsers to it" };
                check(&subject, verdict, format!("the certificate is good for {days} days{hsts}"))
            }
            Err(error) => check(&subject, Verdict::Missing, error.to_string()),
        },
        "self-signed" => check(
            &subject,
            Verdict::Limited,
            "self-signed: browsers warn; `tls = \"files\"` with a known authority's does not",
        ),
        _ => {
            check(&subject, Verdict::Missing, "off: what people send can be read on the way, unless TLS ends before it")
        }
    }
}

fn debugging(stack: &Stack) -> Option<Check> {
    let is_on =
        |part: &&ResolvedPart| part.options.get("debug").is_some_and(|option| option.value == OptionValue::Bool(true));
    let on: Vec<&str> = stack.parts.values().filter(is_on).map(|part| part.name.as_str()).collect();
    (!on.is_empty())
        .then(|| check("debug", Verdict::Missing, format!("on for {}: strangers see tracebacks", on.join(", "))))
}

fn logout(place: &Place) -> Check {
    crate::ops::doctor::logout(&place.host)
}

fn reboot(place: &Place) -> OpResult<Check> {
    let found = boot::status(place)?;
    let missing: String = found.missing.iter().map(|missing| format!("; {missing}")).collect();
    Ok(match (found.rung, found.missing.is_empty()) {
        (Rung::None, _) => {
            let said = format!("services do not start with the machine: {} boot enable{missing}", place.command());
            check("reboot", Verdict::Missing, said)
        }
        (Rung::Crontab, _) => check("reboot", Verdict::Good, "services start with the machine, by your crontab"),
        (Rung::Systemd, true) => check("reboot", Verdict::Good, "services start with the machine, by your systemd"),
        (Rung::Systemd, false) => {
            check("reboot", Verdict::Limited, format!("services start with your systemd{missing}"))
        }
    })
}
