//! Where the interpreter of a Python part comes from: this machine, or an object of its own that a provider fills.
//!
//! The policy is that of all providers ([`provider::choose`]), with this machine first where nothing else is said. A
//! choice stays: by the pins in the lock, else by what the state remembers.

use std::cell::OnceCell;
use std::collections::BTreeMap;

use crate::name::PartName;
use crate::ops::error::{OpError, OpResult};
use crate::ops::pin::packages::{self, Bench};
use crate::ops::pin::{Pinned, Pinning, text, tool};
use crate::plan::value::strings;
use crate::plan::{InterpreterFrom, names};
use crate::platform::Platform;
use crate::profile::Setting;
use crate::progress::Event;
use crate::provider::{self, Candidate, Decided};
use crate::pypi::{self, Interpreter, InterpreterError, PythonRange};
use crate::recipe::{OptionValue, ResolvedPart, Stack};
use crate::state::State;

/// Under which word the state remembers in which folder of the cache the copy is that an interpreter was asked as.
const OF: &str = "of";

/// Under which word the state remembers what an interpreter brings.
const BRINGS: &str = "brings";

/// An interpreter, and where it comes from.
pub(super) struct Found {
    pub(super) interpreter: Interpreter,
    pub(super) from: InterpreterFrom,
    /// What it has already and the environment shares, each as `name==version`.
    pub(super) brings: Vec<String>,
}

/// The part with packages that has a Python, for a part that takes one.
struct Software<'a> {
    part: &'a ResolvedPart,
    /// Whether the user named it.
    is_given: bool,
    /// Whether what else is in it is the environment's, too.
    is_shared: bool,
}

/// The interpreter of a part; what was found is kept in the state.
pub(super) fn find(
    pinning: &Pinning<'_>,
    part: &ResolvedPart,
    wanted: &PythonRange,
    pinned: &mut Pinned,
) -> OpResult<Found> {
    let chosen = match of_conda(pinning, part, wanted)? {
        None => choose(pinning, part, wanted, pinned)?,
        Some(conda) => Chosen::Software(conda),
    };
    match chosen {
        Chosen::Host(known) => of_host(pinning, part, wanted, known.map(|known| *known), pinned),
        Chosen::Software(software) => of_object(pinning, part, &software, wanted, pinned),
    }
}

/// Where a part's interpreter comes from.
enum Chosen<'a> {
    /// From this machine; the one that was seen there, if it was looked for.
    Host(Option<Box<Interpreter>>),
    /// From packages.
    Software(Software<'a>),
}

/// Where to take it from.
fn choose<'a>(
    pinning: &Pinning<'a>,
    part: &ResolvedPart,
    wanted: &PythonRange,
    pinned: &Pinned,
) -> OpResult<Chosen<'a>> {
    let Some(software) = software(pinning, part)?.filter(|_| wanted.path().is_none()) else {
        return Ok(Chosen::Host(None));
    };
    if software.is_given {
        return Ok(Chosen::Software(software));
    }
    let on_host = OnceCell::new();
    let bench = Bench::new(pinning, &part.name)?;
    let kit = bench.kit(pinning);
    let offered = packages::offered(pinning, software.part)?;
    let mut candidates = vec![Candidate {
        name: "host",
        reach: Box::new(|| {
            let found = Interpreter::find(&pinning.place.host, wanted).map_err(|error| first_line(&error))?;
            let said = format!("{} at {}", found.version, found.path.display());
            on_host.set(found).ok();
            Ok(said)
        }),
    }];
    candidates.extend(offered.iter().filter(|request| request.provider().name() != "host").map(|request| {
        let provider = request.provider();
        let reach = Box::new(move || provider.reachable(&kit).map_err(|error| error.to_string()));
        Candidate { name: provider.name(), reach }
    }));
    let profile = pinning.place.profile_name();
    let locked = pinned.lock.used_by(&profile, &Platform::current(), &software.part.name);
    let locked = locked.and_then(|resolution| resolution.pins.first()).map(|pin| pin.provider.clone());
    let kept = pinned.state.python.get(&part.name).filter(|facts| !facts.contains_key(OF)).map(|_| "host".to_owned());
    let forced = text(part, "provider").filter(|word| word != "auto");
    let locked = locked.or(kept);
    // What was chosen for the prefix decides which packages, and not whether it is packages.
    let decided = Decided { forced: forced.as_deref(), locked: locked.as_deref(), prefix: None };
    let of_prefix = pinned.state.providers.get(crate::state::PREFIX);
    let of_prefix = of_prefix.filter(|word| offered.iter().any(|request| request.provider().name() == *word));
    let order = with_prefix(order(&pinning.loaded.definition.sources)?, of_prefix);
    let choice = provider::choose(&candidates, &decided, &order)
        .map_err(|error| OpError::failed(error).context(format!("`{}` needs a Python", part.name)))?;
    if choice.chosen.provider == "host" {
        drop(candidates);
        return Ok(Chosen::Host(on_host.into_inner().map(Box::new)));
    }
    if !choice.chosen.passed.is_empty() {
        pinning.report.report(Event::Note(format!("the Python of `{}` comes from {}", part.name, choice.chosen)));
    }
    drop(candidates);
    Ok(Chosen::Software(software))
}

/// `[sources] order`, else that of this program with this machine first.
///
/// # Errors
/// If it is no list of providers.
pub(in crate::ops) fn order(sources: &BTreeMap<String, Setting>) -> OpResult<Vec<String>> {
    Ok(packages::said_order(sources)?.unwrap_or_else(usual_order))
}

fn usual_order() -> Vec<String> {
    let others = provider::ORDER.into_iter().filter(|word| *word != "host");
    ["host"].into_iter().chain(others).map(str::to_owned).collect()
}

/// The same for a prefix that has packages of one provider: of packages it takes only those.
fn with_prefix(order: Vec<String>, of_prefix: Option<&String>) -> Vec<String> {
    let mut narrowed: Vec<String> = Vec::new();
    for word in order {
        let word = of_prefix.filter(|_| word != "host").cloned().unwrap_or(word);
        if !narrowed.contains(&word) {
            narrowed.push(word);
        }
    }
    narrowed
}

fn first_line(error: &dyn std::error::Error) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}

/// Whether a Python part wants conda packages in its environment.
pub(super) fn has_conda(part: &ResolvedPart) -> bool {
    part.action == "python" && !strings(part, "conda").is_empty()
}

/// The part with the conda packages of a Python part, which brings it.
fn conda_part(part: &ResolvedPart) -> String {
    format!("{}-conda", part.name)
}

/// The packages of `conda`: their Python is the environment's.
fn of_conda<'a>(pinning: &Pinning<'a>, part: &ResolvedPart, wanted: &PythonRange) -> OpResult<Option<Software<'a>>> {
    if !has_conda(part) {
        return Ok(None);
    }
    let wrong = |said: &str, hint: &str| {
        OpError::failed(format!("`{}` has `conda`, so that its Python is conda's, and {said}", part.name)).hint(hint)
    };
    if wanted.path().is_some() {
        return Err(wrong("`python` names another one by its path", "write a range of versions: python = \">=3.11\""));
    }
    if let Some(other) = text(part, "provider").filter(|word| word != "auto" && word != "conda") {
        return Err(wrong(&format!("`provider` says `{other}`"), "take `provider` away"));
    }
    if part.options.get("software").is_some_and(|option| option.origin.is_some()) {
        return Err(wrong("`software` names another one", "say these packages there, or take `software` away"));
    }
    let name = conda_part(part);
    let found = pinning.stack.parts.values().find(|other| other.name.as_str() == name);
    match found.filter(|found| found.brought_by.as_ref() == Some(&part.name)) {
        Some(found) => Ok(Some(Software { part: found, is_given: true, is_shared: true })),
        None => Err(wrong(
            &format!("the part `{name}` that would have its packages is your own"),
            "give yours another name, or no `recipe`",
        )),
    }
}

/// What the option `software` names.
fn software<'a>(pinning: &Pinning<'a>, part: &ResolvedPart) -> OpResult<Option<Software<'a>>> {
    let Some(option) = part.options.get("software") else { return Ok(None) };
    let OptionValue::Text(text) = &option.value else { return Ok(None) };
    let named: Option<&PartName> = text.objects().next();
    let found = named.and_then(|name| pinning.stack.part(name)).filter(|part| part.action == "packages");
    match found {
        Some(found) => Ok(Some(Software { part: found, is_given: option.origin.is_some(), is_shared: false })),
        None => Err(OpError::failed(format!("`software` of `{}` is no part of the recipe `packages`", part.name))
            .hint("refer to such a part whole: software = \"${my-python}\"")),
    }
}

/// The interpreter that the part had before, if it is still there and fits; else the one that the host offers now.
fn of_host(
    pinning: &Pinning<'_>,
    part: &ResolvedPart,
    wanted: &PythonRange,
    known: Option<Interpreter>,
    pinned: &mut Pinned,
) -> OpResult<Found> {
    let from = InterpreterFrom::Host;
    let kept = pinned.state.python.get(&part.name).filter(|facts| !facts.contains_key(OF)).and_then(from_facts);
    if let Some(interpreter) = kept.filter(|kept| wanted.takes(&kept.version) && kept.still_there()) {
        return Ok(Found { interpreter, from, brings: Vec::new() });
    }
    let found = known.map_or_else(|| Interpreter::find(&pinning.place.host, wanted), Ok);
    let interpreter = found.map_err(|error| {
        // Where the path of one is given, or where there is no such version, no package would do either.
        let may_be_packed = matches!(&error, InterpreterError::None { hint: Some(_), .. });
        let error = OpError::from(error).context(format!("`{}` needs a Python", part.name));
        if !may_be_packed {
            return error;
        }
        error.hint(format!("or take that of packages, if theirs fits: --set {}.provider=deb", part.name))
    })?;
    pinned.state.python.insert(part.name.clone(), facts(&interpreter));
    Ok(Found { interpreter, from, brings: Vec::new() })
}

/// The interpreter of an object, asked where the lock's tools have a copy of it.
fn of_object(
    pinning: &Pinning<'_>,
    part: &ResolvedPart,
    software: &Software<'_>,
    wanted: &PythonRange,
    pinned: &mut Pinned,
) -> OpResult<Found> {
    super::pin_packages(pinning, software.part, pinned)?;
    let Some(resolved) = pinned.packages.get(&software.part.name).cloned() else {
        return Err(OpError::failed(format!("the pins of `{}` were not found", software.part.name)));
    };
    let misfit = |version: &str| {
        let provider = resolved.request.provider().name();
        OpError::failed(format!("`{}` wants a Python {wanted}, and that of {provider} is {version}", part.name)).hint(
            format!("widen the option `python`, or name packages that have it in `[parts.{}]`", software.part.name),
        )
    };
    // Nothing is fetched to be told what the pins say.
    if let Some(version) = tool::version(&resolved).filter(|version| !wanted.takes(version)) {
        return Err(misfit(version));
    }
    let bench = Bench::new(pinning, &part.name)?;
    let kit = bench.kit(pinning);
    let names = names(software.part);
    let copy = tool::folder(&kit, &resolved, &names);
    let of = copy.display().to_string();
    let known = pinned.state.python.get(&part.name).filter(|facts| facts.get(OF) == Some(&of));
    let brings = known.and_then(|facts| facts.get(BRINGS)).cloned();
    let interpreter = match known.and_then(from_facts) {
        Some(kept) => kept,
        None => {
            let copy = tool::ensure(&kit, &resolved, &names)?;
            let program = tool::program(&copy).ok_or_else(|| {
                OpError::failed(format!("there is no Python in what `{}` is made of", software.part.name))
            })?;
            Interpreter::ask(&pinning.place.host, &program)?
        }
    };
    if !wanted.takes(&interpreter.version) {
        return Err(misfit(&interpreter.version));
    }
    let brings = match (software.is_shared, brings) {
        (false, _) => None,
        (true, Some(known)) => Some(known),
        (true, None) => {
            tool::ensure(&kit, &resolved, &names)?;
            let brought = pypi::brought(&pinning.place.host, &interpreter)?;
            Some(brought.iter().map(pypi::Brought::pinned).collect::<Vec<_>>().join(" "))
        }
    };
    let mut remembered = facts(&interpreter);
    remembered.insert(OF.to_owned(), of);
    remembered.extend(brings.iter().map(|words| (BRINGS.to_owned(), words.clone())));
    pinned.state.python.insert(part.name.clone(), remembered);
    pinned.awake.insert(part.name.clone(), software.part.name.clone());
    let from = InterpreterFrom::Object { part: software.part.name.clone(), copy, is_shared: software.is_shared };
    let brings = brings.unwrap_or_default().split_whitespace().map(str::to_owned).collect();
    Ok(Found { interpreter, from, brings })
}

/// Sees to it that an interpreter can be run where the lock asks it: what is known of it may be older than the cache.
pub(super) fn ready(
    pinning: &Pinning<'_>,
    part: &ResolvedPart,
    interpreter: &Interpreter,
    from: &InterpreterFrom,
    pinned: &Pinned,
) -> OpResult<()> {
    let InterpreterFrom::Object { part: software, .. } = from else { return Ok(()) };
    if interpreter.path.exists() {
        return Ok(());
    }
    let (Some(resolved), Some(software)) = (pinned.packages.get(software), pinning.stack.part(software)) else {
        return Ok(());
    };
    let bench = Bench::new(pinning, &part.name)?;
    tool::ensure(&bench.kit(pinning), resolved, &names(software)).map(drop)
}

/// Wakes the parts that an installation took its interpreters from, for verbs that pin nothing.
pub(in crate::ops) fn wake_known(stack: &mut Stack, state: &State) {
    let of = |part: &ResolvedPart| {
        state.python.get(&part.name).filter(|facts| facts.contains_key(OF))?;
        if has_conda(part) {
            return Some((conda_part(part).parse().ok()?, part.name.clone()));
        }
        match &part.options.get("software")?.value {
            OptionValue::Text(text) => Some((text.objects().next()?.clone(), part.name.clone())),
            _ => None,
        }
    };
    let known: Vec<(PartName, PartName)> = stack.parts.values().filter_map(of).collect();
    for (spare, user) in known {
        stack.wake(&spare, &user);
    }
}

/// An interpreter as host facts: one word each.
fn facts(interpreter: &Interpreter) -> BTreeMap<String, String> {
    let serde_json::Value::Object(fields) = serde_json::to_value(interpreter).unwrap_or_default() else {
        return BTreeMap::new();
    };
    let word = |value: serde_json::Value| match value {
        serde_json::Value::String(word) => word,
        other => other.to_string(),
    };
    fields.into_iter().map(|(name, value)| (name, word(value))).collect()
}

fn from_facts(facts: &BTreeMap<String, String>) -> Option<Interpreter> {
    let value = |word: &String| match word.as_str() {
        "true" => true.into(),
        "false" => false.into(),
        word => serde_json::Value::from(word),
    };
    let fields = facts
        .iter()
        .filter(|(name, _)| *name != OF && *name != BRINGS)
        .map(|(name, word)| (name.clone(), value(word)))
        .collect();
    serde_json::from_value(serde_json::Value::Object(fields)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_of_the_prefix_stand_for_all_others() {
        let (conda, deb) = ("conda".to_owned(), "deb".to_owned());
        let said = |words: &[&str]| words.iter().map(ToString::to_string).collect();
        assert_eq!(with_prefix(usual_order(), None), ["host", "conda", "deb", "archive", "git", "source"]);
        assert_eq!(with_prefix(usual_order(), Some(&deb)), ["host", "deb"]);
        assert_eq!(with_prefix(said(&["deb", "host"]), None), ["deb", "host"]);
        assert_eq!(with_prefix(said(&["deb", "host", "conda"]), Some(&conda)), ["conda", "host"]);
        assert_eq!(with_prefix(said(&["host"]), Some(&conda)), ["host"]);
    }
}
