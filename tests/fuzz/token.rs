//! Any text as a token at any time: never a panic, and never accepted without the key. The first four bytes are the time.

use std::sync::LazyLock;
use std::time::Duration;

use gatelatch::access::Subjects;
use gatelatch::session::RefreshToken;
use gatelatch::token::{
    Algorithm, AudienceRule, ClaimPath, CookieSessions, IssuerKeys, Key, KeySet, Sealed, SealedFor,
    SessionId, SessionSettings, TrustSettings, TrustedIssuer, TrustedIssuers, Verifier,
    VerifierSettings, payload_of,
};

/// One that is verified with a key of each kind.
struct Verifiers {
    own: Verifier,
    sessions: CookieSessions,
    foreign: TrustedIssuers,
}

static VERIFIERS: LazyLock<Verifiers> = LazyLock::new(|| {
    // nobody has the secret: it is another one in each process
    let key = Key::hs256(&gatelatch::ambient::random_bytes::<32>()).expect("32 bytes are enough");
    let public = [
        include_str!("../keys/p256.pub.pem"),
        include_str!("../keys/ed25519.pub.pem"),
        include_str!("../keys/rsa.pub.pem"),
    ];
    let algorithms = [Algorithm::Es256, Algorithm::Ed25519, Algorithm::Rs256];
    let keys = algorithms.iter().zip(public).map(|(algorithm, pem)| {
        gatelatch::token::VerifyingKey::from_pem(*algorithm, pem, None).unwrap()
    });
    let settings = VerifierSettings {
        issuer: "gatelatch".to_owned(),
        audience: "gatelatch".to_owned(),
        leeway: Duration::from_secs(30),
        max_lifetime: Duration::MAX,
    };
    Verifiers {
        own: Verifier::new(key.clone(), settings),
        sessions: CookieSessions::new(key.clone(), key, sessions()),
        foreign: TrustedIssuers::new(vec![TrustedIssuer {
            settings: trust(algorithms.to_vec()),
            keys: IssuerKeys::Fixed(KeySet::new(keys.collect())),
        }]),
    }
});

fn sessions() -> SessionSettings {
    SessionSettings {
        issuer: "gatelatch".to_owned(),
        ttl: Duration::from_secs(3600),
        max_age: Duration::from_secs(7200),
        max_lifetime: Duration::MAX,
        leeway: Duration::from_secs(30),
    }
}

fn trust(algorithms: Vec<Algorithm>) -> TrustSettings {
    TrustSettings {
        issuer: "https://idp".to_owned(),
        audience: AudienceRule {
            claim: ClaimPath::of("aud"),
            one_of: vec!["api".to_owned()],
        },
        subject: ClaimPath::of("sub"),
        algorithms,
        roles_claim: ClaimPath::of("roles"),
        subjects: Subjects::Foreign,
        leeway: Duration::from_secs(30),
        max_lifetime: Duration::MAX,
    }
}

pub(crate) fn run(data: &[u8]) {
    let Some((now, text)) = data.split_first_chunk::<4>() else {
        return;
    };
    let Ok(text) = std::str::from_utf8(text) else {
        return;
    };
    let now = u64::from(u32::from_be_bytes(*now));
    let Verifiers {
        own,
        sessions,
        foreign,
    } = &*VERIFIERS;
    assert!(own.verify(text, now).is_err());
    assert!(sessions.verify(text, now).is_err());
    assert!(sessions.named_by(text, now).is_none());
    assert!(sessions.devices().verify(text, "alice", now).is_none());
    assert!(!matches!(foreign.verify(text, now), Some(Ok(_))));
    let _ = (payload_of(text), foreign.publishes(text), own.inspect(text, now));
    let refresh = RefreshToken::parse(text, sessions.signer());
    assert!(refresh.is_none_or(|token| token.holder().is_none()), "signed by nobody");
    if let Some(session) = SessionId::parse(text) {
        assert_eq!(session.to_string(), text);
    }
    if let Some(sealed) = Sealed::parse(text) {
        let opened = sessions.sealer().open(SealedFor::ProviderTokens, b"", &sealed);
        assert!(opened.is_none());
    }
}
