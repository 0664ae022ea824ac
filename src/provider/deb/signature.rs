//! Whether a `Release` was signed by an archive's own key: in pure Rust, with the policy that gpgv has.
//!
//! A signature counts if it is good, made by a key of the keyring, not expired, and the key itself (a subkey through its
//! binding by the primary key) may sign, was neither revoked nor expired when it signed, and is not expired now. MD5, SHA-1 and
//! older are refused. Only what was signed is given back.

use std::io::Cursor;

use jiff::Timestamp;
use pgp::composed::{CleartextSignedMessage, Deserializable, SignedPublicKey, SignedPublicSubKey};
use pgp::crypto::hash::HashAlgorithm;
use pgp::packet::{Signature, SignatureType};
use pgp::types::KeyDetails;

#[cfg(test)]
mod tests;

/// The keys whose signatures count.
#[derive(Debug, Default)]
pub struct Keyring(Vec<SignedPublicKey>);

/// Why a text is not trusted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// There is no signature around it.
    #[error("it is not signed")]
    Unsigned,
    /// Nobody who is known signed it.
    #[error("none of its signatures ({}) is by a key of the keyring", .0.join(", "))]
    Unknown(Vec<String>),
    /// Known keys signed it, but none of the signatures counts.
    #[error("no signature counts: {}", .0.join("; "))]
    Bad(Vec<String>),
}

impl Keyring {
    /// Adds the keys of a file, armoured or not. What is no key in it is passed over.
    pub fn add(&mut self, bytes: &[u8]) {
        let Ok((keys, _)) = SignedPublicKey::from_reader_many(Cursor::new(bytes)) else { return };
        self.0.extend(keys.filter_map(Result::ok));
    }

    /// How many keys it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The text of a clear-signed document, if a signature counts at `now`.
    ///
    /// # Errors
    /// Why none does.
    pub fn check(&self, document: &str, now: Timestamp) -> Result<String, SignatureError> {
        let (message, _) = CleartextSignedMessage::from_string(document).map_err(|_| SignatureError::Unsigned)?;
        let text = message.signed_text();
        let mut bad = Vec::new();
        let mut strangers = Vec::new();
        for signature in message.signatures() {
            let signers = self.signers(signature);
            if signers.is_empty() {
                strangers.push(issuer(signature));
            }
            for signer in signers {
                match signer.counts(signature, text.as_bytes(), now) {
                    Ok(()) => return Ok(text.replace("\r\n", "\n")),
                    Err(why) => bad.push(format!("{}: {why}", issuer(signature))),
                }
            }
        }
        match (bad.is_empty(), strangers.is_empty()) {
            (true, true) => Err(SignatureError::Unsigned),
            (true, false) => Err(SignatureError::Unknown(strangers)),
            (false, _) => Err(SignatureError::Bad(bad)),
        }
    }

    fn signers(&self, signature: &Signature) -> Vec<Signer<'_>> {
        let mut signers = Vec::new();
        for key in &self.0 {
            if is_by(signature, &key.primary_key) {
                signers.push(Signer { primary: key, subkey: None });
            }
            let subkeys = key.public_subkeys.iter().filter(|subkey| is_by(signature, &subkey.key));
            signers.extend(subkeys.map(|subkey| Signer { primary: key, subkey: Some(subkey) }));
        }
        signers
    }
}

fn is_by(signature: &Signature, key: &impl KeyDetails) -> bool {
    let fingerprints = signature.issuer_fingerprint();
    if !fingerprints.is_empty() {
        return fingerprints.into_iter().any(|print| *print == key.fingerprint());
    }
    signature.issuer_key_id().into_iter().any(|id| *id == key.legacy_key_id())
}

fn issuer(signature: &Signature) -> String {
    let prints = signature.issuer_fingerprint().into_iter().map(|print| format!("{print:x}"));
    let ids = signature.issuer_key_id().into_iter().map(|id| id.to_string());
    prints.chain(ids).next().unwrap_or_else(|| "a nameless key".to_owned())
}

/// A key that may have signed.
struct Signer<'a> {
    primary: &'a SignedPublicKey,
    subkey: Option<&'a SignedPublicSubKey>,
}

impl Signer<'_> {
    fn counts(&self, signature: &Signature, text: &[u8], now: Timestamp) -> Result<(), String> {
        let strong = [HashAlgorithm::Sha256, HashAlgorithm::Sha384, HashAlgorithm::Sha512];
        if !signature.hash_alg().is_some_and(|hash| strong.contains(&hash)) {
            return Err("it uses a digest that is too weak".to_owned());
        }
        let made = signature.created().map(|time| i64::from(time.as_secs())).ok_or("it has no time")?;
        if made > now.as_second() + 24 * 3600 {
            return Err("it was made in the future; is this machine's clock right?".to_owned());
        }
        if let Some(life) = signature.signature_expiration_time().filter(|life| life.as_secs() > 0)
            && made + i64::from(life.as_secs()) < now.as_second()
        {
            return Err("the signature expired".to_owned());
        }
        let verified = match self.subkey {
            None => signature.verify(&self.primary.primary_key, text),
            Some(subkey) => signature.verify(&subkey.key, text),
        };
        verified.map_err(|_| "it does not fit the text: the text was altered".to_owned())?;
        self.primary_counts(now)?;
        self.subkey.map_or(Ok(()), |subkey| self.subkey_counts(subkey, now))
    }

    /// The primary key is neither revoked nor expired; and may sign, if it is what signed.
    fn primary_counts(&self, now: Timestamp) -> Result<(), String> {
        let key = &self.primary.primary_key;
        let details = &self.primary.details;
        if details.revocation_signatures.iter().any(|revocation| revocation.verify_key(key).is_ok()) {
            return Err("the key was revoked".to_owned());
        }
        let direct = details.direct_signatures.iter().filter(|own| own.verify_key(key).is_ok());
        let users = details.users.iter().flat_map(|user| {
            let own = user.signatures.iter().filter(|own| own.is_certification());
            own.filter(|own| own.verify_certification(key, pgp::types::Tag::UserId, &user.id).is_ok())
        });
        let newest = direct.chain(users).max_by_key(|own| own.created().map(|time| time.as_secs()));
        let newest = newest.ok_or("the key has no valid signature of its own")?;
        check_life(key.created_at().as_secs(), newest, now)?;
        if self.subkey.is_none() && !newest.key_flags().sign() {
            return Err("the key may not sign".to_owned());
        }
        Ok(())
    }

    /// The subkey is bound by the primary key, for signing, and neither revoked nor expired.
    fn subkey_counts(&self, subkey: &SignedPublicSubKey, now: Timestamp) -> Result<(), String> {
        let key = &self.primary.primary_key;
        let bound = |one: &&Signature| one.verify_subkey_binding(key, &subkey.key).is_ok();
        let of = |wanted: SignatureType| subkey.signatures.iter().filter(move |one| one.typ() == Some(wanted));
        if of(SignatureType::SubkeyRevocation).any(|one| bound(&one)) {
            return Err("the subkey was revoked".to_owned());
        }
        let newest =
            of(SignatureType::SubkeyBinding).filter(bound).max_by_key(|one| one.created().map(|time| time.as_secs()));
        let newest = newest.ok_or("the subkey is not bound to its key")?;
        check_life(subkey.key.created_at().as_secs(), newest, now)?;
        if !newest.key_flags().sign() {
            return Err("the subkey may not sign".to_owned());
        }
        let back = newest.embedded_signature();
        if back.is_some_and(|back| back.verify_primary_key_binding(&subkey.key, key).is_ok()) {
            Ok(())
        } else {
            Err("the subkey does not say that it belongs to its key".to_owned())
        }
    }
}

fn check_life(made: u32, own: &Signature, now: Timestamp) -> Result<(), String> {
    let life = own.key_expiration_time().filter(|life| life.as_secs() > 0);
    match life {
        Some(life) if i64::from(made) + i64::from(life.as_secs()) < now.as_second() => {
            Err("the key expired; the machine's keyring package has a newer one".to_owned())
        }
        _ => Ok(()),
    }
}
