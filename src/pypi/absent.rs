//! [`AbsentFile`]: a file that is in no index.

/// A file that was found nowhere, and what each place said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AbsentFile {
    /// Its name.
    pub file: String,
    /// What each place said.
    pub said: Vec<String>,
}

pub(super) fn lines(files: &[AbsentFile]) -> String {
    let mut text = String::new();
    for absent in files {
        text.push_str(&format!("\n  {}", absent.file));
        for line in &absent.said {
            text.push_str(&format!("\n    {line}"));
        }
    }
    text
}
