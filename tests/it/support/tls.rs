//! A TLS client that shows its handshakes.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::client::Resumption;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, ClientConnection, HandshakeKind, RootCertStore, StreamOwned};

use super::certs::Certified;

/// Longer than anything takes; a test that waits this long has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// A client that remembers its sessions.
pub struct TlsClient(Arc<ClientConfig>);

/// What became of one request over a connection of its own.
#[derive(Debug, PartialEq, Eq)]
pub struct Shaken {
    pub answer: String,
    pub resumed: bool,
    pub certificate: Vec<u8>,
}

impl TlsClient {
    /// Trusts these authorities; shows this certificate where it is asked for one.
    pub fn new(authorities: &[&str], own: Option<&Certified>) -> Self {
        let mut roots = RootCertStore::empty();
        for authority in authorities {
            roots
                .add(CertificateDer::from_pem_slice(authority.as_bytes()).unwrap())
                .unwrap();
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap();
        let builder = builder.with_root_certificates(roots);
        let mut config = match own {
            None => builder.with_no_client_auth(),
            Some(own) => {
                let certificate =
                    CertificateDer::from_pem_slice(own.certificate.as_bytes()).unwrap();
                let key = PrivateKeyDer::from_pem_slice(own.key.as_bytes()).unwrap();
                builder
                    .with_client_auth_cert(vec![certificate], key)
                    .unwrap()
            }
        };
        config.resumption = Resumption::in_memory_sessions(8);
        Self(Arc::new(config))
    }

    /// Connects to `gateway.test` at this address.
    pub fn connect(
        &self,
        address: SocketAddr,
    ) -> std::io::Result<StreamOwned<ClientConnection, TcpStream>> {
        let connection =
            ClientConnection::new(Arc::clone(&self.0), "gateway.test".try_into().unwrap()).unwrap();
        let socket = TcpStream::connect(address)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.set_nodelay(true)?;
        Ok(StreamOwned::new(connection, socket))
    }

    /// Sends bytes, which may depend on its own address, and the begin of a handshake; returns when the gateway has begun its
    /// part.
    pub fn begin(&self, address: SocketAddr, before: impl Fn(SocketAddr) -> Vec<u8>) -> TcpStream {
        let StreamOwned { mut conn, mut sock } = self.connect(address).unwrap();
        let before = before(sock.local_addr().unwrap());
        sock.write_all(&before).unwrap();
        conn.write_tls(&mut sock).unwrap();
        sock.read_exact(&mut [0]).unwrap();
        sock
    }

    /// `GET path` over a connection of its own.
    pub fn get(&self, address: SocketAddr, path: &str) -> std::io::Result<Shaken> {
        let mut stream = self.connect(address)?;
        stream.write_all(
            format!("GET {path} HTTP/1.1\r\nHost: gateway.test\r\nConnection: close\r\n\r\n")
                .as_bytes(),
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let resumed = stream.conn.handshake_kind() == Some(HandshakeKind::Resumed);
        let certificate = stream.conn.peer_certificates().unwrap()[0].to_vec();
        Ok(Shaken {
            answer,
            resumed,
            certificate,
        })
    }
}
