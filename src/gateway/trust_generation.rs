//! Counts the settings under which clients are identified.

use crate::config::{ClientCa, Server};

/// Counts the settings by which the client of a connection, and of what it upgraded to, is identified: `trusted_proxies`,
/// `forwarded`, `proxy_protocol` and `client_ca`. A reload that changes one of them begins another generation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct TrustGeneration(u64);

impl TrustGeneration {
    /// The generation of `new`, which replaces `old`, whose generation this is.
    pub(super) fn next(self, old: &Server, new: &Server) -> Self {
        let same = old.trusted_proxies == new.trusted_proxies
            && old.forwarded == new.forwarded
            && old.proxy_protocol == new.proxy_protocol
            && client_ca(old) == client_ca(new);
        if same { self } else { Self(self.0 + 1) }
    }
}

fn client_ca(server: &Server) -> Option<&ClientCa> {
    server.tls.as_ref()?.client_ca.as_ref()
}
