//! `server.tls`: certificates and keys are read here, so that the reload watches their files.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, Error, InconsistentKeys, RootCertStore};

use crate::ambient;
use crate::config::code::Code;
use crate::config::finding::Finding;
use crate::config::reader::Reader;
use crate::config::section::Section;
use crate::config::server_tls::{ClientCa, ServerTls};
use crate::config::span::Span;
use crate::config::yaml::Entry;

const CHAIN: &str =
    "it must be a PEM file: the server's certificate first, then those that lead to its authority";

/// The `server.tls` block.
pub(super) fn server_tls(mut section: Section, reader: &mut Reader<'_>) -> Option<ServerTls> {
    let certificate = section.require(reader, "certificate", "tls.crt");
    let private_key = section.require(reader, "private_key", "tls.key");
    let client_ca = section.take("client_ca");
    section.finish(reader);
    let chain = certificate.as_ref().and_then(|entry| chain(entry, reader));
    let key = private_key
        .as_ref()
        .and_then(|entry| private_key_of(entry, reader));
    let ca = client_ca.as_ref().map(|entry| client_ca_of(entry, reader));
    let places = (certificate?.node.span, private_key?.node.span);
    let certified = certify(chain?, key?, places, reader)?;
    // what is refused must not become "everybody"
    let client_ca = match ca {
        Some(ca) => Some(ca?),
        None => None,
    };
    Some(ServerTls {
        certified: Arc::new(certified),
        client_ca,
    })
}

/// Certificates, and the name of their file.
struct Chain {
    file: String,
    certificates: Vec<CertificateDer<'static>>,
}

fn chain(entry: &Entry, reader: &mut Reader<'_>) -> Option<Chain> {
    let chain = certificates(entry, CHAIN, reader)?;
    if let Err(error) = check_validity(&chain.certificates[0], ambient::unix_seconds()) {
        let file = &chain.file;
        match error {
            Validity::Unreadable => {
                let message = format!(
                    "the first certificate of `{file}` is no X.509 certificate of version 3"
                );
                let finding = Finding::error(Code::InvalidCertificate, entry.node.span, message);
                reader.report(finding.help(CHAIN));
                return None;
            }
            Validity::Elsewhen(when) => {
                let message = format!("the certificate of `{file}` {when}: clients will refuse it");
                let finding = Finding::warning(Code::ExpiredCertificate, entry.node.span, message);
                let help = "put a new one in its place; it is read without a restart";
                reader.report(finding.help(help));
            }
        }
    }
    Some(chain)
}

fn certificates(entry: &Entry, help: &str, reader: &mut Reader<'_>) -> Option<Chain> {
    let (file, bytes) = reader.file(entry)?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    let message = match certificates {
        Ok(certificates) if !certificates.is_empty() => return Some(Chain { file, certificates }),
        Ok(_) => format!("`{file}` holds no certificate"),
        Err(_) => format!("`{file}` is no sound PEM file"),
    };
    reader.report(Finding::error(Code::InvalidCertificate, entry.node.span, message).help(help));
    None
}

fn private_key_of(
    entry: &Entry,
    reader: &mut Reader<'_>,
) -> Option<(String, PrivateKeyDer<'static>)> {
    let (file, bytes) = reader.file(entry)?;
    let key = PrivateKeyDer::from_pem_slice(&bytes).ok();
    if key.is_none() {
        let message = format!("`{file}` holds no private key");
        let finding = Finding::error(Code::InvalidCertificate, entry.node.span, message);
        reader.report(
            finding.help("it must be a PEM file with `BEGIN PRIVATE KEY`, without a passphrase"),
        );
    }
    key.map(|key| (file, key))
}

fn certify(
    chain: Chain,
    (key_file, key): (String, PrivateKeyDer<'static>),
    (certificate, private_key): (Span, Span),
    reader: &mut Reader<'_>,
) -> Option<CertifiedKey> {
    let error =
        match CertifiedKey::from_der(chain.certificates, key, &aws_lc_rs::default_provider()) {
            Ok(certified) => return Some(certified),
            Err(error) => error,
        };
    let finding = if error == Error::InconsistentKeys(InconsistentKeys::KeyMismatch) {
        let message = format!(
            "the private key of `{key_file}` does not belong to the certificate of `{}`",
            chain.file
        );
        Finding::error(Code::InvalidCertificate, private_key, message)
            .note(certificate, "the certificate is named here")
            .help("name the key that the certificate was made with")
    } else {
        let message = format!("the private key cannot be used: {error}");
        Finding::error(Code::InvalidCertificate, private_key, message)
            .help("make one with `openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256`")
    };
    reader.report(finding);
    None
}

fn client_ca_of(entry: &Entry, reader: &mut Reader<'_>) -> Option<ClientCa> {
    const HELP: &str = "it must be a PEM file with the certificates of the authorities that clients have theirs from";
    let Chain { file, certificates } = certificates(entry, HELP, reader)?;
    let authorities = ClientCa::new(certificates);
    if authorities.is_none() {
        let message = format!("not every certificate of `{file}` is that of an authority");
        reader
            .report(Finding::error(Code::InvalidCertificate, entry.node.span, message).help(HELP));
    }
    authorities
}

/// What is wrong with a certificate, whoever has signed it.
enum Validity {
    Unreadable,
    Elsewhen(String),
}

/// Holds a certificate against the clock. Its signature is for the clients to check: no authority is trusted here.
fn check_validity(certificate: &CertificateDer<'_>, now: u64) -> Result<(), Validity> {
    let parsed = ParsedCertificate::try_from(certificate).map_err(|_| Validity::Unreadable)?;
    let provider = aws_lc_rs::default_provider();
    let algorithms = provider.signature_verification_algorithms.all;
    let now = UnixTime::since_unix_epoch(Duration::from_secs(now));
    let roots = RootCertStore::empty();
    let verdict = verify_server_cert_signed_by_trust_anchor(&parsed, &roots, &[], now, algorithms);
    match verdict {
        Err(Error::InvalidCertificate(CertificateError::ExpiredContext { not_after, .. })) => Err(
            Validity::Elsewhen(format!("expired on {}", date(not_after))),
        ),
        Err(Error::InvalidCertificate(CertificateError::NotValidYetContext {
            not_before, ..
        })) => Err(Validity::Elsewhen(format!(
            "is valid from {} on",
            date(not_before)
        ))),
        // with no authority to trust, every sound certificate fails in the end
        Ok(()) | Err(_) => Ok(()),
    }
}

fn date(time: UnixTime) -> humantime::Rfc3339Timestamp {
    humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_secs(time.as_secs()))
}
