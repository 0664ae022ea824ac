//! What a new program is given to begin with, its command and its variables: the kernel has little room for them.

use std::ffi::CString;
use std::io;

/// Pages of the longest word or variable that the kernel takes, with its name and the zero at its end (`MAX_ARG_STRLEN`).
const PAGES: usize = 32;

/// Says what was too large, where the kernel says only that something was. What a variable holds may be a secret, and is not told.
pub(super) fn explained(error: io::Error, argv: &[CString], vars: &[CString]) -> io::Error {
    if error.kind() != io::ErrorKind::ArgumentListTooLong {
        return error;
    }
    io::Error::new(error.kind(), why(argv, vars, PAGES * rustix::param::page_size()))
}

fn why(argv: &[CString], vars: &[CString], longest: usize) -> String {
    let size = |string: &CString| string.as_bytes_with_nul().len();
    let is_too_long = |string: &&CString| size(string) > longest;
    let most = format!("bytes, and the kernel takes {longest} at most; have it read that from a file");
    if let Some(variable) = vars.iter().find(is_too_long) {
        let text = variable.to_string_lossy();
        let name = text.split_once('=').map_or("", |(name, _)| name);
        return format!("its variable `{name}` is too large: it has {} {most}", size(variable));
    }
    if let Some(word) = argv.iter().find(is_too_long) {
        return format!("a word of its command is too large: it has {} {most}", size(word));
    }
    let all: usize = argv.iter().chain(vars).map(size).sum();
    format!(
        "its variables are too large: with its command they have {all} bytes, and the kernel takes a quarter of the limit `stack` \
         and 6 MiB at most; have it read them from a file, or raise that limit"
    )
}

#[cfg(test)]
mod tests {
    use std::ffi::CString;
    use std::io;

    use super::{explained, why};

    fn strings(words: &[&str]) -> Vec<CString> {
        words.iter().map(|word| CString::new(*word).expect("no zero")).collect()
    }

    #[test]
    fn what_is_too_large_is_named_and_not_told() {
        let told = |argv: &[&str], vars: &[&str]| why(&strings(argv), &strings(vars), 10);
        let most = "and the kernel takes 10 at most; have it read that from a file";
        assert_eq!(
            told(&["/bin/web"], &["A=1", "KEY=canary"]),
            format!("its variable `KEY` is too large: it has 11 bytes, {most}")
        );
        assert_eq!(
            told(&["/bin/web", "and a long one"], &["A=1"]),
            format!("a word of its command is too large: it has 15 bytes, {most}")
        );
        let all = told(&["/bin/web"], &["A=1", "B=2"]);
        assert!(all.starts_with("its variables are too large: with its command they have 17 bytes,"), "{all}");
    }

    #[test]
    fn what_else_the_kernel_says_is_left_as_it_is() {
        let missing = explained(io::ErrorKind::NotFound.into(), &[], &[]);
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
    }
}
