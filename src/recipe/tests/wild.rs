//! Whatever is written, resolving ends, in good time, with a stack or with what is wrong.

use std::fmt::Write as _;

use proptest::prelude::{ProptestConfig, prop, proptest};

use super::fixture::{Fixture, value};
use super::{KINDS, WEB};

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_it_panic(texts in prop::collection::vec(r#"[a-c${}.:x 'é\-]{0,24}"#, 1..6)) {
        let mut project = String::new();
        for (index, text) in texts.iter().enumerate() {
            let name = ["a", "b", "c"][index % 3];
            let option = ["text", "port", "tags", "word", "folder", "table"][index % 6];
            let quoted = toml::Value::from(text.as_str());
            let _ = writeln!(project, "parts.{name}.recipe = 'kinds'\nparts.{name}.{option} = {quoted}");
            let _ = index;
        }
        let mut lines: Vec<&str> = project.lines().collect();
        lines.sort_unstable();
        lines.dedup();
        let _ = Fixture::new(&lines.join("\n")).recipe("kinds", KINDS).resolve();
    }

    #[test]
    fn no_recipe_makes_it_panic(text in r#"(\[options\.a\]\ntype = "(string|list|port)"\n)?[a-z\[\]="${}. \n]{0,80}"#) {
        let _ = Fixture::new("[parts.a]\nrecipe = 'r'").recipe("r", &text).resolve();
    }
}

#[test]
fn a_chain_of_thousands_needs_no_deep_recursion() {
    let mut project = String::new();
    for index in 0..5_000 {
        let _ = writeln!(project, "[parts.p{index}]\nrecipe = 'kinds'\ntext = '${{p{}.text}}'", index + 1);
    }
    project.push_str("[parts.p5000]\nrecipe = 'kinds'\ntext = 'end'\n");
    let stack = Fixture::new(&project).recipe("kinds", KINDS).resolve().expect("stack");
    assert_eq!(value(&stack, "p0.text"), r#""end""#);
}

#[test]
fn one_may_read_thousands() {
    let mut project = String::from("[parts.web]\nrecipe = 'web'\nserves = [");
    (0..2_000).for_each(|index| project.push_str(&format!("'${{p{index}.url}}', ")));
    project.push_str("]\n");
    for index in 0..2_000 {
        let _ = writeln!(project, "[parts.p{index}]\nrecipe = 'web'\npublic = '${{web.url}}'");
    }
    let stack = Fixture::new(&project).recipe("web", WEB).resolve().expect("stack");
    assert_eq!(stack.parts["web"].edges.len(), 2_000);
}
