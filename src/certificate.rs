//! Certificates of web servers: made by ourselves for want of better ones, and read, whoever made them.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use jiff::{Timestamp, ToSpan as _};
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose};
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::{self, PemObject as _};
use x509_parser::extensions::GeneralName;
use x509_parser::pem::parse_x509_pem;

/// What a certificate says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// The names and addresses that it is for.
    pub names: BTreeSet<String>,
    /// Before this it does not hold.
    pub begins: Timestamp,
    /// After this it does not hold.
    pub ends: Timestamp,
}

/// Why a certificate cannot be made or used.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A name that no certificate can have.
    #[error("no certificate can be made for {names}: {reason}")]
    Make {
        /// The names.
        names: String,
        /// Why.
        reason: String,
    },
    /// The file cannot be read.
    #[error("the certificate {path} cannot be read: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file holds no key.
    #[error("{path} holds no key (PEM): {reason}")]
    Key {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The file holds something else.
    #[error("{path} holds no certificate (PEM): {reason}")]
    Form {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

/// Makes a certificate that is its own authority, from yesterday on for so many days: the text of the certificate and of its key,
/// one behind the other.
///
/// # Errors
/// If a name is none.
pub fn make(names: &BTreeSet<String>, days: u16, now: Timestamp) -> Result<String, CertificateError> {
    let failed = |error: rcgen::Error| CertificateError::Make {
        names: names.iter().map(String::as_str).collect::<Vec<_>>().join(", "),
        reason: error.to_string(),
    };
    let mut params = CertificateParams::new(names.iter().cloned().collect::<Vec<_>>()).map_err(failed)?;
    let shown = names.iter().find(|name| name.parse::<IpAddr>().is_err()).or(names.first());
    params.distinguished_name.push(DnType::CommonName, shown.map_or("jove-install", String::as_str));
    params.distinguished_name.push(DnType::OrganizationName, "made by jove-install");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let date = |days: i64| {
        let day = now.saturating_add((days * 24).hours()).unwrap_or(now).to_zoned(jiff::tz::TimeZone::UTC).date();
        let number = |part: i8| u8::try_from(part).unwrap_or(1);
        rcgen::date_time_ymd(i32::from(day.year()), number(day.month()), number(day.day()))
    };
    // A clock that is a little behind ours finds it valid, too.
    params.not_before = date(-1);
    params.not_after = date(i64::from(days));
    let key = KeyPair::generate().map_err(failed)?;
    let made = params.self_signed(&key).map_err(failed)?;
    Ok(format!("{}{}", made.pem(), key.serialize_pem()))
}

/// Reads the first certificate of a file.
///
/// # Errors
/// If it cannot be read or holds none.
pub fn read(path: &Path) -> Result<Certificate, CertificateError> {
    let bytes = std::fs::read(path).map_err(|source| CertificateError::Read { path: path.to_owned(), source })?;
    of_pem(&bytes).map_err(|reason| CertificateError::Form { path: path.to_owned(), reason })
}

/// Whether a file's first key is that of a file's first certificate. Of a kind of key that we do not know, the server decides.
///
/// # Errors
/// If either file cannot be read or holds something else.
pub fn is_key_of(key: &Path, certificate: &Path) -> Result<bool, CertificateError> {
    let bytes =
        std::fs::read(certificate).map_err(|source| CertificateError::Read { path: certificate.to_owned(), source })?;
    let wrong = |reason: String| CertificateError::Form { path: certificate.to_owned(), reason };
    let (_, pem) = parse_x509_pem(&bytes).map_err(|error| wrong(error.to_string()))?;
    let of_certificate = pem.parse_x509().map_err(|error| wrong(error.to_string()))?;
    let no_key = |error: pem::Error| CertificateError::Key { path: key.to_owned(), reason: error.to_string() };
    let known = any_supported_type(&PrivateKeyDer::from_pem_file(key).map_err(no_key)?).ok();
    let public = known.and_then(|key| key.public_key().map(|public| public.to_vec()));
    Ok(public.is_none_or(|public| public == of_certificate.public_key().raw))
}

fn of_pem(bytes: &[u8]) -> Result<Certificate, String> {
    let (_, pem) = parse_x509_pem(bytes).map_err(|error| error.to_string())?;
    if pem.label != "CERTIFICATE" {
        return Err(format!("it begins with a {}", pem.label.to_lowercase()));
    }
    let read = pem.parse_x509().map_err(|error| error.to_string())?;
    let moment = |seconds: i64| Timestamp::from_second(seconds).map_err(|error| error.to_string());
    let names = read.subject_alternative_name().map_err(|error| error.to_string())?;
    let names = names.into_iter().flat_map(|found| found.value.general_names.iter().filter_map(name));
    Ok(Certificate {
        names: names.collect(),
        begins: moment(read.validity().not_before.timestamp())?,
        ends: moment(read.validity().not_after.timestamp())?,
    })
}

fn name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => {
            let four = <[u8; 4]>::try_from(*bytes).map(IpAddr::from);
            four.or_else(|_| <[u8; 16]>::try_from(*bytes).map(IpAddr::from)).ok().map(|address| address.to_string())
        }
        // Names of mails, folders and things, by which nobody reaches a web server.
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_is_read_again() {
        let names: BTreeSet<String> = ["127.0.0.1", "::1", "wps.example.org"].map(str::to_owned).into();
        let now: Timestamp = "2030-02-03T04:05:06Z".parse().expect("a moment");
        let text = make(&names, 397, now).expect("made");
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("c.pem");
        std::fs::write(&path, &text).expect("written");
        let found = read(&path).expect("read");
        assert_eq!(found.names, names);
        assert_eq!(found.begins.to_string(), "2030-02-02T00:00:00Z");
        assert_eq!(found.ends.to_string(), "2031-03-07T00:00:00Z");
        assert!(text.contains("BEGIN PRIVATE KEY"));
    }

    #[test]
    fn what_is_no_certificate_is_said() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("c.pem");
        let names: BTreeSet<String> = ["a".to_owned()].into();
        let text = make(&names, 1, Timestamp::UNIX_EPOCH).expect("made");
        let key = &text[text.find("-----BEGIN PRIVATE").expect("a key")..];
        for (content, said) in
            [("", "holds no certificate"), ("hello", "holds no certificate"), (key, "it begins with a private key")]
        {
            std::fs::write(&path, content).expect("written");
            let error = read(&path).expect_err("none").to_string();
            assert!(error.contains(said), "{error}");
        }
        assert!(read(&folder.path().join("none")).expect_err("none").to_string().contains("cannot be read"));
    }
}
