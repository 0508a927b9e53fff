//! What a request with the session of a provider, or of somebody with a second factor, costs beside one with a session of the
//! user list, in instructions.

use gatelatch::token::AuthenticationMethods;
use serde_json::json;

use crate::instructions::{JOBS, at_most, each_request};
use crate::password_factors;
use crate::provider_sign_in::{come_back, session, visit};
use crate::support::{ScriptedProvider, Upstream, gateway, hash, sign_in};

/// The most that a request with the session of a provider may cost, in per cent.
const BOUND: u64 = 102;

/// The same person twice, but for the name: a session costs by its length, and by what services are told.
#[test]
fn a_session_of_a_provider_costs_as_much_as_one_of_the_user_list() {
    let provider = ScriptedProvider::start();
    provider.script().claims = json!({ "sub": "walter-1", "groups": ["recruiter"] });
    let users = format!(
        "users:\n  walter-2: {{ password: \"{}\", roles: [recruiter], name: Walter, email: walter@example.com }}\n",
        hash()
    );
    let build = || {
        gateway(JOBS).users(&users).auth(&format!(
            "providers: [{{ name: corp, issuer: \"{}\", client_id: gateway, client_secret: a-secret-of-a-client }}]",
            provider.issuer
        ))
    };
    // signed in at another gateway: how often that asks whether the provider is known is not to be measured
    let signing_in = build().upstream(Upstream::saying("hi").address).start();
    let local = sign_in(&signing_in, "walter-2");
    let answer = come_back(&signing_in, &visit(&signing_in, &provider, "?next=/jobs/1"));
    let of_provider = session(&answer);
    let Some(local) = each_request(&build, &|_| local.clone()) else {
        return;
    };
    let with_provider = each_request(&build, &|_| of_provider.clone());
    let with_provider = with_provider.expect("what the other one was measured with");
    at_most(
        BOUND,
        ("with the session of a provider", with_provider),
        ("with one of the user list", local),
    );
}

/// The most that a request with a session of two factors may cost beside one with a password alone, in per cent.
const FACTORS_BOUND: u64 = 101;

#[test]
fn a_session_with_two_factors_costs_as_much_as_one_with_a_password() {
    let each = |methods: AuthenticationMethods| {
        let session = password_factors::session("rita", methods, 0);
        each_request(&|| gateway(JOBS), &|_| session.clone())
    };
    let Some(alone) = each(AuthenticationMethods::PASSWORD) else {
        return;
    };
    let both = each(password_factors::with_code()).expect("what the other one was measured with");
    at_most(
        FACTORS_BOUND,
        ("with a session of two factors", both),
        ("with one of a password", alone),
    );
}
