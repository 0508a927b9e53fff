//! Signing in with an OpenID provider, as far as that is between the gateway and the provider: what is believed of a good
//! one, and what is not of any other. Over real sockets, through the library.

use std::collections::BTreeMap;
use std::sync::Arc;

use gatelatch::config::{LoadRequest, load};
use gatelatch::jwks::KeySources;
use gatelatch::oidc::{
    AuthorizationRequest, AuthorizationResponse, Provider, ProviderError, ProviderSettings,
    ProviderSignIn, Providers, SignInSecrets, code_challenge,
};
use gatelatch::telemetry::metrics::Metrics;

use crate::support::{ScriptedProvider, get, until};

mod clients;
mod discovery;
mod id_tokens;
mod identities;
mod logout;
mod refresh;

const REDIRECT_URI: &str = "https://gateway.example.com/auth/callback/corp";
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

/// Long enough for HS256.
const CLIENT_SECRET: &str = "a client secret of 40 bytes + characters";

/// The gateway as a client of one provider.
pub struct Party {
    runtime: tokio::runtime::Runtime,
    pub provider: Arc<Provider>,
    providers: Providers,
    idp: std::net::SocketAddr,
    /// What is added to the clock.
    pub clock: i64,
    pub max_age: Option<u64>,
}

/// One provider as a configuration has it; `more` are further keys in braces.
pub fn settings(issuer: &str, more: &str) -> Arc<ProviderSettings> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gateway.yaml");
    let text = format!(
        "auth:
  token: {{ secret: 0123456789abcdef0123456789abcdef }}
  providers: [{{ name: corp, issuer: \"{issuer}\", client_id: gatelatch{more} }}]
services: {{ app: {{ upstream: http://127.0.0.1:9000, rules: [ {{ path: /, allow: authenticated }} ] }} }}"
    );
    std::fs::write(&path, text).unwrap();
    let loaded = load(&LoadRequest {
        path,
        environment: BTreeMap::from([("SECRET".to_owned(), CLIENT_SECRET.to_owned())]),
        fallback_secret: b"a fallback secret of more than 32 bytes".to_vec().into(),
        cores: 1,
    });
    loaded.unwrap().config.auth.providers.remove(0)
}

impl Party {
    /// A confidential client whose provider is known already.
    pub fn of(idp: &ScriptedProvider) -> Self {
        Self::with(idp, "")
    }

    /// The same with further settings.
    pub fn with(idp: &ScriptedProvider, more: &str) -> Self {
        let party = Self::unready(idp, &format!(", client_secret: \"${{SECRET}}\"{more}"));
        until("the provider is known", || party.begin().is_ok());
        party
    }

    /// A client with these settings, whose provider may not be known.
    pub fn unready(idp: &ScriptedProvider, more: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let keys = KeySources::new(runtime.handle().clone(), Metrics::new());
        let providers = Providers::start(runtime.handle().clone(), Arc::new(keys)).unwrap();
        Self {
            provider: providers.provider(settings(&idp.issuer, more)),
            providers,
            runtime,
            idp: idp.address(),
            clock: 0,
            max_age: None,
        }
    }

    /// The same provider under further settings, as another entry or a reload makes it.
    pub fn reload(&mut self, more: &str) {
        let issuer = self.provider.settings().issuer.clone();
        self.provider = self.providers.provider(settings(&issuer, more));
    }

    pub fn now(&self) -> u64 {
        gatelatch::ambient::unix_seconds().saturating_add_signed(self.clock)
    }

    /// Where the browser is sent.
    pub fn begin(&self) -> Result<String, ProviderError> {
        self.provider.authorization_url(&AuthorizationRequest {
            redirect_uri: REDIRECT_URI,
            state: "state-1",
            nonce: "nonce-1",
            code_challenge: &code_challenge(VERIFIER),
            prompt: None,
            login_hint: None,
            max_age: self.max_age,
            acr_values: &self.provider.settings().second_factor.acr,
        })
    }

    /// The query that the browser brings back.
    pub fn visit(&self) -> String {
        let url = url::Url::parse(&self.begin().unwrap()).unwrap();
        let target = format!("{}?{}", url.path(), url.query().unwrap());
        let answer = get(self.idp, &target, "");
        assert_eq!(answer.status, 303, "{answer:?}");
        let back = url::Url::parse(answer.header("location")).unwrap();
        back.query().unwrap().to_owned()
    }

    pub fn redeem(&self, query: &str) -> Result<ProviderSignIn, ProviderError> {
        let callback = AuthorizationResponse::parse(query).unwrap();
        let secrets = SignInSecrets {
            redirect_uri: REDIRECT_URI.to_owned(),
            nonce: "nonce-1".into(),
            code_verifier: VERIFIER.into(),
            max_age: self.max_age,
        };
        let signing_in = self.provider.redeem(&callback, &secrets, self.now());
        self.runtime.block_on(signing_in)
    }

    pub fn sign_in(&self) -> Result<ProviderSignIn, ProviderError> {
        self.redeem(&self.visit())
    }

    /// Why somebody is not signed in.
    pub fn refusal(&self) -> String {
        self.sign_in().unwrap_err().to_string()
    }

    pub fn run<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }
}

#[test]
fn a_good_provider_signs_somebody_in() {
    let idp = ScriptedProvider::start();
    let party = Party::of(&idp);
    let sign_in = party.sign_in().unwrap();
    let identity = &sign_in.identity;
    assert_eq!(
        (&*identity.subject, &*identity.roles),
        ("walter-1", &["staff".into()][..])
    );
    assert_eq!(identity.name.as_deref(), Some("Walter"));
    assert_eq!(identity.email.as_deref(), Some("walter@example.com"));
    assert_eq!(
        (&*sign_in.of.issuer, &*sign_in.of.sub),
        (&*idp.issuer, "walter-1")
    );
    assert_eq!(sign_in.of.auth_time, Some(1_700_000_000));
    assert_eq!(sign_in.sid.as_deref(), Some("session-1"));
    assert_eq!(
        (&*sign_in.amr, sign_in.acr.as_deref()),
        (&["pwd".into()][..], Some("1"))
    );
    assert!(sign_in.refresh_token.is_some() && sign_in.id_token.contains('.'));
    // everything was in the ID token
    assert!(idp.received("/userinfo").is_empty());
    // what is shown of it holds no token
    let shown = format!("{sign_in:?}");
    assert!(
        !shown.contains("refresh 1") && !shown.contains(&*sign_in.id_token),
        "{shown}"
    );
}
