//! The first line of scripts, which says by which Python they run.

use std::borrow::Cow;
use std::io;
use std::path::{Path, PathBuf};

/// The longest first line that every kernel takes, in bytes.
const LONGEST_FIRST_LINE: usize = 127;

/// How a script begins whose interpreter's path is too long for a first line, or has a space in it: the shell reads two lines of
/// commands where Python reads a text that it throws away.
const BY_SHELL: &str = "#!/bin/sh\n'''exec' ";

/// The first line, or lines, of a script that runs by this Python.
pub(super) fn first_line(python: &Path) -> String {
    let path = python.display().to_string();
    if path.len() + "#!\n".len() <= LONGEST_FIRST_LINE && !path.contains(' ') {
        return format!("#!{path}\n");
    }
    format!("{BY_SHELL}'{}' \"$0\" \"$@\"\n' '''\n", path.replace('\'', r#"'"'"'"#))
}

/// Scripts of the Python that installed them, which are to run by another one: that of the environment that they lie in.
pub(super) struct Adoption {
    by: String,
    to: String,
}

impl Adoption {
    /// From the Python at `by` to that at `to`.
    pub(super) fn new(by: &Path, to: &Path) -> Self {
        Self { by: by.display().to_string(), to: first_line(to) }
    }

    /// Changes the script that a line of `RECORD` names, if it is one, and gives the line as it must be then. Lines name files
    /// relative to `site`; a digest may be left out of them.
    ///
    /// # Errors
    /// If the script cannot be read or written.
    pub(super) fn of_record<'a>(&self, site: &Path, line: &'a str) -> io::Result<Cow<'a, str>> {
        let Some(path) = program_in(line) else { return Ok(line.into()) };
        let file = site.join(path);
        let bytes = fs_err::read(&file)?;
        let Some(adopted) = self.adopted(&bytes) else { return Ok(line.into()) };
        fs_err::write(file, adopted)?;
        Ok(format!("{},,", line.split(',').next().unwrap_or(line)).into())
    }

    /// A script as it is to be; `None` if it does not run by the Python that installed it.
    fn adopted(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        let lines = if bytes.starts_with(BY_SHELL.as_bytes()) { 3 } else { 1 };
        let ends = memchr::memchr_iter(b'\n', bytes).nth(lines - 1)?;
        let (first, rest) = bytes.split_at(ends + 1);
        let is_ours = first.starts_with(b"#!") && memchr::memmem::find(first, self.by.as_bytes()).is_some();
        is_ours.then(|| [self.to.as_bytes(), rest].concat())
    }
}

/// The program that a line of `RECORD` names: what lies in a `bin` above the packages' folder.
fn program_in(line: &str) -> Option<PathBuf> {
    let path = line.split(',').next()?;
    let (folder, _) = path.trim_start_matches("../").rsplit_once('/')?;
    (path.starts_with("../") && folder == "bin").then(|| PathBuf::from(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_of_the_python_that_installed_them_are_adopted_and_no_others() {
        let folder = tempfile::tempdir().expect("folder");
        let site = folder.path().join("lib/python3.11/site-packages");
        fs_err::create_dir_all(&site).expect("folder");
        fs_err::create_dir(folder.path().join("bin")).expect("folder");
        let (short, long) = (Path::new("/e/bin/python"), Path::new("/home/it's me/env/bin/python"));
        let adopt = |by: &Path, to: &Path, name: &str, text: &str| {
            let script = folder.path().join("bin").join(name);
            fs_err::write(&script, text).expect("written");
            let line = format!("../../../bin/{name},sha256=abc,12");
            let line = Adoption::new(by, to).of_record(&site, &line).expect("adopted").into_owned();
            (fs_err::read_to_string(&script).expect("read"), line)
        };
        let by = Path::new("/usr/bin/python3.11");
        let (text, line) = adopt(by, short, "flask", "#!/usr/bin/python3.11\nimport flask\n");
        assert_eq!((text.as_str(), line.as_str()), ("#!/e/bin/python\nimport flask\n", "../../../bin/flask,,"));
        let (text, _) = adopt(by, long, "flask", "#!/usr/bin/python3.11\nimport flask\n");
        let expected = "#!/bin/sh\n'''exec' '/home/it'\"'\"'s me/env/bin/python' \"$0\" \"$@\"\n' '''\nimport flask\n";
        assert_eq!(text, expected);
        // As the installer writes it for a path with a space.
        let written = "#!/bin/sh\n'''exec' '/opt/my python/bin/python3' \"$0\" \"$@\"\n' '''\nimport flask\n";
        let (text, _) = adopt(Path::new("/opt/my python/bin/python3"), short, "flask", written);
        assert_eq!(text, "#!/e/bin/python\nimport flask\n");
        for other in ["#!/bin/sh\necho /usr/bin/python3.11\n", "\x7fELF /usr/bin/python3.11\n", "", "#!/usr/bin/perl"] {
            let (text, line) = adopt(by, short, "other", other);
            assert_eq!((text.as_str(), line.as_str()), (other, "../../../bin/other,sha256=abc,12"));
        }
    }

    #[test]
    fn only_what_lies_in_bin_is_a_program() {
        for line in ["flask/bin/x.py,sha256=a,1", "../../../share/bin/x,,", "../../../bin,,", "../../../bin/x/y,,"] {
            assert_eq!(program_in(line), None, "{line}");
        }
        assert_eq!(program_in("../../../bin/x,,"), Some("../../../bin/x".into()));
    }
}
