//! The endpoints that lead to OpenID providers and back, without a browser: the provider has metadata, and no more.

use std::net::TcpListener;

use serde_json::Value;

use crate::support::{
    Answer, Connection, Gateway, NAVIGATION, Received, Upstream, cookie_of, gateway, get, sign_in,
};

const SERVICES: &str = "
  app:
    upstream: http://UPSTREAM
    rules: [ { path: /jobs, allow: authenticated } ]
";

/// A provider that is known, and refuses everything else.
fn metadata(request: &Received) -> Vec<u8> {
    let issuer = format!("http://{}", request.fields("host").concat());
    if !request
        .line()
        .contains("/.well-known/openid-configuration ")
    {
        return b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".into();
    }
    let body = format!(
        "{{\"issuer\":\"{issuer}\",\"authorization_endpoint\":\"{issuer}/authorize?tenant=a\",\"token_endpoint\":\"{issuer}/token\",\
         \"jwks_uri\":\"{issuer}/keys\",\"response_types_supported\":[\"code\"],\"subject_types_supported\":[\"public\"],\
         \"id_token_signing_alg_values_supported\":[\"RS256\"]}}"
    );
    let length = body.len();
    format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}").into()
}

/// A gateway with two providers.
fn two_providers() -> (Gateway, Upstream) {
    let provider = Upstream::new(metadata);
    let entry = |name: &str| {
        format!(
            "{{ name: {name}, title: \"The {name}\", issuer: \"http://{}\", client_id: gateway, client_secret: a-secret-of-a-client }}",
            provider.address
        )
    };
    let gateway = gateway(SERVICES)
        .auth(&format!(
            "providers: [{}, {}]",
            entry("corp"),
            entry("partner")
        ))
        .start();
    crate::support::until("the metadata are known", || {
        get(gateway.address, "/auth/login/corp", NAVIGATION).status == 303
    });
    (gateway, provider)
}

/// The next event of a sign-in that has failed, once the providers are known.
fn login_failed(gateway: &Gateway) -> Value {
    let mut failures = std::iter::repeat_with(|| gateway.named_event("login_failed"));
    let is_known = |event: &Value| !event.to_string().contains("metadata are not known yet");
    failures.find(is_known).unwrap()
}

fn open(gateway: &Gateway, path: &str, fields: &str) -> Answer {
    get(gateway.address, path, &format!("{NAVIGATION}{fields}"))
}

/// The head of an answer.
fn ask(gateway: &Gateway, method: &str, path: &str) -> Answer {
    let request =
        format!("{method} {path} HTTP/1.1\r\nHost: gateway.test\r\nContent-Length: 0\r\n\r\n");
    let head = Connection::open(gateway.address).write(request).read_head();
    let head = head.unwrap();
    Answer {
        status: head[9..12].parse().unwrap(),
        head,
        body: String::new(),
    }
}

/// The parameter of the URL that the browser is sent to.
fn parameter(answer: &Answer, name: &str) -> String {
    let location = answer.headers("location").concat();
    let (_, query) = location.split_once('?').unwrap();
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let found = pairs.find(|(found, _)| *found == name);
    found
        .unwrap_or_else(|| panic!("no {name}: {location}"))
        .1
        .to_owned()
}

/// The `Cookie` line of a sign-in that an answer begins.
fn pending(answer: &Answer) -> String {
    let key = parameter(answer, "state")[..8].to_owned();
    let cookie = cookie_of(answer, &format!("gatelatch-oidc-{key}"));
    format!("Cookie: {cookie}\r\n")
}

#[test]
fn a_browser_is_sent_to_the_provider_with_all_that_protects_its_answer() {
    let (gateway, provider) = two_providers();
    let answer = open(&gateway, "/auth/login/corp?next=/jobs", "");
    let location = answer.headers("location").concat();
    let begin = format!("http://{}/authorize?tenant=a&", provider.address);
    assert!(location.starts_with(&begin), "{location}");
    for (name, value) in [
        ("response_type", "code"),
        ("client_id", "gateway"),
        ("code_challenge_method", "S256"),
        (
            "redirect_uri",
            "http%3A%2F%2Fgateway.test%2Fauth%2Fcallback%2Fcorp",
        ),
    ] {
        assert_eq!(parameter(&answer, name), value);
    }
    assert_eq!(parameter(&answer, "state").len(), 22);
    assert!(!location.contains("prompt="));
    let lines = answer.headers("set-cookie");
    assert_eq!(lines.len(), 1);
    let (_, attributes) = lines[0].split_once("; ").unwrap();
    assert_eq!(attributes, "Path=/; Max-Age=600; HttpOnly; SameSite=Lax");
    assert!(!lines[0].contains("jobs"), "it is sealed: {}", lines[0]);
    // two sign-ins have nothing in common
    let again = open(&gateway, "/auth/login/corp?next=/jobs", "");
    for name in ["state", "nonce", "code_challenge"] {
        assert_ne!(parameter(&answer, name), parameter(&again, name), "{name}");
    }
    let switch = open(&gateway, "/auth/login/corp?switch", "");
    assert_eq!(parameter(&switch, "prompt"), "login");
}

#[test]
fn the_endpoints_take_what_browsers_send() {
    let (gateway, _provider) = two_providers();
    for (method, path, status, allow) in [
        ("HEAD", "/auth/login/corp", 303, ""),
        ("POST", "/auth/login/corp", 405, "GET, HEAD"),
        ("HEAD", "/auth/callback/corp?code=a&state=b", 405, "GET"),
        ("POST", "/auth/callback/corp?code=a&state=b", 405, "GET"),
        ("GET", "/auth/login/other", 404, ""),
        ("GET", "/auth/callback/other?code=a&state=b", 404, ""),
        ("GET", "/auth/login/Corp", 404, ""),
        ("GET", "/auth/login/corp/", 404, ""),
    ] {
        let answer = ask(&gateway, method, path);
        let told = (answer.status, answer.headers("allow").concat());
        assert_eq!(told, (status, allow.to_owned()), "{method} {path}");
    }
}

#[test]
fn an_answer_without_its_sign_in_begins_anew_once() {
    let (gateway, _provider) = two_providers();
    let lost = open(
        &gateway,
        "/auth/callback/corp?code=a&state=abcdefghijklmnopqrstuv",
        "",
    );
    assert_eq!(lost.status, 303, "{lost:?}");
    let state = parameter(&lost, "state");
    assert_eq!(state.len(), 23, "it is known as a second try");
    let again = open(
        &gateway,
        &format!("/auth/callback/corp?code=a&state={state}"),
        "",
    );
    assert_eq!(again.status, 401);
    let name = format!("gatelatch-oidc-{}", &state[..8]);
    assert!(
        again.body.contains(&name) && again.body.contains("did not send it back"),
        "{}",
        again.body
    );
    // one of another key, of another browser, or changed
    let begun = open(&gateway, "/auth/login/corp", "");
    let (cookie, state) = (pending(&begun), parameter(&begun, "state"));
    let other = format!(
        "/auth/callback/corp?code=a&state={}{}",
        &state[..8],
        "x".repeat(14)
    );
    let changed = cookie.replace("=", "=A");
    for (path, cookie) in [
        (other, &cookie),
        (
            format!("/auth/callback/corp?code=a&state={state}"),
            &changed,
        ),
    ] {
        let answer = open(&gateway, &path, cookie);
        assert_eq!(
            (answer.status, parameter(&answer, "state").len()),
            (303, 23),
            "{path}"
        );
    }
    // whoever is signed in already goes on
    let session = sign_in(&gateway, "rita");
    let answer = open(
        &gateway,
        "/auth/callback/corp?code=a&state=abcdefghijklmnopqrstuv",
        &session,
    );
    assert_eq!(answer.headers("location"), ["/auth/account"]);
}

#[test]
fn what_a_provider_refuses_is_said_on_the_sign_in_page() {
    let (gateway, _provider) = two_providers();
    for (query, status, sentence, reason) in [
        (
            "error=access_denied",
            401,
            "You were not signed in with The corp.",
            "denied",
        ),
        (
            "error=temporarily_unavailable",
            503,
            "The corp does not answer right now.",
            "provider_away",
        ),
        (
            "error=invalid_scope&error_description=%3Cb%3E",
            502,
            "could not be completed",
            "provider_refused",
        ),
        (
            "code=a",
            503,
            "The corp does not answer right now.",
            "provider_away",
        ),
        (
            "code=a&iss=http://elsewhere.test",
            502,
            "could not be completed",
            "provider_invalid",
        ),
    ] {
        let begun = open(&gateway, "/auth/login/corp?next=/jobs", "");
        let (cookie, state) = (pending(&begun), parameter(&begun, "state"));
        let answer = open(
            &gateway,
            &format!("/auth/callback/corp?{query}&state={state}"),
            &cookie,
        );
        assert_eq!(answer.status, status, "{query}: {answer:?}");
        assert!(answer.body.contains(sentence), "{query}: {}", answer.body);
        assert!(!answer.body.contains("<b>"));
        for way in [
            "&#x2f;auth&#x2f;login&#x2f;corp?next=",
            "&#x2f;auth&#x2f;login&#x2f;partner?next=",
            "name=\"password\"",
        ] {
            assert!(answer.body.contains(way), "{query}: {way}: {}", answer.body);
        }
        let gone = format!("gatelatch-oidc-{}=", &state[..8]);
        assert_eq!(
            cookie_of(&answer, gone.trim_end_matches('=')),
            gone,
            "{query}"
        );
        let event = login_failed(&gateway);
        assert_eq!(
            (&event["reason"], &event["provider"]),
            (&reason.into(), &"corp".into()),
            "{event}"
        );
    }
}

/// What no provider sends is the browser's: a new sign-in begins, and after a few of them a page explains.
#[test]
fn what_is_no_answer_begins_anew_and_says_nothing_against_the_provider() {
    let (gateway, _provider) = two_providers();
    for query in [
        "",
        "?",
        "?state=s",
        "?code=a&code=b&state=s",
        "?code=a&error=b&state=s",
        "?code=a",
        "?code=%",
    ] {
        let path = format!("/auth/callback/corp{query}");
        let mut cookie = String::new();
        for status in [303, 303, 400] {
            let answer = open(&gateway, &path, &cookie);
            assert_eq!(answer.status, status, "{query}: {answer:?}");
            if status == 303 {
                let marker = cookie_of(&answer, "gatelatch-signin");
                assert_ne!(marker, "gatelatch-signin=", "{query}");
                cookie = format!("Cookie: {marker}\r\n");
            } else {
                let media = answer.headers("content-type").concat();
                assert!(media.contains("text/html"), "{query}: {media}");
            }
        }
    }
    // the first that counts against a provider is the first that a provider has sent
    let path = "/auth/callback/corp?error=access_denied&state=abcdefghijklmnopqrstuv";
    assert_eq!(open(&gateway, path, "").status, 401);
    assert_eq!(login_failed(&gateway)["reason"], "denied");
}

/// The code of one provider must not be redeemed at another.
#[test]
fn the_answer_of_one_provider_is_none_of_another() {
    let (gateway, provider) = two_providers();
    let begun = open(&gateway, "/auth/login/corp", "");
    let (cookie, state) = (pending(&begun), parameter(&begun, "state"));
    let answer = open(
        &gateway,
        &format!("/auth/callback/partner?code=a&state={state}"),
        &cookie,
    );
    assert_eq!(answer.status, 502);
    let event = login_failed(&gateway);
    assert_eq!(event["reason"], "provider_invalid");
    assert!(
        event["detail"].as_str().unwrap().contains("`corp`"),
        "{event}"
    );
    let asked = provider.received();
    assert!(
        !asked
            .iter()
            .any(|request| request.line().contains("/token")),
        "no code was sent anywhere"
    );
}

#[test]
fn a_browser_keeps_five_sign_ins() {
    let (gateway, _provider) = two_providers();
    let begun: Vec<String> = (0..6)
        .map(|_| pending(&open(&gateway, "/auth/login/corp", "")))
        .collect();
    let pairs = begun
        .iter()
        .map(|line| line.trim().strip_prefix("Cookie: ").unwrap());
    let line = format!("Cookie: {}\r\n", pairs.collect::<Vec<_>>().join("; "));
    let answer = open(&gateway, "/auth/login/corp", &line);
    let cleared = answer.headers("set-cookie");
    let cleared = cleared.iter().filter(|line| line.contains("Max-Age=0"));
    assert_eq!(cleared.count(), 2, "{answer:?}");
    // the services do not get to see them
    let seen = open(&gateway, "/jobs", &line);
    assert_eq!(seen.status, 303);
}

#[test]
fn a_provider_that_is_away_is_said_so() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let away = listener.local_addr().unwrap();
    drop(listener);
    let gateway = gateway(SERVICES)
        .auth(&format!(
            "providers: [{{ name: corp, title: Corp, issuer: \"http://{away}\", client_id: a, client_secret: a-secret-of-a-client }}]"
        ))
        .start();
    let answer = open(&gateway, "/auth/login/corp?next=/jobs", "");
    assert_eq!(
        (answer.status, answer.headers("retry-after").concat()),
        (503, "5".to_owned())
    );
    assert!(answer.body.contains(
        "Corp does not answer right now. Please try again in a moment, or sign in in another way."
    ));
    assert_eq!(
        gateway.named_event("login_failed")["reason"],
        "provider_away"
    );
    let series = "gatelatch_provider_logins_total{provider=\"corp\",outcome=\"unavailable\"}";
    assert_eq!(gateway.metric(series), 1.0);
}
