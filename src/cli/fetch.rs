//! A document of somebody else, from a file or a URL.

use std::io::Read as _;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use bytes::Bytes;
use hickory_resolver::TokioResolver;
use http::{Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;

/// The largest document that is read.
const LARGEST: usize = 16 << 20;

/// From the first name to look up to the last byte.
const DEADLINE: Duration = Duration::from_secs(15);

/// Reads a document from `http://…`, `https://…` or a file; `-` is standard input. JSON and YAML are told apart by
/// themselves.
pub(super) fn document(source: &str) -> anyhow::Result<Value> {
    if is_url(source)
        && source
            .split(['?', '#'])
            .next()
            .is_some_and(|start| start.contains('@'))
    {
        // the URL would stand in messages and in the comment of a skeleton
        bail!(
            "a URL with a name or a password is not read; fetch it with `curl`, and pass the file"
        );
    }
    let text = text(source).with_context(|| format!("cannot read `{source}`"))?;
    parse(&text).with_context(|| format!("cannot read `{source}`"))
}

/// Whether it is a URL, and not a file.
pub(super) fn is_url(source: &str) -> bool {
    source.starts_with("http://") || source.starts_with("https://")
}

/// A text of at most 16 MiB, from the same places.
pub(super) fn text(source: &str) -> anyhow::Result<String> {
    let bytes = match source {
        "-" => read(std::io::stdin().lock())?,
        url if is_url(url) => fetch(url)?,
        path => read(std::fs::File::open(Path::new(path))?)?,
    };
    String::from_utf8(bytes).context("it is not UTF-8")
}

fn read(from: impl std::io::Read) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(LARGEST as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > LARGEST {
        bail!("it is larger than {} MiB", LARGEST >> 20);
    }
    Ok(bytes)
}

fn parse(text: &str) -> anyhow::Result<Value> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim_start().starts_with('{') {
        return serde_json::from_str(text).context("it is not JSON");
    }
    let value: serde_yaml::Value =
        serde_yaml::from_str(text).context("it is neither JSON nor YAML")?;
    json(value)
}

/// YAML as JSON: keys such as `200` become texts. The reader of YAML bounds its depth, so this recursion is bounded.
fn json(value: serde_yaml::Value) -> anyhow::Result<Value> {
    Ok(match value {
        serde_yaml::Value::Sequence(items) => items
            .into_iter()
            .map(json)
            .collect::<anyhow::Result<Vec<_>>>()?
            .into(),
        serde_yaml::Value::Mapping(entries) => {
            let entries = entries
                .into_iter()
                .map(|(key, value)| Ok((key_text(key)?, json(value)?)));
            Value::Object(entries.collect::<anyhow::Result<_>>()?)
        }
        serde_yaml::Value::Tagged(tagged) => json(tagged.value)?,
        scalar @ (serde_yaml::Value::Null
        | serde_yaml::Value::Bool(_)
        | serde_yaml::Value::Number(_)
        | serde_yaml::Value::String(_)) => {
            serde_json::to_value(scalar).context("a number that JSON does not have")?
        }
    })
}

fn key_text(key: serde_yaml::Value) -> anyhow::Result<String> {
    match json(key)? {
        Value::String(text) => Ok(text),
        key @ (Value::Number(_) | Value::Bool(_) | Value::Null) => Ok(key.to_string()),
        Value::Array(_) | Value::Object(_) => bail!("a key that is a list or a map"),
    }
}

fn fetch(url: &str) -> anyhow::Result<Vec<u8>> {
    let url: Uri = url.parse().context("it is no URL")?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let answer = runtime.block_on(async { tokio::time::timeout(DEADLINE, get(&url)).await });
    answer.unwrap_or_else(|_| Err(anyhow!("no answer within {} s", DEADLINE.as_secs())))
}

async fn get(url: &Uri) -> anyhow::Result<Vec<u8>> {
    let host = url
        .host()
        .context("it has no host")?
        .trim_matches(['[', ']'])
        .to_owned();
    let secure = url.scheme_str() == Some("https");
    let stream = connect(
        &host,
        url.port_u16().unwrap_or(if secure { 443 } else { 80 }),
    )
    .await?;
    if !secure {
        return exchange(stream, url).await;
    }
    let name = ServerName::try_from(host).context("its host is no name that a certificate has")?;
    let connector = TlsConnector::from(Arc::new(tls()?));
    exchange(
        connector
            .connect(name, stream)
            .await
            .context("the TLS handshake failed")?,
        url,
    )
    .await
}

/// The first address that answers. The C library is not asked: a static binary must not load its modules.
async fn connect(host: &str, port: u16) -> anyhow::Result<TcpStream> {
    let addresses: Vec<IpAddr> = match host.parse() {
        Ok(address) => vec![address],
        Err(_) => {
            let resolver = TokioResolver::builder_tokio().and_then(|builder| builder.build())?;
            let found = resolver
                .lookup_ip(host)
                .await
                .with_context(|| format!("cannot resolve `{host}`"))?;
            found.iter().collect()
        }
    };
    let mut failure = anyhow!("`{host}` has no address");
    for address in addresses {
        let socket = if address.is_ipv4() {
            TcpSocket::new_v4()?
        } else {
            TcpSocket::new_v6()?
        };
        match socket.connect(SocketAddr::new(address, port)).await {
            Ok(stream) => return Ok(stream),
            Err(error) => {
                failure = anyhow::Error::from(error)
                    .context(format!("cannot connect to `{address}:{port}`"))
            }
        }
    }
    Err(failure)
}

/// Verified against the system's roots, or the built-in ones where it has none.
fn tls() -> anyhow::Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

async fn exchange<S>(stream: S, url: &Uri) -> anyhow::Result<Vec<u8>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let path = url.path_and_query().map_or("/", |path| path.as_str());
    let host = url.authority().context("it has no host")?.as_str();
    let request = Request::get(path)
        .header(header::HOST, host)
        .header(header::ACCEPT, "application/json, application/yaml")
        .header(
            header::USER_AGENT,
            concat!("gatelatch/", env!("CARGO_PKG_VERSION")),
        )
        .body(Empty::<Bytes>::new())?;
    body(sender.send_request(request).await?).await
}

async fn body(answer: Response<Incoming>) -> anyhow::Result<Vec<u8>> {
    match answer.status() {
        StatusCode::OK => {}
        status if status.is_redirection() => {
            let place = answer
                .headers()
                .get(header::LOCATION)
                .and_then(|place| place.to_str().ok());
            bail!(
                "it is elsewhere ({status}): try `{}`",
                place.unwrap_or("another URL")
            );
        }
        status => bail!("the server answered {status}"),
    }
    let collected = Limited::new(answer.into_body(), LARGEST).collect().await;
    let collected = collected
        .map_err(|error| anyhow!(error))
        .context("the answer broke off or is too large")?;
    Ok(collected.to_bytes().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_and_yaml_give_the_same() {
        let expected: Value = serde_json::json!({ "paths": { "/a": { "get": { "responses": { "200": {} } } } }, "n": 2.0 });
        for text in [
            "{\"paths\": {\"/a\": {\"get\": {\"responses\": {\"200\": {}}}}}, \"n\": 2.0}",
            "paths:\n  /a:\n    get:\n      responses:\n        200: {}\nn: 2.0\n",
        ] {
            assert_eq!(parse(text).unwrap(), expected, "{text}");
        }
        assert!(parse("{").is_err() && parse("[a").is_err());
    }

    #[test]
    fn a_document_is_not_read_without_end() {
        let error = read(std::io::repeat(b'x')).unwrap_err();
        assert_eq!(error.to_string(), "it is larger than 16 MiB");
    }
}
