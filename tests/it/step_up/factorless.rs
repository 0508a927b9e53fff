//! People who are asked for a second factor and have none.

use super::made::{Made, now};
use super::{SERVICES, open};
use crate::support::{Upstream, gateway, ok};

const FORM: &str = "/auth/login?next=/vault&reauth=second-factor";

#[test]
fn who_has_no_factor_is_led_to_where_one_is_added() {
    let upstream = Upstream::new(|request| ok(&request.fields("remote-user").concat()));
    let start = |more: &str| {
        gateway(SERVICES)
            .upstream(upstream.address)
            .more(more)
            .start()
    };
    let rita = Made::at(now()).session("rita");
    let kept = start("state: \"file:state.redb\"");
    assert_eq!(open(&kept, "/vault", &rita).header("location"), FORM);
    let page = open(&kept, FORM, &rita).body;
    for expected in [
        "You have none yet: add one to your account",
        "href=\"&#x2f;auth&#x2f;account?next=&#x2f;vault\">Add a second factor</a>",
        "or sign in as somebody else",
    ] {
        assert!(page.contains(expected), "{expected}: {page}");
    }
    assert!(!page.contains("sign in with yours"), "{page}");
    // where nothing is kept nothing can be added
    let forgetful = start("");
    let page = open(&forgetful, FORM, &rita).body;
    assert!(page.contains("ask the operator of this site"), "{page}");
    assert!(!page.contains("Add a second factor"), "{page}");
    // a newer sign-in is another matter
    let page = open(&kept, "/auth/login?reauth", &rita).body;
    assert!(page.contains("please confirm that it is you"), "{page}");
    assert!(!page.contains("Add a second factor"), "{page}");
}

#[test]
fn the_account_says_what_was_shown() {
    let upstream = Upstream::new(|request| ok(&request.fields("remote-user").concat()));
    let gateway = gateway(SERVICES).upstream(upstream.address).start();
    for (methods, with) in [
        (&["pwd"][..], "a password, in this browser"),
        (
            &["pwd", "otp", "mfa"],
            "a password and a second factor, in this browser",
        ),
        (
            &["pwd", "user", "mfa"],
            "a password and a second factor, in this browser",
        ),
        (&["user", "mfa"], "a passkey, in this browser"),
    ] {
        let session = Made::at(now()).with(methods).session("rita");
        let page = open(&gateway, "/auth/account", &session).body;
        assert!(page.contains(&format!("<dd>{with}</dd>")), "{with}: {page}");
        assert!(page.contains("<title>Your account</title>"), "{page}");
    }
}
