//! Who a request is explained for.

use std::net::IpAddr;
use std::sync::Arc;

use anyhow::{Context as _, bail};

use crate::access::{Caller, Identity};
use crate::ambient;
use crate::config::Config;
use crate::token::{Verifier, VerifierSettings};
use crate::users::{API_KEY_PREFIX, User};

/// Who asks; without any of these, nobody who is known.
#[derive(Debug, clap::Args)]
pub(super) struct SubjectArgs {
    /// A user of the users file, with the roles of today
    #[arg(long = "as", value_name = "USER", conflicts_with_all = ["roles", "token"])]
    user: Option<String>,

    /// Anybody who has these roles
    #[arg(long, value_name = "ROLES", value_delimiter = ',', conflicts_with = "token")]
    roles: Option<Vec<String>>,

    /// The bearer of this token, now
    #[arg(long, value_name = "TOKEN")]
    token: Option<String>,

    /// The client's address, for rules that ask for `networks`
    #[arg(long, value_name = "IP")]
    address: Option<IpAddr>,
}

/// A caller, and how to call it.
pub(super) struct Subject {
    pub(super) caller: Caller,
    pub(super) name: String,
}

impl SubjectArgs {
    pub(super) fn resolve(&self, config: &Config) -> anyhow::Result<Subject> {
        if let Some(user) = &self.user {
            let user = config.directory.find(user).with_context(|| format!("there is no user `{user}`"))?;
            return self.user(user);
        }
        if let Some(roles) = &self.roles {
            return Ok(self.roles(roles));
        }
        match &self.token {
            Some(token) => self.token(token, config),
            None => Ok(Subject { caller: Caller::anonymous(self.address), name: "nobody who is known".to_owned() }),
        }
    }

    fn user(&self, user: &User) -> anyhow::Result<Subject> {
        let identity = Arc::clone(&user.identity);
        if user.disabled {
            bail!("user `{}` is disabled: every token of this user is refused", identity.subject);
        }
        let name = format!("user `{}` with {}", identity.subject, roles_text(&identity.roles));
        Ok(Subject { caller: Caller::known(identity, self.address), name })
    }

    fn roles(&self, roles: &[String]) -> Subject {
        let roles: Vec<Box<str>> = roles.iter().map(|role| role.trim().into()).collect();
        let name = format!("somebody with {}", roles_text(&roles));
        // no user has a name with spaces, so no `user` condition holds
        let identity = Identity { subject: "(some user)".into(), roles, ..Identity::default() };
        Subject { caller: Caller::known(Arc::new(identity), self.address), name }
    }

    /// The bearer of another issuer's token. Keys that are published somewhere are known to a running gateway only.
    fn foreign(&self, token: &str, config: &Config) -> Option<Subject> {
        let issuers = config.auth.trusted_issuers(|_, _| Arc::default());
        let verdict = issuers.verify(token, ambient::unix_seconds())?;
        let identity = verdict.map(|token| token.identity);
        Some(match identity {
            Ok(identity) if identity.is_impostor(|name| config.directory.find(name).is_some()) => {
                let name =
                    format!("a foreign `{}`, who is refused: a user of the list has this name", identity.subject);
                Subject { caller: Caller::rejected(self.address), name }
            }
            Ok(identity) => {
                let name = format!("`{}` of another issuer with {}", identity.subject, roles_text(&identity.roles));
                Subject { caller: Caller::known(identity, self.address), name }
            }
            Err(refusal) => {
                let name = format!("the bearer of another issuer's token that does not hold here: {refusal}");
                Subject { caller: Caller::rejected(self.address), name }
            }
        })
    }

    fn api_key(&self, key: &str, config: &Config) -> Subject {
        match config.directory.find_key(key, ambient::unix_seconds()) {
            Ok(key) => {
                let identity = Arc::clone(&key.identity);
                let roles = roles_text(&identity.roles);
                let name = format!("the API key `{}` of `{}` with {roles}", key.name, identity.subject);
                Subject { caller: Caller::known(identity, self.address), name }
            }
            Err(refusal) => {
                let name = format!("the holder of an API key that does not hold: {refusal}");
                Subject { caller: Caller::rejected(self.address), name }
            }
        }
    }

    fn token(&self, token: &str, config: &Config) -> anyhow::Result<Subject> {
        if token.trim().starts_with(API_KEY_PREFIX) {
            return Ok(self.api_key(token.trim(), config));
        }
        if let Some(subject) = self.foreign(token.trim(), config) {
            return Ok(subject);
        }
        let settings = &config.auth.token;
        let verifier = VerifierSettings {
            issuer: settings.issuer.clone(),
            audience: settings.audience.clone(),
            leeway: settings.leeway,
            max_lifetime: settings.max_lifetime,
        };
        let verifier = Verifier::new(settings.keys(), verifier);
        let claims = match verifier.verify(token.trim(), ambient::unix_seconds()) {
            Ok(claims) => claims,
            Err(refusal) => {
                let name = format!("the bearer of a token that does not hold: {refusal}");
                return Ok(Subject { caller: Caller::rejected(self.address), name });
            }
        };
        match config.directory.find(&claims.subject) {
            Some(user) if user.admits(claims.issued_at) => self.user(user),
            Some(_) | None => {
                let name =
                    format!("the bearer of a token of `{}`, who is gone, disabled or has newer tokens", claims.subject);
                Ok(Subject { caller: Caller::rejected(self.address), name })
            }
        }
    }
}

fn roles_text(roles: &[Box<str>]) -> String {
    if roles.is_empty() { "no roles".to_owned() } else { format!("roles {}", roles.join(", ")) }
}
