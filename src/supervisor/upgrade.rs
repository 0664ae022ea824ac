//! The program that supervises is an object of the generation. When another generation brings another program, the supervisor
//! ends, the keeper becomes the new program, and that starts a new supervisor. Services, their sockets and their output are not
//! touched: the keeper keeps its number and all that it holds.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::rc::Rc;
use std::time::Duration;

use super::core::Core;
use super::history;
use crate::generation::Manifest;
use crate::keeper::message::Request;

/// How long a new program may take to say its version.
const PATIENCE: Duration = Duration::from_secs(20);

/// Hands over to the program of the current generation, if it is another than this one.
pub(super) async fn hand_over(core: Rc<Core>) {
    let Some(program) = wanted(&core) else { return };
    if let Err(reason) = try_out(&program).await {
        let text = format!("{} cannot take over, this one goes on: {reason}", program.display());
        return history::append(&core.layout, None, "upgrade", &text);
    }
    // Nothing is under way, and nothing begins any more.
    let _busy = core.busy.lock().await;
    if core.inner.borrow().is_ending || wanted(&core).as_ref() != Some(&program) {
        return;
    }
    core.inner.borrow_mut().is_handing_over = true;
    history::append(&core.layout, None, "upgrade", &format!("{} takes over", program.display()));
    let _ = core.keeper.send(Request::Become { program });
    core.over.notify_one();
}

/// The program of the current generation, if it is another than this one.
fn wanted(core: &Core) -> Option<PathBuf> {
    let current = core.inner.borrow().generation?;
    let folder = Manifest::read(&core.layout, current).ok()?.program?;
    let program = core.layout.store().join(folder).join("bin/jove-install").canonicalize().ok()?;
    let own = std::fs::read_link("/proc/self/exe").ok()?;
    (program != own).then_some(program)
}

/// A program that cannot run here must not be let near services.
async fn try_out(program: &Path) -> Result<(), String> {
    let said = tokio::process::Command::new(program)
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .status();
    match tokio::time::timeout(PATIENCE, said).await {
        Ok(Ok(status)) if status.success() => Ok(()),
        Ok(Ok(status)) => Err(status.to_string()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("it does not answer".to_owned()),
    }
}
