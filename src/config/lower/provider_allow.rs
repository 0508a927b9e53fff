//! `allow` of a provider: who of its people may sign in.

use super::{distinct, label};
use crate::config::blocks;
use crate::config::code::Code;
use crate::config::finding::Finding;
use crate::config::reader::Reader;
use crate::config::section::Section;
use crate::config::yaml::Entry;
use crate::oidc::{EmailAddress, EmailDomain, ProviderAllow};

/// One condition at least.
pub(super) fn allow(entry: Entry, reader: &mut Reader<'_>) -> Option<ProviderAllow> {
    let (key, span) = (entry.key.clone(), entry.node.span);
    let mut section = reader.section(entry, &blocks::PROVIDER_ALLOW)?;
    let domains = list(&mut section, "email_domains", reader, domain);
    let groups = list(&mut section, "groups", reader, |item, reader| {
        label(item, reader).map(Into::into)
    });
    let emails = list(&mut section, "emails", reader, email);
    section.finish(reader);
    let allow = ProviderAllow {
        email_domains: domains?,
        groups: groups?,
        emails: emails?,
    };
    if allow.is_everybody() {
        let finding = Finding::error(Code::EmptyValue, span, format!("`{key}` is empty"));
        reader.report(
            finding
                .help("name who may sign in, or take it away: then everybody of this issuer may"),
        );
        return None;
    }
    Some(allow)
}

fn list<T: PartialEq>(
    section: &mut Section,
    key: &'static str,
    reader: &mut Reader<'_>,
    read: impl FnMut(&Entry, &mut Reader<'_>) -> Option<T>,
) -> Option<Vec<T>> {
    match section.take(key) {
        Some(entry) => {
            let items = reader.list(entry)?;
            distinct(&items, reader, read)
        }
        None => Some(Vec::new()),
    }
}

/// A domain of one's own is no pattern but for what lies below it.
fn domain(item: &Entry, reader: &mut Reader<'_>) -> Option<EmailDomain> {
    let text = label(item, reader)?;
    let domain = EmailDomain::parse(&text);
    if domain.is_none() {
        let help = if text.is_ascii() {
            "write `example.com`, or `*.example.com` for the domains below it; for everybody of the issuer take `allow` away"
        } else {
            "write it in ASCII, such as `xn--bcher-kva.example`, as mail servers know it"
        };
        reader.invalid(item, "a domain", help.to_owned());
    }
    domain
}

fn email(item: &Entry, reader: &mut Reader<'_>) -> Option<EmailAddress> {
    let text = label(item, reader)?;
    let address = EmailAddress::parse(&text);
    if address.is_none() {
        let help = "write `alice@example.com`; domains belong to `email_domains`";
        reader.invalid(item, "a mail address", help.to_owned());
    }
    address
}
