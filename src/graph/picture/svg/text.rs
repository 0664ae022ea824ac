//! Text in a drawing: escaped, measured and cut.

/// For text and for values of attributes. Characters that no XML may hold become a replacement character.
pub(super) fn escaped(text: &str) -> String {
    let mut made = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => made.push_str("&amp;"),
            '<' => made.push_str("&lt;"),
            '>' => made.push_str("&gt;"),
            '"' => made.push_str("&quot;"),
            '\'' => made.push_str("&#39;"),
            '\n' | '\r' | '\t' => made.push(' '),
            '\u{FFFE}' | '\u{FFFF}' => made.push(char::REPLACEMENT_CHARACTER),
            c if c.is_control() => made.push(char::REPLACEMENT_CHARACTER),
            c => made.push(c),
        }
    }
    made
}

/// About how wide a text is, in a common sans-serif of that size; rather too wide than too narrow.
pub(super) fn width(text: &str, size: f64) -> f64 {
    text.chars().map(|c| em(c) * size).sum()
}

/// The text, cut with `…` if it is wider than that.
pub(super) fn shortened(text: &str, size: f64, widest: f64) -> String {
    if width(text, size) <= widest {
        return text.to_owned();
    }
    let mut left = widest - width("…", size);
    let kept: String = text
        .chars()
        .take_while(|c| {
            left -= em(*c) * size;
            left >= 0.0
        })
        .collect();
    format!("{}…", kept.trim_end())
}

fn em(c: char) -> f64 {
    match c {
        'i' | 'j' | 'l' | '.' | ',' | ':' | ';' | '\'' | '|' | '!' => 0.32,
        'f' | 't' | 'r' | 'I' | '(' | ')' | '[' | ']' | ' ' | '-' | '/' => 0.41,
        'm' | 'w' | 'M' | 'W' | '@' | '…' | '%' => 0.95,
        'A'..='Z' | '&' => 0.72,
        c if c.is_ascii() => 0.62,
        // Han, kana, hangul and pictures are as wide as they are high.
        '\u{1100}'..='\u{115F}' | '\u{2E80}'..='\u{A4CF}' | '\u{AC00}'..='\u{D7A3}' | '\u{F900}'..='\u{FAFF}' => 1.05,
        '\u{FF00}'..='\u{FF60}' | '\u{1F300}'..='\u{3FFFF}' => 1.05,
        _ => 0.7,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_and_control_characters_are_escaped() {
        assert_eq!(escaped("<a b=\"c\">&'\u{0}\n"), "&lt;a b=&quot;c&quot;&gt;&amp;&#39;\u{FFFD} ");
    }

    #[test]
    fn long_text_is_cut_to_its_room() {
        assert_eq!(shortened("short", 13.0, 200.0), "short");
        let cut = shortened(&"wide ".repeat(40), 13.0, 100.0);
        assert!(cut.ends_with('…') && width(&cut, 13.0) <= 100.0, "{cut}");
        assert_eq!(shortened("", 13.0, 0.0), "");
    }
}
