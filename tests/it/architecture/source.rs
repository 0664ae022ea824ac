//! Source files as the architecture sees them: which module, which others are used, where the tests are.
//!
//! A reader of lines, not of Rust: it relies on rustfmt, which closes an item at the indentation at which it began.

use std::collections::BTreeSet;
use std::path::Path;

/// One file below `src`.
#[derive(Debug)]
pub struct SourceFile {
    /// Its path in the repository.
    pub name: String,
    /// Its module's path; empty for `lib.rs` and `main.rs`.
    pub module: Vec<String>,
    /// Whether it is part of the tests only.
    pub is_test: bool,
    /// Number and text of each line outside `#[cfg(test)]` items, without comments.
    code: Vec<(usize, String)>,
    /// Modules in files of their own that are part of the tests only.
    test_modules: Vec<String>,
}

/// A use of another top-level module.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Used {
    /// From 1.
    pub line: usize,
    /// The top-level module.
    pub module: String,
}

/// All files below `src`, by name.
pub fn source_files(repository: &Path) -> Vec<SourceFile> {
    let mut files: Vec<SourceFile> = walkdir::WalkDir::new(repository.join("src"))
        .sort_by_file_name()
        .into_iter()
        .filter_map(Result::ok)
        .filter(|entry| entry.path().extension().is_some_and(|end| end == "rs"))
        .map(|entry| {
            let name = entry.path().strip_prefix(repository).expect("below it").display().to_string();
            SourceFile::new(&name, &fs_err::read_to_string(entry.path()).expect("text"))
        })
        .collect();
    let tests: BTreeSet<Vec<String>> = files
        .iter()
        .flat_map(|file| {
            file.test_modules.iter().map(|name| [file.module.as_slice(), std::slice::from_ref(name)].concat())
        })
        .collect();
    for file in &mut files {
        file.is_test = (1..=file.module.len()).any(|length| tests.contains(&file.module[..length]));
    }
    files
}

impl SourceFile {
    /// Reads a file of that name.
    pub fn new(name: &str, text: &str) -> Self {
        let path = name.trim_start_matches("src/").trim_end_matches(".rs");
        let mut module: Vec<String> = path.split('/').map(str::to_owned).collect();
        if module.last().is_some_and(|last| last == "mod") || path == "lib" || path == "main" {
            module.pop();
        }
        let (code, test_modules) = without_tests(text);
        Self { name: name.to_owned(), module, is_test: false, code, test_modules }
    }

    /// Lines that are neither blank, comments nor tests.
    pub fn lines_of_code(&self) -> usize {
        self.code.len()
    }

    /// Where one of these words stands outside of its tests: numbers of lines, from 1.
    pub fn lines_with(&self, words: &[&str]) -> Vec<usize> {
        let has_one = |(_, text): &&(usize, String)| words.iter().any(|word| text.contains(word));
        self.code.iter().filter(has_one).map(|(number, _)| *number).collect()
    }

    /// Which top-level modules it uses, each once a line.
    pub fn uses(&self) -> Vec<Used> {
        let mut found = BTreeSet::new();
        // `super::super::x` in `a/b.rs` is `crate::x`.
        let to_root = "super::".repeat(self.module.len());
        let mut prefixes = vec!["crate::"];
        if !self.module.is_empty() {
            prefixes.push(&to_root);
        }
        let mut group: Option<&str> = None;
        for (line, text) in &self.code {
            if let Some(rest) = group {
                group = (!text.contains("};")).then_some(rest);
                let names = text.trim().trim_end_matches("};").split(',');
                found.extend(names.filter_map(first_word).map(|module| Used { line: *line, module }));
                continue;
            }
            for prefix in &prefixes {
                for (start, _) in text.match_indices(prefix) {
                    if text[..start].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':' || c == '$') {
                        continue;
                    }
                    let rest = &text[start + prefix.len()..];
                    if let Some(inside) = rest.strip_prefix('{') {
                        let (names, closed) =
                            inside.split_once("};").map_or((inside, false), |(names, _)| (names, true));
                        found
                            .extend(names.split(',').filter_map(first_word).map(|module| Used { line: *line, module }));
                        group = (!closed).then_some("");
                    } else if let Some(module) = first_word(rest) {
                        found.insert(Used { line: *line, module });
                    }
                }
            }
        }
        // Macros, functions and types at the root itself are not modules; none begins with a small letter but macros.
        found.into_iter().filter(|used| used.module.starts_with(|c: char| c.is_ascii_lowercase())).collect()
    }
}

fn first_word(text: &str) -> Option<String> {
    let word: String = text.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    (!word.is_empty() && word != "super" && word != "self").then_some(word)
}

/// Lines of code outside items under `#[cfg(test)]`, and names of modules under it that have files of their own.
fn without_tests(text: &str) -> (Vec<(usize, String)>, Vec<String>) {
    let (mut code, mut modules) = (Vec::new(), Vec::new());
    let mut lines = text.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let trimmed = line.trim();
        if trimmed == "#[cfg(test)]" {
            let end = format!("{}}}", &line[..line.len() - line.trim_start().len()]);
            let mut item = lines.by_ref().map(|(_, line)| line).skip_while(|line| line.trim().starts_with("#["));
            let Some(head) = item.next() else { break };
            if let Some(name) = head.trim().strip_suffix(';') {
                modules.extend(name.rsplit(' ').next().map(str::to_owned));
            } else if !head.trim_end().ends_with('}') {
                item.find(|line| line.trim_end() == end);
            }
        } else if !trimmed.is_empty() && !trimmed.starts_with("//") {
            let before = line.split_once(" // ").map_or(line, |(before, _)| before);
            code.push((number + 1, before.to_owned()));
        }
    }
    (code, modules)
}

#[test]
fn tests_and_comments_are_no_code() {
    let text = "//! Doc.\n\nuse a;\n#[cfg(test)]\n#[path = \"x.rs\"]\nmod there;\nfn f() { } // crate::no\n\
                impl X {\n    #[cfg(test)]\n    fn t() {\n        if x {\n        }\n    }\n    fn g() {}\n}\n\
                #[cfg(test)]\nmod tests {\n    fn x() {}\n}\nfn after() {}\n";
    let file = SourceFile::new("src/a/mod.rs", text);
    let lines: Vec<usize> = file.code.iter().map(|(line, _)| *line).collect();
    assert_eq!(lines, [3, 7, 8, 14, 15, 20]);
    assert_eq!(file.test_modules, ["there"]);
    assert!(file.uses().is_empty());
}

#[test]
fn uses_are_found_in_each_form() {
    let cases = [
        ("src/a/b.rs", "use crate::c::D;\n", "c"),
        ("src/a/b.rs", "let x = crate::c::d();\n", "c"),
        ("src/a/b.rs", "use crate::{c, d::E};\n", "c d"),
        ("src/a/b.rs", "use crate::{\n    c,\n    d::E,\n};\n", "c d"),
        ("src/a/b.rs", "use super::super::c::D;\n", "c"),
        ("src/a/b.rs", "use super::c::D;\n", ""),
        ("src/a/mod.rs", "use super::c::D;\n", "c"),
        ("src/a.rs", "use super::c;\nuse other_crate::d;\n", "c"),
        ("src/lib.rs", "pub use crate::c;\n", "c"),
    ];
    for (name, text, expected) in cases {
        let found: Vec<String> = SourceFile::new(name, text).uses().into_iter().map(|used| used.module).collect();
        assert_eq!(found.join(" "), expected, "{text}");
    }
}
