//! What a line says, and how it is written.

use std::io::Write;
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use super::escape::{quoted, word};
use crate::access::ClientAddress;
use crate::telemetry::{Attention, LineFormat};

/// One request that is over. There is no place for a query string, a token or a password, on purpose.
#[derive(Clone, Debug)]
pub struct AccessLine<'a> {
    /// When its head was complete.
    pub time: SystemTime,
    /// The `X-Request-Id` that was sent to the upstream.
    pub request_id: &'a str,
    /// The client's address.
    pub client: ClientAddress,
    /// The subject of the identity; `None` for an anonymous caller.
    pub user: Option<&'a str>,
    /// The OpenID provider that the user has signed in with.
    pub provider: Option<&'a str>,
    /// As sent: a token (RFC 9110, section 5.6.2), in which nothing needs an escape.
    pub method: &'a str,
    /// As sent; empty where it was missing.
    pub host: &'a str,
    /// The path that was decided on; for a malformed one the path as sent. Never the query.
    pub path: &'a str,
    /// The service's name; `None` where none was found.
    pub service: Option<&'a str>,
    /// The rule's name; `None` where none covers the request.
    pub rule: Option<&'a str>,
    /// [`crate::telemetry::metrics::RequestOutcome::label`].
    pub decision: &'static str,
    /// Why it was refused, or what went wrong.
    pub reason: Option<&'a str>,
    /// The status code of the answer; 0 where the client went away before there was one.
    pub status: u16,
    /// Bytes of the answer's body that were handed to the client's connection.
    pub bytes: u64,
    /// The server that the request was sent to, such as `127.0.0.1:9000`.
    pub upstream: Option<&'a str>,
    /// From the end of the request head to the end of the answer.
    pub duration: Duration,
    /// From the choice of a server to the head of its answer.
    pub upstream_duration: Option<Duration>,
    /// Who broke the exchange off; `None` where it was completed.
    pub aborted: Option<Aborted>,
    /// The trace that the request belongs to; `None` where requests are not traced.
    pub trace_id: Option<[u8; 16]>,
}

/// Who broke an exchange off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aborted {
    /// The client went away.
    Client,
    /// The upstream's answer ended early.
    Upstream,
    /// The gateway: a deadline, a limit, or its own end.
    Gateway,
}

impl Aborted {
    fn label(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Upstream => "upstream",
            Self::Gateway => "gateway",
        }
    }
}

/// A value of a field.
#[derive(Clone, Copy)]
enum Value<'a> {
    /// Untrusted text.
    Text(&'a str),
    /// Text of visible ASCII without quotes, which needs no look.
    Known(&'a str),
    Address(IpAddr),
    Number(u64),
    Status(u16),
    /// In milliseconds, with three more digits.
    Milliseconds(Duration),
    /// In hexadecimal digits.
    Id([u8; 16]),
}

/// Appends one line, its end included. Fields without a value are left out; `stamp` is the formatted time.
pub(super) fn format(out: &mut Vec<u8>, line: &AccessLine<'_>, format: LineFormat, stamp: &[u8]) {
    match format {
        LineFormat::Text | LineFormat::Coloured => {
            out.extend_from_slice(b"time=");
            out.extend_from_slice(stamp);
            each_field(line, |key, value| text_field(out, key, value, format));
            out.push(b'\n');
        }
        LineFormat::Json => {
            out.extend_from_slice(br#"{"timestamp":""#);
            out.extend_from_slice(stamp);
            out.push(b'"');
            each_field(line, |key, value| json_field(out, key, value));
            out.extend_from_slice(b"}\n");
        }
    }
}

#[inline(always)]
fn each_field(line: &AccessLine<'_>, mut put: impl FnMut(Key, Value<'_>)) {
    put(keys::TYPE, Value::Known("access"));
    put(keys::REQUEST_ID, Value::Text(line.request_id));
    put(
        keys::CLIENT,
        match line.client {
            ClientAddress::Known(address) => Value::Address(address),
            ClientAddress::Unknown => Value::Known("unknown"),
        },
    );
    line.user
        .into_iter()
        .for_each(|user| put(keys::USER, Value::Text(user)));
    line.provider
        .into_iter()
        .for_each(|provider| put(keys::PROVIDER, Value::Known(provider)));
    // tokens of HTTP (RFC 9110, section 5.6.2)
    put(keys::METHOD, Value::Known(line.method));
    put(keys::HOST, Value::Text(line.host));
    put(keys::PATH, Value::Text(line.path));
    line.service
        .into_iter()
        .for_each(|service| put(keys::SERVICE, Value::Text(service)));
    line.rule
        .into_iter()
        .for_each(|rule| put(keys::RULE, Value::Text(rule)));
    put(keys::DECISION, Value::Known(line.decision));
    line.reason
        .into_iter()
        .for_each(|reason| put(keys::REASON, Value::Text(reason)));
    put(keys::STATUS, Value::Status(line.status));
    put(keys::BYTES, Value::Number(line.bytes));
    put(keys::DURATION, Value::Milliseconds(line.duration));
    line.upstream
        .into_iter()
        .for_each(|upstream| put(keys::UPSTREAM, Value::Text(upstream)));
    line.upstream_duration
        .into_iter()
        .for_each(|time| put(keys::UPSTREAM_DURATION, Value::Milliseconds(time)));
    line.aborted
        .into_iter()
        .for_each(|who| put(keys::ABORTED, Value::Known(who.label())));
    line.trace_id
        .into_iter()
        .for_each(|id| put(keys::TRACE_ID, Value::Id(id)));
}

/// A field's name with the separators around it.
struct Key {
    text: &'static str,
    json: &'static str,
}

mod keys {
    use super::Key;

    macro_rules! keys {
        ($($key:ident $name:literal)+) => {
            $(pub(super) const $key: Key =
                Key { text: concat!(" ", $name, "="), json: concat!(",\"", $name, "\":") };)+
        };
    }

    keys! {
        TYPE "type" REQUEST_ID "request_id" CLIENT "client" USER "user" PROVIDER "provider" METHOD "method" HOST "host" PATH "path"
        SERVICE "service" RULE "rule" DECISION "decision" REASON "reason" STATUS "status" BYTES "bytes"
        DURATION "duration_ms" UPSTREAM "upstream" UPSTREAM_DURATION "upstream_ms" ABORTED "aborted"
        TRACE_ID "trace_id"
    }
}

fn text_field(out: &mut Vec<u8>, key: Key, value: Value<'_>, format: LineFormat) {
    out.extend_from_slice(key.text.as_bytes());
    match value {
        Value::Text(text) => word(out, text),
        Value::Known(text) => out.extend_from_slice(text.as_bytes()),
        Value::Address(address) => put_address(out, address),
        Value::Number(number) => put_number(out, number),
        Value::Status(status) => {
            let attention = match status {
                500.. => Attention::Much,
                400..500 => Attention::Some,
                _ => Attention::None,
            };
            attention.paint(format, out, |out| put_number(out, status.into()));
        }
        Value::Milliseconds(duration) => put_milliseconds(out, duration),
        Value::Id(id) => put_id(out, id),
    }
}

fn json_field(out: &mut Vec<u8>, key: Key, value: Value<'_>) {
    out.extend_from_slice(key.json.as_bytes());
    match value {
        Value::Text(text) => quoted(out, text),
        Value::Known(text) => between_quotes(out, |out| out.extend_from_slice(text.as_bytes())),
        Value::Address(address) => between_quotes(out, |out| put_address(out, address)),
        Value::Number(number) => put_number(out, number),
        Value::Status(status) => put_number(out, status.into()),
        Value::Milliseconds(duration) => put_milliseconds(out, duration),
        Value::Id(id) => between_quotes(out, |out| put_id(out, id)),
    }
}

fn between_quotes(out: &mut Vec<u8>, put: impl FnOnce(&mut Vec<u8>)) {
    out.push(b'"');
    put(out);
    out.push(b'"');
}

fn put_address(out: &mut Vec<u8>, address: IpAddr) {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            let (mut text, mut end) = ([b'.'; 15], 0);
            for octet in address.octets() {
                let digits = [
                    digit((octet / 100).into()),
                    digit((octet / 10).into()),
                    digit(octet.into()),
                ];
                let digits = &digits[usize::from(octet < 10) + usize::from(octet < 100)..];
                text[end..end + digits.len()].copy_from_slice(digits);
                end += digits.len() + 1;
            }
            out.extend_from_slice(&text[..end - 1]);
        }
        IpAddr::V6(address) => write!(out, "{address}").expect("writing to a vector cannot fail"),
    }
}

fn put_number(out: &mut Vec<u8>, number: u64) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

fn put_milliseconds(out: &mut Vec<u8>, duration: Duration) {
    let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
    put_number(out, micros / 1000);
    let rest = micros % 1000;
    out.extend_from_slice(&[b'.', digit(rest / 100), digit(rest / 10), digit(rest)]);
}

fn put_id(out: &mut Vec<u8>, id: [u8; 16]) {
    write!(out, "{:032x}", u128::from_be_bytes(id)).expect("writing to a vector cannot fail");
}

fn digit(number: u64) -> u8 {
    b'0' + (number % 10) as u8
}
