//! A code beside the password tells nothing of the password.

use std::sync::Mutex;

use super::*;
use crate::factors::TotpSecret;
use crate::users::{UserExtras, Work};

/// What an answer looks like, and which hashes were computed for it, where the password is right or wrong. The list has hashes
/// of two costs.
fn answer(path: &str, name: &str, is_right: bool) -> (String, Vec<Work>) {
    let runs = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&runs);
    let check = move |_: &Password, hash: &PasswordHash| {
        seen.lock().unwrap().push(hash.work());
        is_right
    };
    let named = |name: &str| Identity {
        subject: name.into(),
        ..Identity::default()
    };
    let costly = PasswordHash::dummy(6);
    let rita = user(named("rita"), json!({}));
    let extras = UserExtras {
        totp: Some(TotpSecret::parse("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ").unwrap()),
        ..UserExtras::default()
    };
    let users = [
        User::new(rita.identity, rita.password, extras),
        User::new(named("carl").into(), Some(costly), UserExtras::default()),
    ];
    let hasher = Hasher::start_with(settings(), Arc::new(check)).unwrap();
    let portal = portal_of(Arc::new(Directory::new(users)), hasher);
    let body = format!("grant_type=password&username={name}&password=x&otp=000000");
    let reply = send_to(&portal, post(path, FORM, body), &PortalCaller::Anonymous);
    let runs = runs.lock().unwrap().clone();
    (transcript(&reply.response), runs)
}

#[test]
fn a_code_beside_the_password_costs_the_same_whether_or_not_the_password_is_right() {
    for path in ["/auth/login", "/auth/token"] {
        let wrong = answer(path, "rita", false);
        assert!(
            wrong.1.len() > 1,
            "the padding of the costlier hash: {wrong:?}"
        );
        assert_eq!(answer(path, "rita", true), wrong, "{path}");
        // nor does it tell who is on the list, or has a factor
        let rounds = |(answer, runs): (String, Vec<Work>)| {
            let cost = |work: &Work| match work {
                Work::Bcrypt { cost } => 1_u64 << cost,
                Work::Argon2id { .. } => 0,
            };
            (answer, runs.iter().map(cost).sum::<u64>())
        };
        let expected = rounds(wrong);
        for name in ["carl", "nobody"] {
            assert_eq!(rounds(answer(path, name, false)), expected, "{name}");
        }
    }
}
