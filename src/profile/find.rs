//! Finding the project: the search upwards for `jove.toml`.
//!
//! The search ends at the home folder, at a mount boundary and at a folder of another user: what lies beyond is not the
//! user's own, and a project says which programs run. Weakness: access control lists beyond the mode bits are not read.

use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::diagnostic::{Diagnostic, Diagnostics};

use super::trust::{Distrust, distrust};

/// The name of a project's file.
pub const PROJECT_FILE: &str = "jove.toml";

/// The nearest folder at or above `from` that holds a `jove.toml`; the home itself is looked at last.
///
/// # Errors
/// If the `jove.toml` that was found is unreadable, or could have been written by somebody else.
pub fn find_project(from: &Path, home: Option<&Path>, user: u32) -> Result<Option<PathBuf>, Diagnostics> {
    let Ok(start) = fs_err::canonicalize(from) else {
        return Err(Diagnostic::error(format!("the folder `{}` cannot be found", from.display())).into());
    };
    let home = home.and_then(|home| fs_err::canonicalize(home).ok());
    let mut device = None;
    for folder in start.ancestors() {
        let Ok(metadata) = fs_err::metadata(folder) else { return Ok(None) };
        let boundary = device.is_some_and(|device| device != metadata.dev());
        device = Some(metadata.dev());
        if boundary {
            return Ok(None);
        }
        let foreign = matches!(distrust(&metadata, user), Some(Distrust::Foreign(_)));
        // The folder where the search starts is looked at even if it is another's, so that a refusal can be named.
        if foreign && folder != start {
            return Ok(None);
        }
        let file = folder.join(PROJECT_FILE);
        match fs_err::symlink_metadata(&file) {
            Ok(_) => return accept(folder, &file, &metadata, user).map(Some).map_err(Into::into),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Ok(None),
            Err(error) => return Err(Diagnostic::error(format!("looking for the project failed: {error}")).into()),
        }
        if foreign || home.as_deref() == Some(folder) {
            return Ok(None);
        }
    }
    Ok(None)
}

fn accept(folder: &Path, file: &Path, folder_metadata: &Metadata, user: u32) -> Result<PathBuf, Diagnostic> {
    let metadata = fs_err::metadata(file)
        .map_err(|error| Diagnostic::error(format!("the project file cannot be read: {error}")))?;
    if !metadata.is_file() {
        let message = format!("`{}` is no file", file.display());
        return Err(Diagnostic::error(message).hint("rename it, or choose another folder with -C"));
    }
    for (path, metadata) in [(file, &metadata), (folder, folder_metadata)] {
        if let Some(reason) = distrust(metadata, user) {
            return Err(refuse(file, path, reason));
        }
    }
    Ok(folder.to_path_buf())
}

fn refuse(file: &Path, path: &Path, reason: Distrust) -> Diagnostic {
    let subject = if path == file { String::new() } else { format!("`{}`: ", path.display()) };
    let message = format!("the project `{}` is not trusted: {subject}{reason}", file.display());
    let remedy = match reason {
        Distrust::Foreign(_) => "copy the project into a folder of your own".to_owned(),
        Distrust::Group | Distrust::World => format!("if it is yours: chmod go-w '{}'", path.display()),
    };
    Diagnostic::error(message).hint(remedy)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn user() -> u32 {
        rustix::process::geteuid().as_raw()
    }

    fn mode(path: &Path, mode: u32) {
        fs_err::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("mode");
    }

    /// `home/project/below/deep`, with the project's file, nothing of it writable by others.
    fn tree() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().expect("folder");
        let root = folder.path().canonicalize().expect("root");
        let mut path = root.join("home/project/below/deep");
        fs_err::create_dir_all(&path).expect("folders");
        while path != root {
            mode(&path, 0o755);
            path.pop();
        }
        let file = root.join("home/project/jove.toml");
        fs_err::write(&file, "").expect("file");
        mode(&file, 0o644);
        (folder, root)
    }

    #[test]
    fn the_project_is_found_from_below() {
        let (_folder, root) = tree();
        let project = root.join("home/project");
        for from in ["home/project", "home/project/below", "home/project/below/deep", "home/project/below/../below"] {
            let found = find_project(&root.join(from), Some(&root.join("home")), user());
            assert_eq!(found, Ok(Some(project.clone())), "{from}");
        }
    }

    #[test]
    fn the_search_ends_at_home() {
        let (_folder, root) = tree();
        let (home, below) = (root.join("home"), root.join("home/project/below"));
        fs_err::rename(root.join("home/project/jove.toml"), root.join("jove.toml")).expect("moved");
        assert_eq!(find_project(&below, Some(&home), user()), Ok(None));
        assert_eq!(find_project(&below, None, user()), Ok(Some(root.clone())));
        fs_err::rename(root.join("jove.toml"), home.join("jove.toml")).expect("moved");
        assert_eq!(find_project(&below, Some(&home), user()), Ok(Some(home)));
    }

    #[test]
    fn a_file_or_folder_that_others_can_write_is_refused_by_name() {
        let (_folder, root) = tree();
        let (file, project) = (root.join("home/project/jove.toml"), root.join("home/project"));
        let refused = || {
            let found = find_project(&root.join("home/project/below"), None, user()).expect_err("refused");
            format!("{found}; {}", found.0[0].hints.join(" ")).replace(&root.display().to_string(), "ROOT")
        };
        mode(&file, 0o646);
        let expected = "the project `ROOT/home/project/jove.toml` is not trusted: everybody can write it; if it is yours: chmod go-w 'ROOT/home/project/jove.toml'";
        assert_eq!(refused(), expected);
        mode(&file, 0o644);
        mode(&project, 0o1777);
        let expected = "the project `ROOT/home/project/jove.toml` is not trusted: `ROOT/home/project`: everybody can write it; if it is yours: chmod go-w 'ROOT/home/project'";
        assert_eq!(refused(), expected);
        mode(&project, 0o755);
        fs_err::remove_file(&file).expect("removed");
        fs_err::create_dir(&file).expect("folder");
        assert!(refused().contains("is no file"), "{}", refused());
    }

    #[test]
    fn a_project_of_another_user_is_refused_and_not_searched_for_beyond() {
        let (_folder, root) = tree();
        // Seen by a user to whom nothing here belongs; root's own files are trusted by all.
        let stranger = user() + 1;
        let found = find_project(&root.join("home/project"), None, stranger);
        let beyond = find_project(&root.join("home/project/below"), None, stranger);
        if user() == 0 {
            assert_eq!(found, Ok(Some(root.join("home/project"))));
        } else {
            assert!(found.expect_err("refused").to_string().contains("it belongs to another user"));
            assert_eq!(beyond, Ok(None));
        }
    }

    #[test]
    fn as_root_a_folder_of_another_user_is_refused() {
        if user() != 0 {
            return;
        }
        let (_folder, root) = tree();
        let project = root.join("home/project");
        let owner = Some(rustix::fs::Uid::from_raw(12345));
        rustix::fs::chown(project.join("jove.toml"), owner, None).expect("owner");
        let found = find_project(&project.join("below"), None, 0).expect_err("refused");
        assert!(found.to_string().contains("it belongs to another user (id 12345)"), "{found}");
        rustix::fs::chown(&project, owner, None).expect("owner");
        assert_eq!(find_project(&project.join("below"), None, 0), Ok(None));
        assert!(find_project(&project, None, 0).is_err());
        assert_eq!(find_project(&project, None, 12345), Ok(Some(project)));
    }

    #[test]
    fn nothing_is_found_where_nothing_is() {
        let (_folder, root) = tree();
        fs_err::remove_file(root.join("home/project/jove.toml")).expect("removed");
        assert_eq!(find_project(&root.join("home/project"), Some(&root), user()), Ok(None));
        assert!(find_project(&root.join("none"), None, user()).is_err());
    }
}
