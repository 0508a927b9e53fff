//! What a request's head costs: taken in, and written anew for the upstream.
#![allow(
    missing_docs,
    reason = "criterion's macros make public items without docs"
)]

use std::convert::Infallible;
use std::hint::black_box;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use gatelatch::access::{
    Caller, CaseRule, ClientAddress, Condition, Identity, Methods, Mode, PathOptions, Pattern,
    Policy, RequestPath, Requirement, RoleMatch, Rule,
};
use gatelatch::ambient::{self, Ticker};
use gatelatch::identify::{
    Authenticator, Confirmations, VerifiedPasswords, VerifiedTokens, identify,
};
use gatelatch::session::Revocations;
use gatelatch::token::{
    CookieSessions, Key, ProviderClaims, SessionId, SessionSettings, TrustedIssuers, Verifier,
    VerifierSettings,
};
use gatelatch::upstream::{ClientBody, Forwarding, Origin, Outbound, RequestContext, Settings};
use gatelatch::users::{ApiKey, Directory, KeyDigest, NEVER, User, UserExtras, api_key};
use gatelatch::wire::{
    Credential, FieldFilter, FieldPresence, IdentitySettings, Intake, Peer, SameSite, Scheme,
    SecureCookie, SessionCookie, TrustedProxies,
};
use http::request::Parts;
use http::{HeaderValue, Request, Response};
use http_body_util::Empty;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::runtime::Runtime;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// A head as a browser application sends it.
const HEAD: &str = "GET /jobs/4711/candidates?page=2 HTTP/1.1\r\n\
    Host: jobs.example.com\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n\
    Accept: application/json\r\n\
    Accept-Encoding: gzip, deflate, br\r\n\
    Accept-Language: en-US,en;q=0.5\r\n\
    Authorization: Bearer eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhbGljZUBleGFtcGxlLmNvbSJ9.c2lnbmF0dXJl\r\n\
    Referer: https://jobs.example.com/jobs\r\n\
    Sec-Fetch-Site: same-origin\r\n\
    Connection: keep-alive\r\n\
    \r\n";

/// Requests as hyper hands them out, from a connection in memory: their bodies cannot be made otherwise.
struct Arrivals {
    runtime: Runtime,
    client: DuplexStream,
    requests: UnboundedReceiver<Request<Incoming>>,
}

impl Arrivals {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .expect("a runtime without a driver");
        let (client, server) = tokio::io::duplex(64 << 10);
        let (sender, requests) = unbounded_channel();
        let service = service_fn(move |request| {
            let taken = sender.send(request);
            async move {
                taken.expect("the benchmark is running");
                Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
            }
        });
        runtime.spawn(
            http1::Builder::new()
                .preserve_header_case(true)
                .serve_connection(TokioIo::new(server), service),
        );
        Self {
            runtime,
            client,
            requests,
        }
    }

    fn next(&mut self) -> (Parts, Incoming) {
        self.runtime.block_on(async {
            self.client
                .write_all(HEAD.as_bytes())
                .await
                .expect("the server reads");
            let request = self.requests.recv().await.expect("the server is running");
            let read = self
                .client
                .read(&mut [0; 4096])
                .await
                .expect("the server answers");
            assert!(read > 0, "the server has refused the head");
            request.into_parts()
        })
    }
}

/// What one service of a gateway knows.
struct House {
    peer: Peer,
    trusted: TrustedProxies,
    cookie: SessionCookie,
    policy: Policy,
    caller: Caller,
    forwarding: Forwarding,
    ticker: Ticker,
}

impl House {
    fn new() -> Self {
        let identity = IdentitySettings::default();
        let upstream = Origin::parse("http://127.0.0.1:9000").expect("an origin");
        Self {
            peer: Peer::new(SocketAddr::from((Ipv4Addr::LOCALHOST, 4711)), Scheme::Http),
            trusted: TrustedProxies::default(),
            cookie: SessionCookie::new("gatelatch", SecureCookie::Auto, SameSite::Lax, None),
            policy: policy(),
            caller: caller(),
            forwarding: Forwarding {
                upstream: Settings::of(upstream),
                filter: Arc::new(FieldFilter::new(&identity)),
                identity,
                strip: None,
                case: CaseRule::Sensitive,
                paths: PathOptions::default(),
                body_limit: None,
                body_timeout: Duration::from_secs(60),
            },
            ticker: Ticker::new(),
        }
    }

    fn receive(&self, head: Parts) -> (RequestPath, Intake) {
        let intake = Intake::read(head, &self.peer, &self.trusted, &self.cookie);
        let intake = intake.expect("the head is sound");
        let path = RequestPath::parse(intake.head.uri.path(), PathOptions::default());
        (path.expect("the path is sound"), intake)
    }
}

fn policy() -> Policy {
    let roles = vec![RoleMatch::OneOf(vec!["recruiter".into()])];
    let rule = Rule {
        name: "/jobs/**".into(),
        pattern: Pattern::parse("/jobs/**").expect("a pattern"),
        methods: Methods::All,
        requirement: Requirement::AnyOf(vec![Condition {
            roles,
            ..Condition::default()
        }]),
        mode: Mode::Enforce,
    };
    Policy::build(vec![rule], CaseRule::Sensitive).expect("one rule does not tie")
}

fn alice() -> Identity {
    let roles = ["viewer", "recruiter"].map(Box::from).into();
    Identity {
        subject: "alice@example.com".into(),
        roles,
        ..Identity::default()
    }
}

/// Providers that say nothing.
struct Silent;

impl Confirmations for Silent {
    fn newer(&self, _: &SessionId, _: &ProviderClaims) -> Option<Arc<ProviderClaims>> {
        None
    }

    fn request(&self, _: SessionId, _: &ProviderClaims) {}
}

/// The holder of an API key, identified as one of a request is.
fn caller() -> Caller {
    let key = api_key([7; 32]);
    let identity = Arc::new(alice());
    let extras = UserExtras {
        api_keys: vec![ApiKey {
            name: "benchmark".into(),
            digest: KeyDigest::of(&key).expect("a key of 256 bits"),
            identity: Arc::clone(&identity),
            expires_at: NEVER,
        }],
        ..UserExtras::default()
    };
    let directory = Directory::new([User::new(identity, None, extras)]);
    let signs = Key::hs256(b"a secret that protects nothing but a benchmark").expect("long enough");
    let (issuer, hour) = ("gatelatch".to_owned(), Duration::from_secs(3600));
    let sessions = SessionSettings {
        issuer: issuer.clone(),
        ttl: hour,
        max_age: hour,
        max_lifetime: hour,
        leeway: Duration::ZERO,
    };
    let tokens = VerifierSettings {
        audience: issuer.clone(),
        issuer,
        leeway: Duration::ZERO,
        max_lifetime: hour,
    };
    let checks = Authenticator {
        verifier: &Verifier::new(signs.clone(), tokens),
        trusted_issuers: &TrustedIssuers::default(),
        browsers: &CookieSessions::new(signs.clone(), signs, sessions),
        directory: &directory,
        passwords: &VerifiedPasswords::new(),
        revocations: &Revocations::new(ambient::hash_state()).view(),
        verified: &VerifiedTokens::default(),
        providers: &[],
        confirmations: &Silent,
    };
    let request = Request::get("http://jobs.example.com/").header("x-api-key", key.as_str());
    let (head, ()) = request.body(()).expect("a request").into_parts();
    let credential = Credential::read(&head.headers, FieldPresence::of(&head.headers));
    let credential = credential.expect("one credential");
    let address = ClientAddress::from(None);
    identify(
        &checks,
        credential.as_ref(),
        address,
        ambient::unix_seconds(),
    )
    .caller
}

fn intake(criterion: &mut Criterion) {
    let (mut arrivals, house) = (Arrivals::new(), House::new());
    criterion.bench_function("head/intake", |bencher| {
        bencher.iter_batched(
            || arrivals.next().0,
            |head| house.receive(black_box(head)),
            BatchSize::SmallInput,
        );
    });
}

/// With identity headers and without the client's token.
fn prepare(criterion: &mut Criterion) {
    let (mut arrivals, house) = (Arrivals::new(), House::new());
    criterion.bench_function("head/prepare", |bencher| {
        let taken = || {
            let (head, body) = arrivals.next();
            (house.receive(head), body)
        };
        let write = |((path, intake), body): ((RequestPath, Intake), Incoming)| {
            let permit = house
                .policy
                .enforce(&intake.head.method, &path, &house.caller)
                .expect("alice is a recruiter");
            let request_id = HeaderValue::from_static("0193463a-5c1f-7e3b-9c41-6c0f2d1c9a7e");
            let context = RequestContext {
                request_id,
                ticker: &house.ticker,
                interim: None,
            };
            let body = ClientBody::http1(body, None);
            Outbound::prepare(permit, intake, body, &house.forwarding, context).is_ok()
        };
        bencher.iter_batched(taken, write, BatchSize::SmallInput);
    });
}

criterion_group!(benches, intake, prepare);
criterion_main!(benches);
