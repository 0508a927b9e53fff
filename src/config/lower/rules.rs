//! `rules`: who may do what.

use http::Method;

use super::silence::allow_lints;
use super::{allow, distinct, label, rate};
use crate::access::{
    CaseRule, Methods, Mode, Mount, PathError, PathOptions, Pattern, Policy, RequestPath, Rule, Tie,
};
use crate::config::blocks;
use crate::config::code::Code;
use crate::config::finding::{Finding, did_you_mean};
use crate::config::lint::{self, PlacedRate};
use crate::config::reader::Reader;
use crate::config::section::Section;
use crate::config::shown::shown;
use crate::config::span::Span;
use crate::config::yaml::Entry;
use crate::wire::{AUTHORIZATION_PATH, JWKS_PATH};

const STANDARD: [&str; 9] = [
    "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE",
];

/// The service that the rules belong to.
pub(super) struct Place<'a> {
    pub(super) service: &'a str,
    pub(super) span: Span,
    /// `None` where it was refused.
    pub(super) mount: Option<&'a Mount>,
    pub(super) case: CaseRule,
    pub(super) mode: Mode,
    pub(super) auth_path: &'a str,
    pub(super) paths: PathOptions,
}

/// The rules of one service.
#[derive(Default)]
pub(super) struct LoweredRules {
    /// `None` where two of them tie.
    pub(super) policy: Option<Policy>,
    /// Where each stands, by rule id.
    pub(super) spans: Vec<Span>,
    /// The rate of each.
    pub(super) rates: Vec<Option<PlacedRate>>,
}

/// The rules of one service.
pub(super) fn rules(
    entry: Option<Entry>,
    place: &Place<'_>,
    reader: &mut Reader<'_>,
) -> LoweredRules {
    let none = |policy| LoweredRules {
        policy,
        ..LoweredRules::default()
    };
    let Some(entry) = entry else {
        return none(warn_of_none(place.span, place, reader));
    };
    let span = entry.key_span;
    let Some(items) = reader.list(entry) else {
        return none(no_rules(place.case, place.mode));
    };
    if items.is_empty() {
        return none(warn_of_none(span, place, reader));
    }
    let mut rules = Vec::with_capacity(items.len());
    let mut lowered = none(None);
    for item in items {
        let span = item.node.span;
        if let Some((rule, rate)) = rule(item, place, reader) {
            rules.push(rule);
            lowered.spans.push(span);
            lowered.rates.push(rate);
        }
    }
    lowered.policy = policy(rules, &lowered.spans, place, reader);
    lowered
}

fn warn_of_none(span: Span, place: &Place<'_>, reader: &mut Reader<'_>) -> Option<Policy> {
    let message = format!(
        "the service `{}` has no rules: it forwards nothing",
        place.service
    );
    let finding = Finding::warning(Code::NoRules, span, message).about([place.span]);
    reader.report(finding.help(
        "write `rules: [{ path: /**, allow: authenticated }]` to let everybody in who is known",
    ));
    no_rules(place.case, place.mode)
}

fn policy(
    rules: Vec<Rule>,
    spans: &[Span],
    place: &Place<'_>,
    reader: &mut Reader<'_>,
) -> Option<Policy> {
    let names: Vec<_> = rules.iter().map(|rule| rule.name.clone()).collect();
    match Policy::build(rules, place.case) {
        Ok(policy) => {
            let policy = policy.with_unruled(place.mode);
            let rules = lint::Rules {
                named: place.service,
                policy: &policy,
                mount: place.mount,
                service: place.span,
                spans,
            };
            lint::rules(&rules)
                .into_iter()
                .for_each(|finding| reader.report(finding));
            Some(policy)
        }
        Err(ties) => {
            ties.iter()
                .for_each(|tie| reader.report(tied(tie, &names, spans)));
            None
        }
    }
}

fn tied(tie: &Tie, names: &[Box<str>], spans: &[Span]) -> Finding {
    let (first, second) = (tie.first.0 as usize, tie.second.0 as usize);
    let requests = tie
        .method
        .as_ref()
        .map(|method| format!(" for `{method}`"))
        .unwrap_or_default();
    let message = format!(
        "the rules `{}` and `{}` tie{requests}",
        shown(&names[first]),
        shown(&names[second])
    );
    Finding::error(Code::TiedRules, spans[second], message)
        .note(spans[first], "the other rule is here")
        .help("write both `allow` into one list, or name different methods")
}

fn rule(
    entry: Entry,
    place: &Place<'_>,
    reader: &mut Reader<'_>,
) -> Option<(Rule, Option<PlacedRate>)> {
    let span = entry.node.span;
    let mut section = Section::new(span, reader.map(entry)?, &blocks::RULE);
    let pattern = section.require(reader, "path", "/jobs/**");
    let pattern = pattern.and_then(|entry| {
        let pattern = pattern_of(&entry, place, reader)?;
        let refused = refused_by(&pattern, &entry, place);
        refused
            .into_iter()
            .for_each(|finding| reader.report(finding.about([span, place.span])));
        Some(pattern)
    });
    let methods = section.take("methods").map(|entry| methods(entry, reader));
    let name = section.take("name").map(|entry| label(&entry, reader));
    let meant = allow::meant_by(section.left());
    let allow = section.require(reader, "allow", meant);
    let parameters = pattern
        .as_ref()
        .map(|pattern| pattern.parameters().collect::<Vec<_>>());
    let requirement = allow.and_then(|entry| allow::allow(entry, parameters.as_deref(), reader));
    let mode = mode(&mut section, &[span, place.span], reader).unwrap_or(place.mode);
    let rate = rate::rate(&mut section, reader);
    allow_lints(section.take("allow_lints"), Some(span), reader);
    section.finish(reader);
    let (pattern, methods) = (pattern?, methods.unwrap_or(Some(Methods::All))?);
    let name = name
        .unwrap_or_else(|| Some(default_name(&methods, &pattern)))?
        .into();
    let rule = Rule {
        name,
        pattern,
        methods,
        requirement: requirement?,
        mode,
    };
    Some((rule, rate))
}

/// `mode` of a rule or a service; `about` are the places whose `allow_lints` count.
pub(super) fn mode(section: &mut Section, about: &[Span], reader: &mut Reader<'_>) -> Option<Mode> {
    let entry = section.take("mode")?;
    let mode = reader.choice(&entry, blocks::MODES)?;
    if mode == Mode::Report {
        let message = "`mode: report` forwards what the rules deny";
        let finding = Finding::warning(Code::ReportOnly, entry.key_span, message)
            .about(about.iter().copied());
        reader
            .report(finding.help("write `mode: enforce` once the reports show what was expected"));
    }
    Some(mode)
}

/// `GET,POST /jobs`, and `* /jobs` for all methods.
fn default_name(methods: &Methods, pattern: &Pattern) -> String {
    let methods = match methods {
        Methods::All => "*".to_owned(),
        Methods::Only(methods) => methods
            .iter()
            .map(Method::as_str)
            .collect::<Vec<_>>()
            .join(","),
    };
    format!("{methods} {}", pattern.source())
}

/// A warning where the service refuses each request that a pattern is for.
fn refused_by(pattern: &Pattern, entry: &Entry, place: &Place<'_>) -> Option<Finding> {
    let mut pieces = pattern
        .source()
        .split('/')
        .filter(|piece| piece.contains('%'));
    let error =
        pieces.find_map(|piece| RequestPath::parse(&format!("/{piece}"), place.paths).err())?;
    let (what, key, instead) = if let PathError::EncodedReserved(byte) = error {
        (format!("`%{byte:02X}`"), "allow_encoded_reserved", "")
    } else if error == PathError::EncodedSlash {
        let instead = "`/` where a segment ends, or ";
        ("`%2F`".to_owned(), "allow_encoded_slash", instead)
    } else {
        return None;
    };
    let message = format!(
        "`{}` never matches: the service refuses requests with {what} in the path",
        shown(pattern.source())
    );
    let finding = Finding::warning(Code::UnreachableRule, entry.node.span, message);
    Some(finding.help(format!(
        "write {instead}`paths: {{ {key}: true }}` in the service, if its paths have that"
    )))
}

fn pattern_of(entry: &Entry, place: &Place<'_>, reader: &mut Reader<'_>) -> Option<Pattern> {
    let text = reader.text(entry)?;
    let pattern = match Pattern::parse(&text) {
        Ok(pattern) => pattern,
        Err(error) => {
            reader.report(Finding::error(
                Code::InvalidPattern,
                entry.node.span,
                error.to_string(),
            ));
            return None;
        }
    };
    if let Some(finding) = reserved_elsewhere(&pattern, &text, entry.node.span) {
        reader.report(finding);
    }
    if pattern.lies_under(place.auth_path) {
        let message = format!(
            "`{}` lies under `auth.path`, where the gateway itself answers",
            shown(&text)
        );
        let finding = Finding::error(Code::ReservedPath, entry.node.span, message);
        let help = format!(
            "take the rule away, or move `auth.path` away from `{}`",
            place.auth_path
        );
        reader.report(finding.help(help));
    }
    Some(pattern)
}

fn methods(entry: Entry, reader: &mut Reader<'_>) -> Option<Methods> {
    let items = reader.filled_list(entry, "leave `methods` out for all methods")?;
    distinct(&items, reader, method).map(Methods::Only)
}

fn method(entry: &Entry, reader: &mut Reader<'_>) -> Option<Method> {
    let text = reader.text(entry)?;
    let upper = text.to_ascii_uppercase();
    let help = match upper.as_str() {
        "CONNECT" | "TRACE" => "such requests are always refused; take it away".to_owned(),
        _ if upper != text && STANDARD.contains(&&*upper) => format!("did you mean `{upper}`?"),
        "*" | "ANY" | "ALL" => "leave `methods` out for all methods".to_owned(),
        _ => match Method::from_bytes(text.as_bytes()) {
            // Methods of extensions, such as `PROPFIND`, are nobody's typo; `GTE` is.
            Ok(method) => {
                match did_you_mean(&text, STANDARD).filter(|_| !STANDARD.contains(&&*text)) {
                    Some(help) if text.len() <= 4 => help,
                    Some(_) | None => return Some(method),
                }
            }
            Err(_) => "write a method such as `GET`".to_owned(),
        },
    };
    reader.invalid(entry, "the names of methods", help);
    None
}

/// The places outside `auth.path` where the gateway itself answers, and what it does there.
const RESERVED: [(&str, &str); 2] = [
    (JWKS_PATH, "shows its public keys"),
    (AUTHORIZATION_PATH, "answers Envoy"),
];

/// What is wrong with a pattern whose literals lie at one of them.
pub(super) fn reserved_elsewhere(pattern: &Pattern, text: &str, span: Span) -> Option<Finding> {
    let mut reserved = RESERVED.iter();
    let (_, what) = reserved.find(|(path, _)| pattern.lies_under(path))?;
    let message = format!("`{}` is where the gateway {what}", shown(text));
    let finding = Finding::error(Code::ReservedPath, span, message);
    Some(finding.help("choose another path; nothing there is forwarded"))
}

/// An empty policy, for a service of which only the rest is still to be checked.
fn no_rules(case: CaseRule, mode: Mode) -> Option<Policy> {
    let policy = Policy::build(Vec::new(), case).ok()?;
    Some(policy.with_unruled(mode))
}
