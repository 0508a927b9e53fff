//! Who somebody is here, and who may sign in.

use gatelatch::oidc::{ProviderError, ProviderIdentity};
use serde_json::{Value, json};

use super::Party;
use crate::support::{ScriptedProvider, json_answer};

/// Who it is under these settings, where the ID token is changed so.
fn identity(more: &str, claims: Value) -> Result<ProviderIdentity, ProviderError> {
    let idp = ScriptedProvider::start();
    idp.script().claims = claims;
    let party = Party::with(&idp, more);
    party.sign_in().map(|sign_in| sign_in.identity)
}

fn roles(identity: &ProviderIdentity) -> String {
    identity.roles.join(",")
}

#[test]
fn groups_become_roles_by_the_table() {
    let table = ", roles: { staff: [employee, reader], admins: [admin], \"*\": [reader] }";
    for (more, claims, expected) in [
        ("", json!({ "groups": ["a", "b"] }), "a,b"),
        ("", json!({ "groups": "a b" }), "a,b"),
        (table, json!({}), "employee,reader"),
        (table, json!({ "groups": [] }), "reader"),
        (
            table,
            json!({ "groups": ["admins", "other", "*"] }),
            "admin,reader",
        ),
        (", roles: {}", json!({}), ""),
        (
            ", roles_claim: realm_access.roles",
            json!({ "realm_access": { "roles": ["x"] } }),
            "x",
        ),
    ] {
        let identity = identity(more, claims.clone()).unwrap();
        assert_eq!(roles(&identity), expected, "{more} {claims}");
    }
}

/// What is `null`, or absent, the userinfo says; where nobody can ask it for what decides, nobody is signed in.
#[test]
fn groups_that_are_null_or_absent_are_those_of_the_userinfo() {
    let nested = ", roles_claim: realm_access.roles";
    let allow = ", roles_claim: realm_access.roles, allow: { groups: [x] }";
    let null = json!({ "realm_access": { "roles": null } });
    let userinfo = json!({ "realm_access": { "roles": ["x"] } });
    for more in [nested, allow] {
        for claims in [json!({ "realm_access": {} }), json!({}), null.clone()] {
            let idp = ScriptedProvider::start();
            idp.script().claims = claims.clone();
            idp.script().userinfo = userinfo.clone();
            let signed_in = Party::with(&idp, more).sign_in();
            let found = signed_in.unwrap().identity;
            assert_eq!(roles(&found), "x", "{more} {claims}");
        }
        let idp = ScriptedProvider::start();
        idp.script().claims = null.clone();
        idp.script().claims["at_hash"] = Value::Null;
        idp.script().tokens = json!({ "access_token": null });
        let outcome = Party::with(&idp, more).sign_in();
        assert!(
            matches!(outcome, Err(ProviderError::Unavailable(_))),
            "{more}"
        );
    }
    // it says nothing of groups, or there is none: the person is in none
    for metadata in [json!({}), json!({ "userinfo_endpoint": null })] {
        let idp = ScriptedProvider::start();
        idp.script().metadata = metadata;
        idp.script().claims = null.clone();
        let found = Party::with(&idp, nested).sign_in().unwrap().identity;
        assert_eq!(roles(&found), "");
        let outcome = Party::with(&idp, allow).sign_in();
        assert!(matches!(outcome, Err(ProviderError::NotAllowed(_))));
    }
}

/// `email_verified` is a boolean, which some providers write as a text.
#[test]
fn only_verified_mail_addresses_count() {
    for (verified, counts) in [
        (json!(true), true),
        (json!("true"), true),
        (json!(false), false),
        (json!("false"), false),
        (json!("yes"), false),
        (json!(1), false),
        (json!(null), false),
    ] {
        let claims = json!({ "email_verified": verified });
        let plain = identity("", claims.clone()).unwrap();
        assert_eq!(plain.email.is_some(), counts, "{verified}");
        for more in [
            ", subject: email",
            ", allow: { email_domains: [example.com] }",
            ", allow: { emails: [Walter@Example.com] }",
        ] {
            let outcome = identity(more, claims.clone());
            let refused = matches!(outcome, Err(ProviderError::NotAllowed(_)));
            assert_eq!(
                (outcome.is_ok(), refused),
                (counts, !counts),
                "{more} {verified}"
            );
        }
    }
}

/// A provider that lets people choose their address and calls it verified: what two mail servers read differently counts
/// for none, and reaches no service.
#[test]
fn an_address_that_is_read_in_two_ways_does_not_count() {
    let allowed = ", allow: { email_domains: [example.com, \"*.example.com\"], emails: [walter@example.org] }";
    for email in [
        "\"walter@example.com\"@evil.example",
        "\"walter@evil.example\"@example.com",
        "walter@evil.example@example.com",
        "walter@example.com@evil.example",
        "walter@example.com.",
        "walter@[192.0.2.1]",
        "walter@example.com(evil.example)",
        "walter@evil.example, walter@example.com",
        "Walter <walter@example.com>",
        "walter@.example.com",
        "walter@ex\u{212a}ample.com",
        "walter\u{ff20}evil.example@example.com",
    ] {
        let claims = json!({ "email": email });
        let outcome = identity(allowed, claims.clone());
        assert!(
            matches!(outcome, Err(ProviderError::NotAllowed(_))),
            "{email}: {outcome:?}"
        );
        let outcome = identity(", subject: email", claims.clone());
        assert!(outcome.is_err(), "{email}: {outcome:?}");
        assert_eq!(identity("", claims).unwrap().email, None, "{email}");
    }
    for email in [
        "Walter@EXAMPLE.com",
        "w@sub.Example.com",
        "WALTER@example.org",
    ] {
        let signed_in = identity(allowed, json!({ "email": email })).unwrap();
        assert_eq!(signed_in.email.as_deref(), Some(email));
    }
}

#[test]
fn the_subject_is_the_claim_that_is_configured() {
    let named = json!({ "preferred_username": "walter" });
    assert_eq!(&*identity("", named.clone()).unwrap().subject, "walter-1");
    let subject =
        |more: &str, claims: Value| identity(more, claims).map(|one| one.subject.to_string());
    let by_name = ", subject: preferred_username";
    assert_eq!(subject(by_name, named), Ok("walter".to_owned()));
    assert_eq!(
        subject(", subject: email", json!({})),
        Ok("walter@example.com".to_owned())
    );
    for name in [
        json!(""),
        json!(" "),
        json!("a\u{202e}b"),
        json!(7),
        json!("a\r\nb"),
    ] {
        let outcome = subject(by_name, json!({ "preferred_username": name }));
        assert!(
            matches!(outcome, Err(ProviderError::NotAllowed(_))),
            "{name}: {outcome:?}"
        );
    }
}

#[test]
fn who_none_of_the_conditions_holds_for_is_not_let_in() {
    for (more, allowed) in [
        (", allow: { groups: [staff] }", true),
        (
            ", allow: { groups: [admins], emails: [walter@example.com] }",
            true,
        ),
        (
            ", allow: { email_domains: [example.com], groups: [admins] }",
            true,
        ),
        (", allow: { groups: [admins] }", false),
        (
            ", allow: { email_domains: [example.org, \"*.example.com\"] }",
            false,
        ),
        (", allow: { emails: [other@example.com] }", false),
    ] {
        let outcome = identity(more, json!({}));
        let refused = matches!(outcome, Err(ProviderError::NotAllowed(_)));
        assert_eq!((outcome.is_ok(), refused), (allowed, !allowed), "{more}");
    }
}

#[test]
fn what_the_id_token_lacks_the_userinfo_says() {
    let idp = ScriptedProvider::start();
    let party = Party::of(&idp);
    idp.script().claims =
        json!({ "groups": null, "name": null, "email": null, "email_verified": null });
    idp.script().userinfo = json!({ "groups": ["from userinfo"], "name": "W", "email": "w@example.org", "email_verified": "true" });
    for signed in [false, true] {
        let mut script = idp.script();
        script.signs_userinfo = signed;
        if signed {
            script.userinfo["iss"] = idp.issuer.as_str().into();
            script.userinfo["aud"] = "gatelatch".into();
        }
        drop(script);
        let identity = party.sign_in().unwrap().identity;
        assert_eq!(roles(&identity), "from userinfo");
        assert_eq!(identity.name.as_deref(), Some("W"));
        assert_eq!(identity.email.as_deref(), Some("w@example.org"));
    }
    // what the ID token says counts more
    idp.script().claims = json!({ "name": null });
    let identity = party.sign_in().unwrap().identity;
    assert_eq!(
        (&*roles(&identity), identity.name.as_deref()),
        ("staff", Some("W"))
    );
}

#[test]
fn the_userinfo_of_another_person_is_not_believed() {
    let idp = ScriptedProvider::start();
    let party = Party::of(&idp);
    idp.script().claims = json!({ "groups": null });
    for sub in [json!("mallory"), json!(null), json!(7), json!(["walter-1"])] {
        idp.script().userinfo = json!({ "sub": sub, "groups": ["admins"] });
        let outcome = party.sign_in().unwrap_err();
        assert!(
            matches!(outcome, ProviderError::Invalid(_)),
            "{sub}: {outcome:?}"
        );
        assert!(outcome.to_string().contains("another person"), "{outcome}");
    }
    // also where only a name is missing
    idp.script().claims = json!({ "name": null });
    assert!(party.refusal().contains("another person"));
    // one that is signed must be for this client
    let mut script = idp.script();
    script.signs_userinfo = true;
    script.userinfo = json!({ "iss": idp.issuer, "aud": "other", "name": "W" });
    drop(script);
    assert!(party.refusal().contains("`aud`"));
}

#[test]
fn without_the_userinfo_that_decides_nobody_is_signed_in() {
    let idp = ScriptedProvider::start();
    let party = Party::of(&idp);
    for answer in [
        json_answer(500, &json!({})),
        json_answer(200, &json!([])),
        crate::support::ok("{\"sub\":\"walter-1\"}"),
        b"HTTP/1.1 302 Found\r\nLocation: /keys\r\nContent-Length: 0\r\n\r\n".to_vec(),
    ] {
        idp.script().answers.insert("/userinfo".to_owned(), answer);
        idp.script().claims = json!({ "groups": null });
        let outcome = party.sign_in().unwrap_err();
        assert!(
            matches!(outcome, ProviderError::Unavailable(_)),
            "{outcome:?}"
        );
        // a name is not worth that
        idp.script().claims = json!({ "name": null });
        assert_eq!(party.sign_in().unwrap().identity.name, None);
    }
}

/// Where nothing depends on the groups, an ID token without them says everything.
#[test]
fn the_userinfo_is_asked_only_for_what_counts() {
    let without_groups = json!({ "groups": null });
    for (more, asked) in [
        ("", true),
        (", roles: { staff: [a], \"*\": [b] }", true),
        (
            ", roles: { \"*\": [b] }, allow: { groups: [staff], email_domains: [example.com] }",
            true,
        ),
        (", roles: { \"*\": [b] }", false),
        (", users: listed", false),
    ] {
        let idp = ScriptedProvider::start();
        idp.script().claims = without_groups.clone();
        assert_eq!(Party::with(&idp, more).sign_in().err(), None, "{more}");
        assert_eq!(
            idp.received("/userinfo").len(),
            usize::from(asked),
            "{more}"
        );
    }
}

/// Nearly as many as an answer has room for. Reading them must not keep a worker, and ends within the ten seconds of a sign-in.
#[test]
fn tens_of_thousands_of_groups_are_read() {
    let groups: Vec<String> = (0..60_000).map(|number| format!("g{number}")).collect();
    let identity = identity("", json!({ "groups": groups })).unwrap();
    assert_eq!(identity.roles.len(), 60_000);
}
