//! Where an OpenID provider vouches for the sign-in.

use serde_json::json;

use super::made::now;
use crate::provider_sign_in::{Visit, come_back, open, session, visit, with};
use crate::support::{Answer, Gateway, ScriptedProvider, get};

const SECOND_FACTOR: &str = ", second_factor: { amr: [mfa, hwk], acr: [phr, phrh] }";

/// The rules of the gateway under test are its neighbour's; these come beside them.
fn start(provider: &ScriptedProvider, more: &str) -> Gateway {
    let gateway = with(provider, more).start();
    let config = gateway.read("gateway.yaml").replace(
        "      - { path: /jobs, allow: authenticated }\n",
        "      - { path: /jobs, allow: authenticated }\n      - { path: /vault, allow: { second_factor: true } }\n      \
               - { path: /recent, allow: { max_age: 15m } }\n",
    );
    gateway.replace("gateway.yaml", &config);
    gateway.event("configuration reloaded");
    gateway
}

fn sign_in(gateway: &Gateway, provider: &ScriptedProvider) -> String {
    let answer = come_back(gateway, &visit(gateway, provider, ""));
    assert_eq!(answer.status, 303, "{answer:?}");
    session(&answer)
}

/// Where a browser with this session is sent, and what it is asked there.
fn sent_to(gateway: &Gateway, path: &str, session: &str) -> (String, Answer) {
    let answer = open(gateway, path, session);
    assert_eq!(answer.status, 303, "{answer:?}");
    let to = answer.header("location").to_owned();
    let asked = open(gateway, &to, session);
    (to, asked)
}

#[test]
fn the_words_of_a_provider_count_where_the_configuration_says_so() {
    let provider = ScriptedProvider::start();
    let [counted, uncounted] = [SECOND_FACTOR, ""].map(|more| start(&provider, more));
    for (claims, counts) in [
        (json!({ "amr": ["pwd"], "acr": "1" }), false),
        (json!({ "amr": ["pwd", "mfa"] }), true),
        (json!({ "amr": ["hwk"] }), true),
        (json!({ "amr": ["otp"] }), false),
        (json!({ "amr": null, "acr": "phrh" }), true),
        (json!({ "amr": null, "acr": "PHR" }), false),
        (json!({ "amr": "mfa", "acr": ["phr"] }), false),
    ] {
        provider.script().claims = claims.clone();
        let status =
            |gateway: &Gateway| get(gateway.address, "/vault", &sign_in(gateway, &provider)).status;
        assert_eq!(status(&counted), if counts { 200 } else { 401 }, "{claims}");
        assert_eq!(status(&uncounted), 401, "{claims}");
    }
}

/// The provider signed the person in for another site, long ago.
#[test]
fn a_single_sign_on_is_as_old_as_the_provider_says() {
    let provider = ScriptedProvider::start();
    let gateway = start(&provider, "");
    for (auth_time, status) in [
        (json!(now() - 1000), 401),
        (json!(null), 401),
        (json!(now() - 10), 200),
        // its clock is ahead
        (json!(now() + 20), 200),
    ] {
        provider.script().claims = json!({ "auth_time": auth_time });
        let session = sign_in(&gateway, &provider);
        let answer = get(gateway.address, "/recent", &session);
        assert_eq!(answer.status, status, "{auth_time}");
        assert_eq!(get(gateway.address, "/jobs", &session).status, 200);
    }
}

#[test]
fn a_browser_is_sent_to_the_provider_of_its_session_with_what_is_asked() {
    let provider = ScriptedProvider::start();
    let gateway = start(&provider, SECOND_FACTOR);
    provider.script().claims = json!({ "auth_time": now() - 1000 });
    let session = sign_in(&gateway, &provider);
    let (to, asked) = sent_to(&gateway, "/recent", &session);
    assert_eq!(to, "/auth/login/corp?next=/recent&reauth&max_age=900");
    let at = asked.header("location").to_owned();
    assert!(
        at.contains("&prompt=login") && at.contains("&max_age=900"),
        "{at}"
    );
    assert!(!at.contains("acr_values"), "{at}");
    let (to, asked) = sent_to(&gateway, "/vault", &session);
    assert_eq!(to, "/auth/login/corp?next=/vault&reauth=second-factor");
    let at = asked.header("location").to_owned();
    assert!(
        at.contains("&prompt=login") && at.ends_with("&acr_values=phr%20phrh"),
        "{at}"
    );
    assert!(!at.contains("max_age"), "{at}");
}

/// The rule's demand goes along with who is not signed in yet, so that one sign-in is enough. A provider that knows the person is
/// not made to ask again.
#[test]
fn who_is_not_signed_in_comes_to_the_provider_with_what_is_asked() {
    let provider = ScriptedProvider::start();
    let gateway = start(&provider, SECOND_FACTOR);
    let alone = with(&provider, "").users("users: {}\n").start();
    visit(&gateway, &provider, "");
    for (path, query, asked) in [
        ("/vault", "&second-factor", "&acr_values=phr%20phrh"),
        ("/recent", "&max_age=900", "&max_age=900"),
        ("/jobs", "", ""),
    ] {
        for session in ["", "Cookie: gatelatch=expired\r\n"] {
            let (sign_in, page) = sent_to(&gateway, path, session);
            assert_eq!(sign_in, format!("/auth/login?next={path}{query}"));
            let to = format!("/auth/login/corp?next={path}{query}");
            let button = to.replace('&', "&amp;").replace('/', "&#x2f;");
            assert!(page.body.contains(&button), "{button}: {}", page.body);
            // where there is no other way in, the page itself goes there
            let straight = open(&alone, &sign_in, "");
            assert_eq!(straight.header("location"), to);
            let at = open(&gateway, &to, "").header("location").to_owned();
            assert!(at.contains(asked) && !at.contains("prompt="), "{at}");
            for parameter in ["&acr_values=", "&max_age="] {
                let is_asked = asked.starts_with(parameter);
                assert_eq!(at.contains(parameter), is_asked, "{at}");
            }
        }
    }
    provider.script().claims = json!({ "amr": ["mfa"], "auth_time": now() - 5 });
    for (path, query) in [("/vault", "second-factor"), ("/recent", "max_age=900")] {
        let visit = visit(&gateway, &provider, &format!("?next={path}&{query}"));
        let answer = come_back(&gateway, &visit);
        assert_eq!((answer.status, answer.header("location")), (303, path));
        let session = session(&answer);
        assert_eq!(get(gateway.address, path, &session).status, 200);
    }
}

#[test]
fn a_provider_that_does_not_ask_again_gives_no_session() {
    let provider = ScriptedProvider::start();
    let gateway = start(&provider, "");
    let step_up = |auth_time: u64| {
        provider.script().claims = json!({ "auth_time": auth_time });
        let visit: Visit = visit(&gateway, &provider, "?next=/recent&reauth&max_age=900");
        come_back(&gateway, &visit)
    };
    let stale = step_up(now() - 2000);
    assert_eq!(stale.status, 502, "{stale:?}");
    assert!(
        !stale
            .headers("set-cookie")
            .iter()
            .any(|line| line.starts_with("gatelatch="))
    );
    let fresh = step_up(now() - 5);
    assert_eq!((fresh.status, fresh.header("location")), (303, "/recent"));
    assert_eq!(
        get(gateway.address, "/recent", &session(&fresh)).status,
        200
    );
}

/// A provider that signs everybody in without a question would send the browser around for ever.
#[test]
fn a_browser_that_has_just_signed_in_decides_on_a_page() {
    let provider = ScriptedProvider::start();
    let gateway = start(&provider, SECOND_FACTOR);
    let answer = come_back(&gateway, &visit(&gateway, &provider, ""));
    let all = super::made::cookies(&answer);
    let (to, page) = sent_to(&gateway, "/vault", &all);
    assert_eq!(to, "/auth/login?next=/vault&reauth=second-factor");
    assert_eq!(page.status, 200);
    let button = "href=\"&#x2f;auth&#x2f;login&#x2f;corp?next=&#x2f;vault&amp;reauth=second-factor\">Corp</a>";
    assert!(page.body.contains(button), "{}", page.body);
}
