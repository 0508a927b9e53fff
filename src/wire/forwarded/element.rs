//! `Forwarded` (RFC 7239): one element for each proxy on the way.

use std::net::IpAddr;

use http::header::FORWARDED;
use http::{HeaderMap, HeaderValue};

use super::is_scheme;
use crate::wire::Peer;

/// What one proxy says about the request that it got.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Element {
    node: String,
    proto: Option<String>,
    host: Option<String>,
}

impl Element {
    /// `for`: an address, or something that hides it; empty where it is not said.
    pub(super) fn node(&self) -> &str {
        &self.node
    }

    /// `proto`, where it is `http` or `https`.
    pub(super) fn proto(&self) -> Option<HeaderValue> {
        let proto = self.proto.as_ref()?.to_ascii_lowercase();
        HeaderValue::try_from(proto)
            .ok()
            .filter(|proto| is_scheme(proto.as_bytes()))
    }

    /// `host`.
    pub(super) fn host(&self) -> Option<HeaderValue> {
        HeaderValue::from_str(self.host.as_ref()?).ok()
    }
}

/// All elements of all lines, from the left; none at all where one of them is malformed.
pub(super) fn read(headers: &HeaderMap) -> Vec<Element> {
    let lines = headers
        .get_all(FORWARDED)
        .iter()
        .map(|line| line.to_str().ok().and_then(parse));
    lines
        .collect::<Option<Vec<_>>>()
        .unwrap_or_default()
        .into_iter()
        .flatten()
        .collect()
}

/// All lines in one, with the element of the gateway behind them.
pub(super) fn extend(headers: &HeaderMap, peer: &Peer) -> Option<HeaderValue> {
    let lines: Vec<&str> = headers
        .get_all(FORWARDED)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .collect();
    let node = match peer.address() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("\"[{address}]\""),
    };
    HeaderValue::try_from(format!(
        "{}, for={node};proto={}",
        lines.join(", "),
        peer.scheme().as_str()
    ))
    .ok()
}

/// The elements of one line.
fn parse(line: &str) -> Option<Vec<Element>> {
    let mut elements = vec![Element::default()];
    let mut rest = line.trim_start();
    loop {
        let (name, behind) = rest.split_once('=')?;
        let (value, behind) = take_value(behind)?;
        let element = elements.last_mut()?;
        match name.to_ascii_lowercase().as_str() {
            "for" => element.node = value,
            "proto" => element.proto = Some(value),
            "host" => element.host = Some(value),
            other if is_token(other) => {}
            _ => return None,
        }
        let behind = behind.trim_start();
        rest = match behind.chars().next() {
            None => return Some(elements),
            Some(';') => behind[1..].trim_start(),
            Some(',') => {
                elements.push(Element::default());
                behind[1..].trim_start()
            }
            Some(_) => return None,
        };
    }
}

/// A token or a quoted string, and what stands behind it.
fn take_value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([';', ',', ' ', '\t']).unwrap_or(text.len());
        let (token, rest) = text.split_at(end);
        // addresses with a port are quoted by the letter of the RFC, and not by everyone
        return is_value(token).then(|| (token.to_owned(), rest));
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, &quoted[at + 1..])),
            '\\' => value.push(characters.next()?.1),
            _ => value.push(character),
        }
    }
    None
}

fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

fn is_value(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && !b"\"=".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes(line: &str) -> Option<Vec<String>> {
        Some(
            parse(line)?
                .into_iter()
                .map(|element| element.node)
                .collect(),
        )
    }

    #[test]
    fn every_form_of_the_rfc_is_read() {
        for (line, expected) in [
            ("for=192.0.2.43", vec!["192.0.2.43"]),
            (
                "For=\"[2001:db8:cafe::17]:4711\"",
                vec!["[2001:db8:cafe::17]:4711"],
            ),
            (
                "for=192.0.2.60;proto=http;by=203.0.113.43",
                vec!["192.0.2.60"],
            ),
            (
                "for=192.0.2.43, for=198.51.100.17",
                vec!["192.0.2.43", "198.51.100.17"],
            ),
            ("for=_hidden,for=unknown", vec!["_hidden", "unknown"]),
            ("host=\"a, b;c\";for=\"x\\\"y\"", vec!["x\"y"]),
            ("for=1.2.3.4:80", vec!["1.2.3.4:80"]),
        ] {
            assert_eq!(
                nodes(line),
                Some(expected.into_iter().map(str::to_owned).collect()),
                "{line}"
            );
        }
    }

    #[test]
    fn what_is_malformed_says_nothing() {
        for line in [
            "",
            "for",
            "for=",
            "for=\"a",
            "for=a b",
            "for=a;;proto=b",
            "for=a,",
            "=a",
            "f or=a",
        ] {
            assert_eq!(nodes(line), None, "{line}");
        }
    }
}
