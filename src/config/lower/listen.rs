//! Where to listen.

use std::net::{Ipv4Addr, SocketAddr};

use super::distinct;
use crate::config::files::beside;
use crate::config::reader::Reader;
use crate::config::settings::Listen;
use crate::config::value;
use crate::config::yaml::{Entry, Value};

/// The longest path that the system takes for a socket (unix(7)).
const LONGEST_PATH: usize = 107;

/// One place, or a list of them.
pub(super) fn listen(entry: Entry, reader: &mut Reader<'_>) -> Option<Vec<Listen>> {
    if !matches!(entry.node.value, Value::List(_)) {
        return place(&entry, reader).map(|place| vec![place]);
    }
    let items = reader.filled_list(entry, "write at least one address, such as `0.0.0.0:8080`")?;
    distinct(&items, reader, place)
}

fn place(entry: &Entry, reader: &mut Reader<'_>) -> Option<Listen> {
    let (_, text) = reader.scalar(entry, "an address such as `0.0.0.0:8080`")?;
    match text.strip_prefix("unix:") {
        Some(path) => socket(entry, path, reader),
        None if text == "systemd" => Some(Listen::Systemd),
        None => tcp_address(entry, Ipv4Addr::UNSPECIFIED, reader).map(Listen::Tcp),
    }
}

fn socket(entry: &Entry, path: &str, reader: &mut Reader<'_>) -> Option<Listen> {
    let whole = beside(reader.path_of(entry.node.span), path);
    let problem = if path.is_empty() || path.ends_with('/') {
        "write the path of the socket, such as `unix:/run/gatelatch.sock`".to_owned()
    } else if whole.as_os_str().len() > LONGEST_PATH {
        format!(
            "the system takes at most {LONGEST_PATH} bytes for the whole path; choose a shorter one"
        )
    } else {
        return Some(Listen::Unix(whole));
    };
    reader.invalid(entry, "an address", problem);
    None
}

/// An IP address and a port; where the address is missing, the help proposes `alone`.
pub(super) fn tcp_address(
    entry: &Entry,
    alone: Ipv4Addr,
    reader: &mut Reader<'_>,
) -> Option<SocketAddr> {
    let (_, text) = reader.scalar(entry, "an address such as `0.0.0.0:8080`")?;
    match value::listen_address(&text, alone.into()) {
        Ok(address) => Some(address),
        Err(help) => {
            reader.invalid(entry, "an address", help);
            None
        }
    }
}
