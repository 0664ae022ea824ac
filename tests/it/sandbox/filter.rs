//! Filters: what differs from run to run, as data.

use std::borrow::Cow;
use std::sync::OnceLock;

use regex::Regex;

/// Patterns and what stands for them, in order.
const FILTERS: &[(&str, &str)] = &[
    // 2026-11-20T23:46:40.123Z, 2026-11-20 23:46:40
    (r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?( ?(Z|UTC|[+-]\d\d:?\d\d)(\[[A-Za-z/_]+\])?)?", "[TIME]"),
    // 127.0.0.1:8080, [::1]:8080, localhost:8080
    (r"(127\.0\.0\.1|\[::1\]|localhost):\d{2,5}\b", "$1:[PORT]"),
    (r#"(?i)\b(port"?[ :=]+"?)\d{2,5}\b"#, "${1}[PORT]"),
    (r#"(?i)\b(pid"?[ :=]+"?|process )\d+\b"#, "${1}[PID]"),
    // 1.2s, 35 ms, 2m 3s, 1h 2m
    (r"\b(\d+ ?(h|m|min) )*\d+(\.\d+)? ?(ns|µs|us|ms|s|seconds?)\b", "[DURATION]"),
    (r#"("(seconds|since|elapsed)": ?)[0-9.]+"#, "${1}[DURATION]"),
    (r"\b\d+(\.\d+)? ?([KMG]i?B|bytes)(/s)?\b", "[SIZE]"),
    // Digests and what is cut from them.
    (r"\b[0-9a-f]{12,64}\b", "[HEX]"),
];

/// The text with paths and all that differs from run to run replaced.
pub fn filtered(text: &str, paths: &[(String, &'static str)]) -> String {
    static COMPILED: OnceLock<Vec<(Regex, &str)>> = OnceLock::new();
    let compiled = COMPILED.get_or_init(|| {
        FILTERS.iter().map(|(pattern, shown)| (Regex::new(pattern).expect("a pattern"), *shown)).collect()
    });
    let mut text = Cow::Borrowed(text);
    for (path, shown) in paths {
        text = text.replace(path, shown).into();
    }
    for (pattern, shown) in compiled {
        text = pattern.replace_all(&text, *shown).into_owned().into();
    }
    text.into_owned()
}

#[test]
fn what_differs_is_replaced() {
    let paths = [("/tmp/jove-it-1/home".to_owned(), "[HOME]")];
    for (text, shown) in [
        ("in /tmp/jove-it-1/home/jove/demo", "in [HOME]/jove/demo"),
        ("since 2026-11-20T23:46:40Z", "since [TIME]"),
        ("at 2026-11-20 23:46:40.5 UTC, ok", "at [TIME], ok"),
        ("http://127.0.0.1:18080/wps", "http://127.0.0.1:[PORT]/wps"),
        ("port 8080 is held by pid 4711 (nginx)", "port [PORT] is held by pid [PID] (nginx)"),
        (r#"{"pid": 12, "port":5432}"#, r#"{"pid": [PID], "port":[PORT]}"#),
        ("done in 1.2s", "done in [DURATION]"),
        ("done in 2m 3s, 35 ms", "done in [DURATION], [DURATION]"),
        (r#""seconds": 1.25,"#, r#""seconds": [DURATION],"#),
        ("fetched 12.3 MiB of 4 files", "fetched [SIZE] of 4 files"),
        ("store/0123456789abcdef-env", "store/[HEX]-env"),
        ("generation 4, 3 parts, python 3.12", "generation 4, 3 parts, python 3.12"),
    ] {
        assert_eq!(filtered(text, &paths), shown);
    }
}
