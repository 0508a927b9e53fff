//! Who a request is explained for.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::access::{AccessSubject, Claim, ClaimValue, Identity};
use crate::ambient;
use crate::analysis::simulation::{CallerSpec, SimulatedCaller, roles_text};
use crate::cli::words::{duration, trimmed};
use crate::config::Config;
use crate::identify::{admit_unlisted, authentication, identity_of};
use crate::ldap::{DirectoryGroup, LdapDirectory, LdapFailure, LdapSettings};
use crate::oidc::UsersMode;
use crate::telemetry::metrics::Metrics;
use crate::token::{ExternalToken, LDAP, ProviderClaims, TokenError, Verifier};
use crate::users::{API_KEY_PREFIX, UserRefusal};

/// Who asks; without any of these, nobody who is known.
#[derive(Clone, Debug, Default, PartialEq, clap::Args)]
pub(super) struct SubjectArgs {
    /// A user of the users file, with the roles of today
    #[arg(long = "as", value_name = "USER", conflicts_with_all = ["roles", "token"])]
    user: Option<String>,

    /// With `--as`: somebody of this name who has signed in with this provider of `auth.providers`, or `ldap`: the directory is asked
    #[arg(long, value_name = "NAME", requires = "user")]
    provider: Option<String>,

    /// With `--provider`: the groups that the provider says the person is in; of `ldap`, in place of asking
    #[arg(long, value_name = "GROUPS", value_delimiter = ',', value_parser = trimmed::<String>, requires = "provider")]
    groups: Vec<String>,

    /// Anybody who has these roles; several with commas between them
    #[arg(
        long,
        value_name = "ROLES",
        value_delimiter = ',',
        value_parser = trimmed::<String>,
        conflicts_with = "token"
    )]
    roles: Option<Vec<String>>,

    /// The bearer of this token, now
    #[arg(long, value_name = "TOKEN")]
    token: Option<String>,

    /// Claims, for rules that ask for `claims`; with `--as`, instead of those of the users file
    #[arg(long, value_name = "NAME=VALUE", value_delimiter = ',', value_parser = claim, conflicts_with = "token")]
    claims: Option<Vec<Claim>>,

    /// The client's address, for rules that ask for `networks`
    #[arg(long, value_name = "IP")]
    address: Option<IpAddr>,

    /// A second factor was shown at the sign-in, for rules that ask for `second_factor`
    #[arg(long, conflicts_with = "token")]
    second_factor: bool,

    /// How long ago the sign-in was, for rules that ask for `max_age`; by default it is new
    #[arg(long, value_name = "DURATION", value_parser = duration, conflicts_with = "token")]
    age: Option<Duration>,
}

/// A number or truth value is one; everything else is a text.
fn claim(text: &str) -> Result<Claim, String> {
    let (name, value) = text
        .split_once('=')
        .ok_or_else(|| "write `NAME=VALUE`".to_owned())?;
    let value = match (value, value.parse::<i64>()) {
        ("true", _) => ClaimValue::Boolean(true),
        ("false", _) => ClaimValue::Boolean(false),
        (_, Ok(number)) if number.to_string() == value => ClaimValue::Integer(number),
        (_, Ok(_) | Err(_)) => ClaimValue::Text(value.into()),
    };
    Ok(Claim {
        name: name.into(),
        values: vec![value],
    })
}

/// Asks the directory, as a session is looked up again.
fn look_up(subject: &str, ldap: &LdapSettings) -> anyhow::Result<Option<Identity>> {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().build()?;
    let handle = runtime.handle().clone();
    let directory = Arc::new(LdapDirectory::new(ldap.clone(), handle, Metrics::new()));
    match runtime.block_on(directory.look_up(subject)) {
        Ok(found) => Ok(Some(found.identity())),
        Err(LdapFailure::Refused) => Ok(None),
        Err(failure) => {
            let advice = "name the groups with `--groups` to do without it";
            anyhow::bail!(
                "the directory `{}` cannot be asked: {failure}; {advice}",
                ldap.url
            )
        }
    }
}

impl SubjectArgs {
    /// Whether nothing is said.
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    pub(super) fn resolve(&self, config: &Config) -> anyhow::Result<SimulatedCaller> {
        if let Some(token) = &self.token {
            return self.token(token, config);
        }
        if let (Some(user), Some(provider)) = (&self.user, &self.provider) {
            return self.of_provider(user, provider, config);
        }
        let roles = self
            .roles
            .as_ref()
            .map(|roles| roles.iter().map(|role| role.trim().into()).collect());
        let user = self.user.as_deref().map(Into::into);
        let who = CallerSpec {
            user,
            roles,
            claims: self.claims.clone(),
            ..self.sign_in()
        };
        Ok(who.resolve(&config.directory)?)
    }

    /// Somebody who has signed in with a provider: what the cookie of the session would say.
    fn of_provider(
        &self,
        subject: &str,
        provider: &str,
        config: &Config,
    ) -> anyhow::Result<SimulatedCaller> {
        if let (LDAP, Some(ldap)) = (provider, &config.auth.ldap) {
            return self.of_directory(subject, ldap, config);
        }
        let mut providers = config.auth.providers.iter();
        let Some(settings) = providers.find(|one| one.name.as_str() == provider) else {
            anyhow::bail!("`auth.providers` has no provider `{provider}`");
        };
        let refused = |why: &str| {
            self.refused(format!(
                "`{subject}` of `{provider}`, who is refused: {why}"
            ))
        };
        let admitted = match settings.users {
            UsersMode::Listed => match config.directory.find(subject) {
                // whoever signs in now is young enough
                Some(user) => match user.admit(None) {
                    Ok(()) | Err(UserRefusal::TooOld) => Ok(Arc::clone(&user.identity)),
                    Err(refusal) => Err(refusal),
                },
                None => return Ok(refused("nobody of this name is on the user list")),
            },
            UsersMode::Any => {
                let groups = self.groups.iter().map(|group| group.trim().into());
                let said = ProviderClaims {
                    provider: provider.into(),
                    roles: settings.roles.roles(groups.collect()),
                    ..ProviderClaims::default()
                };
                let identity = identity_of(subject, &said);
                admit_unlisted(&config.directory, identity).map(Arc::new)
            }
        };
        Ok(match admitted {
            Ok(identity) => {
                let roles = roles_text(&identity.roles);
                let name = format!("`{subject}` of `{provider}` with {roles}");
                self.signed_in(identity, name)
            }
            Err(refusal) => refused(&refusal.to_string()),
        })
    }

    /// Somebody of the directory: with these groups, else with those that the directory says now.
    fn of_directory(
        &self,
        subject: &str,
        ldap: &LdapSettings,
        config: &Config,
    ) -> anyhow::Result<SimulatedCaller> {
        let refused =
            |why: &str| self.refused(format!("`{subject}` of `{LDAP}`, who is refused: {why}"));
        // the directory is never asked for a name of the list, or of one that looks like it
        let nobody_else = identity_of(subject, &ProviderClaims::default());
        if let Err(refusal) = admit_unlisted(&config.directory, nobody_else) {
            return Ok(refused(&refusal.to_string()));
        }
        let identity = if self.groups.is_empty() {
            match look_up(subject, ldap)? {
                Some(found) => found,
                None => {
                    let why = "the directory does not find them, or has locked them";
                    return Ok(refused(why));
                }
            }
        } else {
            let groups = self.groups.iter().map(|group| DirectoryGroup {
                dn: None,
                names: vec![group.trim().into()],
            });
            let said = ProviderClaims {
                provider: LDAP.into(),
                roles: ldap.roles.roles(&groups.collect::<Vec<_>>()),
                ..ProviderClaims::default()
            };
            identity_of(subject, &said)
        };
        Ok(match admit_unlisted(&config.directory, identity) {
            Ok(identity) => {
                let roles = roles_text(&identity.roles);
                let name = format!("`{subject}` of `{LDAP}` with {roles}");
                self.signed_in(Arc::new(identity), name)
            }
            Err(refusal) => refused(&refusal.to_string()),
        })
    }

    /// The bearer of another issuer's token. Keys that are published somewhere are known to a running gateway only.
    fn foreign(&self, token: &str, config: &Config) -> Option<SimulatedCaller> {
        let issuers = config.auth.trusted_issuers(|_, _| Arc::default());
        let verdict = issuers.verify(token, ambient::unix_seconds())?;
        let admit = |token: ExternalToken| {
            let verdict = config
                .directory
                .admit_foreign(&token.identity, token.issued_at);
            (token.identity, verdict)
        };
        Some(match verdict.map(admit) {
            Ok((identity, Err(UserRefusal::Impostor))) => {
                let subject = &identity.subject;
                self.refused(format!(
                    "a foreign `{subject}`, who is refused: a user of the list has this name"
                ))
            }
            Ok((identity, Err(refusal))) => {
                let subject = &identity.subject;
                self.refused(format!(
                    "`{subject}` of another issuer, who is refused: {refusal}"
                ))
            }
            Ok((identity, Ok(()))) => {
                let (subject, roles) = (&identity.subject, roles_text(&identity.roles));
                let name = format!("`{subject}` of another issuer with {roles}");
                self.known(identity, name)
            }
            Err(refusal) => {
                let published = refusal == TokenError::KeyId && issuers.publishes(token);
                let why = if published {
                    "; published keys are known to a running gateway only"
                } else {
                    ""
                };
                self.refused(format!(
                    "the bearer of another issuer's token that does not hold here: {refusal}{why}"
                ))
            }
        })
    }

    fn api_key(&self, key: &str, config: &Config) -> SimulatedCaller {
        match config.directory.find_key(key, ambient::unix_seconds()) {
            Ok(key) => {
                let (subject, roles) = (&key.identity.subject, roles_text(&key.identity.roles));
                let name = format!("the API key `{}` of `{subject}` with {roles}", key.name);
                self.known(Arc::clone(&key.identity), name)
            }
            Err(refusal) => self.refused(format!(
                "the holder of an API key that does not hold: {refusal}"
            )),
        }
    }

    /// What is said of the sign-in, and from where it was.
    fn sign_in(&self) -> CallerSpec {
        CallerSpec {
            address: self.address,
            second_factor: self.second_factor,
            age: self.age,
            ..CallerSpec::default()
        }
    }

    /// Somebody who has signed in.
    fn signed_in(&self, identity: Arc<Identity>, name: String) -> SimulatedCaller {
        let spec = self.sign_in();
        let SimulatedCaller { caller, name } = self.known(identity, name);
        SimulatedCaller {
            caller: caller.authenticated(spec.authentication()),
            name: format!("{name}{}", spec.sign_in_text()),
        }
    }

    /// The holder of something that is no sign-in.
    fn known(&self, identity: Arc<Identity>, name: String) -> SimulatedCaller {
        let place = self
            .address
            .map(|address| format!(" from {address}"))
            .unwrap_or_default();
        SimulatedCaller {
            caller: AccessSubject::known(identity, self.address),
            name: format!("{name}{place}"),
        }
    }

    fn refused(&self, name: String) -> SimulatedCaller {
        SimulatedCaller {
            caller: AccessSubject::rejected(self.address),
            name,
        }
    }

    fn token(&self, token: &str, config: &Config) -> anyhow::Result<SimulatedCaller> {
        if token.trim().starts_with(API_KEY_PREFIX) {
            return Ok(self.api_key(token.trim(), config));
        }
        if let Some(subject) = self.foreign(token.trim(), config) {
            return Ok(subject);
        }
        let settings = &config.auth.token;
        let verifier = Verifier::new(settings.keys(), settings.verifier());
        let now = ambient::unix_seconds();
        let claims = match verifier.verify(token.trim(), now) {
            Ok(claims) => claims,
            Err(refusal) => {
                return Ok(self.refused(format!(
                    "the bearer of a token that does not hold: {refusal}"
                )));
            }
        };
        match config.directory.find(&claims.subject) {
            Some(user) if user.admit(claims.issued_at).is_ok() => {
                let spec = CallerSpec {
                    user: Some(user.identity.subject.clone()),
                    address: self.address,
                    second_factor: claims.sign_in.has_second_factor(),
                    age: claims.sign_in.age(now).map(Duration::from_secs),
                    ..CallerSpec::default()
                };
                let SimulatedCaller { caller, name } = spec.resolve(&config.directory)?;
                let authentication = authentication(&claims, now);
                Ok(SimulatedCaller {
                    caller: caller.authenticated(authentication),
                    name,
                })
            }
            Some(_) | None => {
                let subject = &claims.subject;
                Ok(self.refused(format!(
                    "the bearer of a token of `{subject}`, who is gone, disabled or has newer tokens"
                )))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_have_the_kind_that_they_look_like() {
        let text = |text: &str| ClaimValue::Text(text.into());
        for (written, expected) in [
            ("a=true", Some(ClaimValue::Boolean(true))),
            ("a=-7", Some(ClaimValue::Integer(-7))),
            ("a=007", Some(text("007"))),
            ("a=b=c", Some(text("b=c"))),
            ("a=", Some(text(""))),
            ("a", None),
        ] {
            assert_eq!(
                claim(written).ok().map(|claim| claim.values),
                expected.map(|value| vec![value]),
                "{written}"
            );
        }
    }
}
