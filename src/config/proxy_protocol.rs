//! What the PROXY protocol in front of connections says and means.

/// `server.proxy_protocol`: what follows from the PROXY header before a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProxyProtocol {
    /// Whether its client came over TLS, where TLS ends at the proxy.
    pub tls: ProxiedTls,
    /// Who writes the fields behind it.
    pub mode: ProxyMode,
}

/// Whether the client of a proxy came over TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProxiedTls {
    /// Where a header of version 2 says so.
    #[default]
    Auto,
    /// Every client.
    Always,
    /// No client.
    Never,
}

/// What a proxy speaks that introduces its clients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProxyMode {
    /// TCP where it passes TLS through to the gateway, else HTTP.
    #[default]
    Auto,
    /// HTTP: its `X-Forwarded-*` and `Forwarded` are believed.
    Http,
    /// TCP: such fields are the client's own.
    Tcp,
}
