//! Too many failures, and the operator who lifts a lockout.

use super::*;
use crate::session::ClearLockout;

const WRONG: &str = "grant_type=password&username=alice@example.com&password=wrong";
const RIGHT: &str = "grant_type=password&username=alice@example.com&password=correct+horse";

fn status(portal: &Portal, body: &str) -> u16 {
    send_to(
        portal,
        post("/auth/token", FORM, body),
        &PortalCaller::Anonymous,
    )
    .response
    .status()
    .as_u16()
}

fn lift(portal: &Portal, lift: ClearLockout<'_>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(portal.lift_lockout(lift)).unwrap();
}

#[test]
fn a_lockout_is_lifted_by_the_pair_that_is_held() {
    let portal = portal();
    assert_eq!(
        std::array::from_fn(|_| status(&portal, WRONG)),
        [400, 400, 400, 400, 400, 429]
    );
    let other = IpAddr::from([192, 0, 2, 1]);
    for nothing in [
        ClearLockout::Pair("alice", CLIENT),
        ClearLockout::Pair("alice@example.com", other),
        ClearLockout::Network(CLIENT),
    ] {
        lift(&portal, nothing);
        assert_eq!(status(&portal, RIGHT), 429, "{nothing:?}");
    }
    lift(&portal, ClearLockout::Pair("alice@example.com", CLIENT));
    assert_eq!(status(&portal, RIGHT), 200);
}

#[test]
fn a_lockout_says_when_to_come_back() {
    let portal = portal();
    for _ in 0..5 {
        status(&portal, WRONG);
    }
    let reply = send_to(
        &portal,
        post("/auth/login", FORM, RIGHT),
        &PortalCaller::Anonymous,
    );
    assert_eq!(
        transcript(&reply.response),
        concat!(
            "429 Too Many Requests\ncache-control: no-store\ncontent-type: application/json\npragma: no-cache\n",
            "retry-after: 300\n\n",
            r#"{"detail":"Too many failed attempts","error":"temporarily_unavailable","#,
            r#""error_description":"too many failed attempts; try again later"}"#,
            "\n"
        )
    );
    assert_eq!(
        reply.login.unwrap().outcome,
        Err(LoginDenial::LockedOut(300))
    );
}
