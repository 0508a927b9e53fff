//! Servers whose own certificate is among those that are trusted.

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};
use std::sync::Arc;

/// Verifies as rustls does, and accepts a server whose certificate is byte for byte one of those that are configured: a
/// trust anchor needs no path to another one (RFC 5280, section 6.1), whether it may sign for others or not. Its dates and
/// its names count all the same.
#[derive(Debug)]
pub(super) struct PinnedVerifier {
    paths: Arc<WebPkiServerVerifier>,
    trusted: Box<[CertificateDer<'static>]>,
}

impl PinnedVerifier {
    pub(super) fn new(
        paths: Arc<WebPkiServerVerifier>,
        trusted: &[CertificateDer<'static>],
    ) -> Self {
        Self {
            paths,
            trusted: trusted.into(),
        }
    }
}

impl ServerCertVerifier for PinnedVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified = self.paths.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        );
        let is_trusted = || self.trusted.contains(&end_entity.clone().into_owned());
        match verified {
            Err(error) if lacks_a_path(&error) && is_trusted() => {
                let certificate = ParsedCertificate::try_from(end_entity)?;
                rustls::client::verify_server_name(&certificate, server_name)?;
                Ok(ServerCertVerified::assertion())
            }
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.paths
            .verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.paths
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.paths.supported_verify_schemes()
    }
}

/// Whether all that is wrong is the path. The certificate's own dates are looked at before it.
fn lacks_a_path(error: &Error) -> bool {
    let Error::InvalidCertificate(fault) = error else {
        return false;
    };
    if let CertificateError::Other(other) = fault {
        let fault = other.0.downcast_ref();
        return matches!(fault, Some(webpki::Error::CaUsedAsEndEntity));
    }
    matches!(
        fault,
        CertificateError::UnknownIssuer | CertificateError::BadSignature
    )
}

#[cfg(test)]
mod tests;
