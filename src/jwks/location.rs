//! Where published keys are.

use std::sync::Arc;

use crate::net::{HttpUrl, TlsSettings};

/// Where the keys of an issuer are published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyLocation {
    /// The document to begin with.
    pub document: KeyDocument,
    /// How its servers are verified; `None`: by the authorities that the system trusts when keys are fetched.
    pub tls: Option<Arc<TlsSettings>>,
}

/// A document that has the keys of an issuer, or leads to them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyDocument {
    /// The key set itself (RFC 7517, section 5).
    KeySet(HttpUrl),
    /// The metadata of the issuer with this URL (OpenID Connect Discovery 1.0, section 4; RFC 8414, section 3).
    Metadata(HttpUrl),
}
