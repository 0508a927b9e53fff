//! The hosts a service answers for.

use std::fmt;
use std::net::Ipv6Addr;

/// A host of a service's `hosts`: `jobs.example.com` or `*.jobs.example.com`, lower-case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPattern {
    kind: Kind,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    /// This host; an IPv6 address in brackets.
    Exact(Box<str>),
    /// Every host below this one.
    Below(Box<str>),
}

/// Why a text is not a host pattern; `Display` says what to write instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostError {
    /// Nothing, or a bare `*`.
    Any,
    /// A scheme or a path beside the host; what the host would be.
    Url(Box<str>),
    /// A port; what stands before it.
    Port(Box<str>),
    /// A `*` that is not the whole first label; the text without such a one.
    Wildcard(Box<str>),
    /// Brackets without an IPv6 address in them; the text.
    Ipv6(Box<str>),
    /// A character that no host name holds.
    Character(char),
    /// An empty label, or one longer than 63 bytes, or a name longer than 253.
    Length(Box<str>),
}

impl HostPattern {
    /// Parses an entry of `hosts`; a port is refused. Upper case and a trailing dot do not matter.
    pub fn parse(text: &str) -> Result<Self, HostError> {
        let host = text.to_ascii_lowercase();
        if matches!(host.as_str(), "" | "*" | "*.") {
            return Err(HostError::Any);
        }
        if let Some(address) = ipv6(&host)? {
            return Ok(Self {
                kind: Kind::Exact(address),
            });
        }
        refuse_url_and_port(&host)?;
        let host = host.strip_suffix('.').unwrap_or(&host);
        let (name, kind): (&str, fn(Box<str>) -> Kind) = match host.strip_prefix("*.") {
            Some(parent) => (parent, Kind::Below),
            None => (host, Kind::Exact),
        };
        check_name(name)?;
        Ok(Self {
            kind: kind(name.into()),
        })
    }

    /// Whether a host (lower-case, without port and trailing dot) is one of these.
    pub fn covers(&self, host: &str) -> bool {
        match &self.kind {
            Kind::Exact(name) => ipv6(host).ok().flatten().as_deref().unwrap_or(host) == &**name,
            Kind::Below(parent) => host
                .strip_suffix(&**parent)
                .is_some_and(|rest| rest.ends_with('.')),
        }
    }

    /// Of `*.jobs.example.com` the host above: `jobs.example.com`; `None` for a single host.
    pub fn parent(&self) -> Option<&str> {
        match &self.kind {
            Kind::Exact(_) => None,
            Kind::Below(parent) => Some(parent),
        }
    }

    pub(super) fn kind(&self) -> &Kind {
        &self.kind
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Exact(host) => f.write_str(host),
            Kind::Below(parent) => write!(f, "*.{parent}"),
        }
    }
}

/// The one spelling of an IPv6 address, in brackets; `None` where the text is no attempt at one.
pub(super) fn ipv6(host: &str) -> Result<Option<Box<str>>, HostError> {
    let inner = match host.strip_prefix('[') {
        Some(inner) => inner.strip_suffix(']').ok_or_else(|| bracketed(host))?,
        None if host.bytes().filter(|byte| *byte == b':').count() > 1 && !host.contains('/') => {
            host
        }
        None => return Ok(None),
    };
    let address: Ipv6Addr = inner.parse().map_err(|_| HostError::Ipv6(host.into()))?;
    Ok(Some(format!("[{address}]").into()))
}

/// Why a text that opens a bracket does not end with one.
fn bracketed(host: &str) -> HostError {
    match host.split_once("]:") {
        Some((address, _)) => HostError::Port(format!("{address}]").into()),
        None => HostError::Ipv6(host.into()),
    }
}

fn refuse_url_and_port(host: &str) -> Result<(), HostError> {
    let name = host.split_once("://").map_or(host, |(_, rest)| rest);
    let name = name.split(['/', '?', '#']).next().unwrap_or_default();
    if name != host {
        return Err(HostError::Url(name.into()));
    }
    host.split_once(':')
        .map_or(Ok(()), |(name, _)| Err(HostError::Port(name.into())))
}

fn check_name(name: &str) -> Result<(), HostError> {
    if name.contains('*') {
        return Err(HostError::Wildcard(name.into()));
    }
    if let Some(found) = name
        .chars()
        .find(|c| !c.is_ascii_alphanumeric() && !"-._".contains(*c))
    {
        return Err(HostError::Character(found));
    }
    let labels_fit = name.split('.').all(|label| (1..=63).contains(&label.len()));
    if labels_fit && name.len() <= 253 {
        Ok(())
    } else {
        Err(HostError::Length(name.into()))
    }
}

impl fmt::Display for HostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("a host is missing; leave out `hosts` to answer for any host"),
            Self::Url(host) => write!(f, "`hosts` holds names, no URLs; write `{host}`"),
            Self::Port(host) => write!(f, "a host is matched without its port; write `{host}`"),
            Self::Wildcard(host) => {
                write!(
                    f,
                    "`*` stands for whole labels in front, not as in `{host}`; write `*.` and the host above"
                )
            }
            Self::Ipv6(host) => write!(f, "`{host}` is no IPv6 address; write one such as `[::1]`"),
            Self::Character(found) if found.is_ascii() => {
                write!(
                    f,
                    "a host name holds no `{found}`; write letters, digits, `-` and `.`"
                )
            }
            Self::Character(found) => {
                write!(
                    f,
                    "`{found}` is not ASCII; write the name as browsers send it, beginning with `xn--`"
                )
            }
            Self::Length(host) => {
                write!(
                    f,
                    "`{host}` is no host name; write labels of 1 to 63 characters between dots, 253 in all"
                )
            }
        }
    }
}

impl std::error::Error for HostError {}
