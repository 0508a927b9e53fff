use std::cell::RefCell;
use std::time::Duration;

use http::{HeaderMap, HeaderValue};

use super::*;
use crate::ambient;
use crate::identify::VerifiedPasswords;
use crate::identify::{
    CredentialError, CredentialOutcome, Identified, VerifiedTokens, identify, identify_opener,
};
use crate::session::{RevocationView, Revocations};
use crate::token::{
    AuthenticationMethods, CookieSessions, Key, ProviderRoom, SessionSettings, SignIn, TokenError,
    TrustedIssuers, Verifier, VerifierSettings,
};
use crate::users::{Directory, User, UserExtras};
use crate::wire::{Credential, Scheme, SessionCookie};

const NOW: u64 = 1_700_000_000;
const REFRESH: u64 = 900;

const SIGN_IN: SignIn = SignIn {
    at: Some(NOW - 60),
    methods: AuthenticationMethods::PASSWORD,
};

fn id() -> SessionId {
    SessionId::from_bytes([7; 16])
}

/// What a provider says, and who asked it.
#[derive(Default)]
struct Said {
    newest: RefCell<Option<Arc<ProviderClaims>>>,
    asked: RefCell<Vec<String>>,
}

impl Confirmations for Said {
    fn newer(&self, session: &SessionId, known: &ProviderClaims) -> Option<Arc<ProviderClaims>> {
        assert_eq!(*session, id());
        let newest = self.newest.borrow();
        newest
            .clone()
            .filter(|said| said.checked_at > known.checked_at)
    }

    fn request(&self, session: SessionId, said: &ProviderClaims) {
        assert_eq!(session, id());
        self.asked.borrow_mut().push(said.provider.to_string());
    }
}

/// All that a request is identified with.
struct World {
    browsers: CookieSessions,
    verifier: Verifier,
    trusted: TrustedIssuers,
    directory: Directory,
    passwords: VerifiedPasswords,
    revocations: RevocationView,
    verified: VerifiedTokens,
    providers: Vec<SessionProvider>,
    said: Said,
}

fn key() -> Key {
    Key::hs256(b"an example secret of at least 32 bytes").unwrap()
}

fn listed(name: &str, role: &str) -> User {
    let identity = Identity {
        subject: name.into(),
        roles: [role.into()].into(),
        ..Identity::default()
    };
    let extras = UserExtras {
        disabled: name == "gone",
        tokens_valid_after: (name == "late").then_some(NOW + 1),
        ..UserExtras::default()
    };
    User::new(identity.into(), None, extras)
}

fn world(is_listed: bool) -> World {
    let settings = SessionSettings {
        issuer: "gatelatch".to_owned(),
        ttl: Duration::from_secs(1800),
        max_age: Duration::from_secs(43_200),
        max_lifetime: Duration::from_secs(86_400),
        leeway: Duration::from_secs(30),
    };
    let verifier = VerifierSettings {
        issuer: "gatelatch".to_owned(),
        audience: "gatelatch".to_owned(),
        leeway: Duration::ZERO,
        max_lifetime: Duration::from_secs(86_400),
    };
    let room = ProviderRoom {
        named_roles: vec!["admin".into()],
        longest: 1000,
    };
    World {
        browsers: CookieSessions::new(key(), key(), settings).with_room(room),
        verifier: Verifier::new(key(), verifier),
        trusted: TrustedIssuers::default(),
        directory: Directory::new([
            listed("ann", "editor"),
            listed("gone", "editor"),
            listed("late", "editor"),
        ]),
        passwords: VerifiedPasswords::new(),
        revocations: Revocations::new(ambient::hash_state()).view(),
        verified: VerifiedTokens::default(),
        providers: vec![provider(is_listed)],
        said: Said::default(),
    }
}

fn provider(is_listed: bool) -> SessionProvider {
    SessionProvider {
        name: "corp".into(),
        fingerprint: "print".into(),
        is_listed,
        refresh: REFRESH,
    }
}

fn claims(roles: &[&str], checked_at: u64, has_refresh_token: bool) -> ProviderClaims {
    ProviderClaims {
        provider: "corp".into(),
        fingerprint: "print".into(),
        roles: roles.iter().map(|role| (*role).into()).collect(),
        name: Some("Bea".into()),
        checked_at,
        has_refresh_token,
        ..ProviderClaims::default()
    }
}

impl World {
    fn begin(&self, subject: &str, said: &ProviderClaims) -> Credential {
        let session = self
            .browsers
            .begin_with_provider(subject, id(), said, SIGN_IN, NOW);
        credential(&session.unwrap().value)
    }

    fn checks(&self) -> Authenticator<'_> {
        Authenticator {
            verifier: &self.verifier,
            trusted_issuers: &self.trusted,
            browsers: &self.browsers,
            directory: &self.directory,
            passwords: &self.passwords,
            revocations: &self.revocations,
            verified: &self.verified,
            providers: &self.providers,
            confirmations: &self.said,
        }
    }

    fn identify(&self, credential: &Credential, now: u64) -> Identified {
        identify(
            &self.checks(),
            Some(credential),
            crate::access::ClientAddress::Unknown,
            now,
        )
    }

    /// Twice: what is remembered must say the same as what is read.
    fn outcome(&self, credential: &Credential, now: u64) -> Result<Identity, CredentialError> {
        let [first, second] = [(); 2].map(|()| outcome(&self.identify(credential, now)));
        assert_eq!(first, second);
        first
    }
}

fn outcome(identified: &Identified) -> Result<Identity, CredentialError> {
    match &identified.credential {
        CredentialOutcome::Refused(error) => Err(*error),
        CredentialOutcome::Holds { .. } | CredentialOutcome::Absent => Ok(Identity::clone(
            identified.caller.subject().identity().unwrap(),
        )),
    }
}

fn credential(session: &str) -> Credential {
    let mut headers = HeaderMap::new();
    let line = HeaderValue::try_from(format!("gatelatch={session}")).unwrap();
    headers.insert("cookie", line);
    let cookie = SessionCookie::default();
    cookie
        .credential(&cookie.take(&mut headers), Scheme::Http)
        .unwrap()
}

#[test]
fn a_session_of_a_provider_has_the_identity_that_is_signed() {
    let world = world(false);
    let session = world.begin("bea", &claims(&["staff", "admin"], NOW, false));
    let expected = Identity {
        subject: "bea".into(),
        roles: ["staff".into(), "admin".into()].into(),
        name: Some("Bea".into()),
        subjects: Subjects::Users,
        provider: Some("corp".into()),
        ..Identity::default()
    };
    assert_eq!(world.outcome(&session, NOW), Ok(expected));
}

#[test]
fn a_session_counts_for_as_long_as_its_provider_does() {
    for (name, fingerprint) in [("corp", "other"), ("other", "print"), ("Corp", "print")] {
        let mut world = world(false);
        let session = world.begin("bea", &claims(&[], NOW, false));
        let (name, fingerprint) = (name.into(), fingerprint.into());
        world.providers[0] = SessionProvider {
            name,
            fingerprint,
            ..provider(false)
        };
        let refused = Err(CredentialError::ProviderGone);
        assert_eq!(world.outcome(&session, NOW), refused);
    }
}

#[test]
fn nobody_of_a_provider_passes_for_a_user_of_the_list() {
    let world = world(false);
    for name in ["ann", "Ann", "ANN", "gone"] {
        let session = world.begin(name, &claims(&["admin"], NOW, false));
        let refused = Err(CredentialError::Token(TokenError::Subject));
        assert_eq!(world.outcome(&session, NOW), refused, "{name}");
    }
}

#[test]
fn of_a_listed_person_the_list_is_the_truth() {
    for (name, expected) in [
        ("ann", Ok("editor")),
        ("gone", Err(CredentialError::UserDisabled)),
        ("late", Err(CredentialError::TooOld)),
        ("bea", Err(CredentialError::UserGone)),
        ("Ann", Err(CredentialError::UserGone)),
    ] {
        let world = world(true);
        let session = world.begin(name, &claims(&["admin"], NOW, false));
        let found = world.outcome(&session, NOW);
        let expected = expected.map(|role| {
            (
                [Box::from(role)].into(),
                Subjects::Users,
                Some(Box::from("corp")),
            )
        });
        let found = found.map(|found| (found.roles, found.subjects, found.provider));
        assert_eq!(found, expected, "{name}");
    }
}

#[test]
fn without_a_refresh_token_a_session_that_nobody_confirms_is_no_credential() {
    let world = world(false);
    let session = world.begin("bea", &claims(&[], NOW, false));
    for (later, expected) in [
        (REFRESH - 1, Ok(())),
        (REFRESH, Err(CredentialError::Unconfirmed)),
        (REFRESH + 600, Err(CredentialError::Unconfirmed)),
    ] {
        let found = world.outcome(&session, NOW + later).map(drop);
        assert_eq!(found, expected, "{later}");
        let opened = identify_opener(
            &world.checks(),
            Some(&session),
            crate::access::ClientAddress::Unknown,
            (NOW, NOW + later),
        );
        assert_eq!(
            outcome(&opened).map(drop),
            expected,
            "a connection, {later}"
        );
    }
    let CredentialOutcome::Holds {
        connection_ends_at, ..
    } = world.identify(&session, NOW).credential
    else {
        panic!("it holds");
    };
    assert_eq!(connection_ends_at, NOW + REFRESH);
    assert!(world.said.asked.borrow().is_empty(), "there is no token");
}

#[test]
fn with_a_refresh_token_the_provider_is_asked_from_two_thirds_of_the_time() {
    let world = world(false);
    let session = world.begin("bea", &claims(&["staff"], NOW, true));
    for (later, asked) in [(0, 0), (599, 0), (600, 2), (REFRESH + 100, 4)] {
        assert!(world.outcome(&session, NOW + later).is_ok(), "{later}");
        assert_eq!(world.said.asked.borrow().len(), asked, "{later}");
    }
    assert_eq!(world.said.asked.borrow()[0], "corp");
}

#[test]
fn what_the_provider_has_said_since_counts_at_once_and_goes_into_the_cookie() {
    let world = world(false);
    let session = world.begin("bea", &claims(&["admin"], NOW, true));
    assert_eq!(
        *world.outcome(&session, NOW + 700).unwrap().roles,
        [Box::from("admin")]
    );
    *world.said.newest.borrow_mut() = Some(Arc::new(claims(&["staff"], NOW + 701, true)));
    let found = world.identify(&session, NOW + 702);
    assert_eq!(*outcome(&found).unwrap().roles, [Box::from("staff")]);
    let renewal = found.renewal.unwrap();
    let renewed = world
        .browsers
        .renew(&renewal.session, renewal.is_confirmed, NOW + 702);
    let renewed = credential(&renewed.unwrap().value);
    let asked = world.said.asked.borrow().len();
    let found = world.identify(&renewed, NOW + 703);
    assert_eq!(*outcome(&found).unwrap().roles, [Box::from("staff")]);
    assert!(found.renewal.is_none());
    assert_eq!(
        world.said.asked.borrow().len(),
        asked,
        "it was asked a moment ago"
    );
    // the former cookie says so too, for as long as the browser sends it
    let former = world.identify(&session, NOW + 704);
    assert_eq!(*outcome(&former).unwrap().roles, [Box::from("staff")]);
    assert!(former.renewal.is_some_and(|renewal| renewal.is_confirmed));
}

#[test]
fn of_many_roles_those_stay_that_rules_name() {
    let world = world(false);
    let many: Vec<String> = (0..100).map(|n| format!("group-number-{n}")).collect();
    let mut many: Vec<&str> = many.iter().map(String::as_str).collect();
    many.push("admin");
    let session = world.begin("bea", &claims(&many, NOW, false));
    assert_eq!(
        *world.outcome(&session, NOW).unwrap().roles,
        [Box::from("admin")]
    );
    let long = ProviderClaims {
        name: Some("x".repeat(1000).into()),
        ..claims(&[], NOW, false)
    };
    let refused = world
        .browsers
        .begin_with_provider("bea", id(), &long, SIGN_IN, NOW);
    assert!(matches!(
        refused,
        Err(crate::token::IssueError::TooLarge(length)) if length > 1000
    ));
}
