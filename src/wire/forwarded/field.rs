//! `X-Forwarded-For` and `Forwarded` (RFC 7239), read from the right.
//!
//! Each proxy appends what it saw. Only the right end is written by somebody who is trusted, so nothing here reads
//! from the left: whatever a client put there, bytes that are no text included, cannot change what is read first.

use std::net::{IpAddr, SocketAddr};

use http::header::{FORWARDED, HeaderName};
use http::{HeaderMap, HeaderValue};

use super::stated_scheme::StatedScheme;

/// The most parameters of an element that are read; RFC 7239 knows four.
const MOST_PARAMETERS: usize = 16;

/// The values of all lines of a list, such as `X-Forwarded-For`, the last one first. A value may be empty.
pub(super) fn values_from_the_right<'h>(
    headers: &'h HeaderMap,
    name: &HeaderName,
) -> impl Iterator<Item = &'h [u8]> + use<'h> {
    lines_from_the_right(headers, name)
        .flat_map(|line| line.rsplit(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
}

/// The elements of all `Forwarded` lines, the last one first; `None` for one that is malformed.
pub(super) fn elements(headers: &HeaderMap) -> impl Iterator<Item = Option<Element<'_>>> {
    lines_from_the_right(headers, &FORWARDED).flat_map(|line| {
        let mut rest = Some(line);
        std::iter::from_fn(move || {
            let (before, element) = split_last_element(rest?);
            rest = before;
            Some(Element::parse(element))
        })
    })
}

fn lines_from_the_right<'h>(
    headers: &'h HeaderMap,
    name: &HeaderName,
) -> impl Iterator<Item = &'h [u8]> + use<'h> {
    headers
        .get_all(name)
        .iter()
        .rev()
        .map(HeaderValue::as_bytes)
}

/// An address, with or without a port: `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]:80`.
pub(super) fn parse_address(entry: &[u8]) -> Option<IpAddr> {
    let entry = std::str::from_utf8(entry).ok()?;
    let bare = entry
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(entry);
    let address = bare
        .parse()
        .ok()
        .or_else(|| entry.parse::<SocketAddr>().ok().map(|address| address.ip()))?;
    Some(IpAddr::to_canonical(&address))
}

/// What one proxy states about the request that it received: a `forwarded-element` of RFC 7239, section 4.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Element<'a> {
    /// As sent.
    pub(super) text: &'a [u8],
    /// `for`, where it is an address: not `unknown`, and not an obfuscated identifier.
    pub(super) address: Option<IpAddr>,
    /// `proto`.
    pub(super) scheme: StatedScheme,
    /// `host`, unquoted.
    pub(super) host: Option<String>,
}

impl<'a> Element<'a> {
    /// `None` where it is no element: a parameter without a value, one that comes twice, or bytes that are no ASCII.
    fn parse(text: &'a [u8]) -> Option<Self> {
        let mut rest = std::str::from_utf8(text)
            .ok()
            .filter(|text| text.is_ascii())?;
        let mut element = Self {
            text,
            ..Self::default()
        };
        let mut seen = Vec::new();
        loop {
            rest = rest.trim_start_matches([' ', '\t', ';']);
            if rest.is_empty() {
                return Some(element);
            }
            let (name, behind) = rest.split_once('=')?;
            let name = name.to_ascii_lowercase();
            // bounded: each name is compared with those before it
            if !is_token(&name) || seen.contains(&name) || seen.len() == MOST_PARAMETERS {
                return None;
            }
            let (value, behind) = take_value(behind)?;
            rest = behind.trim_start();
            if !rest.is_empty() && !rest.starts_with(';') {
                return None;
            }
            element.set(&name, value);
            seen.push(name);
        }
    }

    fn set(&mut self, name: &str, value: String) {
        match name {
            "for" => self.address = parse_address(value.as_bytes()),
            "proto" => self.scheme = StatedScheme::parse(value.as_bytes()),
            "host" => self.host = Some(value),
            _ => {}
        }
    }
}

/// Splits a line at its last comma that stands in no quoted string. The scan runs from the right, so that a quote that
/// somebody further left opened and never closed ends nothing.
fn split_last_element(line: &[u8]) -> (Option<&[u8]>, &[u8]) {
    let mut quoted = false;
    for (at, byte) in line.iter().enumerate().rev() {
        match byte {
            b'"' if !(quoted && is_escaped(line, at)) => quoted = !quoted,
            b',' if !quoted => return (Some(&line[..at]), line[at + 1..].trim_ascii()),
            _ => {}
        }
    }
    (None, line.trim_ascii())
}

/// Whether an odd number of backslashes stands before the byte.
fn is_escaped(line: &[u8], at: usize) -> bool {
    let backslashes = line[..at].iter().rev().take_while(|byte| **byte == b'\\');
    backslashes.count() % 2 == 1
}

/// A token or a quoted string, and what stands behind it.
fn take_value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([';', ' ', '\t']).unwrap_or(text.len());
        let (token, rest) = text.split_at(end);
        // addresses with a port are quoted by the letter of the RFC, and not by everyone
        return is_unquoted_value(token).then(|| (token.to_owned(), rest));
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

fn is_unquoted_value(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && !b"\"=".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Vec<Option<String>> {
        let mut headers = HeaderMap::new();
        headers.insert(FORWARDED, HeaderValue::from_str(line).unwrap());
        let address = |element: Option<Element<'_>>| {
            element.map(|element| element.address.map_or("-".to_owned(), |at| at.to_string()))
        };
        elements(&headers).map(address).collect()
    }

    #[test]
    fn every_form_of_the_rfc_is_read_from_the_right() {
        for (line, expected) in [
            ("for=192.0.2.43", vec!["192.0.2.43"]),
            (
                "For=\"[2001:db8:cafe::17]:4711\"",
                vec!["2001:db8:cafe::17"],
            ),
            (
                "for=192.0.2.60;proto=http;by=203.0.113.43",
                vec!["192.0.2.60"],
            ),
            (
                "for=192.0.2.43, for=198.51.100.17",
                vec!["198.51.100.17", "192.0.2.43"],
            ),
            ("for=_hidden,for=unknown", vec!["-", "-"]),
            ("host=\"a, b;c\";for=1.2.3.4", vec!["1.2.3.4"]),
            ("for=\"x\\\"y, z\",for=1.2.3.4", vec!["1.2.3.4", "-"]),
            ("for=1.2.3.4:80", vec!["1.2.3.4"]),
            ("for=1.2.3.4;;proto=http;", vec!["1.2.3.4"]),
            ("for=1.2.3.4,", vec!["-", "1.2.3.4"]),
        ] {
            let expected: Vec<_> = expected
                .into_iter()
                .map(|address| Some(address.to_owned()))
                .collect();
            assert_eq!(read(line), expected, "{line}");
        }
    }

    #[test]
    fn an_element_of_too_many_parameters_is_malformed() {
        let element = |count: usize| {
            let more: Vec<_> = (1..count).map(|number| format!("x{number}=y")).collect();
            format!("for=1.2.3.4;{}", more.join(";"))
        };
        let address = Some("1.2.3.4".to_owned());
        assert_eq!(read(&element(MOST_PARAMETERS)), [address]);
        assert_eq!(read(&element(MOST_PARAMETERS + 1)), [None]);
    }

    #[test]
    fn a_malformed_element_spoils_none_to_its_right() {
        for malformed in [
            "for",
            "for=",
            "for=\"a",
            "\"",
            "for=a b",
            "=a",
            "f or=a",
            "for=a;for=b",
            "for=é",
            "for=\"a\\",
        ] {
            assert_eq!(read(malformed).first(), Some(&None), "{malformed}");
            let behind = format!("{malformed}, for=\"[2001:db8::1]:80\";proto=https");
            assert_eq!(
                read(&behind).first(),
                Some(&Some("2001:db8::1".to_owned())),
                "{behind}"
            );
        }
    }
}
