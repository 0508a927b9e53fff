//! Step 4: whose credential is it? For the gateway's own tokens the user list is the truth at every request.

mod credential_error;
mod passwords;
mod provider_session;
mod remembered;

use std::sync::Arc;
use std::time::Duration;

pub use self::credential_error::CredentialError;
use self::passwords::RememberedUser;
pub use self::passwords::{CheckGuard, PairCheck, PairDigest, PendingCheck, VerifiedPasswords};
pub use self::provider_session::{Confirmations, SessionProvider, admit_unlisted, identity_of};
use self::provider_session::{Look, admit_bearer, admit_session, look_at, settle};
pub use self::remembered::VerifiedTokens;
use self::remembered::{Admitted, Remembered};
use crate::access::{AccessSubject, Authentication, Caller, ClientAddress, Identity};
use crate::session::RevocationView;
use crate::token::{
    CookieSessions, ExternalToken, SessionId, SignIn, TokenError, TrustedIssuers, VerifiedClaims,
    Verifier,
};
use crate::users::{Directory, KeyRefusal, NEVER, User, UserRefusal};
use crate::wire::{BasicCredentials, Credential, CredentialSource, is_api_key};

/// What credentials are checked with: of the snapshot, but for the last two, which are the worker's.
#[derive(Clone, Copy)]
pub struct Authenticator<'a> {
    /// Verifies the gateway's own tokens.
    pub verifier: &'a Verifier,
    /// Verifies the tokens of other issuers.
    pub trusted_issuers: &'a TrustedIssuers,
    /// Verifies the sessions of browsers.
    pub browsers: &'a CookieSessions,
    /// The user list.
    pub directory: &'a Directory,
    /// The user names and passwords that were checked.
    pub passwords: &'a VerifiedPasswords,
    /// Which sessions have ended.
    pub revocations: &'a RevocationView,
    /// Those that need no second look at their signature.
    pub verified: &'a VerifiedTokens,
    /// The OpenID providers that people sign in with.
    pub providers: &'a [SessionProvider],
    /// What providers have said of sessions since these were signed.
    pub confirmations: &'a dyn Confirmations,
}

/// A caller, with the result of checking its credential.
pub struct Identified {
    /// For whom the policy is enforced.
    pub caller: Caller,
    /// What came of the credential.
    pub credential: CredentialOutcome,
    /// How its holder has signed in; `None`: not at the gateway, or nobody is known.
    pub sign_in: Option<SignIn>,
    /// The session of a browser that is to last for another while, where it is time.
    pub renewal: Option<SessionRenewal>,
    /// After how many seconds a connection that lasts is to be looked at again, whatever happens until then.
    pub look_again: Option<u64>,
}

/// A session of which the browser is to get a new token.
pub struct SessionRenewal {
    /// What it says from now on.
    pub session: Box<VerifiedClaims>,
    /// Whether its provider has said something since it was signed.
    pub is_confirmed: bool,
}

impl Identified {
    /// The same, with another reason where the credential is refused.
    pub fn refused_for(mut self, why: Option<CredentialError>) -> Self {
        if let (CredentialOutcome::Refused(reason), Some(why)) = (&mut self.credential, why) {
            *reason = why;
        }
        self
    }
}

/// Whose credential it is, until which second since 1970, and in which session of ours, if in any.
struct Holder {
    identity: Arc<Identity>,
    expires_at: u64,
    connection_ends_at: u64,
    session: Option<SessionId>,
    renewal: Option<SessionRenewal>,
    look_again: Option<u64>,
    /// `None` for what is no sign-in of the gateway.
    sign_in: Option<SignIn>,
}

/// The result of checking a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CredentialOutcome {
    /// The request has no credential.
    Absent,
    /// Valid until this second since 1970, unless its session ends. API keys and tokens of other issuers belong to no
    /// session of the gateway.
    Holds {
        /// In seconds since 1970.
        expires_at: u64,
        /// Until when a connection may last that the request opens: for a session, as long as it may be renewed.
        connection_ends_at: u64,
        /// The session of the gateway that the token belongs to.
        session: Option<SessionId>,
    },
    /// Not valid.
    Refused(CredentialError),
}

impl Admitted {
    /// What may change while the token lives: whether its session has ended.
    fn holder(&self, revocations: &RevocationView, now: u64) -> Result<Holder, CredentialError> {
        let Self {
            claims,
            identity,
            key_expires_at,
            ..
        } = self;
        if now >= *key_expires_at {
            return Err(CredentialError::ApiKey(KeyRefusal::Expired));
        }
        if revocations.is_revoked(&claims.session) {
            return Err(CredentialError::Revoked);
        }
        let (identity, session) = (Arc::clone(identity), Some(claims.session));
        Ok(Holder {
            identity,
            sign_in: sign_in_of(claims),
            expires_at: claims.expires_at.min(*key_expires_at),
            connection_ends_at: claims.expires_at.min(*key_expires_at),
            session,
            renewal: None,
            look_again: None,
        })
    }
}

/// Checks whether the credential is valid now. Never an error: an invalid credential is a kind of caller. `now` is in
/// seconds since 1970.
pub fn identify(
    checks: &Authenticator<'_>,
    credential: Option<&Credential>,
    address: ClientAddress,
    now: u64,
) -> Identified {
    identify_since(checks, credential, address, (now, now))
}

/// The same, with a sign-in as old as it was at the first of these times.
fn identify_since(
    checks: &Authenticator<'_>,
    credential: Option<&Credential>,
    address: ClientAddress,
    (opened_at, now): (u64, u64),
) -> Identified {
    let Some(credential) = credential else {
        return Identified {
            caller: Caller::identified(AccessSubject::anonymous(address)),
            credential: CredentialOutcome::Absent,
            sign_in: None,
            renewal: None,
            look_again: None,
        };
    };
    let found = match credential.source() {
        CredentialSource::Bearer => holder(checks, credential.token(), now),
        CredentialSource::ApiKey => key_holder(checks, credential.token(), now),
        CredentialSource::Cookie => browser_holder(checks, credential.token(), now),
        CredentialSource::Basic => basic_holder(checks, credential.token(), address, now),
    };
    identified(found, (address, opened_at))
}

/// The same for a connection that was opened with the credential at `opened_at`: the token in a session cookie may have
/// expired since, its session may not have. The sign-in counts as it was then: a connection is used for as long as it is
/// open, and nobody could sign in again on it.
pub fn identify_opener(
    checks: &Authenticator<'_>,
    credential: Option<&Credential>,
    address: ClientAddress,
    (opened_at, now): (u64, u64),
) -> Identified {
    let cookie = credential.filter(|one| one.source() == CredentialSource::Cookie);
    let Some(cookie) = cookie else {
        return identify_since(checks, credential, address, (opened_at, now));
    };
    let session = checks
        .browsers
        .verify_opened(cookie.token(), opened_at, now);
    let found = session
        .map_err(CredentialError::Token)
        .and_then(|claims| admit_session(checks, claims))
        .and_then(|admitted| settle(checks, admitted, now));
    identified(found.map(|(holder, _)| holder), (address, opened_at))
}

fn identified(
    found: Result<Holder, CredentialError>,
    (address, signs_in_by): (ClientAddress, u64),
) -> Identified {
    match found {
        Ok(Holder {
            identity,
            expires_at,
            connection_ends_at,
            session,
            renewal,
            look_again,
            sign_in,
        }) => Identified {
            caller: Caller::identified(
                AccessSubject::known(identity, address)
                    .authenticated(seen_by_rules(sign_in, signs_in_by)),
            ),
            sign_in,
            credential: CredentialOutcome::Holds {
                expires_at,
                connection_ends_at,
                session,
            },
            renewal,
            look_again,
        },
        Err(error) => Identified {
            caller: Caller::identified(AccessSubject::rejected(address)),
            credential: CredentialOutcome::Refused(error),
            sign_in: None,
            renewal: None,
            look_again: None,
        },
    }
}

/// How the holder of a token of the gateway has signed in, as rules see it.
pub fn authentication(claims: &VerifiedClaims, now: u64) -> Authentication {
    seen_by_rules(sign_in_of(claims), now)
}

/// The sign-in that a token came from. One that an API key was exchanged for is as good as the key.
fn sign_in_of(claims: &VerifiedClaims) -> Option<SignIn> {
    claims.api_key.is_none().then_some(claims.sign_in)
}

fn seen_by_rules(sign_in: Option<SignIn>, now: u64) -> Authentication {
    sign_in.map_or(Authentication::WithoutSignIn, |sign_in| {
        Authentication::SignedIn {
            age: sign_in.age(now).map(Duration::from_secs),
            second_factor: sign_in.has_second_factor(),
        }
    })
}

/// The holder of an API key. It is looked up every time: one hash costs less than a safe cache.
fn key_holder(checks: &Authenticator<'_>, key: &str, now: u64) -> Result<Holder, CredentialError> {
    let key = checks
        .directory
        .find_key(key, now)
        .map_err(CredentialError::ApiKey)?;
    let identity = Arc::clone(&key.identity);
    Ok(Holder {
        identity,
        expires_at: key.expires_at,
        connection_ends_at: key.expires_at,
        session: None,
        renewal: None,
        look_again: None,
        sign_in: None,
    })
}

/// The user of a name and a password that were checked before, or of one of the user's API keys in place of the password.
fn basic_holder(
    checks: &Authenticator<'_>,
    token: &str,
    address: ClientAddress,
    now: u64,
) -> Result<Holder, CredentialError> {
    if let Some(RememberedUser { identity, until }) = remembered_user(checks, token, address, now) {
        return Ok(Holder {
            identity,
            expires_at: until,
            // its password is checked again then
            connection_ends_at: NEVER,
            session: None,
            renewal: None,
            sign_in: None,
            look_again: (until != NEVER).then(|| until.saturating_sub(now)),
        });
    }
    let pair = BasicCredentials::parse(token).ok_or(CredentialError::Password)?;
    if !is_api_key(&pair.password) {
        return Err(CredentialError::Unchecked);
    }
    let holder = key_holder(checks, &pair.password, now)?;
    if *holder.identity.subject == **pair.username {
        Ok(holder)
    } else {
        Err(CredentialError::ApiKey(KeyRefusal::Unknown))
    }
}

fn remembered_user(
    checks: &Authenticator<'_>,
    token: &str,
    address: ClientAddress,
    now: u64,
) -> Option<RememberedUser> {
    let digest = checks.passwords.digest(token, address);
    let mut view = checks.verified.passwords.borrow_mut();
    view.find(checks.passwords, &digest, now)
}

/// The user name and the password of a request that nobody has checked under this snapshot, for a client of this network.
pub fn unchecked_password(
    checks: &Authenticator<'_>,
    credential: &Credential,
    address: ClientAddress,
    now: u64,
) -> Option<BasicCredentials> {
    if remembered_user(checks, credential.token(), address, now).is_some() {
        return None;
    }
    let pair = BasicCredentials::parse(credential.token())?;
    (!is_api_key(&pair.password)).then_some(pair)
}

/// A token that was verified a moment ago is not verified again, but its time and its session are looked at every time.
fn holder(checks: &Authenticator<'_>, token: &str, now: u64) -> Result<Holder, CredentialError> {
    let Authenticator {
        verifier,
        trusted_issuers,
        directory,
        revocations,
        ..
    } = *checks;
    match checks.verified.bearers.borrow().find(token) {
        Some(Remembered::Own(token)) if verifier.is_still_valid(&token.claims, now) => {
            return token.holder(revocations, now);
        }
        Some(Remembered::Foreign(token)) if trusted_issuers.is_still_valid(token, now) => {
            return Ok(bearer_of(token));
        }
        Some(_) | None => {}
    }
    let (holder, remembered) = match trusted_issuers.verify(token, now) {
        Some(token) => {
            let token = token.map_err(CredentialError::Token)?;
            directory
                .admit_foreign(&token.identity, token.issued_at)
                .map_err(refused)?;
            (bearer_of(&token), Remembered::Foreign(token))
        }
        None => {
            let claims = verifier
                .verify(token, now)
                .map_err(CredentialError::Token)?;
            let admitted = admit_bearer(checks, claims)?;
            (
                admitted.holder(revocations, now)?,
                Remembered::Own(admitted),
            )
        }
    };
    checks.verified.bearers.borrow_mut().keep(token, remembered);
    Ok(holder)
}

/// The same for the session of a browser. It is as old as its sign-in, however often it was renewed.
fn browser_holder(
    checks: &Authenticator<'_>,
    token: &str,
    now: u64,
) -> Result<Holder, CredentialError> {
    let browsers = checks.browsers;
    let known = {
        let sessions = checks.verified.sessions.borrow();
        let known = sessions.find(token);
        let known = known.filter(|admitted| browsers.is_still_valid(&admitted.claims, now));
        known.map(|admitted| look_at(checks, admitted, now))
    };
    let admitted = match known.transpose()? {
        Some(Look::Holds(holder)) => return Ok(holder),
        Some(Look::Newer(admitted)) => *admitted,
        None => {
            let claims = browsers.verify(token, now);
            admit_session(checks, claims.map_err(CredentialError::Token)?)?
        }
    };
    let (holder, admitted) = settle(checks, admitted, now)?;
    checks.verified.sessions.borrow_mut().keep(token, admitted);
    Ok(holder)
}

/// Whose token it is, if the list still has its user, and the API key that it was issued for: then the roles are the key's. `age` is what counts for `tokens_valid_after`.
fn admit(
    directory: &Directory,
    claims: VerifiedClaims,
    age: impl Fn(&VerifiedClaims) -> Option<u64>,
) -> Result<Admitted, CredentialError> {
    let user = find_user(directory, &claims.subject, age(&claims))?;
    let (identity, key_expires_at) = match claims.api_key.as_deref() {
        None => (&user.identity, NEVER),
        Some(fingerprint) => {
            let key = user.key_of(fingerprint);
            let key = key.ok_or(CredentialError::ApiKey(KeyRefusal::Unknown))?;
            (&key.identity, key.expires_at)
        }
    };
    Ok(Admitted {
        identity: Arc::clone(identity),
        claims,
        key_expires_at,
        check: None,
    })
}

fn bearer_of(token: &ExternalToken) -> Holder {
    Holder {
        identity: Arc::clone(&token.identity),
        expires_at: token.expires_at,
        connection_ends_at: token.expires_at,
        session: None,
        renewal: None,
        look_again: None,
        sign_in: None,
    }
}

fn find_user<'d>(
    directory: &'d Directory,
    subject: &str,
    issued_at: Option<u64>,
) -> Result<&'d User, CredentialError> {
    let user = directory.find(subject).ok_or(CredentialError::UserGone)?;
    user.admit(issued_at).map_err(refused)?;
    Ok(user)
}

fn refused(refusal: UserRefusal) -> CredentialError {
    match refusal {
        // services would take another issuer's `alice` for ours
        UserRefusal::Impostor | UserRefusal::LookAlike => {
            CredentialError::Token(TokenError::Subject)
        }
        UserRefusal::Disabled => CredentialError::UserDisabled,
        UserRefusal::TooOld => CredentialError::TooOld,
    }
}
