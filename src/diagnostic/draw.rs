//! Draws diagnostics for people, and as JSON for programs.
//!
//! ```text
//! error: part `web` has two recipes: `nginx` and `caddy`
//!  --> jove.toml:3:10
//!   |
//! 3 | recipe = "caddy"
//!   |          ^^^^^^^ `caddy` here
//!   |
//!  ::: profile:production:9:10
//!   …
//! hint: rename one of the two parts
//! ```
//! annotate-snippets gets only the lines that it shows, and of a very long line only a window around the place: a file of one
//! line of ten megabytes must neither flood the terminal nor take long. Spans are mended here, so that none can be out of
//! bounds or within a letter.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet, normalize_untrusted_str};
use serde_json::json;

use crate::diagnostic::{Diagnostic, Diagnostics, Label, Severity, Source};

/// Lines longer than this are cut, in bytes.
const MAX_LINE: usize = 200;
/// What a cut line keeps before the place, in bytes.
const LEAD: usize = 60;
/// Places further apart than this many lines get excerpts of their own.
const MAX_GAP: usize = 3;
/// A place of more lines than this is shown by its first ones.
const MAX_LINES: usize = 5;
/// More places than these are only named.
const MAX_PLACES: usize = 12;

/// All diagnostics as text: title, excerpts with carets, then hints; an empty line between two of them.
#[must_use]
pub fn draw(diagnostics: &Diagnostics, color: bool) -> String {
    let mut lines = Lines::default();
    let drawn: Vec<String> = diagnostics.0.iter().map(|diagnostic| draw_one(diagnostic, &mut lines, color)).collect();
    drawn.join("\n")
}

/// All diagnostics as `[{severity, message, places: [{file, line, column, text}], hints}]`.
#[must_use]
pub fn json(diagnostics: &Diagnostics) -> serde_json::Value {
    let mut lines = Lines::default();
    let places = |label: &Label, lines: &mut Lines| {
        let source = &label.origin.source;
        let start = floor(&source.text, label.origin.span.start);
        let (line, column) = lines.of(source).position(&source.text, start);
        json!({"file": source.name, "line": line, "column": column, "text": label.text})
    };
    let one = |diagnostic: &Diagnostic| {
        let severity = match diagnostic.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        json!({
            "severity": severity,
            "message": diagnostic.message,
            "places": diagnostic.labels.iter().map(|label| places(label, &mut lines)).collect::<Vec<_>>(),
            "hints": diagnostic.hints,
        })
    };
    diagnostics.0.iter().map(one).collect()
}

/// The starts of the lines of each source, found once a run.
#[derive(Default)]
struct Lines(HashMap<*const Source, Starts>);

struct Starts(Vec<usize>);

impl Lines {
    fn of(&mut self, source: &Arc<Source>) -> &Starts {
        self.0.entry(Arc::as_ptr(source)).or_insert_with(|| {
            let newlines = source.text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
            Starts(std::iter::once(0).chain(newlines.map(|(at, _)| at + 1)).collect())
        })
    }
}

impl Starts {
    /// The line that holds a byte, from 0.
    fn line(&self, at: usize) -> usize {
        self.0.partition_point(|start| *start <= at).saturating_sub(1)
    }

    /// The bytes of a line, without its end.
    fn bytes(&self, text: &str, line: usize) -> Range<usize> {
        let start = self.0.get(line).copied().unwrap_or(text.len());
        let end = self.0.get(line + 1).map_or(text.len(), |next| next - 1);
        start..end.max(start)
    }

    /// Line and column in letters, both from 1.
    fn position(&self, text: &str, at: usize) -> (usize, usize) {
        let line = self.line(at);
        (line + 1, text[self.bytes(text, line).start.min(at)..at].chars().count() + 1)
    }
}

/// A place whose bytes are letters of the text.
struct Place<'a> {
    source: &'a Arc<Source>,
    span: Range<usize>,
    text: &'a str,
    is_first: bool,
}

fn draw_one(diagnostic: &Diagnostic, lines: &mut Lines, color: bool) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let mut group = Group::with_title(level.primary_title(diagnostic.message.as_str()));
    for excerpt in excerpts(diagnostic, lines) {
        group = group.element(excerpt);
    }
    let renderer = if color { Renderer::styled().hyperlink(false) } else { Renderer::plain() };
    let mut drawn = renderer.render(&[group]);
    drawn.push('\n');
    let hints = diagnostic.hints.iter().map(|hint| ("hint", normalize_untrusted_str(hint)));
    let further = diagnostic
        .labels
        .iter()
        .skip(MAX_PLACES)
        .map(|label| ("also", normalize_untrusted_str(&label.origin.to_string())));
    for (word, text) in further.chain(hints) {
        let style = if color { annotate_snippets::renderer::DEFAULT_HELP_STYLE } else { anstyle::Style::new() };
        drawn.push_str(&format!("{style}{word}{style:#}: {text}\n"));
    }
    drawn
}

/// One excerpt for each run of places that lie near each other in one source; the first place's comes first.
fn excerpts<'a>(diagnostic: &'a Diagnostic, lines: &mut Lines) -> Vec<Snippet<'a, annotate_snippets::Annotation<'a>>> {
    let mut places: Vec<Place<'a>> = Vec::new();
    for (index, label) in diagnostic.labels.iter().take(MAX_PLACES).enumerate() {
        let text = &label.origin.source.text;
        let start = floor(text, label.origin.span.start);
        let end = floor(text, label.origin.span.end).max(start);
        places.push(Place { source: &label.origin.source, span: start..end, text: &label.text, is_first: index == 0 });
    }
    let mut runs: Vec<Vec<Place<'a>>> = Vec::new();
    for place in places {
        let starts = lines.of(place.source);
        let line = starts.line(place.span.start);
        let near = runs.iter_mut().find(|run| {
            Arc::ptr_eq(run[0].source, place.source)
                && run.iter().any(|other| starts.line(other.span.start).abs_diff(line) <= MAX_GAP)
        });
        match near {
            Some(run) => run.push(place),
            None => runs.push(vec![place]),
        }
    }
    runs.iter().map(|run| excerpt(run, lines.of(run[0].source))).collect()
}

/// The lines of one run, long ones cut, with its places marked.
fn excerpt<'a>(run: &[Place<'a>], starts: &Starts) -> Snippet<'a, annotate_snippets::Annotation<'a>> {
    let source = run[0].source;
    let text = source.text.as_str();
    let first = run.iter().map(|place| starts.line(place.span.start)).min().unwrap_or_default();
    let last = run.iter().map(|place| last_line(place, starts)).max().unwrap_or(first);
    let mut shown = String::new();
    // For each line: where it begins in what is shown, and which of its bytes are shown.
    let mut windows: Vec<(usize, Range<usize>, bool)> = Vec::new();
    for line in first..=last {
        let bytes = starts.bytes(text, line);
        let window = window(text, &bytes, run);
        let cut = window.start > bytes.start;
        if !windows.is_empty() {
            shown.push('\n');
        }
        windows.push((shown.len(), window.clone(), cut));
        if cut {
            shown.push('…');
        }
        shown.push_str(text[window.clone()].trim_end_matches('\r'));
        if window.end < bytes.end {
            shown.push('…');
        }
    }
    let place_in = |at: usize| {
        let index = starts.line(at).clamp(first, last) - first;
        let (begin, window, cut) = &windows[index];
        let lead = if *cut { '…'.len_utf8() } else { 0 };
        floor(&shown, begin + lead + at.clamp(window.start, window.end) - window.start)
    };
    let marks: Vec<_> = run
        .iter()
        .map(|place| {
            let kind = if place.is_first { AnnotationKind::Primary } else { AnnotationKind::Context };
            let end = place.span.end.min(starts.bytes(text, last_line(place, starts)).end).max(place.span.start);
            let (start, end) = (place_in(place.span.start), place_in(end));
            kind.span(start..end.max(start))
                .label((!place.text.is_empty()).then(|| normalize_untrusted_str(place.text)))
        })
        .collect();
    let anchor = run.iter().find(|place| place.is_first).unwrap_or(&run[0]);
    let cut = windows.iter().any(|(_, _, cut)| *cut);
    // A cut line would be given a column within what is left of it.
    let path = if cut {
        let (line, column) = starts.position(text, anchor.span.start);
        format!("{}:{line}:{column}, cut", source.name)
    } else {
        source.name.clone()
    };
    Snippet::source(shown).line_start(first + 1).path(normalize_untrusted_str(&path)).annotations(marks)
}

/// The last line of a place that is shown.
fn last_line(place: &Place<'_>, starts: &Starts) -> usize {
    let first = starts.line(place.span.start);
    // A place that ends with a line's end does not reach into the next line.
    let end = place.span.end.saturating_sub(1).max(place.span.start);
    starts.line(end).min(first + MAX_LINES - 1)
}

/// Which bytes of a line are shown: all, or some around the first place in it.
fn window(text: &str, line: &Range<usize>, run: &[Place<'_>]) -> Range<usize> {
    if line.len() <= MAX_LINE {
        return line.clone();
    }
    let within = run.iter().map(|place| place.span.start).filter(|start| line.contains(start) || *start == line.end);
    let place = within.min().unwrap_or(line.start);
    let start = if place - line.start <= LEAD { line.start } else { floor(text, place - LEAD) };
    start..floor(text, (start + MAX_LINE).min(line.end))
}

/// The nearest border of a letter at or before `at`.
fn floor(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Origin;
    use proptest::prelude::*;

    fn source(name: &str, text: &str) -> Arc<Source> {
        Arc::new(Source { name: name.into(), text: text.into(), folder: None })
    }

    fn place(source: &Arc<Source>, word: &str) -> Origin {
        let start = source.text.find(word).expect("the word is there");
        Origin::new(source, start..start + word.len())
    }

    #[test]
    fn places_of_several_sources_are_drawn_and_hints_come_last() {
        let project = source("jove.toml", "[parts.web]\nrecipe = \"caddy\"\nport = 80\n");
        let profile = source("profile:production", "\n\n[parts.web]\nrecipe = \"nginx\"\n");
        let diagnostic = Diagnostic::error("part `web` has two recipes: `nginx` and `caddy`")
            .at(&place(&project, "\"caddy\""), "`caddy` here")
            .at(&place(&profile, "\"nginx\""), "`nginx` in a layer below")
            .hint("rename one of the two parts");
        insta::assert_snapshot!(draw(&diagnostic.into(), false), @r#"
        error: part `web` has two recipes: `nginx` and `caddy`
         --> jove.toml:2:10
          |
        2 | recipe = "caddy"
          |          ^^^^^^^ `caddy` here
          |
         ::: profile:production:4:10
          |
        4 | recipe = "nginx"
          |          ------- `nginx` in a layer below
        hint: rename one of the two parts
        "#);
    }

    #[test]
    fn a_diagnostic_without_place_is_its_message() {
        let mut found = Diagnostics::from(Diagnostic::warning("nothing to do").hint("rest"));
        found.push(Diagnostic::error("another"));
        insta::assert_snapshot!(draw(&found, false), @r"
        warning: nothing to do
        hint: rest

        error: another
        ");
    }

    #[test]
    fn a_very_long_line_is_cut_around_the_place() {
        let text = format!("a = \"{}\" é wrong é{}", "x".repeat(5_000_000), "y".repeat(5_000_000));
        let source = source("big.toml", &text);
        let drawn = draw(&Diagnostic::error("too long").at(&place(&source, "wrong"), "here").into(), false);
        assert!(drawn.len() < 2000, "{} bytes", drawn.len());
        assert!(drawn.contains("wrong é") && drawn.contains("^^^^^ here"), "{drawn}");
        assert!(drawn.contains("big.toml:1:5000010"), "{drawn}");
    }

    #[test]
    fn a_place_of_many_lines_is_shown_by_its_first() {
        let text = "x = [\n1,\n".to_owned() + &"2,\n".repeat(1000) + "]\n";
        let source = source("jove.toml", &text);
        let drawn = draw(&Diagnostic::error("a list").at(&Origin::whole(&source), "this").into(), false);
        assert!(drawn.lines().count() < 15, "{drawn}");
    }

    #[test]
    fn the_end_of_a_file_and_nothing_at_all_can_be_places() {
        for text in ["", "\n", "a", "a\r\n", "\r\n\r\n"] {
            let source = source("jove.toml", text);
            let drawn =
                draw(&Diagnostic::error("end").at(&Origin::new(&source, text.len()..text.len()), "x").into(), false);
            assert!(drawn.contains("jove.toml:"), "{drawn}");
        }
    }

    #[test]
    fn json_has_all_fields() {
        let source = source("jove.toml", "é = 1\nb = 2\n");
        let diagnostic = Diagnostic::error("wrong").at(&place(&source, "2"), "here").hint("mend it");
        insta::assert_snapshot!(json(&diagnostic.into()), @r#"[{"severity":"error","message":"wrong","places":[{"file":"jove.toml","line":2,"column":5,"text":"here"}],"hints":["mend it"]}]"#);
    }

    #[test]
    fn colour_is_only_where_it_is_wanted() {
        let source = source("jove.toml", "a = 1\n");
        let found: Diagnostics = Diagnostic::error("wrong").at(&place(&source, "1"), "").hint("mend").into();
        assert!(draw(&found, true).contains("\u{1b}["));
        assert!(!draw(&found, false).contains('\u{1b}'));
    }

    #[test]
    fn control_characters_of_a_file_do_not_reach_the_terminal() {
        let source = source("jove.toml", "a = \"\u{1b}]0;title\u{7}\u{202e}\"\n");
        let hint = format!("did you mean `{}`?", "\u{1b}[2J");
        let drawn =
            draw(&Diagnostic::error("wrong\u{1b}[2J").at(&place(&source, "a"), "\u{7}").hint(hint).into(), false);
        assert!(!drawn.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{drawn:?}");
    }

    proptest! {
        #[test]
        fn no_span_makes_it_panic(text in "\\PC{0,40}|[a-zé\\r\\n\\t …\u{1F600}]{0,500}", spans in prop::collection::vec((0..600_usize, 0..600_usize), 0..5)) {
            let source = source("x", &text);
            let mut diagnostic = Diagnostic::error("x");
            for (start, end) in spans {
                diagnostic = diagnostic.at(&Origin { source: Arc::clone(&source), span: start..end }, "y");
            }
            let found = Diagnostics::from(diagnostic);
            let _ = draw(&found, true);
            let _ = json(&found);
        }
    }
}
