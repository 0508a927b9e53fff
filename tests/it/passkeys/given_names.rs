//! A name is taken off the user list, and given to somebody else.

use gatelatch::ambient;
use gatelatch::factors::{STEP, TotpSecret};
use serde_json::json;

use super::{Browser, STRANGE, detail, set_up, with_passkey};
use crate::account_factors::secret;
use crate::support::commands::gatelatch_with;
use crate::support::{
    Answer, Gateway, PASSWORD, Redis, Upstream, ok, post, refresh, tokens, until,
};

fn change(browser: &mut Browser, form: &str) -> Answer {
    let head = "POST /auth/account HTTP/1.1\r\nSec-Fetch-Site: same-origin\r\nAccept: text/html\r\nContent-Type: application/x-www-form-urlencoded";
    browser.send(head, form)
}

/// Adds an app on the account's page; gives its secret.
pub(super) fn add_app(browser: &mut Browser) -> TotpSecret {
    let begun = change(browser, "change=begin_app");
    let (secret, sealed) = secret(&begun.body);
    let step = ambient::unix_seconds() / STEP;
    let secret = TotpSecret::parse(&secret).unwrap();
    let code = secret.code_at(step);
    let form = format!("change=add_app&sealed={sealed}&otp={}", *code);
    let added = change(browser, &form);
    // with codes, where there are none yet
    assert!([200, 303].contains(&added.status), "{added:?}");
    secret
}

/// A program that sends the password alone.
fn login(gateway: &Gateway, user: &str) -> Answer {
    let body = json!({ "username": user, "password": PASSWORD }).to_string();
    let fields = "Content-Type: application/json\r\n";
    post(gateway.address, "/auth/login", fields, &body)
}

#[track_caller]
fn run(gateway: &Gateway, arguments: &[&str], input: &str) {
    let output = gatelatch_with(gateway.folder(), arguments, input);
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    gateway.event("configuration reloaded");
}

/// The name goes to somebody else, in another second: that is how fine the list is.
fn give_away(gateway: &Gateway, name: &str) {
    run(gateway, &["user", "remove", name], "");
    let second = ambient::unix_seconds();
    until("another second", || ambient::unix_seconds() > second);
    run(gateway, &["user", "add", name, "--cost", "4"], PASSWORD);
}

fn whoever_is_given_a_name_has_nothing_of_the_former_owner(gateway: Gateway) {
    let passkey = with_passkey(&gateway, "rita", 1);
    let mut former = Browser::at(gateway.address);
    assert_eq!(former.sign_in(&passkey).status, 200);
    add_app(&mut former);
    let refused = login(&gateway, "rita").json();
    assert_eq!(refused["error"], "second_factor_required");

    give_away(&gateway, "rita");
    assert_eq!(former.get("/jobs").status, 401, "the former session");
    let strange = (401, STRANGE.to_owned());
    let by_key = |gateway: &Gateway| detail(&Browser::at(gateway.address).sign_in(&passkey));
    assert_eq!(by_key(&gateway), strange);

    // the new owner is asked for nothing, and is shown nothing
    assert_eq!(login(&gateway, "rita").status, 200);
    let mut next = Browser::signed_in_as(gateway.address, "rita");
    let page = next.get("/auth/account").body;
    assert!(page.contains("You have none."), "{page}");
    for former in ["Authenticator app</p>", "remove_key", "Recovery codes"] {
        assert!(!page.contains(former), "{former}: {page}");
    }
    let ends = page.matches("name=\"session\"").count();
    assert_eq!(ends, 1, "that of the program: {page}");
    // and has factors of their own from then on
    add_app(&mut next);
    let gateway = gateway.restart();
    let refused = login(&gateway, "rita").json();
    assert_eq!(refused["error"], "second_factor_required");
    assert_eq!(by_key(&gateway), strange);
}

#[test]
fn whoever_is_given_a_name_has_nothing_of_the_former_owner_in_a_file() {
    let upstream = Upstream::new(|_| ok("in"));
    whoever_is_given_a_name_has_nothing_of_the_former_owner(set_up(&upstream).start());
}

#[test]
fn whoever_is_given_a_name_has_nothing_of_the_former_owner_in_redis() {
    let upstream = Upstream::new(|_| ok("in"));
    let Some(redis) = Redis::start(&[]) else {
        return;
    };
    let state = format!("state: {}\n", redis.url());
    let gateway = set_up(&upstream).more(&state).start();
    whoever_is_given_a_name_has_nothing_of_the_former_owner(gateway);
}

#[test]
fn tokens_of_the_former_owner_are_refused() {
    let upstream = Upstream::new(|_| ok("in"));
    let gateway = set_up(&upstream).start();
    let former = tokens(&gateway, "rita");
    give_away(&gateway, "rita");
    assert_eq!(gateway.get("/jobs", &former.bearer()).status, 401);
    assert_eq!(refresh(&gateway, &former.refresh).status, 401);
    let next = tokens(&gateway, "rita");
    assert_eq!(gateway.get("/jobs", &next.bearer()).status, 200);
}

/// What an operator writes after a theft ends sessions, and takes no factor away.
#[test]
fn tokens_that_are_refused_leave_factors_as_they_are() {
    let upstream = Upstream::new(|_| ok("in"));
    let gateway = set_up(&upstream).start();
    let passkey = with_passkey(&gateway, "rita", 1);
    let users = gateway.read("users.yaml");
    let named = "name: Rita Recruiter";
    assert!(users.contains(named));
    let now = ambient::unix_seconds();
    let later = format!("{named}, tokens_valid_after: {}", now + 1);
    until("another second", || ambient::unix_seconds() > now);
    gateway.replace("users.yaml", &users.replace(named, &later));
    gateway.event("configuration reloaded");
    let refused = login(&gateway, "rita").json();
    assert_eq!(refused["error"], "second_factor_required");
    assert_eq!(Browser::at(gateway.address).sign_in(&passkey).status, 200);
}
