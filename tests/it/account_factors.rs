//! Second factors on the account's page: an authenticator app is added and removed, recovery codes are shown once.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::{Value, json};

use crate::chromium::browse_with;
use crate::password_factors::{self, session};
use crate::support::{
    Answer, Gateway, GatewayBuilder, NAVIGATION, Upstream, gateway, hash, output, program, sign_in,
    submit,
};

const SERVICES: &str = "
  app:
    upstream: http://UPSTREAM
    rules:
      - { path: /me, allow: authenticated }
";

fn set_up(upstream: &Upstream) -> GatewayBuilder {
    gateway(SERVICES)
        .upstream(upstream.address)
        .more("state: \"file:state.redb\"")
}

fn page(gateway: &Gateway, cookie: &str) -> String {
    let answer = gateway.get("/auth/account", &format!("{NAVIGATION}{cookie}"));
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body
}

fn change(gateway: &Gateway, cookie: &str, form: &str) -> Answer {
    let fields = format!("Sec-Fetch-Site: same-origin\r\n{cookie}");
    submit(gateway.address, "/auth/account", form, &fields)
}

/// A session of somebody who has just shown a password and a code.
fn with_code(user: &str) -> String {
    session(user, password_factors::with_code(), 0)
}

/// What stands between two texts on a page.
fn between<'p>(page: &'p str, before: &str, after: &str) -> &'p str {
    let rest = page
        .split_once(before)
        .unwrap_or_else(|| panic!("{before}: {page}"))
        .1;
    rest.split_once(after).unwrap().0
}

/// The secret and what it is sealed in, on the page where an app is added.
pub(crate) fn secret(page: &str) -> (String, String) {
    let secret = between(page, "<p class=\"secret\"><code>", "</code>");
    let sealed = between(page, "name=\"sealed\" value=\"", "\"");
    (secret.replace(' ', ""), sealed.to_owned())
}

/// What an app shows for a secret: that of another program.
fn code(secret: &str) -> Option<String> {
    let mut oathtool = Command::new(program("oathtool")?);
    let shown = output(oathtool.args(["--totp", "--base32", secret]));
    Some(shown.trim().to_owned())
}

pub(crate) fn recovery_codes(page: &str) -> BTreeSet<String> {
    let codes = page.split("<li><code>").skip(1);
    codes
        .map(|rest| rest.split('<').next().unwrap().to_owned())
        .collect()
}

#[track_caller]
fn assert_says(page: &str, texts: &[&str]) {
    for text in texts {
        assert!(page.contains(text), "{text}: {page}");
    }
}

#[test]
fn an_app_counts_once_a_code_of_it_was_right() {
    let upstream = Upstream::saying("x");
    let gateway = set_up(&upstream).start();
    let here = sign_in(&gateway, "rita");
    assert_says(
        &page(&gateway, &here),
        &["You have none.", "value=\"begin_app\""],
    );
    let begun = change(&gateway, &here, "change=begin_app");
    assert_eq!(
        (begun.status, begun.header("cache-control")),
        (200, "no-store")
    );
    assert_says(
        &begun.body,
        &["<div class=\"qr\"><svg", "otpauth:&#x2f;&#x2f;totp&#x2f;"],
    );
    let (key, sealed) = secret(&begun.body);
    let Some(right) = code(&key) else {
        return;
    };
    let wrong = if right == "000000" {
        "000001"
    } else {
        "000000"
    };
    for otp in [wrong, "", "x", "1234567"] {
        let answer = change(
            &gateway,
            &here,
            &format!("change=add_app&sealed={sealed}&otp={otp}"),
        );
        assert_eq!(answer.status, 422, "{otp}: {answer:?}");
        assert_says(&answer.body, &["role=\"alert\"", "The code is wrong."]);
        assert_eq!(secret(&answer.body), (key.clone(), sealed.clone()), "{otp}");
    }
    assert_says(&page(&gateway, &here), &["You have none."]);
    // of the page of another session
    let other = sign_in(&gateway, "rita");
    let add = || format!("change=add_app&sealed={sealed}&otp={}", code(&key).unwrap());
    let answer = change(&gateway, &other, &add());
    assert_eq!(answer.status, 422);
    assert_says(&answer.body, &["That took too long."]);

    let added = change(&gateway, &here, &add());
    assert_eq!(
        (added.status, added.header("cache-control")),
        (200, "no-store"),
        "{added:?}"
    );
    assert_says(
        &added.body,
        &[
            "Your authenticator app is added.",
            "Recovery codes for rita",
        ],
    );
    let codes = recovery_codes(&added.body);
    assert_eq!(codes.len(), 10);
    assert!(codes.iter().all(|code| code.len() == 19), "{codes:?}");
    gateway.named_event("totp_added");
    let kept = gateway.restart();
    let shown = page(&kept, &here);
    assert_says(
        &shown,
        &[
            "Authenticator app</p>",
            "added a moment ago",
            "10 of 10 left",
        ],
    );
    assert!(!shown.contains("begin_app"), "one is enough: {shown}");
    assert!(
        !codes.iter().any(|code| shown.contains(code)),
        "they are shown once"
    );
    let printed = kept.printed();
    assert!(!printed.contains(&key) && !codes.iter().any(|code| printed.contains(code)));
}

#[test]
fn who_has_a_factor_shows_it_before_it_is_changed() {
    let upstream = Upstream::saying("x");
    let gateway = set_up(&upstream).start();
    let here = sign_in(&gateway, "rita");
    let begun = change(&gateway, &here, "change=begin_app");
    let (key, sealed) = secret(&begun.body);
    let Some(otp) = code(&key) else {
        return;
    };
    let added = change(
        &gateway,
        &here,
        &format!("change=add_app&sealed={sealed}&otp={otp}"),
    );
    let codes = recovery_codes(&added.body);
    // a password alone
    for form in [
        "change=begin_app",
        "change=remove_app",
        "change=renew_codes",
    ] {
        let answer = change(&gateway, &here, form);
        assert_eq!(answer.status, 303, "{form}");
        let location = answer.header("location");
        assert!(
            location.starts_with("/auth/login?next=/auth/account"),
            "{location}"
        );
    }
    let strong = with_code("rita");
    let renewed = change(&gateway, &strong, "change=renew_codes");
    assert_eq!(renewed.status, 200, "{renewed:?}");
    let fresh = recovery_codes(&renewed.body);
    assert!(fresh.len() == 10 && fresh.is_disjoint(&codes), "{fresh:?}");
    gateway.named_event("recovery_codes_renewed");
    // carl has nothing of rita's
    let carl = with_code("carl");
    for form in [
        "change=remove_app",
        "change=renew_codes",
        "change=remove_key&id=AAAA",
    ] {
        assert_eq!(change(&gateway, &carl, form).status, 404, "{form}");
    }
    let removed = change(&gateway, &strong, "change=remove_app");
    assert_eq!(
        (removed.status, removed.header("location")),
        (303, "/auth/account?done=removed")
    );
    let shown = page(&gateway, &strong);
    assert_says(&shown, &["You have none.", "value=\"begin_app\""]);
    assert!(
        !shown.contains("Recovery codes"),
        "they stand in for nothing: {shown}"
    );
    gateway.named_event("totp_removed");
}

/// A rule has sent them to the sign-in page, and that to the account.
#[test]
fn who_adds_an_app_comes_back_to_what_they_wanted() {
    let upstream = Upstream::saying("x");
    let gateway = set_up(&upstream).start();
    let at = "/auth/account?next=/vault%3Ftab%3D2";
    let action = "action=\"&#x2f;auth&#x2f;account?next=&#x2f;vault%3Ftab%3D2\"";
    let send = |cookie: &str, form: &str| {
        let fields = format!("Sec-Fetch-Site: same-origin\r\n{cookie}");
        submit(gateway.address, at, form, &fields)
    };
    // who is not signed in signs in first
    let sent = gateway.get(at, NAVIGATION);
    let there = "/auth/login?next=/auth/account%3Fnext%3D/vault%253Ftab%253D2";
    assert_eq!((sent.status, sent.header("location")), (303, there));

    let here = sign_in(&gateway, "rita");
    let shown = gateway.get(at, &format!("{NAVIGATION}{here}")).body;
    assert_says(&shown, &[action, "href=\"&#x2f;vault?tab=2\">Continue</a>"]);
    let begun = send(&here, "change=begin_app").body;
    assert_says(&begun, &[action]);
    let (key, sealed) = secret(&begun);
    let Some(otp) = code(&key) else {
        return;
    };
    let add = format!("change=add_app&sealed={sealed}&otp={otp}");
    let added = send(&here, &add).body;
    assert_eq!(recovery_codes(&added).len(), 10);
    assert_says(&added, &["href=\"&#x2f;vault?tab=2\">I have kept them</a>"]);
    // a factor is shown before another change, and that leads back as well
    let asked = send(&here, "change=remove_app");
    let again = format!("{there}&reauth=second-factor&max_age=300");
    assert_eq!((asked.status, asked.header("location")), (303, &*again));
    let removed = send(&with_code("rita"), "change=remove_app");
    let done = "/auth/account?next=/vault%3Ftab%3D2&done=removed";
    assert_eq!((removed.status, removed.header("location")), (303, done));
    // and nowhere else
    let odd = "/auth/account?next=https://evil.test";
    let shown = gateway.get(odd, &format!("{NAVIGATION}{here}")).body;
    assert!(!shown.contains("evil"), "{shown}");
}

#[test]
fn what_a_restart_would_forget_is_not_offered() {
    let upstream = Upstream::saying("x");
    let gateway = gateway(SERVICES).upstream(upstream.address).start();
    let here = sign_in(&gateway, "rita");
    assert!(!page(&gateway, &here).contains("Second factors"));
    let answer = change(&gateway, &here, "change=begin_app");
    assert_eq!(answer.status, 403);
    assert_says(
        &answer.body,
        &["Second factors cannot be added or removed here."],
    );
}

#[test]
fn the_pages_of_an_app_work_without_javascript_on_every_screen() {
    let upstream = Upstream::saying("x");
    let long = "alexandra.hoffmann@engineering.example.com";
    let users = ["ann", "ben", long, "dan"];
    let list = users.map(|user| format!("  {user}: {{ password: \"{}\", roles: [a] }}\n", hash()));
    let gateway = set_up(&upstream)
        .users(&format!("users:\n{}", list.concat()))
        .start();
    let Some(found) = browse_with("factors.py", &gateway, &users.map(str::to_owned)) else {
        return;
    };
    for visit in found.as_array().unwrap() {
        assert!(!visit["overflow"].to_string().contains("true"), "{visit}");
        let ratios = visit["contrast"].as_array().unwrap().iter();
        let ratios: Vec<_> = ratios.filter_map(Value::as_f64).collect();
        assert!(ratios.iter().all(|ratio| *ratio >= 4.5), "{ratios:?}");
        for control in visit["controls"].as_array().unwrap() {
            assert_ne!(control[0], "", "{visit}");
            assert!(control[1].as_f64().unwrap() >= 44.0, "{control}");
        }
        assert_eq!(
            visit["wrong"],
            "The code is wrong. Type the one that the app shows now."
        );
        assert_eq!(visit["codes"], 10);
        let square = visit["picture"].as_array().unwrap();
        assert!(
            square[0].as_f64().unwrap() >= 160.0 && square[0] == square[1],
            "{visit}"
        );
        assert_says(
            visit["after"].as_str().unwrap(),
            &["Authenticator app", "10 of 10 left"],
        );
        assert_eq!(
            visit["printed"],
            json!([false, true]),
            "no button, but the codes"
        );
        assert_eq!(visit["complaints"], json!([]), "{visit}");
    }
    assert_eq!(found.as_array().unwrap().len(), 4);
}
