//! Every reason for which a signature does not count, beside the same keys and the same signature without it.

use pgp::composed::{
    ArmorOptions, KeyType, SecretKeyParamsBuilder, SignedKeyDetails, SignedSecretKey, SubkeyParamsBuilder,
};
use pgp::packet::{KeyFlags, SignatureConfig, Subpacket, SubpacketData};
use pgp::types::{Duration, Password, SignedUser, SigningKey, Tag, Timestamp as Time};

use super::*;

/// When everything was made, in seconds.
const MADE: u32 = 1_700_000_000;
const HOUR: u32 = 3600;

const TEXT: &str = "Origin: Test\nSuite: stable\n";

/// What is wrong. What ends, ends after an hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    KeyEnds,
    KeyMayNotSign,
    KeyRevoked,
    SignatureEnds,
    SignatureOfTheFuture,
    SubkeyEnds,
    SubkeyMayNotSign,
    SubkeyRevoked,
    SubkeyUnbound,
    SubkeyWithoutBackSignature,
    WeakDigest,
}

/// A key with a subkey.
fn keys(kind: KeyType) -> SignedSecretKey {
    let made = Time::from_secs(MADE);
    let mut subkey = SubkeyParamsBuilder::default();
    subkey.key_type(KeyType::Ed25519Legacy).can_sign(true).created_at(made);
    let mut params = SecretKeyParamsBuilder::default();
    params
        .key_type(kind)
        .can_certify(true)
        .can_sign(true)
        .created_at(made)
        .primary_user_id("Archive <a@example.org>".into())
        .subkey(subkey.build().expect("parameters"));
    params.build().expect("parameters").generate(rand::thread_rng()).expect("keys")
}

/// What a signature says of itself.
fn config(
    kind: SignatureType,
    by: &impl SigningKey,
    digest: HashAlgorithm,
    made: u32,
    more: Vec<SubpacketData>,
) -> SignatureConfig {
    let own = [
        SubpacketData::SignatureCreationTime(Time::from_secs(made)),
        SubpacketData::IssuerFingerprint(by.fingerprint()),
    ];
    let packets = own.into_iter().chain(more).map(|data| Subpacket::regular(data).expect("a packet"));
    SignatureConfig { hashed_subpackets: packets.collect(), ..SignatureConfig::v4(kind, by.algorithm(), digest) }
}

/// What the owner says of a key: whether it may sign, and whether it ends.
fn of_key(may_sign: bool, ends: bool) -> Vec<SubpacketData> {
    let mut flags = KeyFlags::default();
    flags.set_certify(true);
    flags.set_sign(may_sign);
    let end = ends.then(|| SubpacketData::KeyExpirationTime(Duration::from_secs(HOUR)));
    [SubpacketData::KeyFlags(flags)].into_iter().chain(end).collect()
}

/// The public half of some keys, in which one thing is wrong. `stranger` revokes them, too, which is none of its business.
fn public(keys: &SignedSecretKey, fault: Option<Fault>, stranger: &SignedSecretKey) -> SignedPublicKey {
    let (key, subkey, word) = (&keys.primary_key, &keys.secret_subkeys[0].key, Password::empty());
    let has = |wanted: Fault| fault == Some(wanted);
    let of = |kind: SignatureType, more: Vec<SubpacketData>| config(kind, key, HashAlgorithm::Sha256, MADE, more);
    let id = keys.details.users[0].id.clone();
    let own = of(SignatureType::CertPositive, of_key(!has(Fault::KeyMayNotSign), has(Fault::KeyEnds)));
    let own = own.sign_certification(key, key.public_key(), &word, Tag::UserId, &id).expect("signed");
    let foreign = config(SignatureType::KeyRevocation, &stranger.primary_key, HashAlgorithm::Sha256, MADE, Vec::new());
    let mut revocations = vec![foreign.sign_key(&stranger.primary_key, &word, key.public_key()).expect("signed")];
    if has(Fault::KeyRevoked) {
        let revocation = of(SignatureType::KeyRevocation, Vec::new());
        revocations.push(revocation.sign_key(key, &word, key.public_key()).expect("signed"));
    }
    let mut bound = of_key(!has(Fault::SubkeyMayNotSign), has(Fault::SubkeyEnds));
    if !has(Fault::SubkeyWithoutBackSignature) {
        let back = config(SignatureType::KeyBinding, subkey, HashAlgorithm::Sha256, MADE, Vec::new());
        let back = back.sign_primary_key_binding(subkey, subkey.public_key(), &word, key.public_key()).expect("signed");
        bound.push(SubpacketData::EmbeddedSignature(Box::new(back)));
    }
    let signer = if has(Fault::SubkeyUnbound) { &stranger.primary_key } else { key };
    let binding = config(SignatureType::SubkeyBinding, signer, HashAlgorithm::Sha256, MADE, bound);
    let bind = |config: SignatureConfig, by| {
        config.sign_subkey_binding(by, key.public_key(), &word, subkey.public_key()).expect("signed")
    };
    let mut bindings = vec![bind(binding, signer)];
    if has(Fault::SubkeyRevoked) {
        bindings.push(bind(of(SignatureType::SubkeyRevocation, Vec::new()), key));
    }
    let details = SignedKeyDetails::new(revocations, Vec::new(), vec![SignedUser::new(id, vec![own])], Vec::new());
    let subkey = SignedPublicSubKey::new(subkey.public_key().clone(), bindings);
    SignedPublicKey::new(key.public_key().clone(), details, vec![subkey])
}

/// The text, signed by a key or its subkey.
fn document(keys: &SignedSecretKey, by_subkey: bool, fault: Option<Fault>) -> String {
    let has = |wanted: Fault| fault == Some(wanted);
    let digest = if has(Fault::WeakDigest) { HashAlgorithm::Sha1 } else { HashAlgorithm::Sha256 };
    let made = if has(Fault::SignatureOfTheFuture) { MADE + 48 * HOUR } else { MADE };
    let end = has(Fault::SignatureEnds).then(|| SubpacketData::SignatureExpirationTime(Duration::from_secs(HOUR)));
    let more: Vec<SubpacketData> = end.into_iter().collect();
    let word = Password::empty();
    let signed = if by_subkey {
        let key = &keys.secret_subkeys[0].key;
        CleartextSignedMessage::new(TEXT, config(SignatureType::Text, key, digest, made, more), key, &word)
    } else {
        let key = &keys.primary_key;
        CleartextSignedMessage::new(TEXT, config(SignatureType::Text, key, digest, made, more), key, &word)
    };
    signed.expect("signed").to_armored_string(ArmorOptions::default()).expect("armoured")
}

/// What comes of a text that is checked some seconds after everything was made.
struct Trial {
    keys: SignedSecretKey,
    stranger: SignedSecretKey,
}

impl Trial {
    fn check(&self, by_subkey: bool, fault: Option<Fault>, after: u32) -> Result<String, SignatureError> {
        let public = public(&self.keys, fault, &self.stranger);
        let mut keyring = Keyring::default();
        keyring.add(public.to_armored_string(ArmorOptions::default()).expect("armoured").as_bytes());
        assert_eq!(keyring.len(), 1);
        let now = Timestamp::from_second(i64::from(MADE + after)).expect("a time");
        keyring.check(&document(&self.keys, by_subkey, fault), now)
    }

    /// It does not count for this reason, and without it does.
    #[track_caller]
    fn refuses(&self, fault: Fault, by_subkey: bool, why: &str) {
        assert_eq!(self.check(by_subkey, None, 2 * HOUR), Ok(TEXT.to_owned()), "without {fault:?}");
        match self.check(by_subkey, Some(fault), 2 * HOUR) {
            Err(SignatureError::Bad(said)) => {
                assert!(
                    matches!(said.as_slice(), [said] if said.ends_with(&format!(": {why}"))),
                    "{fault:?}: {said:?}"
                );
            }
            other => panic!("{fault:?}: {other:?}"),
        }
    }
}

#[test]
fn a_signature_counts_only_if_nothing_is_wrong_with_it_or_its_key() {
    let trial = Trial { keys: keys(KeyType::Ed25519Legacy), stranger: keys(KeyType::Ed25519Legacy) };
    let expired = "the key expired; the machine's keyring package has a newer one";
    // What is wrong with the key is wrong with all that its subkey signs.
    for by_subkey in [false, true] {
        trial.refuses(Fault::KeyEnds, by_subkey, expired);
        trial.refuses(Fault::KeyRevoked, by_subkey, "the key was revoked");
        trial.refuses(Fault::SignatureEnds, by_subkey, "the signature expired");
        let future = "it was made in the future; is this machine's clock right?";
        trial.refuses(Fault::SignatureOfTheFuture, by_subkey, future);
    }
    trial.refuses(Fault::KeyMayNotSign, false, "the key may not sign");
    trial.refuses(Fault::SubkeyEnds, true, expired);
    trial.refuses(Fault::SubkeyMayNotSign, true, "the subkey may not sign");
    trial.refuses(Fault::SubkeyRevoked, true, "the subkey was revoked");
    trial.refuses(Fault::SubkeyUnbound, true, "the subkey is not bound to its key");
    trial.refuses(Fault::SubkeyWithoutBackSignature, true, "the subkey does not say that it belongs to its key");
}

#[test]
fn what_ends_counts_until_then_and_what_is_wrong_elsewhere_does_not_matter() {
    let trial = Trial { keys: keys(KeyType::Ed25519Legacy), stranger: keys(KeyType::Ed25519Legacy) };
    for fault in [Fault::KeyEnds, Fault::SubkeyEnds, Fault::SignatureEnds] {
        assert_eq!(trial.check(true, Some(fault), HOUR / 2), Ok(TEXT.to_owned()), "{fault:?}");
    }
    let elsewhere = [
        (Fault::KeyMayNotSign, true),
        (Fault::SubkeyEnds, false),
        (Fault::SubkeyMayNotSign, false),
        (Fault::SubkeyRevoked, false),
        (Fault::SubkeyUnbound, false),
        (Fault::SubkeyWithoutBackSignature, false),
    ];
    for (fault, by_subkey) in elsewhere {
        assert_eq!(trial.check(by_subkey, Some(fault), 2 * HOUR), Ok(TEXT.to_owned()), "{fault:?}");
    }
}

#[test]
fn a_weak_digest_does_not_count() {
    // Keys of other kinds refuse to sign with it.
    let trial = Trial { keys: keys(KeyType::Rsa(2048)), stranger: keys(KeyType::Ed25519Legacy) };
    trial.refuses(Fault::WeakDigest, false, "it uses a digest that is too weak");
}

#[test]
fn who_is_not_in_the_keyring_is_a_stranger() {
    let trial = Trial { keys: keys(KeyType::Ed25519Legacy), stranger: keys(KeyType::Ed25519Legacy) };
    let mut keyring = Keyring::default();
    let other = public(&trial.stranger, None, &trial.keys).to_armored_string(ArmorOptions::default());
    keyring.add(other.expect("armoured").as_bytes());
    let text = document(&trial.keys, false, None);
    let now = Timestamp::from_second(i64::from(MADE)).expect("a time");
    assert!(matches!(keyring.check(&text, now), Err(SignatureError::Unknown(strangers)) if strangers.len() == 1));
    assert_eq!(keyring.check(TEXT, now), Err(SignatureError::Unsigned));
    let altered = text.replace("stable", "stale!");
    assert_eq!(trial.check(false, None, 0), Ok(TEXT.to_owned()));
    let mut own = Keyring::default();
    let public = public(&trial.keys, None, &trial.stranger).to_armored_string(ArmorOptions::default());
    own.add(public.expect("armoured").as_bytes());
    let Err(SignatureError::Bad(said)) = own.check(&altered, now) else { panic!("an altered text") };
    assert!(said[0].ends_with("the text was altered"), "{said:?}");
}
