//! `cors`: which pages of other origins may call a service.

use std::time::Duration;

use http::uri::Scheme;
use http::{HeaderName, Method, Uri};

use super::distinct;
use super::response_headers::field_name;
use crate::config::blocks;
use crate::config::code::Code;
use crate::config::finding::Finding;
use crate::config::reader::Reader;
use crate::config::yaml::{Entry, Value};
use crate::text::port::port_beyond;
use crate::wire::{Cors, Origins};

const ORIGIN_HELP: &str =
    "write `https://app.example.com`, with the port where it is not the usual one";

/// The `cors` block of a service; `None` where something it needs was refused.
pub(super) fn cors(entry: Entry, reader: &mut Reader<'_>) -> Option<Cors> {
    let mut section = reader.section(entry, &blocks::CORS)?;
    let origins = section.require(reader, "origins", "[\"https://app.example.com\"]");
    let origins = origins.and_then(|entry| origins_of(entry, reader));
    let methods = section.take("methods").map(|entry| methods(entry, reader));
    let headers = section.take("headers").map(|entry| names(entry, reader));
    let expose = section.take("expose").map(|entry| names(entry, reader));
    let credentials = section.take("credentials");
    let may = credentials
        .as_ref()
        .and_then(|entry| reader.boolean(entry))
        .unwrap_or(false);
    let mut max_age = Duration::from_secs(600);
    section.duration(
        "max_age",
        &mut max_age,
        Duration::ZERO..=Duration::from_secs(24 * 3600),
        reader,
    );
    section.finish(reader);
    if let (Some(Origins::Any), Some(entry), true) = (&origins, credentials, may) {
        let message = "`credentials: true` with every origin would let any page act as its visitor";
        let finding = Finding::error(Code::InvalidValue, entry.node.span, message);
        reader.report(finding.help("name the origins, or leave `credentials` out"));
        return None;
    }
    Some(Cors {
        origins: origins?,
        methods: methods.unwrap_or_else(|| Some(usual_methods()))?,
        headers: headers.map_or(Some(None), |names| names.map(Some))?,
        expose: expose.unwrap_or_else(|| Some(Vec::new()))?,
        credentials: may,
        max_age,
    })
}

fn usual_methods() -> Vec<Method> {
    vec![
        Method::GET,
        Method::HEAD,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
    ]
}

/// `"*"`, one origin, or a list of them.
fn origins_of(entry: Entry, reader: &mut Reader<'_>) -> Option<Origins> {
    if !matches!(entry.node.value, Value::List(_)) {
        let text = reader.text(&entry)?;
        return if text == "*" {
            Some(Origins::Any)
        } else {
            origin(&entry, reader).map(|one| Origins::These(vec![one]))
        };
    }
    let items = reader.filled_list(
        entry,
        "leave `cors` out, and no page of another origin may call",
    )?;
    distinct(&items, reader, origin).map(Origins::These)
}

fn origin(entry: &Entry, reader: &mut Reader<'_>) -> Option<Box<str>> {
    let text = reader.text(entry)?;
    if text == "*" {
        reader.invalid(
            entry,
            "origins",
            "write `origins: \"*\"` for every origin, without a list".to_owned(),
        );
        return None;
    }
    let origin = text.parse::<Uri>().ok().filter(is_origin);
    if origin.is_none() || text.ends_with('/') || port_beyond(&text).is_some() {
        reader.invalid(entry, "an origin", ORIGIN_HELP.to_owned());
        return None;
    }
    Some(text.to_ascii_lowercase().into())
}

/// A scheme and an authority, and nothing else. The usual port is never part of what a browser sends.
fn is_origin(uri: &Uri) -> bool {
    let usual_port = match uri.scheme() {
        Some(scheme) if *scheme == Scheme::HTTP => 80,
        Some(scheme) if *scheme == Scheme::HTTPS => 443,
        Some(_) | None => return false,
    };
    let plain = |authority: &http::uri::Authority| {
        !authority.as_str().contains('@')
            && authority.port_u16() != Some(usual_port)
            && !authority.host().contains('*')
    };
    uri.path() == "/" && uri.query().is_none() && uri.authority().is_some_and(plain)
}

fn methods(entry: Entry, reader: &mut Reader<'_>) -> Option<Vec<Method>> {
    let items = reader.filled_list(entry, "leave `methods` out for all usual methods")?;
    distinct(&items, reader, |item, reader| {
        let text = reader.text(item)?;
        let method = Method::from_bytes(text.as_bytes())
            .ok()
            .filter(|_| text == text.to_ascii_uppercase());
        if method.is_none() {
            reader.invalid(
                item,
                "methods",
                "write upper-case names, such as `GET`".to_owned(),
            );
        }
        method
    })
}

fn names(entry: Entry, reader: &mut Reader<'_>) -> Option<Vec<HeaderName>> {
    let items = reader.list(entry)?;
    distinct(&items, reader, |item, reader| {
        let text = reader.text(item)?;
        field_name(&text, item.node.span, reader)
    })
}
