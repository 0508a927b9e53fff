//! Recovery codes come with the first key.

use serde_json::{Value, json};

use super::{Browser, finish, key, set_up};
use crate::account_factors::recovery_codes;
use crate::soft_key::SoftKey;
use crate::support::{Answer, PASSWORD, Upstream, ok, post};

fn register(browser: &mut Browser, key: &mut SoftKey, next: &str) -> Value {
    let start = json!({ "kind": "passkey", "next": next });
    let begun = browser.begin("registration/start", &start);
    let credential = key.create(&begun);
    let more = json!({ "name": "Key", "next": next });
    let added = browser.ask("registration/finish", &finish(&begun, &credential, more));
    assert_eq!(added.status, 200, "{added:?}");
    added.json()
}

/// What the script sends when it is answered so.
fn show(browser: &mut Browser, answer: &Value) -> Answer {
    let location = answer["location"].as_str().unwrap();
    let head = format!(
        "POST {location} HTTP/1.1\r\nSec-Fetch-Site: same-origin\r\nAccept: text/html\r\nContent-Type: application/x-www-form-urlencoded"
    );
    let sealed = answer["form"]["sealed"].as_str().unwrap();
    browser.send(&head, &format!("change=show_codes&sealed={sealed}"))
}

#[test]
fn ten_codes_come_with_the_first_key_and_are_shown_to_its_owner() {
    let upstream = Upstream::new(|_| ok("in"));
    let gateway = set_up(&upstream).start();
    let mut rita = Browser::signed_in_as(gateway.address, "rita");
    let mut first = key(1);
    let added = register(&mut rita, &mut first, "/vault");
    assert_eq!(
        (&added["location"], &added["form"]["change"]),
        (&json!("/auth/account?next=/vault"), &json!("show_codes"))
    );
    for mut other in [
        Browser::signed_in_as(gateway.address, "carl"),
        Browser::at(gateway.address),
    ] {
        let page = show(&mut other, &added);
        assert!(recovery_codes(&page.body).is_empty(), "{page:?}");
    }
    let page = show(&mut rita, &added);
    let codes = recovery_codes(&page.body);
    assert_eq!(
        (page.status, page.header("cache-control"), codes.len()),
        (200, "no-store", 10),
        "{page:?}"
    );
    let on = "href=\"&#x2f;vault\">I have kept them</a>";
    assert!(page.body.contains(on), "{}", page.body);
    let body = json!({ "username": "rita", "password": PASSWORD, "otp": codes.first() });
    let fields = "Content-Type: application/json\r\n";
    let granted = post(gateway.address, "/auth/login", fields, &body.to_string());
    assert_eq!(granted.status, 200, "{granted:?}");
    let printed = gateway.printed();
    assert!(!codes.iter().any(|code| printed.contains(code)));

    // a further key brings none, and leads straight on
    let mut rita = Browser::at(gateway.address);
    assert_eq!(rita.sign_in(&first).status, 200);
    let added = register(&mut rita, &mut key(2), "/vault");
    assert_eq!(added, json!({ "location": "/vault" }));
    let added = register(&mut rita, &mut key(3), "");
    assert_eq!(added, json!({ "location": "/auth/account?done=key" }));
}

#[test]
fn what_was_not_sealed_here_shows_no_codes() {
    let upstream = Upstream::new(|_| ok("in"));
    let gateway = set_up(&upstream).start();
    let mut rita = Browser::signed_in_as(gateway.address, "rita");
    for sealed in ["", "AAAA", "x"] {
        let made_up = json!({ "location": "/auth/account", "form": { "sealed": sealed } });
        let page = show(&mut rita, &made_up);
        assert_eq!(page.status, 422, "{page:?}");
        assert!(page.body.contains("Please make new ones"), "{}", page.body);
    }
}
