//! Paragraphs of `Name: value` lines, as `Release`, `Packages` and `.sources` files have them. Borrows; copies nothing.

use memchr::{memchr, memchr_iter};

/// The paragraphs of a text.
pub fn paragraphs(text: &str) -> impl Iterator<Item = Paragraph<'_>> {
    let ends = memchr::memmem::find_iter(text.as_bytes(), b"\n\n").chain([text.len()]);
    let mut from = 0;
    // An empty line is two bytes, the end of the text none: what is beyond is empty.
    ends.map(move |end| Paragraph(text.get(std::mem::replace(&mut from, end + 2)..end).unwrap_or("")))
        .filter(|paragraph| !paragraph.0.trim().is_empty())
}

/// One paragraph.
#[derive(Debug, Clone, Copy)]
pub struct Paragraph<'a>(&'a str);

impl<'a> Paragraph<'a> {
    /// Its fields, with continuation lines inside the values.
    pub fn fields(self) -> impl Iterator<Item = (&'a str, &'a str)> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            loop {
                if rest.is_empty() {
                    return None;
                }
                let end = field_end(rest);
                let field = &rest[..end];
                rest = rest[end..].strip_prefix('\n').unwrap_or("");
                let colon = memchr(b':', field.as_bytes()).filter(|_| !field.starts_with('#'));
                if let Some(colon) = colon {
                    return Some((&field[..colon], field[colon + 1..].trim()));
                }
            }
        })
    }

    /// One field.
    #[must_use]
    pub fn get(self, name: &str) -> Option<&'a str> {
        self.fields().find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

/// A field ends before a line that does not begin with white space.
fn field_end(text: &str) -> usize {
    let bytes = text.as_bytes();
    let goes_on = |at: usize| matches!(bytes.get(at + 1), Some(b' ' | b'\t'));
    memchr_iter(b'\n', bytes).find(|at| !goes_on(*at)).unwrap_or(bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_have_their_continuation_lines() {
        let text = "# a comment\nPackage: a\nDescription: short\n long\n  longer\nSize: 3\n\n\nPackage: b\n";
        let read: Vec<Vec<_>> = paragraphs(text).map(|paragraph| paragraph.fields().collect()).collect();
        assert_eq!(
            read,
            [vec![("Package", "a"), ("Description", "short\n long\n  longer"), ("Size", "3")], vec![("Package", "b")]]
        );
        assert_eq!(paragraphs(text).next().and_then(|one| one.get("size")), Some("3"));
    }
}
