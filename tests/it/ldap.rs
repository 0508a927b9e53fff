//! People of an LDAP directory: a real OpenLDAP, and servers that behave as none does.

mod directory;
mod hostile;
mod login;

use std::collections::BTreeMap;
use std::fs;
use std::future::Future;
use std::sync::Arc;

use gatelatch::config::{LoadRequest, load};
use gatelatch::ldap::{LdapDirectory, LdapFailure, LdapIdentity, LdapSettings};
use gatelatch::telemetry::metrics::Metrics;

use crate::support::{SERVICE_DN, SERVICE_PASSWORD, Slapd};

/// The entries of `auth.ldap` for a directory in the clear, without `users`.
pub(crate) fn plain(slapd: &Slapd) -> String {
    format!("url: \"{}\", {}", slapd.url(), account())
}

fn account() -> String {
    format!("bind_dn: \"{SERVICE_DN}\", bind_password: \"{SERVICE_PASSWORD}\"")
}

pub(crate) const PEOPLE: &str = "users: { base: \"ou=people,dc=example,dc=com\" }";
const GROUPS: &str = "groups: { base: \"ou=groups,dc=example,dc=com\" }";

/// What a configuration with these entries of `auth.ldap` says.
fn settings(entries: &str) -> LdapSettings {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gateway.yaml");
    let text = format!(
        "auth: {{ ldap: {{ {entries} }} }}\nservices: {{ a: {{ upstream: http://127.0.0.1:9 }} }}\n"
    );
    fs::write(&path, text).unwrap();
    let request = LoadRequest {
        path,
        environment: BTreeMap::new(),
        fallback_secret: vec![7; 48].into(),
        cores: 1,
    };
    load(&request).unwrap().config.auth.ldap.unwrap()
}

/// A directory that is asked from within.
fn directory(entries: &str) -> Arc<LdapDirectory> {
    let settings = settings(entries);
    let runtime = tokio::runtime::Handle::current();
    Arc::new(LdapDirectory::new(settings, runtime, Metrics::new()))
}

async fn sign_in(
    directory: &Arc<LdapDirectory>,
    name: &str,
    password: &str,
) -> Result<LdapIdentity, LdapFailure> {
    let candidate = directory.find(name).await?;
    let password = password.to_owned().into();
    directory.authenticate(candidate, password, true).await
}

fn block_on<T>(test: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(test)
}

fn roles(identity: &LdapIdentity) -> String {
    let mut roles = identity.roles.clone();
    roles.sort();
    roles.join(",")
}

fn unavailable(result: Result<LdapIdentity, LdapFailure>) -> String {
    match result {
        Err(LdapFailure::Unavailable(why)) => why,
        other => panic!("{other:?}"),
    }
}
