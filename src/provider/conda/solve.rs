//! From what is wanted and what channels have to one build of each package.

use std::collections::BTreeMap;

use rattler_conda_types::{
    GenericVirtualPackage, MatchSpec, PackageNameMatcher, ParseMatchSpecOptions, RepoDataRecord, SolverResult,
};
use rattler_repodata_gateway::RepoData;
use rattler_solve::{ChannelPriority, SolveError, SolverImpl as _, SolverTask, resolvo};

use super::CondaError;
use super::channel::Priority;
use crate::provider::Pinned;

/// Reads what is wanted.
///
/// # Errors
/// If a text names no package.
pub fn wishes(packages: &[String]) -> Result<Vec<MatchSpec>, CondaError> {
    packages.iter().map(|text| wish(text)).collect()
}

fn wish(text: &str) -> Result<MatchSpec, CondaError> {
    let wrong = |why: String| CondaError::Wish { text: text.to_owned(), why };
    let spec = MatchSpec::from_str(text, ParseMatchSpecOptions::lenient()).map_err(|error| wrong(error.to_string()))?;
    if spec.url.is_some() || spec.channel.is_some() {
        return Err(wrong("a channel belongs into `conda_channels`".to_owned()));
    }
    match spec.name {
        PackageNameMatcher::Exact(_) => Ok(spec),
        PackageNameMatcher::Glob(_) | PackageNameMatcher::Regex(_) => {
            Err(wrong("it names more than one package".to_owned()))
        }
    }
}

/// What is asked of the solver.
pub struct Question<'a> {
    /// What channels have, most wanted first.
    pub records: &'a [RepoData],
    /// What is wanted.
    pub wishes: Vec<MatchSpec>,
    /// What the machine has.
    pub machine: Vec<GenericVirtualPackage>,
    /// What was pinned so far.
    pub before: &'a [Pinned],
    /// Which channel serves a package that several have.
    pub priority: Priority,
    /// The channels by name, for people.
    pub channels: String,
}

/// The answer, sorted by name.
///
/// # Errors
/// If there is none, with why and what to change.
pub fn solve(question: Question<'_>) -> Result<Vec<RepoDataRecord>, CondaError> {
    let files: BTreeMap<&str, &str> =
        question.before.iter().filter_map(|pin| Some((pin.name.as_str(), pin.files.first()?.file.as_str()))).collect();
    let is_pinned = |record: &&RepoDataRecord| {
        files.get(record.package_record.name.as_normalized()) == Some(&record.identifier.to_file_name().as_str())
    };
    let locked_packages: Vec<&RepoDataRecord> = if files.is_empty() {
        Vec::new()
    } else {
        question.records.iter().flat_map(RepoData::iter).filter(is_pinned).collect()
    };
    let task = SolverTask {
        locked_packages,
        virtual_packages: question.machine.clone(),
        specs: question.wishes.clone(),
        channel_priority: match question.priority {
            Priority::Strict => ChannelPriority::Strict,
            Priority::Flexible => ChannelPriority::Flexible,
            Priority::Disabled => ChannelPriority::Disabled,
        },
        ..question.records.iter().map(RepoData::iter).collect::<SolverTask<'_, _>>()
    };
    let SolverResult { mut records, .. } = resolvo::Solver.solve(task).map_err(|error| refused(&question, error))?;
    records
        .sort_by(|one, other| one.package_record.name.as_normalized().cmp(other.package_record.name.as_normalized()));
    Ok(records)
}

/// The solver's words, and what may be changed.
fn refused(question: &Question<'_>, error: SolveError) -> CondaError {
    let wanted = question.wishes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let tree = match error {
        SolveError::Unsolvable(trees) => trees.join("\n"),
        SolveError::UnsupportedOperations(_)
        | SolveError::ParseMatchSpecError(_)
        | SolveError::DuplicateRecords(_)
        | SolveError::Cancelled => error.to_string(),
    };
    let advice = advice(question, &tree);
    CondaError::Unsolvable { wanted, channels: question.channels.clone(), tree: tidy(&tree), advice }
}

/// The tree without its empty lines, indented below the sentence that it explains.
fn tidy(tree: &str) -> String {
    let lines = tree.lines().map(str::trim_end).filter(|line| !line.is_empty());
    lines.map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n")
}

fn advice(question: &Question<'_>, tree: &str) -> String {
    // What the machine lacks is the end of a chain; whoever reads the tree would look for a package of that name.
    for (name, word) in
        [("__glibc", "C library"), ("__linux", "kernel"), ("__osx", "system"), ("__cuda", "graphics driver")]
    {
        if tree.contains(name) {
            let found = question.machine.iter().find(|package| package.name.as_normalized() == name);
            let found = found.map_or_else(|| "has none".to_owned(), |package| format!("has {}", package.version));
            return format!(
                "`{name}` is the {word} of the machine, which {found}: take an older version of what needs a newer one, \
                 or another provider"
            );
        }
    }
    if tree.lines().any(|line| line.starts_with("No candidates were found")) {
        let channels = &question.channels;
        return format!(
            "correct the name or the version, or add the channel that has it (`conda_channels`; asked: {channels})"
        );
    }
    let priority = match question.priority {
        Priority::Strict => {
            "; with `priority = \"flexible\"` in `[sources.conda]` a later channel may serve what the first has in other versions only"
        }
        Priority::Flexible | Priority::Disabled => "",
    };
    format!("widen one of the versions that contradict each other{priority}")
}
