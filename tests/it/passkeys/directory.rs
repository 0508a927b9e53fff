//! People of a directory have keys and apps as those of the user list do.

use gatelatch::ambient;
use gatelatch::factors::STEP;
use serde_json::{Value, json};

use super::given_names::add_app;
use super::{Browser, SERVICES, STRANGE, detail, key};
use crate::ldap::{PEOPLE, plain};
use crate::support::{Answer, Gateway, LDAP_PASSWORD, Slapd, Upstream, gateway, ok, post};

fn start(slapd: &Slapd, upstream: &Upstream) -> Gateway {
    let auth = format!("passkeys: {{}}, ldap: {{ {}, {PEOPLE} }}", plain(slapd));
    gateway(SERVICES)
        .upstream(upstream.address)
        .auth(&auth)
        .more("state: file:state\n")
        .start()
}

/// A browser of somebody who has given the password in this spelling of the name.
fn signed_in_as(gateway: &Gateway, name: &str) -> Browser {
    let mut browser = Browser::at(gateway.address);
    let answer = browser.show_password(name, LDAP_PASSWORD);
    assert_eq!(answer.status, 303, "{answer:?}");
    browser
}

fn login(gateway: &Gateway, more: Value) -> Answer {
    let mut body = json!({ "username": "alice", "password": LDAP_PASSWORD });
    let (body, more) = (body.as_object_mut().unwrap(), more.as_object().unwrap());
    body.extend(more.clone());
    let body = Value::from(body.clone()).to_string();
    let fields = "Content-Type: application/json\r\n";
    post(gateway.address, "/auth/login", fields, &body)
}

#[test]
fn people_of_a_directory_add_a_key_and_sign_in_with_it_while_they_are_there() {
    let Some(slapd) = Slapd::start() else { return };
    let upstream = Upstream::new(|_| ok("in"));
    let gateway = start(&slapd, &upstream);
    let mut own = key(1);
    let added = signed_in_as(&gateway, "ALICE").register(&mut own, "passkey");
    assert_eq!(added.status, 200, "{added:?}");
    assert_eq!(added.json()["form"]["change"], "show_codes");
    let mut browser = Browser::at(gateway.address);
    assert_eq!(browser.sign_in(&own).status, 200);
    assert_eq!(browser.get("/vault").status, 200);
    let me = browser.get("/auth/me").json();
    assert_eq!(
        (&me["sub"], &me["name"]),
        (&json!("alice"), &json!("Alice Doe"))
    );
    // from now on the password is not enough, in no spelling of the name
    let asked = login(&gateway, json!({}));
    assert_eq!(asked.json()["error"], "second_factor_required");
    let asked = login(&gateway, json!({ "username": "Alice" }));
    assert_eq!(asked.json()["error"], "second_factor_required");

    slapd.modify("dn: uid=alice,ou=people,dc=example,dc=com\nchangetype: modify\nreplace: userAccountControl\nuserAccountControl: 514\n-\n\n");
    let refused = detail(&Browser::at(gateway.address).sign_in(&own));
    assert_eq!(refused, (401, STRANGE.to_owned()));
}

#[test]
fn people_of_a_directory_add_an_app_and_are_asked_for_a_code_of_it() {
    let Some(slapd) = Slapd::start() else { return };
    let upstream = Upstream::new(|_| ok("in"));
    let gateway = start(&slapd, &upstream);
    let secret = add_app(&mut signed_in_as(&gateway, "alice"));
    let asked = login(&gateway, json!({})).json();
    assert_eq!(asked["error"], "second_factor_required");
    // the code of this step is used
    let next = secret.code_at(ambient::unix_seconds() / STEP + 1);
    let granted = login(&gateway, json!({ "otp": &*next }));
    assert_eq!(granted.status, 200, "{granted:?}");
    let token = granted.json()["access_token"].as_str().unwrap().to_owned();
    let bearer = format!("Authorization: Bearer {token}\r\n");
    assert_eq!(gateway.get("/vault", &bearer).status, 200);
    assert_eq!(login(&gateway, json!({ "otp": &*next })).status, 401);
}
