//! Whole conversations with the portal: requests as clients send them, answers byte for byte.

use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{HeaderName, HeaderValue, Request, StatusCode};
use http_body_util::Full;
use serde_json::{Value, json};

use super::*;
use crate::access::{Claim, ClaimValue};
use crate::session::{Begun, RefreshToken, StateSettings};
use crate::telemetry::metrics::Metrics;
use crate::token::{
    ClaimPath, IssueError, IssuerSettings, Key, KeySet, SessionId, SessionSettings, TextSigner,
    Verifier, VerifierSettings,
};
use crate::users::{HasherSettings, Password, PasswordHash, User, UserExtras};
use crate::wire::{Peer, Scheme, SessionCookie, TrustedProxies};

mod attempts;
mod me;
mod second_factor;

const NOW: u64 = 1_700_000_000;
const CLIENT: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";
const MULTIPART: &str = "multipart/form-data; boundary=x";

fn key() -> Key {
    Key::hs256(b"an example secret of at least 32 bytes").unwrap()
}

fn issuer() -> TokenIssuer {
    let settings = IssuerSettings {
        issuer: "gatelatch".to_owned(),
        audience: "gatelatch".to_owned(),
        access_ttl: Duration::from_secs(1800),
        roles_claim: ClaimPath::of("roles"),
        longest_token: 32 << 10,
    };
    TokenIssuer::new(key(), settings)
}

fn browsers() -> CookieSessions {
    let (ttl, max_age) = (Duration::from_secs(1800), Duration::from_secs(7200));
    let (issuer, max_lifetime) = ("gatelatch".to_owned(), Duration::from_secs(86_400));
    let settings = SessionSettings {
        issuer,
        ttl,
        max_age,
        max_lifetime,
        leeway: Duration::ZERO,
    };
    CookieSessions::new(key(), KeySet::from(key()), settings)
}

fn alice() -> Identity {
    Identity {
        subject: "alice@example.com".into(),
        roles: ["recruiter".into(), "admin".into()].into(),
        name: Some("Alice Doe".into()),
        email: None,
        claims: vec![
            Claim {
                name: "tenant".into(),
                values: vec![ClaimValue::Text("acme".into())],
            },
            Claim {
                name: "levels".into(),
                values: vec![ClaimValue::Integer(1), ClaimValue::Boolean(true)],
            },
        ],
        subjects: crate::access::Subjects::Users,
        provider: None,
    }
}

fn user(identity: Identity, claims: Value) -> User {
    // The password is `correct horse`.
    let hash = "$2b$04$N9qo8uLOickgx2ZMRZoMye7lwnnKjdKULIb0Soe6BjJXxCPR1R3dC";
    let extras = UserExtras {
        disabled: &*identity.subject == "disabled",
        claims: claims.as_object().cloned().map(Box::new),
        ..UserExtras::default()
    };
    let password = PasswordHash::parse(hash).unwrap();
    User::new(Arc::new(identity), Some(password), extras)
}

fn directory() -> Arc<Directory> {
    let named = |name: &str| Identity {
        subject: name.into(),
        ..Identity::default()
    };
    let mut machine = user(named("machine"), json!({}));
    machine.password = None;
    let users = [
        user(alice(), json!({"tenant": "acme"})),
        user(named("disabled"), json!({})),
        machine,
        user(named("laden"), json!({"blob": "x".repeat(32 << 10)})),
    ];
    Arc::new(Directory::new(users))
}

fn settings() -> HasherSettings {
    HasherSettings {
        threads: NonZeroUsize::MIN,
        queue_per_thread: NonZeroUsize::MIN,
    }
}

fn portal_with(hasher: Hasher) -> Portal {
    portal_of(directory(), hasher)
}

fn portal_of(directory: Arc<Directory>, hasher: Hasher) -> Portal {
    let own = OwnPaths {
        token_paths: vec!["/token".to_owned()],
        ..OwnPaths::default()
    };
    let settings = PortalSettings {
        own,
        ..PortalSettings::default()
    };
    let sessions = Sessions::start(
        &StateSettings::Memory,
        Metrics::new(),
        crate::ambient::hash_state(),
    )
    .unwrap();
    Portal::new(
        settings,
        directory,
        issuer(),
        hasher,
        sessions,
        Arc::new(browsers()),
    )
}

fn portal() -> Portal {
    portal_with(Hasher::start(settings()).unwrap())
}

/// Sends a request to a portal as the gateway would.
fn send_to(portal: &Portal, request: Request<Bytes>, caller: &PortalCaller) -> PortalReply {
    let (mut head, body) = request.into_parts();
    head.headers
        .entry(HOST)
        .or_insert(HeaderValue::from_static("gateway.test"));
    let peer = Peer::new((CLIENT, 9).into(), Scheme::Http);
    let (trusted, cookie) = (TrustedProxies::default(), SessionCookie::default());
    let intake = Intake::read(head, &peer, &trusted, &cookie).unwrap();
    let endpoint = portal.endpoint(&intake.head.method, intake.head.uri.path());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(async {
        let body = portal.receive(endpoint, &intake, Full::new(body)).await;
        let context = PortalContext {
            challenges: &Challenges::default(),
            identify_token: &|_| PortalCaller::Anonymous,
            mount_at: &|_| None,
            caller,
            opens_start: &|_| false,
            now: NOW,
        };
        portal.answer(endpoint, &intake, body, &context).await
    })
}

fn post(path: &str, content_type: &str, body: impl AsRef<[u8]>) -> Request<Bytes> {
    let body = Bytes::copy_from_slice(body.as_ref());
    Request::post(path)
        .header(CONTENT_TYPE, content_type)
        .body(body)
        .unwrap()
}

fn log_in(path: &str, content_type: &str, body: impl AsRef<[u8]>) -> PortalReply {
    send_to(
        &portal(),
        post(path, content_type, body),
        &PortalCaller::Anonymous,
    )
}

fn body_of(response: &Response<Bytes>) -> &str {
    std::str::from_utf8(response.body()).unwrap()
}

/// An answer as it would stand on the wire, with its headers sorted.
fn transcript(response: &Response<Bytes>) -> String {
    let mut headers: Vec<_> = response
        .headers()
        .iter()
        .map(|(name, value)| format!("{name}: {}\n", value.to_str().unwrap()))
        .collect();
    headers.sort();
    format!(
        "{}\n{}\n{}",
        response.status(),
        headers.concat(),
        body_of(response)
    )
}

#[track_caller]
fn assert_logged_in(reply: &PortalReply, why: &str) {
    assert_eq!(
        reply.response.status(),
        StatusCode::OK,
        "{why}: {}",
        body_of(&reply.response)
    );
    let body: Value = serde_json::from_slice(reply.response.body()).unwrap();
    assert_eq!(
        (&body["token_type"], &body["expires_in"]),
        (&json!("bearer"), &json!(1800)),
        "{why}"
    );
    let settings = VerifierSettings {
        issuer: "gatelatch".to_owned(),
        audience: "gatelatch".to_owned(),
        leeway: Duration::ZERO,
        max_lifetime: Duration::from_secs(1800),
    };
    let claims = Verifier::new(key(), settings)
        .verify(body["access_token"].as_str().unwrap(), NOW)
        .unwrap();
    assert_eq!(&*claims.subject, "alice@example.com", "{why}");
    let shown = body["refresh_token"].as_str().unwrap();
    let refresh = RefreshToken::parse(shown, &TextSigner::new(key(), key())).unwrap();
    assert_eq!(claims.session, refresh.session(), "{why}");
    let event = LoginEvent {
        user: "alice@example.com".into(),
        outcome: Ok(()),
        second_factor: None,
    };
    assert_eq!(reply.login, Some(event), "{why}");
}

#[test]
fn logins_as_clients_send_them() {
    let cases = [
        (
            "curl -d",
            FORM,
            "username=alice@example.com&password=correct horse",
        ),
        (
            "curl --data-urlencode",
            FORM,
            "username=alice%40example.com&password=correct%20horse",
        ),
        (
            "Swagger UI",
            FORM,
            "grant_type=password&username=alice%40example.com&password=correct+horse&scope=&client_id=&client_secret=",
        ),
        (
            "FastAPI's test client",
            FORM,
            "grant_type=&username=alice%40example.com&password=correct+horse&scope=",
        ),
        (
            "axios with URLSearchParams",
            "application/x-www-form-urlencoded;charset=utf-8",
            "username=alice%40example.com&password=correct+horse",
        ),
        (
            "axios",
            JSON,
            r#"{"username":"alice@example.com","password":"correct horse"}"#,
        ),
        (
            "an old jQuery",
            "application/json; charset=UTF-8",
            "{\"username\": \"alice@example.com\",\n \"password\": \"correct\\u0020horse\"}\n",
        ),
        (
            "a generated client",
            "Application/JSON",
            r#"{"grant_type":null,"username":"alice@example.com","password":"correct horse","scope":"","client_id":null,
                "client_secret":null,"extra":{"a":[1,2,{"b":null}]},"more":1e99,"yes":true,"n":-1,"f":1.5}"#,
        ),
        (
            "fields of others",
            FORM,
            "remember=on&remember=on&password=correct+horse&username=alice@example.com&",
        ),
    ];
    for (client, content_type, body) in cases {
        for path in ["/auth/login", "/token"] {
            assert_logged_in(&log_in(path, content_type, body), client);
        }
    }
}

#[test]
fn a_token_is_not_to_be_stored() {
    let reply = log_in(
        "/auth/login",
        FORM,
        "username=alice@example.com&password=correct+horse",
    );
    let transcript = transcript(&reply.response);
    assert!(
        transcript.starts_with(concat!(
            "200 OK\ncache-control: no-store\ncontent-type: application/json\npragma: no-cache\n\n",
            r#"{"access_token":"eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiIsImtpZCI6"#
        )),
        "{transcript}"
    );
    assert!(
        transcript.contains(r#"","token_type":"bearer","expires_in":1800,"refresh_token":"glr_"#),
        "{transcript}"
    );
}

#[test]
fn the_login_reads_no_authorization() {
    for value in ["Basic Og==", "Bearer broken", ""] {
        let mut request = post(
            "/auth/login",
            FORM,
            "username=alice@example.com&password=correct+horse",
        );
        request
            .headers_mut()
            .insert(AUTHORIZATION, HeaderValue::from_static(value));
        request.headers_mut().insert(
            ACCEPT,
            HeaderValue::from_static("application/json, text/plain, */*"),
        );
        assert_logged_in(
            &send_to(
                &portal(),
                request,
                &PortalCaller::Rejected("the token is malformed"),
            ),
            value,
        );
    }
}

#[test]
fn refusals_are_the_same_byte_for_byte() {
    let expected = concat!(
        "401 Unauthorized\ncache-control: no-store\ncontent-type: application/json\npragma: no-cache\n",
        "www-authenticate: Bearer realm=\"gatelatch\"\n\n",
        r#"{"detail":"Invalid credentials","error":"invalid_grant","#,
        r#""error_description":"the user name or the password is wrong"}"#,
        "\n"
    );
    let cases = [
        ("alice@example.com", "correct+horsE"),
        ("alice@example.com", "correct+horse+"),
        ("alice@example.com", "correct+horse%00"),
        ("Alice@example.com", "correct+horse"),
        ("alice@example.com+", "correct+horse"),
        ("disabled", "correct+horse"),
        ("disabled", "wrong"),
        ("machine", "correct+horse"),
        ("nobody", "correct+horse"),
        ("nobody", &"x".repeat(73)),
    ];
    for (name, password) in cases {
        let reply = log_in(
            "/auth/login",
            FORM,
            format!("username={name}&password={password}"),
        );
        assert_eq!(transcript(&reply.response), expected, "{name} {password}");
        // only the log tells that it is the length
        let denial = match password.len() {
            73 => LoginDenial::TooLong(Begun::default()),
            _ => LoginDenial::Invalid(Begun::default()),
        };
        assert_eq!(denial.label(), "invalid");
        assert_eq!(denial.remark().is_some(), password.len() == 73);
        let event = LoginEvent {
            user: name.replace('+', " ").into(),
            outcome: Err(denial),
            second_factor: None,
        };
        assert_eq!(reply.login, Some(event));
    }
}

#[test]
fn malformed_logins_name_the_field() {
    let cases = [
        (FORM, "", 422, "the field `username` is missing or empty"),
        (
            FORM,
            "username=a",
            422,
            "the field `password` is missing or empty",
        ),
        (
            FORM,
            "username=&password=b",
            422,
            "the field `username` is missing or empty",
        ),
        (
            FORM,
            "username=a&password",
            422,
            "the field `password` is missing or empty",
        ),
        (
            FORM,
            "username=a&password=b&username=c",
            400,
            "the field `username` is given twice",
        ),
        (
            FORM,
            "username=a&password=&password=",
            400,
            "the field `password` is given twice",
        ),
        (
            FORM,
            "username=a&password=b&scope=x&scope=y",
            400,
            "the field `scope` is given twice",
        ),
        (
            FORM,
            "username=a&password=100%",
            400,
            "the body is not a form in UTF-8",
        ),
        (
            FORM,
            "username=a&password=%FC",
            400,
            "the body is not a form in UTF-8",
        ),
        (
            FORM,
            "grant_type=refresh_token&refresh_token=x",
            400,
            "the grant type must be `password`",
        ),
        (
            FORM,
            "grant_type=Password&username=a&password=b",
            400,
            "the grant type must be `password`",
        ),
        (
            MULTIPART,
            "--x\r\nContent-Disposition: form-data; name=\"username\"\r\n\r\na",
            400,
            "the body is not multipart/form-data in UTF-8",
        ),
        (
            "multipart/form-data",
            "--x--",
            400,
            "the body is not multipart/form-data in UTF-8",
        ),
        (
            MULTIPART,
            "--x\r\nContent-Disposition: form-data; name=\"username\"\r\n\r\na\r\n--x--\r\n",
            422,
            "the field `password` is missing or empty",
        ),
        (
            MULTIPART,
            "--x\r\nContent-Disposition: form-data; name=\"username\"; filename=\"f\"\r\n\r\na\r\n--x--\r\n",
            422,
            "the field `username` must be a string",
        ),
        (
            MULTIPART,
            "--x\r\nContent-Disposition: form-data; name=\"username\"\r\n\r\na\r\n\
             --x\r\nContent-Disposition: form-data; name=\"username\"\r\n\r\na\r\n--x--\r\n",
            400,
            "the field `username` is given twice",
        ),
        (JSON, "", 400, "the body is not JSON in UTF-8"),
        (
            JSON,
            "username=a&password=b",
            400,
            "the body is not JSON in UTF-8",
        ),
        (
            JSON,
            r#"{"username":"a","password":"b""#,
            400,
            "the body is not JSON in UTF-8",
        ),
        (
            JSON,
            r#"{"username":"a","password":"b"}x"#,
            400,
            "the body is not JSON in UTF-8",
        ),
        (
            JSON,
            r#"{'username':'a'}"#,
            400,
            "the body is not JSON in UTF-8",
        ),
        (
            JSON,
            r#"["a","b"]"#,
            422,
            "the body must be a JSON object with `username` and `password`",
        ),
        (
            JSON,
            "null",
            422,
            "the body must be a JSON object with `username` and `password`",
        ),
        (JSON, "{}", 422, "the field `username` is missing or empty"),
        (
            JSON,
            r#"{"username":null,"password":"b"}"#,
            422,
            "the field `username` is missing or empty",
        ),
        (
            JSON,
            r#"{"username":"a","password":12345678}"#,
            422,
            "the field `password` must be a string",
        ),
        (
            JSON,
            r#"{"username":["a"],"password":"b"}"#,
            422,
            "the field `username` must be a string",
        ),
        (
            JSON,
            r#"{"username":"a","password":"b","client_id":{}}"#,
            422,
            "the field `client_id` must be a string",
        ),
        (
            JSON,
            r#"{"username":"a","password":"b","grant_type":1}"#,
            422,
            "the field `grant_type` must be a string",
        ),
        (
            JSON,
            r#"{"username":"a","password":"b","username":"a"}"#,
            400,
            "the field `username` is given twice",
        ),
        (
            JSON,
            r#"{"username":"a","password":"b","p\u0061ssword":"c"}"#,
            400,
            "the field `password` is given twice",
        ),
    ];
    for (content_type, body, status, detail) in cases {
        let reply = log_in("/auth/login", content_type, body);
        assert_eq!(reply.response.status(), status, "{body}");
        let error = if detail.contains("grant type") {
            "unsupported_grant_type"
        } else {
            "invalid_request"
        };
        let expected = json!({"detail": detail, "error": error, "error_description": detail});
        assert_eq!(
            serde_json::from_slice::<Value>(reply.response.body()).unwrap(),
            expected,
            "{body}"
        );
        assert_eq!(reply.response.headers()[CONTENT_TYPE], JSON, "{body}");
        assert_eq!(reply.login, None, "{body}");
    }
}

#[test]
fn other_content_types_learn_what_to_send() {
    for content_type in [
        "text/plain",
        "application/xml",
        "application/jsonp",
        "",
        "application/json, x",
    ] {
        let reply = log_in("/auth/login", content_type, "username=a&password=b");
        assert_eq!(
            transcript(&reply.response),
            concat!(
                "415 Unsupported Media Type\naccept-post: application/x-www-form-urlencoded, multipart/form-data, application/json\n",
                "cache-control: no-store\ncontent-type: application/json\npragma: no-cache\n\n",
                r#"{"detail":"the content type must be application/x-www-form-urlencoded or multipart/form-data or application/json","#,
                r#""error":"invalid_request","#,
                r#""error_description":"the content type must be application/x-www-form-urlencoded or multipart/form-data or application/json"}"#,
                "\n"
            ),
            "{content_type}"
        );
    }
    let bare = Request::post("/auth/login")
        .body(Bytes::from_static(b"{}"))
        .unwrap();
    assert_eq!(
        send_to(&portal(), bare, &PortalCaller::Anonymous)
            .response
            .status(),
        415
    );
    let twice = Request::post("/auth/login")
        .header(CONTENT_TYPE, FORM)
        .header(CONTENT_TYPE, JSON);
    let twice = twice.body(Bytes::from_static(b"{}")).unwrap();
    assert_eq!(
        send_to(&portal(), twice, &PortalCaller::Anonymous)
            .response
            .status(),
        415
    );
}

#[test]
fn a_body_of_more_than_64_kib_is_too_large() {
    let body = |bytes: usize| {
        format!(
            "username=a&password={}",
            "x".repeat(bytes - "username=a&password=".len())
        )
    };
    assert_eq!(
        log_in("/auth/login", FORM, body(65_536)).response.status(),
        401
    );
    assert_eq!(
        log_in("/auth/login", FORM, body(65_537)).response.status(),
        413
    );
    assert_eq!(
        log_in("/auth/token", FORM, body(65_537)).response.status(),
        413
    );
}

#[test]
fn the_token_endpoint_speaks_oauth() {
    let granted = log_in(
        "/auth/token",
        FORM,
        "grant_type=password&username=alice@example.com&password=correct+horse",
    );
    assert_logged_in(&granted, "/auth/token");
    let cases = [
        (
            FORM,
            "grant_type=password&username=alice@example.com&password=wrong",
            "invalid_grant",
        ),
        (
            FORM,
            "grant_type=password&username=nobody&password=wrong",
            "invalid_grant",
        ),
        (
            FORM,
            "username=alice@example.com&password=correct+horse",
            "invalid_request",
        ),
        (
            FORM,
            "grant_type=&username=alice@example.com&password=correct+horse",
            "invalid_request",
        ),
        (
            FORM,
            "grant_type=password&username=alice@example.com",
            "invalid_request",
        ),
        (FORM, "grant_type=password&password=x", "invalid_request"),
        (
            FORM,
            "grant_type=password&grant_type=password&username=a&password=b",
            "invalid_request",
        ),
        (
            FORM,
            "grant_type=refresh_token&refresh_token=x",
            "invalid_grant",
        ),
        (FORM, "grant_type=refresh_token", "invalid_request"),
        (
            FORM,
            "grant_type=refresh_token&refresh_token=",
            "invalid_request",
        ),
        (
            FORM,
            "grant_type=urn:ietf:params:oauth:grant-type:device_code&client_id=a",
            "unsupported_grant_type",
        ),
        (
            FORM,
            "grant_type=authorization_code&code=x",
            "unsupported_grant_type",
        ),
        (FORM, "grant_type=%", "invalid_request"),
        (
            JSON,
            r#"{"grant_type":"password","username":"a","password":"b"}"#,
            "invalid_request",
        ),
        ("text/plain", "", "invalid_request"),
        (MULTIPART, "--x--", "invalid_request"),
    ];
    for (content_type, body, error) in cases {
        let reply = log_in("/auth/token", content_type, body);
        assert_eq!(reply.response.status(), 400, "{body}");
        let answer: Value = serde_json::from_slice(reply.response.body()).unwrap();
        assert_eq!(answer["error"], error, "{body}");
        let header = |name: &str| {
            reply
                .response
                .headers()
                .get(name)
                .map(|value| value.to_str().unwrap())
        };
        assert_eq!(header("cache-control"), Some("no-store"), "{body}");
        assert_eq!(header("pragma"), Some("no-cache"), "{body}");
        assert_eq!(header("www-authenticate"), None, "{body}");
    }
}

#[test]
fn a_storm_of_logins_is_told_to_come_back() {
    let broken = |_: &Password, _: &PasswordHash| -> bool { panic!("on purpose") };
    let portal = portal_with(Hasher::start_with(settings(), Arc::new(broken)).unwrap());
    for path in ["/auth/login", "/auth/token"] {
        let request = post(
            path,
            FORM,
            "grant_type=password&username=alice@example.com&password=x",
        );
        let reply = send_to(&portal, request, &PortalCaller::Anonymous);
        assert_eq!(reply.response.status(), 503);
        assert_eq!(reply.response.headers()["retry-after"], "1");
        assert_eq!(reply.login.unwrap().outcome, Err(LoginDenial::Busy));
    }
}

#[test]
fn a_user_with_too_many_claims_gets_no_token() {
    let reply = log_in("/auth/login", FORM, "username=laden&password=correct+horse");
    assert_eq!(reply.response.status(), 500);
    assert!(matches!(
        reply.login.unwrap().outcome,
        Err(LoginDenial::NoToken(IssueError::TooLarge(_)))
    ));
}

#[test]
fn nothing_secret_is_printed() {
    let reply = log_in("/auth/login", FORM, "username=nobody&password=hunter2");
    let printed = format!("{:?} {:?}", portal(), reply.login);
    for secret in ["hunter2", "$2b$", "example secret"] {
        assert!(!printed.contains(secret), "{secret}");
    }
}

#[test]
fn a_form_may_come_in_parts() {
    let part = |name: &str, value: &str| {
        format!("--x\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let form = |end: &str| {
        [
            part("username", "alice@example.com"),
            part("password", "correct horse"),
            part("scope", ""),
            end.to_owned(),
        ]
        .concat()
    };
    let reply = log_in("/auth/login", MULTIPART, form("--x--\r\n"));
    assert_logged_in(&reply, "/auth/login");
    let large = part("padding", &"x".repeat(65_536));
    let reply = log_in("/auth/login", MULTIPART, form(&large));
    assert_eq!(reply.response.status(), 413);
}
