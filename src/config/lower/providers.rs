//! `auth.providers`: OpenID providers that people sign in with.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::claim_path::claim_path;
use super::keys::algorithm;
use super::provider_allow::allow;
use super::provider_client::client;
use super::provider_second_factor::second_factor;
use super::upstream::{SystemRoots, authorities};
use super::{distinct, label, roles};
use crate::config::blocks;
use crate::config::code::Code;
use crate::config::finding::Finding;
use crate::config::lint;
use crate::config::places::ProviderPlaces;
use crate::config::reader::Reader;
use crate::config::section::Section;
use crate::config::settings::{Origin, Token};
use crate::config::span::Span;
use crate::config::yaml::Entry;
use crate::net::{HttpUrl, TlsSettings};
use crate::oidc::{
    ProviderAllow, ProviderEndpoints, ProviderLocation, ProviderName, ProviderSettings,
    RoleMapping, SubjectClaim, UsersMode,
};
use crate::token::{Algorithm, ClaimPath, LDAP};

/// What is asked for, unless something else is written.
const SCOPES: [&str; 3] = ["openid", "profile", "email"];

/// What every provider is read with.
pub(super) struct Shared<'a> {
    /// The gateway's own settings, `None` where they are refused.
    pub(super) own: Option<&'a Token>,
    pub(super) roots: &'a SystemRoots,
}

/// All of them, and where they stand.
#[derive(Default)]
pub(super) struct LoweredProviders {
    /// `None` where one is refused.
    pub(super) settings: Option<Vec<Arc<ProviderSettings>>>,
    pub(super) places: Vec<ProviderPlaces>,
    pub(super) origins: Vec<Origin>,
}

/// The list; without one there are none.
pub(super) fn providers(
    entry: Option<Entry>,
    shared: &Shared<'_>,
    reader: &mut Reader<'_>,
) -> LoweredProviders {
    let Some(entry) = entry else {
        return LoweredProviders {
            settings: Some(Vec::new()),
            ..LoweredProviders::default()
        };
    };
    let mut names: Vec<(ProviderName, Span)> = Vec::new();
    let items = reader.list(entry).map(|items| {
        let providers = items.into_iter();
        let providers = providers.map(|item| provider(item, shared, &mut names, reader));
        providers.collect::<Vec<_>>()
    });
    let providers = items.and_then(|items| items.into_iter().collect::<Option<Vec<_>>>());
    let Some(providers) = providers else {
        return LoweredProviders::default();
    };
    let (settings, places): (_, Vec<ProviderPlaces>) = providers.into_iter().unzip();
    let origins = places.iter().map(|place| reader.origin(place.name));
    LoweredProviders {
        settings: Some(settings),
        origins: origins.collect(),
        places,
    }
}

fn provider(
    item: Entry,
    shared: &Shared<'_>,
    names: &mut Vec<(ProviderName, Span)>,
    reader: &mut Reader<'_>,
) -> Option<(Arc<ProviderSettings>, ProviderPlaces)> {
    let mut section = reader.section(item, &blocks::PROVIDER)?;
    let name = section.require(reader, "name", "corp");
    let name_span = name
        .as_ref()
        .map_or(section.span(), |entry| entry.node.span);
    let name = name.and_then(|entry| name_of(&entry, names, reader));
    let title = section.take("title").map(|entry| label(&entry, reader));
    let servers = servers(&mut section, shared, reader);
    let client = client(&mut section, reader);
    let algorithms = section.take("algorithms");
    let algorithms = algorithms.map_or(Some(Vec::new()), |entry| algorithms_of(entry, reader));
    let mut leeway = shared.own.map(|own| own.leeway).unwrap_or_default();
    section.duration("leeway", &mut leeway, blocks::LEEWAYS, reader);
    let scopes = scopes(&mut section, reader);
    let people = people(&mut section, reader);
    let mut refresh = Duration::from_secs(15 * 60);
    section.duration("refresh", &mut refresh, blocks::REFRESHES, reader);
    let logout = section.choice("logout", blocks::LOGOUT_MODE, reader);
    let second_factor = second_factor(&mut section, reader);
    section.finish(reader);
    let (name, servers, people) = (name?, servers?, people?);
    let settings = ProviderSettings {
        title: title.unwrap_or_else(|| Some(name.as_str().to_owned()))?,
        name,
        issuer: servers.issuer,
        location: servers.location,
        tls: servers.tls,
        algorithms: algorithms?,
        client: client?,
        scopes: scopes?,
        subject: people.subject,
        roles_claim: people.roles_claim,
        roles: people.roles.table,
        allow: people.allow,
        users: people.users,
        refresh,
        logout: logout.unwrap_or_default(),
        second_factor: second_factor?,
        leeway,
    };
    if let Some(finding) = lint::open_provider(&settings, servers.span) {
        reader.report(finding);
    }
    let places = ProviderPlaces {
        name: name_span,
        users: people.users_span,
        roles: people.roles.places,
    };
    Some((Arc::new(settings), places))
}

/// Where a provider is.
struct Servers {
    issuer: String,
    /// Where `issuer` stands.
    span: Span,
    location: ProviderLocation,
    tls: Option<Arc<TlsSettings>>,
}

/// `issuer`, `endpoints` and `ca`.
fn servers(section: &mut Section, shared: &Shared<'_>, reader: &mut Reader<'_>) -> Option<Servers> {
    let issuer = section.require(reader, "issuer", "https://idp.example.com");
    let issuer = issuer.and_then(|entry| {
        let issuer = issuer_of(&entry, shared.own, reader);
        issuer.map(|issuer| (issuer, entry.node.span))
    });
    let endpoints = section.take("endpoints");
    let endpoints = endpoints.map(|entry| endpoints_of(entry, reader));
    let ca = section.take("ca");
    let ((issuer, url), span) = issuer?;
    let location = match endpoints {
        Some(endpoints) => ProviderLocation::Given(Box::new(endpoints?)),
        None => ProviderLocation::Metadata(url),
    };
    Some(Servers {
        issuer,
        span,
        tls: tls(ca, &location, shared.roots, reader)?,
        location,
    })
}

/// Who a provider's people are here.
struct People {
    subject: SubjectClaim,
    roles_claim: ClaimPath,
    roles: RoleTable,
    allow: ProviderAllow,
    users: UsersMode,
    users_span: Option<Span>,
}

/// What groups mean, and where each role stands.
#[derive(Default)]
struct RoleTable {
    table: RoleMapping,
    places: Vec<(Box<str>, Span)>,
}

/// `subject`, `roles_claim`, `roles`, `allow` and `users`.
fn people(section: &mut Section, reader: &mut Reader<'_>) -> Option<People> {
    let subject = section.choice("subject", blocks::SUBJECT_CLAIM, reader);
    let roles_claim = match section.take("roles_claim") {
        Some(entry) => claim_path(&entry, reader),
        None => Some(ClaimPath::of("groups")),
    };
    let roles = section.take("roles").map(|entry| role_table(entry, reader));
    let allow = section.take("allow").map(|entry| allow(entry, reader));
    let users = section.take("users");
    let users_span = users.as_ref().map(|entry| entry.node.span);
    let users = users.and_then(|entry| reader.choice(&entry, blocks::USERS_MODE));
    Some(People {
        subject: subject.unwrap_or_default(),
        roles_claim: roles_claim?,
        roles: roles.unwrap_or_else(|| Some(RoleTable::default()))?,
        allow: allow.unwrap_or_else(|| Some(ProviderAllow::default()))?,
        users: users.unwrap_or_default(),
        users_span,
    })
}

/// Every name once: it stands in URLs.
fn name_of(
    entry: &Entry,
    names: &mut Vec<(ProviderName, Span)>,
    reader: &mut Reader<'_>,
) -> Option<ProviderName> {
    let text = reader.filled_text(entry)?;
    let span = entry.node.span;
    let Some(name) = ProviderName::parse(&text) else {
        let help = "write a short name such as `corp`: up to 64 lower-case letters, digits and `-`; `title` is what people see";
        reader.invalid(entry, "a name for URLs", help.to_owned());
        return None;
    };
    if name.as_str() == LDAP {
        let help = "the directory of `auth.ldap` has it in sessions and tokens; write another";
        reader.invalid(entry, "a name of its own", help.to_owned());
        return None;
    }
    if let Some((_, first)) = names.iter().find(|(other, _)| *other == name) {
        let message = format!("the provider `{name}` is given twice");
        let finding = Finding::error(Code::InvalidValue, span, message);
        let finding = finding.note(*first, "first given here");
        reader.report(finding.help("give one of them another name"));
        return None;
    }
    names.push((name.clone(), span));
    Some(name)
}

/// The issuer exactly as it is written, and as the place of its metadata.
fn issuer_of(
    entry: &Entry,
    own: Option<&Token>,
    reader: &mut Reader<'_>,
) -> Option<(String, HttpUrl)> {
    let url = url(entry, "https://idp.example.com", reader)?;
    let text = reader.filled_text(entry)?;
    let (message, help) = if text.contains('?') {
        (
            "an issuer has no query",
            "write it as the provider's metadata do, in `issuer`".to_owned(),
        )
    } else if text.ends_with("/.well-known/openid-configuration") {
        let issuer = text.trim_end_matches("/.well-known/openid-configuration");
        (
            "this is where the metadata of an issuer are",
            format!("write `issuer: {issuer}`, or as the metadata spell it"),
        )
    } else if lint::is_shared_tenant(&text) {
        (
            "this is every organisation's and nobody's issuer: the tokens name the one of a tenant",
            "write `https://login.microsoftonline.com/TENANT/v2.0`, with the id of your tenant"
                .to_owned(),
        )
    } else if own.is_some_and(|own| own.issuer == text) {
        (
            "this is the gateway's own `issuer`",
            "write that of the provider".to_owned(),
        )
    } else {
        return Some((text, url));
    };
    reader.report(Finding::error(Code::InvalidValue, entry.node.span, message).help(help));
    None
}

/// A URL over TLS, or on this very machine.
fn url(entry: &Entry, example: &str, reader: &mut Reader<'_>) -> Option<HttpUrl> {
    let text = reader.filled_text(entry)?;
    let span = entry.node.span;
    let url = match HttpUrl::parse(&text) {
        Ok(url) => url,
        Err(error) => {
            let message = format!("`{}` expects a URL, and this is {error}", entry.key);
            let finding = Finding::error(Code::InvalidValue, span, message).conceal(span);
            reader.report(finding.help(format!("write a URL such as `{example}`")));
            return None;
        }
    };
    if url.is_exposed() {
        let message = "without TLS, whoever is on the way signs in as anybody";
        let finding = Finding::error(Code::InvalidValue, span, message);
        reader.report(finding.help("write an `https://` URL; `http://` is for this machine only"));
        return None;
    }
    Some(url)
}

fn endpoints_of(entry: Entry, reader: &mut Reader<'_>) -> Option<ProviderEndpoints> {
    let mut section = reader.section(entry, &blocks::PROVIDER_ENDPOINTS)?;
    let mut required = |key, example| {
        let entry = section.require(reader, key, example)?;
        url(&entry, example, reader)
    };
    let authorization = required("authorization", "https://idp.example.com/authorize");
    let token = required("token", "https://idp.example.com/token");
    let jwks = required("jwks", "https://idp.example.com/keys");
    let mut optional = |key, example| match section.take(key) {
        Some(entry) => url(&entry, example, reader).map(Some),
        None => Some(None),
    };
    let userinfo = optional("userinfo", "https://idp.example.com/userinfo");
    let end_session = optional("end_session", "https://idp.example.com/logout");
    let method = section.choice("client_authentication", blocks::SECRET_METHOD, reader);
    section.finish(reader);
    Some(ProviderEndpoints {
        authorization: authorization?,
        token: token?,
        userinfo: userinfo?,
        jwks: jwks?,
        end_session: end_session?,
        secret_method: method.unwrap_or_default(),
    })
}

/// How its servers are verified; nothing where none of them is asked over TLS.
fn tls(
    ca: Option<Entry>,
    location: &ProviderLocation,
    roots: &SystemRoots,
    reader: &mut Reader<'_>,
) -> Option<Option<Arc<TlsSettings>>> {
    let is_secure = match location {
        ProviderLocation::Metadata(url) => url.is_secure(),
        ProviderLocation::Given(endpoints) => {
            let asked = [&endpoints.token, &endpoints.jwks].into_iter();
            let mut asked = asked.chain(&endpoints.userinfo);
            asked.any(HttpUrl::is_secure)
        }
    };
    match ca {
        Some(entry) if is_secure => authorities(&entry, reader).map(Some),
        Some(entry) => {
            let message = "`ca` is given, but the provider is not asked over TLS";
            let finding = Finding::error(Code::InvalidValue, entry.key_span, message);
            reader.report(finding.help("write an `https://` URL, or take `ca` away"));
            None
        }
        None => Some(is_secure.then(|| Arc::new(roots.tls()))),
    }
}

/// Secrets never verify the tokens of a provider: whoever has the client's could sign with it.
fn algorithms_of(entry: Entry, reader: &mut Reader<'_>) -> Option<Vec<Algorithm>> {
    let why =
        "write the algorithms that the provider signs with, such as `[RS256]`, or take it away";
    let items = reader.filled_list(entry, why)?;
    distinct(&items, reader, |item, reader| {
        let algorithm = algorithm(item, reader)?;
        if algorithm.is_symmetric() {
            let help = "write the algorithm of its published keys, such as `RS256`".to_owned();
            reader.invalid(item, "an algorithm of key pairs", help);
            return None;
        }
        Some(algorithm)
    })
}

fn scopes(section: &mut Section, reader: &mut Reader<'_>) -> Option<Vec<Box<str>>> {
    let Some(entry) = section.take("scopes") else {
        return Some(SCOPES.map(Into::into).to_vec());
    };
    let span = entry.node.span;
    let items = reader.filled_list(entry, "write `[openid, profile, email]`, or take it away")?;
    let scopes = distinct(&items, reader, scope)?;
    if !scopes.iter().any(|scope| &**scope == "openid") {
        let message =
            "without the scope `openid` a provider sends no ID token, and nobody can sign in";
        let finding = Finding::warning(Code::NoOpenidScope, span, message);
        reader.report(finding.help("write `openid` among them"));
    }
    Some(scopes)
}

/// RFC 6749, section 3.3.
fn scope(item: &Entry, reader: &mut Reader<'_>) -> Option<Box<str>> {
    let text = label(item, reader)?;
    let is_plain = |c: u8| c.is_ascii_graphic() && !matches!(c, b'"' | b'\\');
    if !text.bytes().all(is_plain) {
        let help = "write each scope as an element of its own: `[openid, profile]`".to_owned();
        reader.invalid(item, "one scope", help);
        return None;
    }
    Some(text.into())
}

fn role_table(entry: Entry, reader: &mut Reader<'_>) -> Option<RoleTable> {
    let mut places: Vec<(Box<str>, Span)> = Vec::new();
    let groups: Vec<_> = reader
        .map(entry)?
        .into_iter()
        .map(|entry| {
            let (group, span) = (entry.key.clone(), entry.node.span);
            let given = roles(entry, reader, None)?;
            places.extend(given.iter().map(|role| (role.clone(), span)));
            Some((group, given))
        })
        .collect();
    let table: Option<BTreeMap<_, _>> = groups.into_iter().collect();
    Some(RoleTable {
        table: RoleMapping::Table(table?),
        places,
    })
}
