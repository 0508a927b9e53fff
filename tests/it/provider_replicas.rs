//! Sessions of a provider over time: renewed by two replicas over a real Redis, through an outage, beyond a restart, and ended from
//! anywhere.

use std::time::Instant;

use serde_json::json;

use crate::provider_sign_in::{come_back, open, session, visit, with};
use crate::support::{
    Gateway, Redis, ScriptedProvider, cookie_of, json_answer, post, submit, until,
};

fn start(provider: &ScriptedProvider, more: &str, state: &str) -> Gateway {
    let gateway = with(provider, more)
        .more(&format!("state: {state}"))
        .start();
    know(&gateway);
    gateway
}

/// Waits until the metadata of the provider are there: else a renewal would find it away.
fn know(gateway: &Gateway) {
    until("the provider is known", || {
        open(gateway, "/auth/login/corp", "").status == 303
    });
}

fn sign_in(gateway: &Gateway, provider: &ScriptedProvider) -> String {
    session(&come_back(
        gateway,
        &visit(gateway, provider, "?next=/jobs"),
    ))
}

fn jobs(gateway: &Gateway, cookie: &str) -> u16 {
    gateway.get("/jobs", cookie).status
}

/// The refresh tokens that were shown to the provider.
fn shown(provider: &ScriptedProvider) -> Vec<String> {
    let requests = provider.received("/token").into_iter();
    let tokens = requests.filter_map(|request| {
        let mut fields = url::form_urlencoded::parse(request.body.as_bytes());
        let token = fields.find(|(name, _)| name == "refresh_token")?;
        Some(token.1.into_owned())
    });
    tokens.collect()
}

#[test]
fn replicas_ask_a_provider_once_for_each_renewal_with_the_token_that_counts() {
    let Some(redis) = Redis::start(&[]) else {
        return;
    };
    let provider = ScriptedProvider::start();
    let replica = || start(&provider, ", refresh: 6s", &redis.url());
    let (one, other) = (replica(), replica());
    let cookie = sign_in(&one, &provider);
    let begun = Instant::now();
    provider.script().tokens = json!({ "refresh_token": "second" });
    provider.script().claims = json!({ "groups": ["others"] });
    until("two renewals", || {
        assert_eq!((jobs(&one, &cookie), jobs(&other, &cookie)), (200, 200));
        shown(&provider).len() >= 2
    });
    let seconds = begun.elapsed().as_secs();
    let shown = shown(&provider);
    assert_eq!(shown[..2], ["refresh 1", "second"]);
    // a renewal counts for four of the six seconds, of which the first is a part
    assert!(
        shown.len() as u64 <= seconds / 3,
        "{shown:?} in {seconds} s"
    );
    // and both know what came of it
    for replica in [&one, &other] {
        until("the renewed roles", || {
            open(replica, "/jobs", &cookie).body == "walter-1/others/Walter"
        });
    }
}

#[test]
fn a_session_of_a_provider_ends_at_the_other_replica() {
    let Some(redis) = Redis::start(&[]) else {
        return;
    };
    let provider = ScriptedProvider::start();
    let replica = || start(&provider, "", &redis.url());
    let (one, other) = (replica(), replica());
    let (first, second) = (sign_in(&one, &provider), sign_in(&one, &provider));
    let same = format!("{first}Sec-Fetch-Site: same-origin\r\n");
    assert_eq!(submit(other.address, "/auth/logout", "", &same).status, 303);
    until("the end of the first", || jobs(&one, &first) == 401);
    assert_eq!(jobs(&one, &second), 200);
    let named = json!({ "sid": "session-1", "sub": "walter-1" });
    let token = provider.logout_token("gateway", &named);
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    let body = format!("logout_token={token}");
    let mut answered = 0;
    until("the keys of the provider", || {
        answered = post(other.address, "/auth/backchannel/corp", form, &body).status;
        answered == 200
    });
    until("the end of the second", || jobs(&one, &second) == 401);
}

#[test]
fn a_session_that_its_provider_refuses_ends_at_all_replicas() {
    let Some(redis) = Redis::start(&[]) else {
        return;
    };
    let provider = ScriptedProvider::start();
    let replica = || start(&provider, ", refresh: 3s", &redis.url());
    let (one, other) = (replica(), replica());
    let cookie = sign_in(&one, &provider);
    let refusal = json_answer(400, &json!({ "error": "invalid_grant" }));
    provider
        .script()
        .answers
        .insert("/token".to_owned(), refusal);
    until("the end of the session", || {
        (jobs(&one, &cookie), jobs(&other, &cookie)) == (401, 401)
    });
    assert_eq!(shown(&provider), ["refresh 1"]);
    // people are sent to the provider again, by whichever replica, unless they want to stay
    for replica in [&one, &other] {
        let leads = |path: &str| {
            let answer = open(replica, path, &cookie);
            (answer.status, answer.headers("location").concat())
        };
        let page = "/auth/login?next=/jobs".to_owned();
        assert_eq!(leads("/jobs"), (303, page.clone()));
        let again = "/auth/login/corp?next=/jobs".to_owned();
        assert_eq!(leads(&page), (303, again));
        for stays in ["&local", "&switch", "&signed-out"] {
            assert_eq!(leads(&format!("{page}{stays}")).0, 200, "{stays}");
        }
    }
}

#[test]
fn a_session_lives_through_an_outage_of_its_provider() {
    let provider = ScriptedProvider::start();
    let gateway = start(&provider, ", refresh: 3s", "memory");
    let cookie = sign_in(&gateway, &provider);
    let away = json_answer(503, &json!({}));
    provider.script().answers.insert("/token".to_owned(), away);
    until("three tries", || {
        assert_eq!(jobs(&gateway, &cookie), 200);
        shown(&provider).len() == 3
    });
    assert_eq!(gateway.named_event("provider_lost")["provider"], "corp");
    provider.script().answers.clear();
    until("a renewal", || {
        let answer = gateway.get("/jobs", &cookie);
        assert_eq!(answer.status, 200);
        answer
            .headers("set-cookie")
            .concat()
            .contains("gatelatch=ey")
    });
    assert_eq!(gateway.named_event("provider_restored")["provider"], "corp");
}

#[test]
fn a_session_is_renewed_after_a_restart_with_the_token_that_was_exchanged_before() {
    let provider = ScriptedProvider::start();
    let gateway = start(&provider, ", refresh: 3s", "file:state.redb");
    let cookie = sign_in(&gateway, &provider);
    provider.script().tokens = json!({ "refresh_token": "second" });
    let mut renewed = None;
    until("a renewal", || {
        let answer = gateway.get("/jobs", &cookie);
        let is_renewed = answer
            .headers("set-cookie")
            .concat()
            .contains("gatelatch=ey");
        renewed = is_renewed.then(|| format!("Cookie: {}\r\n", cookie_of(&answer, "gatelatch")));
        is_renewed
    });
    let (before, cookie) = (shown(&provider).len(), renewed.unwrap());
    let gateway = gateway.restart();
    know(&gateway);
    until("a renewal after the restart", || {
        assert_eq!(jobs(&gateway, &cookie), 200);
        shown(&provider).len() > before
    });
    assert_eq!(shown(&provider)[before], "second");
}
