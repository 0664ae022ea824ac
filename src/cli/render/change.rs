//! Changes of a plan.

use anstyle::{AnsiColor, Style};

use crate::plan::{Change, Deed};

/// A sign and a line a change, its reasons below.
#[must_use]
pub fn changes(changes: &[Change]) -> String {
    changes.iter().map(change).collect()
}

fn change(change: &Change) -> String {
    let (sign, word, color) = match change.action {
        Deed::Create => ("+", "create", AnsiColor::Green),
        Deed::Rebuild => ("~", "rebuild", AnsiColor::Yellow),
        Deed::Reload => ("~", "reload", AnsiColor::Cyan),
        Deed::Restart => ("~", "restart", AnsiColor::Yellow),
        Deed::Update => ("~", "update", AnsiColor::Cyan),
        Deed::Remove => ("-", "remove", AnsiColor::Red),
    };
    let style = Style::new().fg_color(Some(color.into()));
    let kinds = [("interrupts", &change.interrupts), ("replaces", &change.replaces), ("reloads", &change.reloads)];
    let touched: Vec<String> = kinds
        .into_iter()
        .filter(|(_, names)| !names.is_empty())
        .map(|(word, names)| format!("{word} {}", names.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")))
        .collect();
    let interrupts = if touched.is_empty() { String::new() } else { format!("  ({})", touched.join("; ")) };
    let head = format!("{style}{sign}{style:#} {word} {}{interrupts}\n", change.part);
    let reasons = change.reasons.iter().map(|reason| format!("    {reason}\n"));
    std::iter::once(head).chain(reasons).collect()
}
