//! Versions of Debian packages, in the order that its policy manual gives them (section 5.6.12).

use std::cmp::Ordering;

/// Compares two versions: epoch, upstream version, revision.
#[must_use]
pub fn compare(left: &str, right: &str) -> Ordering {
    let ((left_epoch, left), (right_epoch, right)) = (epoch(left), epoch(right));
    let ((left, left_revision), (right, right_revision)) = (revision(left), revision(right));
    left_epoch
        .cmp(&right_epoch)
        .then_with(|| piece(left.as_bytes(), right.as_bytes()))
        .then_with(|| piece(left_revision.as_bytes(), right_revision.as_bytes()))
}

/// The version that its authors gave it: without epoch and revision.
#[must_use]
pub fn upstream(version: &str) -> &str {
    revision(epoch(version).1).0
}

fn epoch(version: &str) -> (u64, &str) {
    match version.split_once(':') {
        Some((epoch, rest)) => (epoch.parse().unwrap_or(0), rest),
        None => (0, version),
    }
}

/// No revision is as `0`.
fn revision(version: &str) -> (&str, &str) {
    version.rsplit_once('-').unwrap_or((version, "0"))
}

/// Runs of other characters and runs of digits in turn.
fn piece(mut left: &[u8], mut right: &[u8]) -> Ordering {
    while !left.is_empty() || !right.is_empty() {
        let (left_word, left_rest) = take(left, false);
        let (right_word, right_rest) = take(right, false);
        let words = word(left_word, right_word);
        if words != Ordering::Equal {
            return words;
        }
        let (left_number, left_rest) = take(left_rest, true);
        let (right_number, right_rest) = take(right_rest, true);
        let numbers = number(left_number, right_number);
        if numbers != Ordering::Equal {
            return numbers;
        }
        (left, right) = (left_rest, right_rest);
    }
    Ordering::Equal
}

fn take(text: &[u8], digits: bool) -> (&[u8], &[u8]) {
    let end = text.iter().position(|byte| byte.is_ascii_digit() != digits).unwrap_or(text.len());
    text.split_at(end)
}

/// `~` sorts before the end, the end before letters, letters before all else.
fn word(left: &[u8], right: &[u8]) -> Ordering {
    let rank = |byte: Option<&u8>| match byte {
        Some(b'~') => -1,
        None => 0,
        Some(byte) if byte.is_ascii_alphabetic() => i32::from(*byte),
        Some(byte) => i32::from(*byte) + 256,
    };
    let longest = left.len().max(right.len());
    let differ = (0..longest).map(|at| rank(left.get(at)).cmp(&rank(right.get(at)))).find(|order| order.is_ne());
    differ.unwrap_or(Ordering::Equal)
}

/// Numbers of any length.
fn number(left: &[u8], right: &[u8]) -> Ordering {
    let plain = |digits: &'_ [u8]| digits.iter().position(|byte| *byte != b'0').unwrap_or(digits.len());
    let (left, right) = (&left[plain(left)..], &right[plain(right)..]);
    left.len().cmp(&right.len()).then_with(|| left.cmp(right))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ordered_as_the_policy_says() {
        let rising = [
            "0~~",
            "0~~a",
            "0~",
            "0",
            "0.0-1~bpo1",
            "0.0-1",
            "0.0-1+b1",
            "0.9",
            "0.10",
            "0.10a",
            "0.10+dfsg",
            "1.0~rc1-1",
            "1.0-1",
            "1.0-1.1",
            "1.0-2",
            "1.0-10",
            "1.0a-1",
            "1.0.0-1",
            "2-0",
            "1:0.1",
            "2:0",
        ];
        for (at, left) in rising.iter().enumerate() {
            for (other, right) in rising.iter().enumerate() {
                assert_eq!(compare(left, right), at.cmp(&other), "{left} {right}");
            }
        }
        for (left, right) in [("1.0", "1.0-0"), ("0:1", "1"), ("1.00", "1.0"), ("1.2.3", "1.2.03")] {
            assert_eq!(compare(left, right), Ordering::Equal, "{left} {right}");
        }
    }
    #[test]
    fn the_version_of_its_authors_is_without_epoch_and_revision() {
        for (version, own) in
            [("3.11.2-6+deb12u6", "3.11.2"), ("1:2.0-rc-1", "2.0-rc"), ("3.13.0~rc2-1", "3.13.0~rc2"), ("7", "7")]
        {
            assert_eq!(upstream(version), own);
        }
    }
}
