//! What clients are served with over TLS, ready to use.

use std::fmt;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateDer;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::sign::CertifiedKey;

/// The `server.tls` block. The key cannot be printed.
#[derive(Clone)]
pub struct ServerTls {
    /// The certificate, those that lead to its authority, and the key that belongs to it.
    pub certified: Arc<CertifiedKey>,
    /// Whose clients are let in; `None`: everybody's, without a certificate.
    pub client_ca: Option<ClientCa>,
}

/// Authorities of which every client must have a certificate. Two are equal where they have the same certificates.
#[derive(Clone)]
pub struct ClientCa {
    certificates: Vec<CertificateDer<'static>>,
    verifier: Arc<dyn ClientCertVerifier>,
}

impl ClientCa {
    /// Trusts these authorities; `None` where one of them is no certificate, or there is none at all.
    pub(super) fn new(certificates: Vec<CertificateDer<'static>>) -> Option<Self> {
        let mut roots = RootCertStore::empty();
        for certificate in &certificates {
            roots.add(certificate.clone()).ok()?;
        }
        let provider = Arc::new(aws_lc_rs::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
            .build()
            .ok()?;
        Some(Self {
            certificates,
            verifier,
        })
    }

    /// Checks the certificates of clients.
    pub fn verifier(&self) -> Arc<dyn ClientCertVerifier> {
        Arc::clone(&self.verifier)
    }
}

impl PartialEq for ClientCa {
    fn eq(&self, other: &Self) -> bool {
        self.certificates == other.certificates
    }
}

impl fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let certificates = self.certified.cert.len();
        f.debug_struct("ServerTls")
            .field("certificates", &certificates)
            .field("client_ca", &self.client_ca)
            .finish()
    }
}

impl fmt::Debug for ClientCa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientCa")
            .field("certificates", &self.certificates.len())
            .finish_non_exhaustive()
    }
}
