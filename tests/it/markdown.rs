//! Blocks of Markdown documents, which tests run.
#![allow(dead_code, reason = "not every test needs every ability")]

use std::collections::BTreeMap;

/// The fenced blocks of a Markdown text in one language.
pub fn blocks(markdown: &str, language: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut lines = markdown.lines();
    while let Some(line) = lines.next() {
        let Some(of) = line.strip_prefix("```").filter(|of| !of.is_empty()) else { continue };
        let block: Vec<&str> = lines.by_ref().take_while(|line| !line.starts_with("```")).collect();
        if of == language {
            found.push(block.join("\n"));
        }
    }
    found
}

/// The fenced blocks of a Markdown text that are files: ```` ```toml recipes/x/recipe.toml ````. Blocks of one file follow each other.
pub fn files(markdown: &str) -> BTreeMap<String, String> {
    let mut found: BTreeMap<String, String> = BTreeMap::new();
    let mut lines = markdown.lines();
    while let Some(line) = lines.next() {
        let Some(of) = line.strip_prefix("```").filter(|of| !of.is_empty()) else { continue };
        let block: Vec<&str> = lines.by_ref().take_while(|line| !line.starts_with("```")).collect();
        if let Some((_, path)) = of.split_once(' ') {
            let text = found.entry(path.to_owned()).or_default();
            let between = if text.is_empty() { "" } else { "\n" };
            text.push_str(&format!("{between}{}\n", block.join("\n")));
        }
    }
    found
}

/// The command lines of a text: what stands at the beginning of a line, without a comment behind.
pub fn commands(text: &str) -> Vec<Vec<String>> {
    let lines = text
        .lines()
        .map(str::trim)
        .filter(|line| line.starts_with("jove-install") || line.starts_with("./bootstrap.sh "));
    lines
        .filter_map(|line| {
            // What follows two spaces is an explanation, as in the overview of the help.
            let line = line.split("  ").next().unwrap_or(line);
            let line = line.split([';', '|', '>', '<']).next().unwrap_or(line);
            let words = shell_words::split(line.split(" #").next()?).expect(line);
            let words: Vec<String> =
                words.into_iter().filter(|word| word != "--install" || !line.starts_with("./")).collect();
            Some(words)
        })
        .collect()
}
