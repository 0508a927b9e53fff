//! Finds the server and connects. Names are resolved without the C library: a static binary must not load its modules.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hickory_resolver::TokioResolver;
use redis::cluster::ClusterClientBuilder;
use redis::io::AsyncDNSResolver;
use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, ErrorKind, IntoConnectionInfo,
    RedisConnectionInfo, RedisError, RedisFuture, RedisResult, TlsCertificates, TlsMode, cmd,
};

use super::link::Connection;
use crate::session::settings::{Node, RedisKind, RedisSettings, Tls};

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(2);

/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(1);

/// How long the connection that waits for news may be silent: more than twice its own wait.
const NEWS: Duration = Duration::from_secs(3);

/// Two connections: one for orders, and one that waits for news.
pub(super) struct Pair {
    pub(super) orders: Connection,
    pub(super) news: Connection,
}

/// Connects to the server that can be written to.
pub(super) async fn connect(settings: &RedisSettings) -> RedisResult<Pair> {
    match &settings.kind {
        RedisKind::Single => {
            let node = settings.nodes.first().ok_or_else(nobody)?;
            pair(&client(settings, node)?).await
        }
        RedisKind::Sentinel(master) => pair(&find_master(settings, master).await?).await,
        RedisKind::Cluster => Ok(Pair {
            orders: cluster(settings, ANSWER).await?,
            news: cluster(settings, NEWS).await?,
        }),
    }
}

async fn pair(client: &Client) -> RedisResult<Pair> {
    let open = async |answer| {
        let config = configuration(answer)?;
        client
            .get_multiplexed_async_connection_with_config(&config)
            .await
            .map(Connection::Single)
    };
    Ok(Pair {
        orders: open(ANSWER).await?,
        news: open(NEWS).await?,
    })
}

fn configuration(answer: Duration) -> RedisResult<AsyncConnectionConfig> {
    let config = AsyncConnectionConfig::new().set_connection_timeout(Some(CONNECT));
    Ok(config
        .set_response_timeout(Some(answer))
        .set_dns_resolver(Resolver::new()?))
}

/// Asks one sentinel after the other.
async fn find_master(settings: &RedisSettings, name: &str) -> RedisResult<Client> {
    let mut failure = nobody();
    for sentinel in &settings.nodes {
        // some sentinels want the password of their servers, and those without one refuse it
        let open = RedisSettings {
            username: None,
            password: None,
            ..settings.clone()
        };
        for asked in std::iter::once(&open).chain(settings.password.is_some().then_some(settings)) {
            match ask_sentinel(asked, sentinel, name).await {
                Ok(node) => return master_at(settings, &node).await,
                Err(error) => failure = error,
            }
        }
    }
    Err(failure)
}

async fn ask_sentinel(settings: &RedisSettings, sentinel: &Node, name: &str) -> RedisResult<Node> {
    let asked = RedisSettings {
        database: 0,
        ..settings.clone()
    };
    let config = configuration(ANSWER)?;
    let mut connection = client(&asked, sentinel)?
        .get_multiplexed_async_connection_with_config(&config)
        .await?;
    let address: Option<(String, u16)> = cmd("SENTINEL")
        .arg("GET-MASTER-ADDR-BY-NAME")
        .arg(name)
        .query_async(&mut connection)
        .await?;
    let (host, port) =
        address.ok_or_else(|| invalid("the sentinel knows no master of this name"))?;
    Ok(Node::Tcp(host, port))
}

async fn master_at(settings: &RedisSettings, node: &Node) -> RedisResult<Client> {
    let client = client(settings, node)?;
    let config = configuration(ANSWER)?;
    let mut master = client
        .get_multiplexed_async_connection_with_config(&config)
        .await?;
    let role: Vec<redis::Value> = cmd("ROLE").query_async(&mut master).await?;
    let role: String = role
        .into_iter()
        .next()
        .map(redis::from_redis_value)
        .ok_or_else(nobody)??;
    if role == "master" {
        Ok(client)
    } else {
        Err(invalid("the sentinel named a server that is no master"))
    }
}

async fn cluster(settings: &RedisSettings, answer: Duration) -> RedisResult<Connection> {
    let nodes = settings
        .nodes
        .iter()
        .map(|node| info(settings, node))
        .collect::<RedisResult<Vec<_>>>()?;
    let mut builder = ClusterClientBuilder::new(nodes)
        .connection_timeout(CONNECT)
        .response_timeout(answer)
        .overall_response_timeout(Some(answer))
        .retries(1)
        .async_dns_resolver(Resolver::new()?);
    if settings.tls == Tls::On {
        builder = builder.tls(TlsMode::Secure).certs(certificates());
    }
    builder
        .build()?
        .get_async_connection()
        .await
        .map(Connection::Cluster)
}

fn client(settings: &RedisSettings, node: &Node) -> RedisResult<Client> {
    let info = info(settings, node)?;
    match settings.tls {
        Tls::On => Client::build_with_tls(info, certificates()),
        Tls::Off => Client::open(info),
    }
}

fn info(settings: &RedisSettings, node: &Node) -> RedisResult<ConnectionInfo> {
    let address = match (node, settings.tls) {
        (Node::Unix(path), _) => ConnectionAddr::Unix(path.clone()),
        (Node::Tcp(host, port), Tls::Off) => ConnectionAddr::Tcp(host.clone(), *port),
        (Node::Tcp(host, port), Tls::On) => ConnectionAddr::TcpTls {
            host: host.clone(),
            port: *port,
            insecure: false,
            tls_params: None,
        },
    };
    let mut login = RedisConnectionInfo::default().set_db(settings.database);
    if let Some(username) = &settings.username {
        login = login.set_username(username);
    }
    if let Some(password) = &settings.password {
        login = login.set_password(password.as_str());
    }
    Ok(address.into_connection_info()?.set_redis_settings(login))
}

/// The authorities that the system trusts (`SSL_CERT_FILE` names others); where it has none, as in an empty container,
/// those that are built in.
fn certificates() -> TlsCertificates {
    let pem = |der: &[u8]| {
        format!(
            "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
            STANDARD.encode(der)
        )
    };
    let roots: String = rustls_native_certs::load_native_certs()
        .certs
        .iter()
        .map(|der| pem(der))
        .collect();
    TlsCertificates {
        client_tls: None,
        root_cert: Some(roots.into_bytes()).filter(|roots| !roots.is_empty()),
    }
}

/// Resolves names as the rest of the gateway does.
struct Resolver(TokioResolver);

impl Resolver {
    fn new() -> RedisResult<Self> {
        let made = TokioResolver::builder_tokio().and_then(|builder| builder.build());
        made.map(Self)
            .map_err(|error| io::Error::other(error).into())
    }
}

impl AsyncDNSResolver for Resolver {
    fn resolve<'a, 'b: 'a>(
        &'a self,
        host: &'b str,
        port: u16,
    ) -> RedisFuture<'a, Box<dyn Iterator<Item = SocketAddr> + Send + 'a>> {
        Box::pin(async move {
            let addresses = match host.parse() {
                Ok(address) => vec![address],
                Err(_) => self
                    .0
                    .lookup_ip(host)
                    .await
                    .map_err(io::Error::other)?
                    .iter()
                    .collect(),
            };
            let addresses = addresses
                .into_iter()
                .map(move |address| SocketAddr::new(address, port));
            Ok(Box::new(addresses) as Box<dyn Iterator<Item = SocketAddr> + Send>)
        })
    }
}

fn nobody() -> RedisError {
    invalid("no server answers")
}

fn invalid(what: &'static str) -> RedisError {
    (ErrorKind::InvalidClientConfig, what).into()
}
