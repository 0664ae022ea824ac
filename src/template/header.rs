//! The first line of everything rendered: which template it comes from, where the format has comments.

/// Suffixes of formats in which `#` begins a comment line.
const HASH: [&str; 9] = ["cfg", "conf", "env", "ini", "py", "sh", "toml", "yaml", "yml"];

/// Puts the line on top, after a `#!` line; formats without comments (JSON, markup) stay as they are.
#[must_use]
pub fn with_header(path: &str, template: &str, text: String) -> String {
    let file = path.rsplit('/').next().unwrap_or(path);
    let is_commented = file.rsplit_once('.').is_some_and(|(_, suffix)| HASH.contains(&suffix));
    if !is_commented {
        return text;
    }
    // A name is one line, whatever is in it.
    let template = template.replace(['\n', '\r'], " ");
    let line = format!("# made by jove-install from {template}; edit the template or jove.toml, not this file\n");
    match text.split_once('\n') {
        Some((first, rest)) if first.starts_with("#!") => format!("{first}\n{line}{rest}"),
        None if text.starts_with("#!") => format!("{text}\n{line}"),
        _ => format!("{line}{text}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_stands_where_the_format_has_comments() {
        let line = "# made by jove-install from t; edit the template or jove.toml, not this file\n";
        for (path, text, expected) in [
            ("etc/a.cfg", "x=1", format!("{line}x=1")),
            ("bin/a.sh", "#!/bin/sh\ntrue\n", format!("#!/bin/sh\n{line}true\n")),
            ("a.py", "#!/bin/sh", format!("#!/bin/sh\n{line}")),
            ("a.json", "{}", "{}".to_owned()),
            ("etc.cfg/a", "x", "x".to_owned()),
            (".env", "A=1", format!("{line}A=1")),
        ] {
            assert_eq!(with_header(path, "t", text.to_owned()), expected, "{path}");
        }
    }
}
