//! With codes of an app, made by `oathtool`.

use serde_json::json;

use super::made::{Made, now};
use super::{SERVICES, open};
use crate::second_factor::hidden;
use crate::support::{
    PASSWORD, Tokens, Upstream, cookie_of, gateway, hash, oathtool, ok, post, submit, until,
};

const SECRET: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
const SAME: &str = "Sec-Fetch-Site: same-origin\r\n";

#[test]
fn a_code_opens_what_asks_for_a_second_factor() {
    let Some(oathtool) = oathtool() else { return };
    let upstream = Upstream::new(|request| ok(&request.fields("remote-user").concat()));
    let [rita, carl] = std::array::from_fn(|_| hash());
    let gateway = gateway(SERVICES)
        .upstream(upstream.address)
        .users(&format!(
            "users:\n  rita: {{ password: \"{rita}\", totp: {SECRET}, roles: [recruiter] }}\n  carl: {{ password: \"{carl}\" }}\n"
        ))
        .start();
    until("a step that has just begun", || now() % 30 < 20);
    // a program
    let body = json!({ "username": "rita", "password": PASSWORD, "otp": oathtool.code(SECRET) });
    let fields = "Content-Type: application/json\r\n";
    let granted = Tokens::of(&post(
        gateway.address,
        "/auth/login",
        fields,
        &body.to_string(),
    ));
    assert_eq!(gateway.get("/both", &granted.bearer()).status, 200);
    let carl = crate::support::tokens(&gateway, "carl");
    assert_eq!(gateway.get("/vault", &carl.bearer()).status, 401);
    // a browser whose session has no second factor
    let session = Made::at(now()).session("rita");
    let sent = open(&gateway, "/vault", &session);
    assert_eq!(
        sent.header("location"),
        "/auth/login?next=/vault&reauth=second-factor"
    );
    let form = format!(
        "username=rita&password={}&next=/vault",
        PASSWORD.replace(' ', "+")
    );
    let fields = format!("{SAME}{session}");
    let asked = submit(gateway.address, "/auth/login", &form, &fields);
    assert_eq!(asked.status, 200, "{asked:?}");
    let form = format!(
        "continuation={}&otp={}&next={}",
        hidden(&asked, "continuation"),
        oathtool.code_in(SECRET, 30),
        hidden(&asked, "next")
    );
    let done = submit(gateway.address, "/auth/login", &form, &fields);
    assert_eq!(
        (done.status, done.header("location")),
        (303, "/vault"),
        "{done:?}"
    );
    let cookie = format!("Cookie: {}\r\n", cookie_of(&done, "gatelatch"));
    assert_eq!(open(&gateway, "/vault", &cookie).status, 200);
    assert_eq!(open(&gateway, "/both", &cookie).status, 200);
    assert_eq!(
        gateway.get("/jobs", &session).status,
        401,
        "it was replaced"
    );
}
