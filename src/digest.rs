//! Digests: BLAKE3 for everything that is ours, SHA-256 where a publisher gives it.

use std::fmt;
use std::io::{self, Read};
use std::path::Path;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A text that is no digest of the expected kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no digest: 64 hexadecimal digits are expected")]
pub struct DigestError(String);

macro_rules! digest {
    ($(#[$doc:meta])* $type:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $type([u8; 32]);

        impl $type {
            /// The 32 bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }

            /// A digest from its 32 bytes.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }

            /// The 64 hexadecimal digits.
            #[must_use]
            pub fn to_hex(self) -> String {
                blake3::Hash::from_bytes(self.0).to_hex().to_string()
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.to_hex())
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($type), self.to_hex())
            }
        }

        impl FromStr for $type {
            type Err = DigestError;

            fn from_str(text: &str) -> Result<Self, DigestError> {
                let hash = blake3::Hash::from_hex(text.to_ascii_lowercase())
                    .map_err(|_| DigestError(text.to_owned()))?;
                Ok(Self(*hash.as_bytes()))
            }
        }

        impl TryFrom<String> for $type {
            type Error = DigestError;

            fn try_from(text: String) -> Result<Self, DigestError> {
                text.parse()
            }
        }

        impl From<$type> for String {
            fn from(digest: $type) -> String {
                digest.to_hex()
            }
        }
    };
}

digest! {
    /// A BLAKE3 digest of content that is ours.
    Digest
}

digest! {
    /// A SHA-256 digest that a publisher gave for a file.
    Sha256
}

impl Digest {
    /// The digest of some bytes.
    #[must_use]
    pub fn of(bytes: impl AsRef<[u8]>) -> Self {
        Self(*blake3::hash(bytes.as_ref()).as_bytes())
    }

    /// The digest of all that a reader gives.
    ///
    /// # Errors
    /// What the reader fails with.
    pub fn of_reader(reader: impl Read) -> io::Result<Self> {
        let mut hasher = blake3::Hasher::new();
        hasher.update_reader(reader)?;
        Ok(Self(*hasher.finalize().as_bytes()))
    }

    /// The digest of a file's content, read in pieces: mapped, a large one would count as memory of ours.
    ///
    /// # Errors
    /// What opening or reading the file fails with.
    pub fn of_file(path: &Path) -> io::Result<Self> {
        Self::of_reader(std::fs::File::open(path)?)
    }

    /// The digest of a value's canonical JSON. Maps in such values must be ordered (`BTreeMap`).
    ///
    /// # Panics
    /// If the value cannot be written as JSON, which no type of this crate allows.
    #[must_use]
    pub fn of_json(value: &impl Serialize) -> Self {
        Self::of(serde_json::to_vec(value).expect("types of this crate are valid JSON"))
    }

    /// The first 20 hexadecimal digits (80 bits): long enough for a name that is also checked by its manifest.
    #[must_use]
    pub fn short(&self) -> String {
        self.to_hex()[..20].to_owned()
    }
}

impl Sha256 {
    /// The digest of some bytes.
    #[must_use]
    pub fn of(bytes: impl AsRef<[u8]>) -> Self {
        use sha2::Digest as _;
        Self(sha2::Sha256::digest(bytes.as_ref()).into())
    }

    /// The digest of all that a reader gives.
    ///
    /// # Errors
    /// What the reader fails with.
    pub fn of_reader(mut reader: impl Read) -> io::Result<Self> {
        // Where a processor has no instructions for it, this one is twice as fast; whole downloads are hashed here at each use.
        let mut hasher = ring::digest::Context::new(&ring::digest::SHA256);
        let mut buffer = vec![0; 1 << 16];
        let mut digest = [0; 32];
        loop {
            match reader.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => hasher.update(&buffer[..count]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        digest.copy_from_slice(hasher.finish().as_ref());
        Ok(Self(digest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_round_trip_as_text() {
        let digest = Digest::of("jove");
        assert_eq!(digest.to_hex().parse::<Digest>(), Ok(digest));
        assert!("12".parse::<Digest>().is_err());
        assert_eq!(Sha256::of("abc").to_hex(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        let long = vec![b'x'; 200_000];
        for bytes in [&b""[..], b"abc", &long] {
            assert_eq!(Sha256::of_reader(bytes).expect("read"), Sha256::of(bytes));
        }
    }
}
