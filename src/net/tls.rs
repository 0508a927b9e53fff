//! TLS with other servers. The server is always verified: there is no way to switch that off.

use std::fmt;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{CertificateError, ClientConfig, InconsistentKeys, RootCertStore};

use super::pinned::PinnedVerifier;

/// How servers are verified, and who the gateway is to them. Connections with the same settings share the sessions that
/// can be resumed. Two are equal where they were made of the same.
pub struct TlsSettings {
    roots: TrustRoots,
    server_name: Option<ServerName<'static>>,
    identity: Option<ClientIdentity>,
    config: Arc<ClientConfig>,
}

/// The authorities whose certificates are trusted.
#[derive(Clone, Debug)]
pub enum TrustRoots {
    /// The authorities that the system trusts.
    System(Arc<RootCertStore>),
    /// These authorities and no others; and servers whose own certificate is one of these.
    Only(Vec<CertificateDer<'static>>),
}

/// The certificate and key of the gateway, for a server that requests one.
pub struct ClientIdentity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

/// Which protocols the handshake offers (RFC 7301).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alpn {
    /// None: the extension is not sent.
    None,
    /// HTTP/1.1 only: what is upgraded must be (RFC 9113, section 8.6).
    Http1,
    /// HTTP/2 only.
    Http2,
    /// HTTP/2, else HTTP/1.1.
    Http2OrHttp1,
}

/// What is wrong with certificates and keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TlsError {
    /// The text is not PEM. What is wrong exactly is not said: it would quote the file.
    Malformed,
    /// There is no certificate in the file.
    NoCertificate,
    /// There is no private key in the file.
    NoKey,
    /// A certificate that cannot be an authority.
    Authority(String),
    /// The key does not belong to the certificate.
    KeyMismatch,
    /// The certificate cannot be used with its key.
    Identity(String),
}

impl TlsSettings {
    /// Makes everything ready for handshakes. A certificate must be for `server_name`, else for the host that is connected
    /// to.
    ///
    /// # Errors
    /// [`TlsError`] for authorities and identities that cannot be used.
    pub fn new(
        roots: TrustRoots,
        server_name: Option<ServerName<'static>>,
        identity: Option<ClientIdentity>,
    ) -> Result<Self, TlsError> {
        let config = Arc::new(client_config(&roots, identity.as_ref())?);
        Ok(Self {
            roots,
            server_name,
            identity,
            config,
        })
    }

    /// The authorities that the system trusts at this moment, and no identity.
    pub fn system() -> Self {
        let roots = TrustRoots::System(Arc::new(system_roots()));
        Self::new(roots, None, None).expect("only own authorities and identities can be unusable")
    }

    pub(super) fn client_config(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.config)
    }

    pub(super) fn server_name(&self) -> Option<&ServerName<'static>> {
        self.server_name.as_ref()
    }
}

impl Alpn {
    pub(super) fn protocols(self) -> Vec<Vec<u8>> {
        let names: &[&[u8]] = match self {
            Self::None => &[],
            Self::Http1 => &[b"http/1.1"],
            Self::Http2 => &[b"h2"],
            Self::Http2OrHttp1 => &[b"h2", b"http/1.1"],
        };
        names.iter().map(|name| name.to_vec()).collect()
    }
}

fn client_config(
    roots: &TrustRoots,
    identity: Option<&ClientIdentity>,
) -> Result<ClientConfig, TlsError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .expect("the provider has what the default versions need");
    let builder = match roots {
        TrustRoots::System(store) => builder.with_root_certificates(Arc::clone(store)),
        TrustRoots::Only(trusted) => {
            let store = Arc::new(store_of(trusted)?);
            let paths = WebPkiServerVerifier::builder_with_provider(store, provider)
                .build()
                .map_err(|error| TlsError::Authority(error.to_string()))?;
            builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(PinnedVerifier::new(paths, trusted)))
        }
    };
    match identity {
        None => Ok(builder.with_no_client_auth()),
        Some(ClientIdentity { chain, key }) => {
            let mismatch = rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch);
            builder
                .with_client_auth_cert(chain.clone(), key.clone_key())
                .map_err(|error| {
                    if error == mismatch {
                        TlsError::KeyMismatch
                    } else {
                        TlsError::Identity(plain(&error))
                    }
                })
        }
    }
}

fn store_of(authorities: &[CertificateDer<'static>]) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for authority in authorities {
        roots
            .add(authority.clone())
            .map_err(|error| TlsError::Authority(plain(&error)))?;
    }
    Ok(roots)
}

/// rustls speaks of a peer here, who has no part in it.
fn plain(error: &rustls::Error) -> String {
    let damaged = rustls::Error::InvalidCertificate(CertificateError::BadEncoding);
    if *error == damaged {
        "it is damaged".to_owned()
    } else {
        error.to_string()
    }
}

/// The authorities that the system trusts; where it names none, as in an empty container, those that Mozilla trusts,
/// as they were when this version was built.
pub fn system_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    roots
}

/// All certificates of a PEM file, in their order.
///
/// # Errors
/// [`TlsError`] where there is none, or the file is damaged.
pub fn certificates(text: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text).collect();
    let found = found.map_err(|_| TlsError::Malformed)?;
    if found.is_empty() {
        Err(TlsError::NoCertificate)
    } else {
        Ok(found)
    }
}

impl ClientIdentity {
    /// A certificate with those that lead to its authority, and its key. That they belong together,
    /// [`TlsSettings::new`] looks at.
    pub fn new(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Self {
        Self { chain, key }
    }
}

/// The first private key of a PEM file: PKCS #8, PKCS #1 or SEC1.
///
/// # Errors
/// [`TlsError`] where there is none, or the file is damaged.
pub fn private_key(text: &[u8]) -> Result<PrivateKeyDer<'static>, TlsError> {
    let missing = |error| matches!(error, pem::Error::NoItemsFound);
    PrivateKeyDer::from_pem_slice(text).map_err(|error| {
        if missing(error) {
            TlsError::NoKey
        } else {
            TlsError::Malformed
        }
    })
}

impl PartialEq for TlsSettings {
    fn eq(&self, other: &Self) -> bool {
        self.roots == other.roots
            && self.server_name == other.server_name
            && self.identity == other.identity
    }
}

impl Eq for TlsSettings {}

impl PartialEq for TrustRoots {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::System(one), Self::System(other)) => one.roots == other.roots,
            (Self::Only(one), Self::Only(other)) => one == other,
            (Self::System(_), Self::Only(_)) | (Self::Only(_), Self::System(_)) => false,
        }
    }
}

impl PartialEq for ClientIdentity {
    fn eq(&self, other: &Self) -> bool {
        self.chain == other.chain && self.key == other.key
    }
}

impl fmt::Debug for TlsSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsSettings")
            .field("server_name", &self.server_name)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => {
                f.write_str("it is not PEM: a section does not end, or is not Base64")
            }
            Self::NoCertificate => f.write_str("there is no certificate in it"),
            Self::NoKey => f.write_str("there is no private key in it"),
            Self::Authority(what) => {
                write!(f, "one of its certificates cannot be an authority: {what}")
            }
            Self::KeyMismatch => f.write_str("the key does not belong to the certificate"),
            Self::Identity(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for TlsError {}
