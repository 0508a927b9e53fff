//! `admin`: where operators ask, and what they must know.

use std::net::SocketAddr;

use super::listen::tcp_address;
use crate::config::admin_token::{AdminToken, SHORTEST};
use crate::config::code::Code;
use crate::config::finding::Finding;
use crate::config::lint;
use crate::config::reader::Reader;
use crate::config::section::Section;
use crate::config::settings::Listen;
use crate::config::yaml::Entry;

/// The `admin` block.
pub(super) struct Admin {
    /// `None` where it is off.
    pub(super) listen: Option<SocketAddr>,
    pub(super) token: Option<AdminToken>,
}

/// Lowers the `admin` block.
pub(super) fn admin(entry: Option<Entry>, clients: &[Listen], reader: &mut Reader<'_>) -> Admin {
    let default = Some(SocketAddr::from(([127, 0, 0, 1], 9900)));
    let Some(mut section) = entry.and_then(|entry| reader.section(entry)) else {
        return Admin {
            listen: default,
            token: None,
        };
    };
    let listen = section.take("listen");
    let token = token(&mut section, reader);
    section.finish(reader);
    Admin {
        listen: listen.map_or(default, |entry| address(&entry, clients, reader)),
        token,
    }
}

fn address(entry: &Entry, clients: &[Listen], reader: &mut Reader<'_>) -> Option<SocketAddr> {
    // A YAML 1.1 habit: there `off` is `false`.
    let (_, text) = reader.scalar(entry, "an address, or `off`")?;
    if matches!(text.as_str(), "off" | "false") {
        return None;
    }
    let address = tcp_address(entry, reader)?;
    if address.port() != 0 && clients.contains(&Listen::Tcp(address)) {
        let message = format!("`{address}` is where clients are served: `server.listen`");
        let finding = Finding::error(Code::InvalidValue, entry.node.span, message);
        reader.report(finding.help("choose another port, such as `127.0.0.1:9900`, or `off`"));
    }
    lint::open_admin(address, entry.node.span)
        .into_iter()
        .for_each(|finding| reader.report(finding));
    Some(address)
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
