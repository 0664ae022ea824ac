//! The `files` action: rendered files and copied folders.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::apply::{BuildError, Workshop, io_at};
use crate::fs::copy_tree;
use crate::plan::FilesAction;
use crate::plan::action::TreeSource;
use crate::plan::source;

/// Writes the files and copies the folders into an object.
///
/// # Errors
/// What cannot be read or written, by path.
pub fn make(action: &FilesAction, object: &Path, workshop: &Workshop<'_>) -> Result<(), BuildError> {
    for tree in &action.trees {
        let to = object.join(&tree.to);
        std::fs::create_dir_all(&to).map_err(io_at(&to))?;
        match &tree.from {
            TreeSource::Folder(from) => {
                copy_tree(from, &to, &|path, is_folder| source::is_left_out(path, is_folder)).map_err(io_at(from))?;
            }
            TreeSource::Example { recipe, folder } => {
                for (path, bytes) in source::example_files(workshop.catalogue, recipe, folder) {
                    write(&to.join(path), &bytes, false)?;
                }
            }
        }
    }
    for file in &action.files {
        write(&object.join(&file.path), file.content.as_bytes(), file.executable)?;
    }
    Ok(())
}

fn write(path: &Path, bytes: &[u8], executable: bool) -> Result<(), BuildError> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(io_at(folder))?;
    }
    std::fs::write(path, bytes).map_err(io_at(path))?;
    let mode = if executable { 0o755 } else { 0o644 };
    std::fs::set_permissions(path, Permissions::from_mode(mode)).map_err(io_at(path))
}
