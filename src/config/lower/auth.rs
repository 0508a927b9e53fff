//! `auth`: the gateway's own endpoints and its tokens.

use std::sync::Arc;
use std::time::Duration;

use super::claim_path::claim_path;
use super::clients::{clients, resource_metadata, warn_without_server};
use super::cors;
use super::credentials::credentials;
use super::issuers;
use super::keys::{self, Keys};
use super::ldap;
use super::login::login;
use super::passkeys::passkeys;
use super::providers::{self, providers};
use super::session::session;
use super::upstream::SystemRoots;
use super::{Defaults, UsersFile, distinct, label};
use crate::config::blocks;
use crate::config::code::Code;
use crate::config::finding::Finding;
use crate::config::places::{ProviderPlaces, SignInPlaces};
use crate::config::reader::Reader;
use crate::config::section::Section;
use crate::config::settings::{Auth, Issuer, Origin, Server, Token};
use crate::config::span::Span;
use crate::config::value::{is_plain_path, show_duration};
use crate::config::yaml::Entry;
use crate::ldap::LdapSettings;
use crate::oidc::ProviderSettings;
use crate::token::{ClaimPath, DEVICE_AUDIENCE, KEY_CLAIM, SESSION_AUDIENCE};
use crate::wire::{
    AcceptedCredentials, JWKS_PATH, RESOURCE_PATH, ResourceMetadata, SERVER_METADATA_PATH,
    is_issuer_url,
};

/// Claims that the gateway fills itself.
pub(super) const REGISTERED: [&str; 13] = [
    "sub",
    "iss",
    "aud",
    "exp",
    "nbf",
    "iat",
    "jti",
    "auth_time",
    "amr",
    "sid",
    "idp",
    "idc",
    KEY_CLAIM,
];

/// The block, and what other parts of the file are checked against even where the block is broken.
pub(super) struct Lowered {
    pub(super) auth: Option<Auth>,
    pub(super) credentials: AcceptedCredentials,
    pub(super) path: String,
    pub(super) users_file: UsersFile,
    pub(super) roles_claim: ClaimPath,
    pub(super) providers: Vec<ProviderPlaces>,
    pub(super) sign_in_places: SignInPlaces,
}

/// The `auth` block.
pub(super) fn auth(
    (entry, root): (Option<Entry>, Span),
    defaults: &Defaults<'_>,
    server: &Server,
    roots: &SystemRoots,
    reader: &mut Reader<'_>,
) -> Lowered {
    let section = entry.and_then(|entry| reader.section(entry, &blocks::AUTH));
    let mut section = section.unwrap_or_else(|| Section::new(root, Vec::new(), &blocks::AUTH));
    let (path, users_file, token_paths) = places(&mut section, reader);
    let (token, roles_claim) = own_token(&mut section, defaults, reader);
    let trusted = trusted(&mut section, token.as_ref(), roots, reader);
    let (provider_places, provider_origins) = (trusted.provider_places, trusted.provider_origins);
    let session = session(section.take("session"), reader);
    let (passkeys, passkeys_span) = passkeys(section.take("passkeys"), reader).unzip();
    let login = login(section.take("login"), passkeys_span, reader);
    let verify = section.choice("verify", blocks::VERIFY, reader);
    let credentials =
        credentials(section.take("credentials"), (None, server), reader).unwrap_or_default();
    let cors = section.take("cors").map(|entry| cors::cors(entry, reader));
    let clients = clients(section.take("clients"), reader);
    let metadata = section.take("resource_metadata");
    let metadata = metadata.and_then(|entry| resource_metadata(entry, reader));
    section.finish(reader);
    let sign_in_places = login.places;
    let complete = token.zip(trusted.settings).zip(clients);
    let auth = complete.map(|((token, (issuers, ldap, providers)), clients)| {
        let metadata = metadata.map(|one| with_default_servers(one, &issuers, &providers, reader));
        Auth {
            path: path.clone(),
            token_paths: token_paths.unwrap_or_default(),
            token,
            issuers,
            ldap,
            providers,
            provider_origins,
            session,
            passkeys,
            attempts: login.attempts,
            change_password: login.change_password,
            second_factor: login.second_factor,
            theme: login.theme,
            verify: verify.unwrap_or_default(),
            credentials,
            cors: cors.flatten(),
            clients,
            resource_metadata: metadata,
        }
    });
    Lowered {
        auth,
        credentials,
        path,
        users_file,
        roles_claim,
        providers: provider_places,
        sign_in_places,
    }
}

/// `path`, `users_file` and `token_paths`.
fn places(
    section: &mut Section,
    reader: &mut Reader<'_>,
) -> (String, UsersFile, Option<Vec<String>>) {
    let path = section.take("path");
    let path = path.and_then(|entry| own_path(&entry, reader));
    let path = path.unwrap_or_else(|| "/auth".to_owned());
    let users_file = users_file(section.take("users_file"), reader);
    let token_paths = section.take("token_paths");
    let token_paths = token_paths.and_then(|entry| self::token_paths(entry, &path, reader));
    (path, users_file, token_paths)
}

/// The `token` block and its roles claim.
fn own_token(
    section: &mut Section,
    defaults: &Defaults<'_>,
    reader: &mut Reader<'_>,
) -> (Option<Token>, ClaimPath) {
    let token = section.take("token");
    let token = token.and_then(|entry| reader.section(entry, &blocks::TOKEN));
    let token = token.unwrap_or_else(|| Section::new(section.span(), Vec::new(), &blocks::TOKEN));
    lower_token(token, defaults, reader)
}

/// Those of issuers, of the directory and of providers.
type TrustedSettings = (
    Vec<Issuer>,
    Option<LdapSettings>,
    Vec<Arc<ProviderSettings>>,
);

/// Whose word counts beside that of the user list.
struct Trusted {
    /// `None` where one of them was refused.
    settings: Option<TrustedSettings>,
    provider_places: Vec<ProviderPlaces>,
    provider_origins: Vec<Origin>,
}

fn trusted(
    section: &mut Section,
    own: Option<&Token>,
    roots: &SystemRoots,
    reader: &mut Reader<'_>,
) -> Trusted {
    let issuers = section.take("trusted_issuers");
    let issuers = issuers.map_or(Some(Vec::new()), |entry| {
        issuers::issuers(entry, own, reader)
    });
    let ldap = ldap::ldap(section.take("ldap"), roots, reader);
    let shared = providers::Shared { own, roots };
    let providers = providers(section.take("providers"), &shared, reader);
    let settings = || Some((issuers?, ldap?, providers.settings?));
    Trusted {
        settings: settings(),
        provider_places: providers.places,
        provider_origins: providers.origins,
    }
}

/// Where nothing else is written, clients get their tokens from whoever issues those that count.
fn with_default_servers(
    (mut metadata, span): (ResourceMetadata, Span),
    issuers: &[Issuer],
    providers: &[Arc<ProviderSettings>],
    reader: &mut Reader<'_>,
) -> ResourceMetadata {
    let servers = &mut metadata.authorization_servers;
    if !servers.is_empty() {
        return metadata;
    }
    let trusted = issuers.iter().map(|issuer| &issuer.settings.issuer);
    let named = trusted.chain(providers.iter().map(|provider| &provider.issuer));
    for issuer in named.filter(|issuer| is_issuer_url(issuer)) {
        if !servers.contains(issuer) {
            servers.push(issuer.clone());
        }
    }
    if servers.is_empty() {
        warn_without_server(span, reader);
    }
    metadata
}

fn users_file(entry: Option<Entry>, reader: &mut Reader<'_>) -> UsersFile {
    let Some(entry) = entry else {
        return UsersFile::Default;
    };
    match reader.path(&entry) {
        Some(path) => UsersFile::Named(path, entry.node.span),
        None => UsersFile::Broken,
    }
}

/// The prefix of the gateway's own endpoints, in its one spelling.
fn own_path(entry: &Entry, reader: &mut Reader<'_>) -> Option<String> {
    let text = reader.text(entry)?;
    if is_plain_path(&text) {
        return Some(text);
    }
    let help = match text.as_str() {
        "/" | "" => "the gateway needs a prefix of its own, such as `/auth`".to_owned(),
        _ => {
            "write a path such as `/auth`: letters, digits, `-`, `.`, `_`, `~`, no slash at the end"
                .to_owned()
        }
    };
    reader.invalid(entry, "a plain absolute path", help);
    None
}

fn token_paths(entry: Entry, own: &str, reader: &mut Reader<'_>) -> Option<Vec<String>> {
    let items = reader.list(entry)?;
    distinct(&items, reader, |item, reader| {
        let path = own_path(item, reader)?;
        let below = path.strip_prefix(own);
        let message = if below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/')) {
            format!("`{path}` lies under `auth.path`, where the gateway answers anyway")
        } else if [JWKS_PATH, SERVER_METADATA_PATH, RESOURCE_PATH].contains(&&*path) {
            format!("`{path}` is where the gateway answers anyway")
        } else {
            return Some(path);
        };
        let finding = Finding::error(Code::ReservedPath, item.node.span, message);
        reader.report(finding.help("take it away"));
        None
    })
}

fn lower_token(
    mut section: Section,
    defaults: &Defaults<'_>,
    reader: &mut Reader<'_>,
) -> (Option<Token>, ClaimPath) {
    let keys = keys::keys(&mut section, defaults, reader);
    let mut name = |section: &mut Section, key, default: &str| {
        let written = section.take(key).and_then(|entry| label(&entry, reader));
        written.unwrap_or_else(|| default.to_owned())
    };
    let issuer = name(&mut section, "issuer", "gatelatch");
    let audience = section
        .take("audience")
        .and_then(|entry| audience(&entry, reader));
    let audience = audience.unwrap_or_else(|| "gatelatch".to_owned());
    let (access_ttl, max_lifetime, leeway) = lifetimes(&mut section, reader);
    let mut refresh_ttl = Duration::from_secs(7 * 24 * 3600);
    let (minute, year) = (
        Duration::from_secs(60),
        Duration::from_secs(365 * 24 * 3600),
    );
    section.duration("refresh_ttl", &mut refresh_ttl, minute..=year, reader);
    let roles_claim = section
        .take("roles_claim")
        .and_then(|entry| roles_claim(&entry, reader));
    let roles_claim = roles_claim.unwrap_or_else(|| ClaimPath::of("roles"));
    section.finish(reader);
    let claim = roles_claim.clone();
    let token = |keys| {
        let Keys {
            current: key,
            previous,
            life: key_life,
        } = keys;
        Token {
            key,
            previous,
            key_life,
            issuer,
            audience,
            access_ttl,
            refresh_ttl,
            leeway,
            max_lifetime,
            roles_claim,
        }
    };
    (keys.map(token), claim)
}

/// `access_ttl`, `max_lifetime` and `leeway`.
fn lifetimes(section: &mut Section, reader: &mut Reader<'_>) -> (Duration, Duration, Duration) {
    let second = Duration::from_secs(1);
    let (mut access, mut longest, mut leeway) = (second * 1800, second * 24 * 3600, second * 30);
    let span = section.duration("access_ttl", &mut access, blocks::LIFETIMES, reader);
    let span = span.or(section.duration("max_lifetime", &mut longest, blocks::LIFETIMES, reader));
    section.duration("leeway", &mut leeway, blocks::LEEWAYS, reader);
    if let Some(span) = span.filter(|_| access > longest) {
        let (access, longest) = (show_duration(access), show_duration(longest));
        let message =
            format!("tokens would live {access}, longer than `max_lifetime` accepts: {longest}");
        let finding = Finding::error(Code::OutOfRange, span, message);
        reader.report(finding.help(format!(
            "shorten `access_ttl`, or write `max_lifetime: {access}` as well"
        )));
    }
    (access, longest, leeway)
}

/// Any name but those that tell sessions of browsers, and device cookies, from tokens.
fn audience(entry: &Entry, reader: &mut Reader<'_>) -> Option<String> {
    let name = label(entry, reader)?;
    if [SESSION_AUDIENCE, DEVICE_AUDIENCE].contains(&&*name) {
        reader.invalid(
            entry,
            "an audience of its own",
            "this one is for the gateway's cookies; write `gatelatch`".to_owned(),
        );
        return None;
    }
    Some(name)
}

fn roles_claim(entry: &Entry, reader: &mut Reader<'_>) -> Option<ClaimPath> {
    let path = claim_path(entry, reader)?;
    let name = path.written_claim();
    if REGISTERED.contains(&name) {
        reader.invalid(
            entry,
            "a claim of its own",
            format!("`{name}` has a meaning already; write `roles`"),
        );
        return None;
    }
    Some(path)
}
