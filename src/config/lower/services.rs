//! `services`: who is reachable where.

use std::num::NonZeroU64;

use super::credentials::credentials;
use super::server::body_limit;
use super::service_paths::{document, mount, paths};
use super::silence::allow_lints;
use super::{cors, distinct, identity, rate, response_headers, rules, upstream};
use crate::access::{CaseRule, HostPattern, RoutedService, Router};
use crate::config::blocks;
use crate::config::code::Code;
use crate::config::finding::Finding;
use crate::config::lint::{self, PlacedRate};
use crate::config::places::Places;
use crate::config::reader::Reader;
use crate::config::section::Section;
use crate::config::settings::{Origin, Server, Service};
use crate::config::shown::shown;
use crate::config::span::Span;
use crate::config::value;
use crate::config::yaml::{Entry, Value};
use crate::rates::ServiceRates;
use crate::upstream::Settings as UpstreamSettings;
use crate::wire::{AcceptedCredentials, CacheMode, Cors, IdentitySettings, ResponseFields};

/// What the rest of the file says that every service is checked against.
pub(super) struct Shared<'a> {
    pub(super) auth_path: &'a str,
    pub(super) credentials: AcceptedCredentials,
    pub(super) body_limit: Option<NonZeroU64>,
    pub(super) server: &'a Server,
    pub(super) roots: upstream::SystemRoots,
}

/// All services.
#[derive(Default)]
pub(super) struct Lowered {
    pub(super) services: Vec<Service>,
    /// By the index of the service.
    pub(super) places: Vec<Places>,
    /// `None` where two of them claim the same place.
    pub(super) router: Option<Router>,
}

/// All services, and how they are found.
pub(super) fn services(entry: Entry, shared: &Shared<'_>, reader: &mut Reader<'_>) -> Lowered {
    let span = entry.key_span;
    let Some(entries) = reader.map(entry) else {
        return Lowered::default();
    };
    if entries.is_empty() {
        let message = "`services` is empty: there is nothing to forward to";
        let finding = Finding::error(Code::EmptyValue, span, message);
        let help = "write `services: { app: { upstream: http://127.0.0.1:9000, rules: [] } }`";
        reader.report(finding.help(help));
        return Lowered::default();
    }
    let entries = without_dedented(entries, reader);
    let lowered = entries
        .into_iter()
        .filter_map(|entry| service(entry, shared, reader));
    let (services, places): (Vec<_>, Vec<_>) = lowered.unzip();
    let router = router(&services, &places, reader);
    Lowered {
        services,
        places,
        router,
    }
}

/// Reports keys of a service that stand beside it, because they are indented as far as its name.
fn without_dedented(entries: Vec<Entry>, reader: &mut Reader<'_>) -> Vec<Entry> {
    let mut kept: Vec<Entry> = Vec::with_capacity(entries.len());
    for entry in entries {
        let is_service = match &entry.node.value {
            Value::Map(own) => {
                own.is_empty() || own.iter().any(|one| blocks::SERVICE.has(&one.key))
            }
            Value::Plain(text) if text.is_empty() => true,
            Value::Plain(_) | Value::Quoted(_) | Value::List(_) | Value::Broken => false,
        };
        if is_service || !blocks::SERVICE.has(&entry.key) {
            kept.push(entry);
            continue;
        }
        let message = format!(
            "`{}` stands among the services, and is read as one of this name",
            entry.key
        );
        let help = match kept.last() {
            Some(service) => {
                // which has no rules for this reason
                reader.silence(Code::NoRules, Some(service.key_span), entry.key_span);
                format!(
                    "indent it further, so that it belongs to `{}`",
                    shown(&service.key)
                )
            }
            None => "write it under the name of its service, indented further".to_owned(),
        };
        reader.report(Finding::error(Code::WrongType, entry.key_span, message).help(help));
    }
    kept
}

fn router(services: &[Service], places: &[Places], reader: &mut Reader<'_>) -> Option<Router> {
    let routed = services.iter().map(|service| RoutedService {
        hosts: service.hosts.clone(),
        mount: service.mount.clone(),
        case: service.policy.case(),
        paths: service.paths,
    });
    let overlaps = match Router::build(routed.collect()) {
        Ok(router) => return Some(router),
        Err(overlaps) => overlaps,
    };
    for overlap in overlaps {
        let (first, second) = (&services[overlap.first], &services[overlap.second]);
        let message = format!(
            "the services `{}` and `{}` claim the same host and path",
            first.name, second.name
        );
        let finding = Finding::error(
            Code::OverlappingServices,
            places[overlap.second].service,
            message,
        )
        .note(
            places[overlap.first].service,
            format!("`{}` is here", first.name),
        )
        .help("give one of them another `path` or other `hosts`");
        reader.report(finding);
    }
    None
}

/// Those of the service, else of `auth`.
fn own_credentials(
    section: &mut Section,
    service: Span,
    shared: &Shared<'_>,
    reader: &mut Reader<'_>,
) -> AcceptedCredentials {
    let entry = section.take("credentials");
    credentials(entry, (Some(service), shared.server), reader).unwrap_or(shared.credentials)
}

/// The upstream, and where each of its servers stands.
fn own_upstream(
    section: &mut Section,
    shared: &Shared<'_>,
    reader: &mut Reader<'_>,
) -> (Option<UpstreamSettings>, Vec<Origin>) {
    let Some(entry) = section.require(reader, "upstream", "http://127.0.0.1:9000") else {
        return (None, Vec::new());
    };
    let servers = reader.origins(&upstream::places(&entry));
    let settings = upstream::upstream(entry, &shared.roots, reader);
    let settings = settings.map(|settings| UpstreamSettings {
        preserve_header_case: shared.server.preserve_header_case,
        ..settings
    });
    (settings, servers)
}

/// `None` where something that the service cannot do without was refused.
fn service(
    entry: Entry,
    shared: &Shared<'_>,
    reader: &mut Reader<'_>,
) -> Option<(Service, Places)> {
    let (name, span) = (entry.key.clone(), entry.key_span);
    check_name(&name, span, reader);
    let mut section = reader.section(entry, &blocks::SERVICE)?;
    let hosts = section.take("hosts").map(|entry| hosts(entry, reader));
    let mount = mount(section.take("path"), shared.auth_path, span, reader);
    let strip_path = flag(&mut section, "strip_path", reader);
    let case = case_rule(&mut section, reader);
    let paths = paths(&mut section, span, reader);
    let (upstream, servers) = own_upstream(&mut section, shared, reader);
    let fields = fields(&mut section, reader);
    let body_limit = own_body_limit(&mut section, (span, shared.body_limit), reader);
    let mode = rules::mode(&mut section, &[span], reader).unwrap_or_default();
    let place = rules::Place {
        service: &name,
        span,
        mount: mount.as_ref(),
        case,
        mode,
        auth_path: shared.auth_path,
        paths,
    };
    let (rules, rates) = rules_and_rates(&mut section, &place, reader);
    allow_lints(section.take("allow_lints"), Some(span), reader);
    let credentials = own_credentials(&mut section, span, shared, reader);
    let login_redirect = section.boolean("login_redirect", reader);
    let document = document(section.take("openapi"), mount.as_ref(), reader);
    section.finish(reader);
    let service = Service {
        name: name.into_string(),
        hosts: hosts.unwrap_or(Some(Vec::new()))?,
        mount: mount?,
        strip_path,
        paths,
        policy: rules.policy?,
        origins: reader.origins(&rules.spans),
        rates,
        mode,
        upstream: upstream?,
        servers,
        identity: fields.identity?,
        cors: fields.cors?,
        response_fields: fields.response?,
        body_limit: smaller(body_limit, shared.body_limit),
        rewrite_location: fields.rewrite_location,
        cache: fields.cache,
        credentials,
        login_redirect: login_redirect.unwrap_or(true),
        document,
    };
    let places = Places {
        service: span,
        rules: rules.spans,
    };
    Some((service, places))
}

/// `rules`, and the `rate` of the service and of each of them.
fn rules_and_rates(
    section: &mut Section,
    place: &rules::Place<'_>,
    reader: &mut Reader<'_>,
) -> (rules::LoweredRules, ServiceRates) {
    let service = rate::rate(section, reader);
    let rules = rules::rules(section.take("rules"), place, reader);
    lint_rates(service, &rules, place, reader);
    let rate = |placed: PlacedRate| placed.rate;
    let rates = ServiceRates {
        service: service.map(rate),
        rules: rules.rates.iter().map(|one| one.map(rate)).collect(),
    };
    (rules, rates)
}

fn lint_rates(
    service: Option<PlacedRate>,
    rules: &rules::LoweredRules,
    place: &rules::Place<'_>,
    reader: &mut Reader<'_>,
) {
    let Some(policy) = &rules.policy else {
        return;
    };
    let lint = lint::Rates {
        rules: lint::Rules {
            named: place.service,
            policy,
            mount: place.mount,
            service: place.span,
            spans: &rules.spans,
        },
        of_service: service,
        of_rules: &rules.rates,
    };
    lint.idle()
        .into_iter()
        .for_each(|finding| reader.report(finding));
}

/// What is written into the heads of requests and answers; `None` where it was refused.
struct Fields {
    identity: Option<IdentitySettings>,
    cors: Option<Option<Cors>>,
    response: Option<ResponseFields>,
    cache: CacheMode,
    rewrite_location: bool,
}

fn fields(section: &mut Section, reader: &mut Reader<'_>) -> Fields {
    let identity = section.take("identity");
    let identity = identity.map(|entry| identity::identity(entry, reader));
    let cors = section.take("cors").map(|entry| cors::cors(entry, reader));
    let response = section.take("response_headers");
    let response = response.map(|entry| response_headers::response_headers(entry, reader));
    let cache = section.take("cache");
    let cache = cache.and_then(|entry| reader.choice(&entry, blocks::CACHE));
    let rewrite_location = section.boolean("rewrite_location", reader);
    Fields {
        identity: identity.unwrap_or_else(|| Some(Default::default())),
        cors: cors.map_or(Some(None), |cors| cors.map(Some)),
        response: response.unwrap_or_else(|| Some(Default::default())),
        cache: cache.unwrap_or_default(),
        rewrite_location: rewrite_location.unwrap_or(true),
    }
}

fn flag(section: &mut Section, key: &'static str, reader: &mut Reader<'_>) -> bool {
    section
        .take(key)
        .and_then(|entry| reader.boolean(&entry))
        .unwrap_or(false)
}

fn case_rule(section: &mut Section, reader: &mut Reader<'_>) -> CaseRule {
    if flag(section, "case_insensitive", reader) {
        CaseRule::Insensitive
    } else {
        CaseRule::Sensitive
    }
}

/// Service names become labels of metrics and fields of log lines.
fn check_name(name: &str, span: Span, reader: &mut Reader<'_>) {
    if !value::is_service_name(name) {
        let message = format!("`{}` is not the name of a service", shown(name));
        let finding = Finding::error(Code::InvalidValue, span, message);
        reader.report(finding.help(value::SERVICE_NAME_FORM));
    }
}

fn hosts(entry: Entry, reader: &mut Reader<'_>) -> Option<Vec<HostPattern>> {
    let items = reader.filled_list(entry, "leave `hosts` out to serve every host")?;
    distinct(&items, reader, |item, reader| {
        let text = reader.text(item)?;
        match HostPattern::parse(&text) {
            Ok(host) => Some(host),
            Err(error) => {
                let finding = Finding::error(
                    Code::InvalidValue,
                    item.node.span,
                    format!("not a host: {error}"),
                );
                reader.report(finding);
                None
            }
        }
    })
}

/// The limit of a service, whose place is given with the limit that all share.
fn own_body_limit(
    section: &mut Section,
    (service, shared): (Span, Option<NonZeroU64>),
    reader: &mut Reader<'_>,
) -> Option<NonZeroU64> {
    let limits = section.take("limits");
    let mut section = limits.and_then(|entry| reader.section(entry, &blocks::SERVICE_LIMITS))?;
    let place = section.place_of("body");
    let limit = section
        .take("body")
        .and_then(|entry| body_limit(&entry, reader));
    section.finish(reader);
    if let (Some(place), Some(own), Some(shared)) = (place, limit, shared)
        && own > shared
    {
        let message = "`limits.body` has no effect: `server.limits.body` is smaller";
        let finding = Finding::warning(Code::IdleLimit, place, message).about([service]);
        reader.report(finding.help("write a larger one there, or take this one away"));
    }
    limit
}

/// The smaller limit; none is larger than any.
fn smaller(one: Option<NonZeroU64>, other: Option<NonZeroU64>) -> Option<NonZeroU64> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}
