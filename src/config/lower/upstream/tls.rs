//! `upstream.tls`: whom the gateway believes, and who it says it is.

use std::cell::OnceCell;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::pki_types::ServerName;

use crate::config::blocks;
use crate::config::code::Code;
use crate::config::finding::Finding;
use crate::config::reader::Reader;
use crate::config::section::Section;
use crate::config::span::Span;
use crate::config::yaml::Entry;
use crate::net::{
    ClientIdentity, TlsError, TlsSettings, TrustRoots, certificates, private_key, system_roots,
};
use crate::upstream::{Origin, Speaks};

/// The authorities that the system trusts, read once a load, and only where somebody needs them.
#[derive(Default)]
pub(in crate::config::lower) struct SystemRoots(OnceCell<Arc<RootCertStore>>);

impl SystemRoots {
    /// They, and no identity.
    pub(in crate::config::lower) fn tls(&self) -> TlsSettings {
        TlsSettings::new(self.trust(), None, None)
            .expect("only own authorities and identities can be unusable")
    }

    fn trust(&self) -> TrustRoots {
        TrustRoots::System(Arc::clone(self.0.get_or_init(|| Arc::new(system_roots()))))
    }
}

/// The authorities of a file and no others, for a server that knows no client.
pub(in crate::config::lower) fn authorities(
    entry: &Entry,
    reader: &mut Reader<'_>,
) -> Option<Arc<TlsSettings>> {
    let trust = TrustRoots::Only(certificates_of(entry, reader)?);
    let named = Named {
        ca: Some(entry.node.span),
        ..Named::default()
    };
    TlsSettings::new(trust, None, None)
        .map_err(|error| report_unusable(&error, &named, reader))
        .ok()
        .map(Arc::new)
}

/// The files that are named, for what is found out about them later.
#[derive(Default)]
struct Named {
    ca: Option<Span>,
    certificate: Option<Span>,
    key: Option<Span>,
}

/// Where nothing is written: what `https` servers need, if there are any.
pub(super) fn implied(servers: &[Origin], roots: &SystemRoots) -> Option<Arc<TlsSettings>> {
    has_https(servers).then(|| Arc::new(roots.tls()))
}

/// The block. `servers` is `None` where they are refused already.
pub(super) fn written(
    entry: Entry,
    servers: Option<&[Origin]>,
    roots: &SystemRoots,
    reader: &mut Reader<'_>,
) -> Option<Arc<TlsSettings>> {
    if servers.is_some_and(|servers| !has_https(servers)) {
        let finding = Finding::error(
            Code::InvalidValue,
            entry.key_span,
            "`tls` is given, but no server is `https://`",
        );
        reader.report(finding.help("write `https://` where TLS is spoken, or take `tls` away"));
    }
    let mut section = reader.section(entry, &blocks::UPSTREAM_TLS)?;
    let mut named = Named::default();
    let trust = match section.take("ca") {
        Some(entry) => {
            named.ca = Some(entry.node.span);
            certificates_of(&entry, reader).map(TrustRoots::Only)
        }
        None => Some(roots.trust()),
    };
    let server_name = section
        .take("server_name")
        .map(|entry| server_name(&entry, reader));
    let identity = identity(&mut section, &mut named, reader);
    section.finish(reader);
    let made = TlsSettings::new(trust?, server_name.unwrap_or(Some(None))?, identity?);
    made.map_err(|error| report_unusable(&error, &named, reader))
        .ok()
        .map(Arc::new)
}

fn has_https(servers: &[Origin]) -> bool {
    servers.iter().any(|server| server.speaks() == Speaks::Tls)
}

fn server_name(entry: &Entry, reader: &mut Reader<'_>) -> Option<Option<ServerName<'static>>> {
    let text = reader.text(entry)?;
    let name = ServerName::try_from(text).ok();
    if name.is_none() {
        let help = "write the name that the servers' certificate is for, such as `api.internal`"
            .to_owned();
        reader.invalid(entry, "a host name or an IP address", help);
    }
    name.map(Some)
}

/// `client_certificate` and `client_key`: both, or none.
fn identity(
    section: &mut Section,
    named: &mut Named,
    reader: &mut Reader<'_>,
) -> Option<Option<ClientIdentity>> {
    let certificate = section.take("client_certificate");
    let key = section.take("client_key");
    named.certificate = certificate.as_ref().map(|entry| entry.node.span);
    named.key = key.as_ref().map(|entry| entry.node.span);
    let chain = certificate.as_ref();
    let chain = chain.map(|entry| certificates_of(entry, reader));
    let secret = key.as_ref().map(|entry| {
        let (_, text) = reader.file(entry)?;
        private_key(&text)
            .map_err(|error| unusable(entry, &error, reader))
            .ok()
    });
    match (chain, secret) {
        (Some(chain), Some(secret)) => Some(Some(ClientIdentity::new(chain?, secret?))),
        (None, None) => Some(None),
        (Some(_), None) => alone(certificate, "client_key", "client.key", reader),
        (None, Some(_)) => alone(key, "client_certificate", "client.crt", reader),
    }
}

fn alone<T>(
    given: Option<Entry>,
    missing: &str,
    example: &str,
    reader: &mut Reader<'_>,
) -> Option<T> {
    let given = given?;
    let message = format!("`{}` is given without `{missing}`", given.key);
    let finding = Finding::error(Code::MissingKey, given.key_span, message);
    reader.report(finding.help(format!("write `{missing}: {example}` as well, a PEM file")));
    None
}

fn certificates_of(
    entry: &Entry,
    reader: &mut Reader<'_>,
) -> Option<Vec<rustls::pki_types::CertificateDer<'static>>> {
    let (_, text) = reader.file(entry)?;
    certificates(&text)
        .map_err(|error| unusable(entry, &error, reader))
        .ok()
}

fn unusable(entry: &Entry, error: &TlsError, reader: &mut Reader<'_>) {
    let message = format!("the file of `{}` cannot be used: {error}", entry.key);
    let help = match error {
        TlsError::NoKey => "name a PEM file with a `PRIVATE KEY` section",
        TlsError::Malformed
        | TlsError::NoCertificate
        | TlsError::Authority(_)
        | TlsError::KeyMismatch
        | TlsError::Identity(_) => "name a PEM file with `CERTIFICATE` sections",
    };
    reader.report(Finding::error(Code::InvalidValue, entry.node.span, message).help(help));
}

/// What only shows when the parts are put together.
fn report_unusable(error: &TlsError, named: &Named, reader: &mut Reader<'_>) {
    let (span, key, help) = match error {
        TlsError::Authority(_) => (
            named.ca,
            "ca",
            "name a PEM file with the certificates of the authority",
        ),
        TlsError::KeyMismatch => (
            named.key,
            "client_key",
            "name the key that the first certificate was made for",
        ),
        TlsError::Malformed | TlsError::NoCertificate | TlsError::NoKey | TlsError::Identity(_) => {
            (
                named.certificate,
                "client_certificate",
                "name a certificate and its key: RSA, ECDSA or Ed25519",
            )
        }
    };
    let Some(span) = span else { return };
    let finding = Finding::error(
        Code::InvalidValue,
        span,
        format!("the file of `{key}` cannot be used: {error}"),
    );
    let finding = match (error, named.certificate) {
        (TlsError::KeyMismatch, Some(certificate)) => {
            finding.note(certificate, "the certificate is here")
        }
        (_, _) => finding,
    };
    reader.report(finding.help(help));
}
