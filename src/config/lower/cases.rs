//! `tests`: requests whose outcome is known.

use std::net::IpAddr;
use std::time::Duration;

use super::user::user_claims;
use super::{label, roles};
use crate::access::Claim;
use crate::analysis::simulation::{CallerSpec, SimulatedRequest};
use crate::config::blocks;
use crate::config::cases::Case;
use crate::config::reader::Reader;
use crate::config::section::Section;
use crate::config::yaml::{Entry, Node, Value};
use crate::token::ClaimPath;

const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);

/// The `tests` of a configuration, or of a file of their own. `roles_claim` is the claim that carries roles.
pub(super) fn cases(entry: Entry, roles_claim: &ClaimPath, reader: &mut Reader<'_>) -> Vec<Case> {
    let Some(items) = reader.list(entry) else {
        return Vec::new();
    };
    items
        .into_iter()
        .filter_map(|item| case(item, roles_claim, reader))
        .collect()
}

/// A file of tests: a list of them, or a map with `tests`.
pub(in crate::config) fn case_file(
    root: Node,
    roles_claim: &ClaimPath,
    reader: &mut Reader<'_>,
) -> Vec<Case> {
    let span = root.span;
    if matches!(root.value, Value::List(_)) {
        return cases(
            Entry {
                key: "tests".into(),
                key_span: span,
                node: root,
            },
            roles_claim,
            reader,
        );
    }
    let root = Entry {
        key: reader.file_name(span),
        key_span: span,
        node: root,
    };
    let Some(mut top) = reader.section(root, &blocks::TESTS_FILE) else {
        return Vec::new();
    };
    let list = top.require(
        reader,
        "tests",
        "[{ request: GET /jobs, expect: unauthenticated }]",
    );
    top.finish(reader);
    list.map(|entry| cases(entry, roles_claim, reader))
        .unwrap_or_default()
}

fn case(entry: Entry, roles_claim: &ClaimPath, reader: &mut Reader<'_>) -> Option<Case> {
    let span = entry.node.span;
    let mut section = Section::new(span, reader.map(entry)?, &blocks::TEST);
    let name = section.take("name").map(|entry| label(&entry, reader));
    let request = section.require(reader, "request", "POST /jobs");
    let written = request
        .as_ref()
        .map(|entry| (reader.written(entry), entry.node.span));
    let request = request.and_then(|entry| request_of(&entry, reader));
    let destination = section.take("destination").map(|entry| {
        let text = reader.filled_text(&entry)?;
        Some((text, reader.written(&entry)))
    });
    let subject = section.take("as");
    let subject_span = subject.as_ref().map(|entry| entry.node.span);
    let who = subject
        .map(|entry| who(entry, roles_claim, reader))
        .unwrap_or_else(|| Some(CallerSpec::default()));
    let expected = section.require(reader, "expect", "allowed");
    let expected = expected.and_then(|entry| reader.choice(&entry, blocks::VERDICTS));
    section.finish(reader);
    let (mut request, mut written, destination) = (request?, written?, given(destination)?);
    if let Some((text, shown)) = destination {
        request = request.with_destination(Some(&text));
        let unquoted = |text: &str| text.trim_matches('`').to_owned();
        written.0 = format!("`{} to {}`", unquoted(&written.0), unquoted(&shown));
    }
    Some(Case {
        name: name.unwrap_or_else(|| Some(String::new()))?,
        request,
        who: who?,
        expected: expected?,
        origin: reader.origin(span),
        written,
        subject_span: subject_span.unwrap_or(span),
    })
}

fn request_of(entry: &Entry, reader: &mut Reader<'_>) -> Option<SimulatedRequest> {
    let text = reader.filled_text(entry)?;
    let error = match SimulatedRequest::parse(&text) {
        Ok(request) => return Some(request),
        Err(error) => error,
    };
    // the text with its variables replaced is not for messages
    reader.invalid(entry, "a method and a URL", error.help().to_owned());
    None
}

/// A user, or a map that describes the caller.
fn who(entry: Entry, roles_claim: &ClaimPath, reader: &mut Reader<'_>) -> Option<CallerSpec> {
    const EXPECTED: &str = "a user or a map such as `{ user: alice, roles: [admin] }`";
    match &entry.node.value {
        Value::Map(_) => {}
        Value::Plain(_) | Value::Quoted(_) => {
            return label(&entry, reader).map(|user| CallerSpec {
                user: Some(user.into()),
                ..CallerSpec::default()
            });
        }
        Value::List(_) => {
            reader.wrong_type(&entry, EXPECTED);
            return None;
        }
        Value::Broken => return None,
    }
    let mut section = reader.section(entry, &blocks::TEST_CALLER)?;
    let user = section.take("user").map(|entry| label(&entry, reader));
    let roles = section
        .take("roles")
        .map(|entry| roles(entry, reader, None));
    let claims: Option<Option<Vec<Claim>>> = section
        .take("claims")
        .map(|entry| user_claims(entry, roles_claim, reader));
    let address = section.take("address").map(|entry| address(&entry, reader));
    let second_factor = section
        .take("second_factor")
        .map(|entry| reader.boolean(&entry));
    let age = section
        .take("age")
        .map(|entry| reader.duration(&entry, Duration::ZERO..=YEAR));
    section.finish(reader);
    // what was refused must not become a caller of whom less is said
    Some(CallerSpec {
        user: given(user)?.map(Into::into),
        roles: given(roles)?,
        claims: given(claims)?,
        address: given(address)?,
        second_factor: given(second_factor)?.unwrap_or(false),
        age: given(age)?,
    })
}

/// `None` where what is given was refused.
fn given<T>(value: Option<Option<T>>) -> Option<Option<T>> {
    match value {
        Some(refused_or_read) => refused_or_read.map(Some),
        None => Some(None),
    }
}

fn address(entry: &Entry, reader: &mut Reader<'_>) -> Option<IpAddr> {
    let text = reader.text(entry)?;
    let address = text.parse().ok();
    if address.is_none() {
        reader.invalid(
            entry,
            "an IP address",
            "write one such as `10.1.2.3`, without a port".to_owned(),
        );
    }
    address
}
