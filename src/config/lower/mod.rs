//! From the tree of both files to checked values. Every step reports what is wrong and goes on, so that one load
//! shows everything; what is `None` on the way was reported.

mod admin;
mod allow;
mod api_keys;
mod auth;
mod cases;
mod claim_path;
mod clients;
mod cors;
mod credentials;
mod identity;
mod issuer_keys;
mod issuers;
mod keys;
mod ldap;
mod listen;
mod login;
mod passkeys;
mod provider_allow;
mod provider_client;
mod provider_second_factor;
mod providers;
mod rate;
mod response_headers;
mod rules;
mod server;
mod server_tls;
mod service_paths;
mod services;
mod session;
mod shared_secret;
mod silence;
mod state;
mod time;
mod tracing;
mod upstream;
mod user;
mod users;

use std::path::PathBuf;

use secrecy::SecretSlice;

use super::blocks;
use super::cases::Case;
use super::code::Code;
use super::finding::Finding;
use super::places::{Places, ProviderPlaces, SignInPlaces};
use super::reader::Reader;
use super::section::Section;
use super::settings::{Auth, Config, Log, Origin, Server, Service};
use super::span::Span;
use super::yaml::{Entry, Node};
use crate::access::Router;
use crate::session::StateSettings;
use crate::telemetry::traces::TraceSettings;
use crate::token::ClaimPath;
use crate::users::Directory;

pub(super) use self::admin::{admin_access, admin_listener};
pub(super) use self::cases::case_file;
pub(super) use self::users::{UserList, UsersRead, users};

/// What stands in where the file says nothing.
pub(super) struct Defaults<'a> {
    pub(super) fallback_secret: &'a SecretSlice<u8>,
    pub(super) cores: usize,
}

/// Everything that the configuration file says, before the users are read.
pub(super) struct Draft {
    server: Server,
    admin: admin::Admin,
    log: Log,
    tracing: Option<TraceSettings>,
    auth: Option<Auth>,
    state: StateSettings,
    state_origin: Option<Origin>,
    services: Vec<Service>,
    router: Option<Router>,
    pub(super) places: Vec<Places>,
    pub(super) provider_places: Vec<ProviderPlaces>,
    sign_in_places: SignInPlaces,
    pub(super) cases: Vec<Case>,
    pub(super) users_file: UsersFile,
    pub(super) roles_claim: ClaimPath,
}

/// Where the users are.
pub(super) enum UsersFile {
    /// Nothing is said.
    Default,
    /// In this file, named at this place.
    Named(PathBuf, Span),
    /// What is said was refused.
    Broken,
}

/// A configuration, and what is still to be asked of it.
pub(super) struct Finished {
    pub(super) config: Config,
    pub(super) places: Vec<Places>,
    pub(super) provider_places: Vec<ProviderPlaces>,
    pub(super) sign_in_places: SignInPlaces,
    pub(super) cases: Vec<Case>,
}

impl Draft {
    /// Whether people of a directory can log in, too.
    pub(super) fn has_directory(&self) -> bool {
        self.auth.as_ref().is_some_and(|auth| auth.ldap.is_some())
    }

    /// Whether people can sign in who are on no list.
    pub(super) fn has_providers(&self) -> bool {
        !self.provider_places.is_empty()
    }

    /// `None` where something was reported.
    pub(super) fn finish(self, directory: Directory) -> Option<Finished> {
        let config = Config {
            server: self.server,
            admin: self.admin.listen,
            admin_token: self.admin.token,
            admin_hosts: self.admin.hosts,
            log: self.log,
            tracing: self.tracing,
            auth: self.auth?,
            state: self.state,
            state_origin: self.state_origin,
            services: self.services,
            router: self.router?,
            directory,
        };
        Some(Finished {
            config,
            places: self.places,
            provider_places: self.provider_places,
            sign_in_places: self.sign_in_places,
            cases: self.cases,
        })
    }
}

/// Lowers the whole configuration file.
pub(super) fn config(root: Node, defaults: &Defaults<'_>, reader: &mut Reader<'_>) -> Draft {
    let span = root.span;
    let root = Entry {
        key: reader.file_name(span),
        key_span: span,
        node: root,
    };
    let mut top = reader
        .section(root, &blocks::GATEWAY)
        .unwrap_or_else(|| Section::new(span, Vec::new(), &blocks::GATEWAY));
    let server = top.take("server");
    let at = server.as_ref().map_or(span, |entry| entry.key_span);
    let server = server::server(server, defaults.cores, reader);
    let admin = admin::admin(top.take("admin"), (&server.listen, at), reader);
    let log = server::log(top.take("log"), reader);
    let roots = upstream::SystemRoots::default();
    let tracing = tracing::tracing(top.take("tracing"), &roots, reader);
    let auth = auth::auth((top.take("auth"), span), defaults, &server, &roots, reader);
    let (inline, file) = (top.take("state"), top.take("state_file"));
    let stated = inline.as_ref().or(file.as_ref());
    let state_origin = stated.map(|entry| reader.origin(entry.key_span));
    let state = state::state(inline, file, reader);
    let state = passkeys::durable(auth.sign_in_places.passkeys, state, reader);
    let services = top.require(
        reader,
        "services",
        "{ app: { upstream: http://127.0.0.1:9000, rules: [] } }",
    );
    let shared = services::Shared {
        auth_path: &auth.path,
        credentials: auth.credentials,
        body_limit: server.limits.body,
        server: &server,
        roots,
    };
    let lowered = services
        .map(|entry| services::services(entry, &shared, reader))
        .unwrap_or_default();
    let cases = top
        .take("tests")
        .map(|entry| cases::cases(entry, &auth.roles_claim, reader))
        .unwrap_or_default();
    silence::allow_lints(top.take("allow_lints"), None, reader);
    top.finish(reader);
    Draft {
        server,
        admin,
        log,
        tracing,
        auth: auth.auth,
        state,
        state_origin,
        services: lowered.services,
        router: lowered.router,
        places: lowered.places,
        provider_places: auth.providers,
        sign_in_places: auth.sign_in_places,
        cases,
        users_file: auth.users_file,
        roles_claim: auth.roles_claim,
    }
}

/// Roles, users and rule names: short, and without characters that look like nothing.
fn label(entry: &Entry, reader: &mut Reader<'_>) -> Option<String> {
    let text = reader.filled_text(entry)?;
    let (expected, help) = if text.trim() != text {
        let help = format!("write `{}`", text.trim());
        ("a text without spaces around it", help)
    } else if text.chars().any(char::is_control) {
        let help = "write it in one line".to_owned();
        ("a text without control characters", help)
    } else if text.len() > 255 {
        ("at most 255 bytes", "choose a shorter one".to_owned())
    } else {
        return Some(text);
    };
    reader.invalid(entry, expected, help);
    None
}

/// A list of roles, each once; `None` where one of them is refused.
fn roles(entry: Entry, reader: &mut Reader<'_>, why_filled: Option<&str>) -> Option<Vec<Box<str>>> {
    let items = match why_filled {
        Some(why) => reader.filled_list(entry, why)?,
        None => reader.list(entry)?,
    };
    distinct(&items, reader, |item, reader| {
        label(item, reader).map(String::into_boxed_str)
    })
}

/// Reads every element; one that is there already is reported.
fn distinct<T: PartialEq>(
    items: &[Entry],
    reader: &mut Reader<'_>,
    mut read: impl FnMut(&Entry, &mut Reader<'_>) -> Option<T>,
) -> Option<Vec<T>> {
    let mut values: Vec<(T, Span)> = Vec::with_capacity(items.len());
    let mut complete = true;
    for item in items {
        let Some(value) = read(item, reader) else {
            complete = false;
            continue;
        };
        if let Some((_, first)) = values.iter().find(|(other, _)| *other == value) {
            let message = format!("{} is given twice in `{}`", reader.written(item), item.key);
            let finding = Finding::error(Code::InvalidValue, item.node.span, message);
            let finding = finding.note(*first, "first given here");
            reader.report(finding.help("take one of them away"));
            complete = false;
        } else {
            values.push((value, item.node.span));
        }
    }
    complete.then(|| values.into_iter().map(|(value, _)| value).collect())
}
