//! `auth.session`: the cookie of people who sign in with a browser.

use std::time::Duration;

use super::distinct;
use crate::config::blocks;
use crate::config::code::Code;
use crate::config::finding::Finding;
use crate::config::reader::Reader;
use crate::config::section::Section;
use crate::config::settings::Session;
use crate::config::yaml::Entry;
use crate::wire::{Host, SameSite, SecureCookie, SessionCookie};

/// The block; what is refused has been reported.
pub(super) fn session(entry: Option<Entry>, reader: &mut Reader<'_>) -> Session {
    let mut max_age = Duration::from_secs(12 * 3600);
    let section = entry.and_then(|entry| reader.section(entry, &blocks::SESSION));
    let Some(mut section) = section else {
        return Session {
            cookie: SessionCookie::default(),
            max_age,
        };
    };
    let name = section
        .take("cookie")
        .and_then(|entry| cookie_name(&entry, reader));
    let present = name.as_deref().unwrap_or("gatelatch");
    let former = section
        .take("former_cookies")
        .and_then(|entry| former_cookies(entry, present, reader));
    let longest = Duration::from_secs(365 * 24 * 3600);
    section.duration(
        "max_age",
        &mut max_age,
        Duration::from_secs(1)..=longest,
        reader,
    );
    let (secure, same_site) = protection(&mut section, reader);
    let domain = section
        .take("domain")
        .and_then(|entry| domain(&entry, reader));
    section.finish(reader);
    let cookie = SessionCookie::new(present, secure, same_site, domain)
        .with_former(&former.unwrap_or_default());
    Session { cookie, max_age }
}

/// The characters of a token (RFC 6265, section 4.1.1). Prefixes are the gateway's to add.
fn cookie_name(entry: &Entry, reader: &mut Reader<'_>) -> Option<String> {
    let text = reader.filled_text(entry)?;
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if text.len() > 64 || !text.bytes().all(legal) {
        reader.invalid(
            entry,
            "the name of a cookie",
            "write up to 64 letters, digits, `-`, `_` and `.`".to_owned(),
        );
        return None;
    }
    if text.starts_with("__") {
        reader.invalid(
            entry,
            "a name without a prefix",
            "`__Host-` is added over TLS; leave it out".to_owned(),
        );
        return None;
    }
    Some(text)
}

/// Names that the cookie once had; `present` is the one that it has.
fn former_cookies(entry: Entry, present: &str, reader: &mut Reader<'_>) -> Option<Vec<String>> {
    let items = reader.list(entry)?;
    distinct(&items, reader, |item, reader| {
        let name = cookie_name(item, reader)?;
        if name == present {
            let help = "the cookie has this name now; take it away".to_owned();
            reader.invalid(item, "a name that the cookie no longer has", help);
            return None;
        }
        Some(name)
    })
}

/// `secure` and `same_site`, and what they cost.
fn protection(section: &mut Section, reader: &mut Reader<'_>) -> (SecureCookie, SameSite) {
    let entry = section.take("secure");
    let secure = entry
        .as_ref()
        .and_then(|entry| reader.choice(entry, blocks::SECURE))
        .unwrap_or_default();
    if let (Some(entry), SecureCookie::Never) = (&entry, secure) {
        let message =
            "`secure: false`: whoever listens to one request in the clear has the session";
        let finding = Finding::warning(Code::LooseCookie, entry.node.span, message);
        reader.report(finding.help("leave it out: over plain http the cookie works without it"));
    }
    let entry = section.take("same_site");
    let same_site = entry
        .as_ref()
        .and_then(|entry| reader.choice(entry, blocks::SAME_SITE))
        .unwrap_or_default();
    if let (Some(entry), SameSite::None) = (&entry, same_site) {
        let span = entry.node.span;
        reader.report(match secure {
            SecureCookie::Never => {
                Finding::error(Code::InvalidValue, span, "browsers take `same_site: none` only with `secure`")
                    .help("leave `secure` out, or write `same_site: lax`")
            }
            SecureCookie::Auto | SecureCookie::Always => {
                let message = "`same_site: none`: every site can make a browser send requests with its session";
                Finding::warning(Code::LooseCookie, span, message).help("write `lax` unless other sites frame this one")
            }
        });
    }
    (secure, same_site)
}

/// `null`, or a domain under which every host gets the cookie.
fn domain(entry: &Entry, reader: &mut Reader<'_>) -> Option<Box<str>> {
    if reader.is_nothing(entry) {
        return None;
    }
    let text = reader.filled_text(entry)?;
    let host = Host::parse(text.strip_prefix('.').unwrap_or(&text));
    let sound = |name: &str| {
        name.contains('.') && name.parse::<std::net::IpAddr>().is_err() && !text.contains(':')
    };
    let name = host
        .map(|host| host.name().to_owned())
        .filter(|name: &String| sound(name));
    if name.is_none() {
        reader.invalid(
            entry,
            "a domain",
            "write `example.com`, or leave it out for one host".to_owned(),
        );
    }
    name.map(String::into_boxed_str)
}
