//! Watches a service's sources (`dev`) and has it started anew when they change.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use tokio::io::unix::AsyncFd;
use tokio::time::{Instant, timeout};

use super::core::Core;
use super::history;
use super::scope::{Task, readable};
use crate::service::ServiceSpec;
use crate::service::state::Event;

/// Changes come in crowds (an editor's save, a checkout): this long a silence ends one.
const SILENCE: Duration = Duration::from_millis(200);

/// A crowd is cut after this long.
const CROWD: Duration = Duration::from_secs(2);

/// Folders that hold nothing that a program is made of.
const FOLDERS: [&str; 8] =
    [".git", ".hg", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".tox", "__pycache__", "node_modules"];

/// Starts to watch for a service.
pub(super) fn task(core: &Rc<Core>, spec: &ServiceSpec) -> Task {
    let (core, spec) = (Rc::clone(core), spec.clone());
    Task::spawn(async move {
        if let Err(error) = watch(&core, &spec).await {
            let text = format!("its sources cannot be watched: {error}; restart it by hand after a change");
            history::append(&core.layout, Some(&spec.name), "watch", &text);
        }
    })
}

async fn watch(core: &Rc<Core>, spec: &ServiceSpec) -> io::Result<()> {
    let mut watched = Watched::of(&spec.watch)?;
    loop {
        watched.next().await?;
        let end = Instant::now() + CROWD;
        while Instant::now() < end {
            match timeout(SILENCE, watched.next()).await {
                Ok(more) => more?,
                Err(_) => break,
            }
        }
        let (core, name) = (Rc::clone(core), spec.name.clone());
        tokio::task::spawn_local(async move { core.tell(&name, Event::Changed) });
    }
}

/// What is watched: folders with all that is below, and single files by their names in their folders.
struct Watched {
    inotify: AsyncFd<OwnedFd>,
    folders: BTreeMap<i32, PathBuf>,
    files: BTreeSet<PathBuf>,
    /// Roots of folders that are watched whole.
    roots: Vec<PathBuf>,
}

impl Watched {
    fn of(paths: &[PathBuf]) -> io::Result<Self> {
        let inotify = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
        let inotify = readable(inotify)?;
        let mut watched = Self { inotify, folders: BTreeMap::new(), files: BTreeSet::new(), roots: Vec::new() };
        for path in paths {
            if path.is_dir() {
                watched.roots.push(path.clone());
                watched.add_tree(path)?;
            } else if let Some(folder) = path.parent() {
                watched.files.insert(path.clone());
                watched.add(folder)?;
            }
        }
        Ok(watched)
    }

    fn add(&mut self, folder: &Path) -> io::Result<()> {
        let wanted = WatchFlags::CLOSE_WRITE
            | WatchFlags::CREATE
            | WatchFlags::DELETE
            | WatchFlags::MOVED_FROM
            | WatchFlags::MOVED_TO
            | WatchFlags::ONLYDIR;
        match inotify::add_watch(self.inotify.get_ref(), folder, wanted) {
            Ok(number) => drop(self.folders.insert(number, folder.to_owned())),
            // Gone again already.
            Err(rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    fn add_tree(&mut self, root: &Path) -> io::Result<()> {
        let is_kept = |entry: &walkdir::DirEntry| {
            entry.depth() == 0 || !entry.file_type().is_dir() || !is_ignored(&entry.file_name().to_string_lossy())
        };
        for entry in walkdir::WalkDir::new(root).into_iter().filter_entry(is_kept).flatten() {
            if entry.file_type().is_dir() {
                self.add(entry.path())?;
            }
        }
        Ok(())
    }

    /// Waits for changes that count.
    async fn next(&mut self) -> io::Result<()> {
        loop {
            let seen = {
                let mut ready = self.inotify.readable().await?;
                match ready.try_io(|inotify| read(inotify.get_ref())) {
                    Ok(seen) => seen?,
                    Err(_would_block) => continue,
                }
            };
            let mut has_changed = false;
            for (number, name, flags) in seen {
                let Some(path) = self.folders.get(&number).map(|folder| folder.join(&name)) else { continue };
                let is_whole = self.roots.iter().any(|root| path.starts_with(root));
                if is_ignored(&name) || !(is_whole || self.files.contains(&path)) {
                    continue;
                }
                if flags.contains(ReadFlags::ISDIR) && flags.intersects(ReadFlags::CREATE | ReadFlags::MOVED_TO) {
                    self.add_tree(&path)?;
                }
                // A file that was only made has nothing in it yet: its closing follows.
                let is_only_made = flags.contains(ReadFlags::CREATE) && !flags.contains(ReadFlags::ISDIR);
                has_changed |= !is_only_made || path.is_symlink();
            }
            if has_changed {
                return Ok(());
            }
        }
    }
}

fn read(inotify: &OwnedFd) -> io::Result<Vec<(i32, String, ReadFlags)>> {
    let mut buffer = [MaybeUninit::uninit(); 1 << 14];
    let mut reader = inotify::Reader::new(inotify, &mut buffer);
    let mut seen = Vec::new();
    loop {
        match reader.next() {
            Ok(event) => {
                let name = event.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
                seen.push((event.wd(), name, event.events()));
            }
            Err(error) if seen.is_empty() => return Err(error.into()),
            Err(_) => return Ok(seen),
        }
        if reader.is_buffer_empty() {
            return Ok(seen);
        }
    }
}

/// Whether a name is an editor's or a tool's own, or empty.
fn is_ignored(name: &str) -> bool {
    let endings = [".pyc", ".pyo", ".swp", ".swo", ".swx", "~", ".tmp"];
    name.is_empty()
        || FOLDERS.contains(&name)
        || endings.iter().any(|ending| name.ends_with(ending))
        || name.ends_with(".egg-info")
        || name.starts_with(".#")
        || name.starts_with(".tmp-")
        || name.starts_with(".goutputstream")
        || (name.starts_with('#') && name.ends_with('#'))
        // vim tries with this name whether it may write.
        || name == "4913"
        // Written by each installation of a project: what it means for a service, the switch does.
        || name == "jove.lock"
}

#[cfg(test)]
mod tests {
    use super::{Watched, is_ignored};

    #[test]
    fn names_of_editors_and_tools_are_ignored() {
        for name in
            [".app.py.swp", "app.py~", "4913", "__pycache__", ".git", "a.pyc", ".#app.py", "#app.py#", "jove.lock", ""]
        {
            assert!(is_ignored(name), "{name}");
        }
        for name in ["app.py", "jove.toml", "git", ".env"] {
            assert!(!is_ignored(name), "{name}");
        }
    }

    #[tokio::test]
    async fn changes_below_a_folder_and_of_a_file_are_seen() {
        let folder = tempfile::tempdir().expect("folder");
        let (tree, single) = (folder.path().join("src"), folder.path().join("app.ini"));
        std::fs::create_dir_all(tree.join("__pycache__")).expect("folder");
        std::fs::write(&single, "a").expect("write");
        let mut watched = Watched::of(&[tree.clone(), single.clone()]).expect("watch");
        // What does not count comes first, so that it would be seen first.
        std::fs::write(tree.join("__pycache__/a.pyc"), "x").expect("write");
        std::fs::write(folder.path().join("other.ini"), "x").expect("write");
        std::fs::create_dir(tree.join("package")).expect("folder");
        watched.next().await.expect("a new folder");
        std::fs::write(tree.join("package/a.py"), "x").expect("write");
        watched.next().await.expect("a file in the new folder");
        std::fs::write(&single, "b").expect("write");
        watched.next().await.expect("the single file");
        let none = tokio::time::timeout(std::time::Duration::from_millis(50), watched.next()).await;
        std::fs::write(folder.path().join("other.ini"), "y").expect("write");
        assert!(none.is_err(), "nothing else");
    }
}
