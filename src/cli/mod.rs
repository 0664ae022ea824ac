//! The command line: parse, one call into [`crate::ops`], render.
//!
//! [`args`] is what may be said, [`face`] what every verb has at hand, `verb/` one file a verb, `render/` how things look. Data go to standard
//! output, everything else to standard error; all of it can be read without colours.

pub mod args;
pub mod face;
pub mod interrupt;
pub mod progress;
pub mod render;
pub mod user;
pub mod verb;

use std::process::ExitCode;

use clap::Parser as _;
use clap::error::ErrorKind as ClapKind;

use crate::cli::args::{Arguments, JobArguments, ServiceArguments, StartArguments, Verb};
use crate::cli::face::Face;
use crate::host::Host;
use crate::ops::{ErrorKind, OpError, OpResult};

/// How a run ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// It found changes (`plan --detailed-exitcode`).
    Changes,
    /// It could not be done, or a service is not ready.
    Failed,
    /// Ctrl-C.
    Interrupted,
    /// All is well.
    Ok,
    /// The command line is wrong.
    Usage,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Ok => Self::SUCCESS,
            Exit::Failed => Self::from(1),
            Exit::Changes => Self::from(2),
            Exit::Usage => Self::from(64),
            Exit::Interrupted => Self::from(130),
        }
    }
}

/// Runs the program.
#[must_use]
pub fn main() -> ExitCode {
    crate::memory::keep_little();
    if let Some((watcher, root)) = verb::internal::asked() {
        return match verb::internal::watch(watcher, &root) {
            Ok(()) => Exit::Ok.into(),
            Err(error) => {
                anstream::eprintln!("error: {error}");
                Exit::Failed.into()
            }
        };
    }
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return said_by_clap(&error).into(),
    };
    let host = match Host::current() {
        Ok(host) => host,
        Err(error) => {
            anstream::eprintln!("error: {error}");
            return Exit::Failed.into();
        }
    };
    let face = Face::new(host, arguments.global.clone());
    let exit = match run(&face, arguments) {
        Ok(exit) => exit,
        // What failed, failed of that, and it was said already.
        Err(_) if crate::process::running().is_interrupted() => Exit::Interrupted,
        Err(error) => {
            let error = error.with_room_advised();
            face.error(&error);
            exit_of(&error)
        }
    };
    exit.into()
}

fn said_by_clap(error: &clap::Error) -> Exit {
    if let Some(clap::error::ContextValue::String(word)) = error.get(clap::error::ContextKind::InvalidSubcommand) {
        anstream::eprintln!("error: there is no verb `{word}`\n\n{}", nearest_verb(word));
        return Exit::Usage;
    }
    // A closed pipe (`--help | head`) is no failure.
    let _ = error.print();
    match error.kind() {
        ClapKind::DisplayHelp | ClapKind::DisplayVersion => Exit::Ok,
        _ => Exit::Usage,
    }
}

/// The hint for a wrong verb; unlike the parser's own it does not know the entries that are not for people.
fn nearest_verb(word: &str) -> String {
    use clap::CommandFactory as _;
    let command = Arguments::command();
    let verbs = command.get_subcommands().filter(|verb| !verb.is_hide_set()).map(clap::Command::get_name);
    match crate::name::nearest(word, verbs) {
        Some(near) => format!("hint: did you mean `{near}`?"),
        None => "hint: `jove-install --help` lists the verbs".to_owned(),
    }
}

fn exit_of(error: &OpError) -> Exit {
    match error.kind {
        ErrorKind::Definition | ErrorKind::Failed | ErrorKind::Gone | ErrorKind::NotReady => Exit::Failed,
        ErrorKind::Interrupted => Exit::Interrupted,
        ErrorKind::Usage => Exit::Usage,
    }
}

fn run(face: &Face, arguments: Arguments) -> OpResult<Exit> {
    if let Some(name) = &face.global.user {
        return Err(user::become_user(&face.host, name));
    }
    let Some(asked) = arguments.verb else {
        if !face.names_a_place() {
            return verb::install::welcome(face);
        }
        return verb::install::run(face, &arguments.install);
    };
    match asked {
        Verb::Adopt => verb::prefix::adopt(face),
        Verb::Boot(asked) => verb::boot::run(face, asked),
        Verb::Completions(arguments) => verb::shell::completions(face, &arguments),
        Verb::Doctor(arguments) => verb::doctor::run(face, &arguments),
        Verb::Events(arguments) => verb::logs::events(face, &arguments),
        Verb::Explain(arguments) => verb::explain::run(face, &arguments),
        Verb::Gc(arguments) => verb::generation::gc(face, &arguments),
        Verb::Graph(arguments) => verb::explain::graph(face, &arguments),
        Verb::History => verb::generation::history(face),
        Verb::Init(arguments) => verb::init::run(face, arguments),
        Verb::Install(arguments) => verb::install::run(face, &arguments),
        Verb::Dump(arguments) => verb::dump::run(face, arguments),
        Verb::Load(arguments) => verb::dump::load(face, arguments),
        Verb::Update(arguments) => verb::update::run(face, &arguments),
        Verb::Diff(arguments) => verb::update::diff(face, &arguments),
        Verb::Env(arguments) => verb::update::env(face, &arguments),
        Verb::InternalMigrate(arguments) => verb::internal::migrate(face, arguments),
        Verb::InternalCertificate(arguments) => verb::internal::certificate(face, arguments),
        Verb::List(arguments) => verb::prefix::list(face, &arguments),
        Verb::Lock(arguments) => verb::plan::lock(face, &arguments),
        Verb::Logs(arguments) => verb::logs::run(face, &arguments),
        Verb::Man => verb::shell::man(face),
        Verb::Pack(arguments) => verb::pack::run(face, &arguments),
        Verb::Plan(arguments) => verb::plan::run(face, &arguments),
        Verb::Profile(asked) => verb::catalogue::profile(face, &asked),
        Verb::Recipe(asked) => verb::catalogue::recipe(face, &asked),
        Verb::Reload(arguments) => verb::service::run(face, &arguments, crate::ops::service::Deed::Reload),
        Verb::Restart(arguments) => verb::service::run(face, &arguments, crate::ops::service::Deed::Restart),
        Verb::Rollback(arguments) => verb::generation::rollback(face, &arguments),
        Verb::Run(arguments) => verb::run::run(face, &arguments),
        Verb::RunNow(JobArguments { jobs }) => {
            verb::service::run(face, &ServiceArguments { services: jobs }, crate::ops::service::Deed::Run)
        }
        Verb::Runs(arguments) => verb::service::runs(face, &arguments),
        Verb::Secret(asked) => verb::secret::run(face, &asked),
        Verb::Shell(arguments) => verb::run::shell(face, &arguments),
        Verb::Shutdown => verb::supervise::shutdown(face),
        Verb::Signal(arguments) => verb::supervise::signal(face, &arguments),
        Verb::Start(arguments) if arguments.foreground => verb::supervise::start(face, &arguments),
        Verb::Start(StartArguments { services, .. }) => {
            verb::service::run(face, &ServiceArguments { services }, crate::ops::service::Deed::Start)
        }
        Verb::Status(arguments) => verb::status::run(face, &arguments),
        Verb::Supervise(arguments) => verb::supervise::run(face, &arguments),
        Verb::Stop(arguments) => verb::service::run(face, &arguments, crate::ops::service::Deed::Stop),
        Verb::Verify(arguments) => verb::verify::run(face, &arguments),
        Verb::Wipe(arguments) => verb::wipe::run(face, &arguments),
    }
}
