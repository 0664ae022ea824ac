//! The words of secrets. They show themselves to nobody but [`SecretWord::reveal`] and `state.toml`.

use std::fmt;

/// Letters of random words: no sign that a shell, an address or an ini file could take for something else.
const LETTERS: &[u8; 52] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The word itself. It has no serial form, so that nothing that holds it can be printed as JSON by mistake.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretWord(String);

impl SecretWord {
    /// A word that was given.
    pub fn new(word: impl Into<String>) -> Self {
        Self(word.into())
    }

    /// The word, for `state.toml`'s reader and [`crate::text::Text::reveal`] only.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretWord(…)")
    }
}

/// A secret as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretEntry {
    /// The word.
    pub word: SecretWord,
    /// Changes with the word and says nothing of it.
    pub version: String,
}

impl SecretEntry {
    /// A new random secret: 32 letters, about 182 bits.
    #[must_use]
    pub fn random() -> Self {
        Self::given(SecretWord(random_letters(32)))
    }

    /// A secret that the user gave.
    #[must_use]
    pub fn given(word: SecretWord) -> Self {
        Self { word, version: random_letters(8).to_ascii_lowercase() }
    }
}

/// What people take for want of a better one, or forget to change.
const COMMON: [&str; 12] = [
    "admin",
    "changeit",
    "changeme",
    "change-me",
    "default",
    "demo",
    "example",
    "insecure",
    "letmein",
    "password",
    "secret",
    "test",
];

impl SecretEntry {
    /// Whether it is short, of one letter, or begins as those that everybody tries.
    #[must_use]
    pub fn is_guessable(&self) -> bool {
        let word = self.word.reveal().to_lowercase();
        let mut letters: Vec<char> = word.chars().collect();
        letters.sort_unstable();
        letters.dedup();
        word.len() < 8 || letters.len() < 4 || word.len() < 20 && COMMON.iter().any(|common| word.contains(common))
    }
}

/// Random letters of the kernel's.
///
/// # Panics
/// If the kernel has no randomness to give, without which nothing here may go on.
pub(super) fn random_letters(count: usize) -> String {
    let mut letters = String::with_capacity(count);
    while letters.len() < count {
        let mut bytes = [0; 64];
        getrandom::fill(&mut bytes).expect("every kernel that this program runs on gives random bytes");
        // 208 = 4 × 52: what lies above would make some letters likelier than others.
        let fair = bytes.iter().filter(|byte| **byte < 208).map(|byte| char::from(LETTERS[usize::from(byte % 52)]));
        letters.extend(fair.take(count - letters.len()));
    }
    letters
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_words_are_letters_and_differ() {
        let (one, other) = (SecretEntry::random(), SecretEntry::random());
        assert_ne!(one, other);
        assert_eq!((one.word.reveal().len(), one.version.len()), (32, 8));
        assert!(one.word.reveal().bytes().all(|letter| letter.is_ascii_alphabetic()));
        let many = random_letters(20_000);
        assert!(LETTERS.iter().all(|letter| many.contains(char::from(*letter))));
    }

    #[test]
    fn a_word_does_not_show_itself() {
        assert_eq!(format!("{:?}", SecretWord::new("canary")), "SecretWord(…)");
    }
}
