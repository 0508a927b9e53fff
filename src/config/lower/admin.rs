//! `admin`: where operators ask, and what they must know.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use secrecy::SecretString;

use super::distinct;
use super::listen::tcp_address;
use crate::access::{HostError, HostPattern};
use crate::config::admin_hosts::AdminHosts;
use crate::config::admin_token::{AdminToken, SHORTEST};
use crate::config::blocks;
use crate::config::code::Code;
use crate::config::finding::Finding;
use crate::config::lint;
use crate::config::reader::Reader;
use crate::config::section::Section;
use crate::config::settings::Listen;
use crate::config::span::Span;
use crate::config::yaml::{Entry, Node};

/// Where nothing is written.
const DEFAULT: Option<SocketAddr> = Some(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9900));

/// The `admin` block.
pub(super) struct Admin {
    /// `None` where it is off.
    pub(super) listen: Option<SocketAddr>,
    pub(super) token: Option<AdminToken>,
    pub(super) hosts: AdminHosts,
}

/// Where the admin listener is, out of the whole file, of which nothing else is read; `Some(None)` where it is off, and
/// `None` where what is written was refused.
pub(in crate::config) fn admin_listener(
    root: Node,
    reader: &mut Reader<'_>,
) -> Option<Option<SocketAddr>> {
    let Some(mut section) = admin_section(root, reader)? else {
        return Some(DEFAULT);
    };
    let listen = section.take("listen");
    listen.map_or(Some(DEFAULT), |entry| address(&entry, reader))
}

/// The same, with the token as it is written.
pub(in crate::config) fn admin_access(
    root: Node,
    reader: &mut Reader<'_>,
) -> Option<(Option<SocketAddr>, Option<SecretString>)> {
    let Some(mut section) = admin_section(root, reader)? else {
        return Some((DEFAULT, None));
    };
    let listen = section.take("listen");
    let listen = listen.map_or(Some(DEFAULT), |entry| address(&entry, reader))?;
    let (token, file) = (section.take("token"), section.take("token_file"));
    let is_set = token.is_some() || file.is_some();
    let token = reader.secret(token, file).map(|(_, text)| text.into());
    (token.is_some() || !is_set).then_some((listen, token))
}

/// The block out of the whole file; `Some(None)` where there is none.
fn admin_section(root: Node, reader: &mut Reader<'_>) -> Option<Option<Section>> {
    let entry = |node: Node| Entry {
        key: "admin".into(),
        key_span: node.span,
        node,
    };
    let mut top = reader.section(entry(root), &blocks::GATEWAY)?;
    match top.take("admin") {
        Some(admin) => reader.section(admin, &blocks::ADMIN).map(Some),
        None => Some(None),
    }
}

/// Lowers the `admin` block. `at` is where `server` stands, which says where `clients` are served.
pub(super) fn admin(
    entry: Option<Entry>,
    (clients, at): (&[Listen], Span),
    reader: &mut Reader<'_>,
) -> Admin {
    let Some(mut section) = entry.and_then(|entry| reader.section(entry, &blocks::ADMIN)) else {
        refuse_shared(DEFAULT, clients, at, reader);
        return Admin {
            listen: DEFAULT,
            token: None,
            hosts: AdminHosts::default(),
        };
    };
    let listen = section.take("listen");
    let at = listen.as_ref().map_or(at, |entry| entry.node.span);
    let listen = listen.map_or(DEFAULT, |entry| address(&entry, reader).flatten());
    refuse_shared(listen, clients, at, reader);
    let token = token(&mut section, reader);
    let hosts = section.take("hosts").map(|entry| hosts(entry, reader));
    section.finish(reader);
    Admin {
        listen,
        token,
        hosts: hosts.unwrap_or_default(),
    }
}

/// Names that the operator knows to be the gateway's own. What is refused was reported, so that nothing comes into force.
fn hosts(entry: Entry, reader: &mut Reader<'_>) -> AdminHosts {
    let why = "leave `hosts` out for addresses, `localhost` and names of a private network";
    let items = reader.filled_list(entry, why).unwrap_or_default();
    AdminHosts::new(distinct(&items, reader, host).unwrap_or_default())
}

fn host(item: &Entry, reader: &mut Reader<'_>) -> Option<HostPattern> {
    let text = reader.text(item)?;
    let error = match HostPattern::parse(&text) {
        Ok(host) => return Some(host),
        Err(HostError::Any) => {
            "a host is missing; write a name such as `metrics.example.com`".to_owned()
        }
        Err(error) => error.to_string(),
    };
    let message = format!("not a host: {error}");
    reader.report(Finding::error(Code::InvalidValue, item.node.span, message));
    None
}

/// `Some(None)` where it is off, `None` where it was refused.
fn address(entry: &Entry, reader: &mut Reader<'_>) -> Option<Option<SocketAddr>> {
    // A YAML 1.1 habit: there `off` is `false`.
    let (_, text) = reader.scalar(entry, "an address, or `off`")?;
    if matches!(text.as_str(), "off" | "false") {
        return Some(None);
    }
    let address = tcp_address(entry, Ipv4Addr::LOCALHOST, reader)?;
    lint::open_admin(address, entry.node.span)
        .into_iter()
        .for_each(|finding| reader.report(finding));
    Some(Some(address))
}

/// The system gives a port to one of them alone, and to nobody else where one has it on all addresses of a family.
fn refuse_shared(
    operators: Option<SocketAddr>,
    clients: &[Listen],
    at: Span,
    reader: &mut Reader<'_>,
) {
    let Some(operators) = operators.filter(|address| address.port() != 0) else {
        return;
    };
    let is_shared = |place: &Listen| match place {
        Listen::Tcp(address) => {
            let has_all = operators.ip().is_unspecified() || address.ip().is_unspecified();
            let is_alike = operators.is_ipv4() == address.is_ipv4();
            *address == operators || has_all && is_alike && address.port() == operators.port()
        }
        Listen::Unix(_) | Listen::Systemd => false,
    };
    if clients.iter().any(is_shared) {
        let message = format!(
            "the admin listener's `{operators}` is where clients are served: `server.listen`"
        );
        let finding = Finding::error(Code::InvalidValue, at, message);
        reader.report(finding.help("write another port at `admin.listen`, or `off`"));
    }
}

fn token(section: &mut Section, reader: &mut Reader<'_>) -> Option<AdminToken> {
    let (span, text) = reader.secret(section.take("token"), section.take("token_file"))?;
    match AdminToken::new(&text) {
        Some(token) => {
            let guessable = lint::few_bytes(text.as_bytes(), span)
                .or_else(|| lint::example(text.as_bytes(), span));
            guessable
                .into_iter()
                .for_each(|finding| reader.report(finding));
            Some(token)
        }
        None => {
            let message = format!(
                "an admin token has at least {SHORTEST} characters, all of them visible ASCII"
            );
            let finding = Finding::error(Code::WeakSecret, span, message);
            reader.report(finding.help("make one with `openssl rand -hex 32`"));
            None
        }
    }
}
