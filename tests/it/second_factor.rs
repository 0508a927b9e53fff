//! Signing in with a code after the password, with `oathtool` in the place of the app: over the API, on the page, on two replicas.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::account_factors::recovery_codes;
use crate::support::commands::{gatelatch, text};
use crate::support::{
    Answer, Gateway, GatewayBuilder, NAVIGATION, Oathtool, PASSWORD, Redis, Upstream, cookie_of,
    gateway, hash, oathtool, output, post, program, python, submit, until,
};

const SERVICES: &str = "
  app:
    upstream: http://UPSTREAM
    credentials: [bearer, cookie, basic]
    rules: [ { path: /**, allow: authenticated } ]
";

const SECRET: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
const SAME: &str = "Sec-Fetch-Site: same-origin\r\n";
const JSON: &str = "Content-Type: application/json\r\n";

/// `rita` has an app, `carl` has none.
fn users() -> String {
    let [rita, carl] = std::array::from_fn(|_| hash());
    format!(
        "users:\n  rita: {{ password: \"{rita}\", totp: {SECRET} }}\n  carl: {{ password: \"{carl}\" }}\n"
    )
}

fn set_up() -> GatewayBuilder {
    gateway(SERVICES)
        .upstream(Upstream::saying("x").address)
        .users(&users())
}

fn login(gateway: &Gateway, body: &Value) -> Answer {
    post(gateway.address, "/auth/login", JSON, &body.to_string())
}

fn rita(otp: Option<&str>) -> Value {
    let mut body = json!({ "username": "rita", "password": PASSWORD });
    if let Some(otp) = otp {
        body["otp"] = otp.into();
    }
    body
}

/// What an access token says.
fn claims(answer: &Answer) -> Value {
    use base64::Engine as _;
    let token = answer.json()["access_token"].as_str().unwrap().to_owned();
    let payload = token.split('.').nth(1).unwrap();
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(payload);
    serde_json::from_slice(&bytes.unwrap()).unwrap()
}

/// A code that is good, and cannot change to another step while it is under way.
fn code(oathtool: &Oathtool) -> String {
    until("a step that has just begun", || {
        gatelatch::ambient::unix_seconds() % 30 < 20
    });
    oathtool.code(SECRET)
}

#[test]
fn a_program_sends_a_code_with_the_password_or_after_it_and_each_is_good_once() {
    let Some(oathtool) = oathtool() else { return };
    let gateway = set_up().start();
    let asked = login(&gateway, &rita(None));
    assert_eq!(
        (asked.status, asked.json()["error"].as_str()),
        (401, Some("second_factor_required")),
        "{asked:?}"
    );
    let continuation = asked.json()["continuation"].as_str().unwrap().to_owned();

    let code_now = code(&oathtool);
    let granted = login(&gateway, &rita(Some(&code_now)));
    assert_eq!(granted.status, 200, "{granted:?}");
    assert_eq!(claims(&granted)["amr"], json!(["mfa", "otp", "pwd"]));
    // the same code once more, with the password and after it
    let again = login(&gateway, &rita(Some(&code_now)));
    assert_eq!(
        (again.status, again.json()["error"].as_str()),
        (401, Some("invalid_grant"))
    );
    let used = login(
        &gateway,
        &json!({ "continuation": continuation, "otp": code_now }),
    );
    assert_eq!(
        (used.status, used.json()["error"].as_str()),
        (401, Some("invalid_grant"))
    );
    // what stood for the password is used up, and another one came in its place
    let next = used.json()["continuation"].as_str().unwrap().to_owned();
    let spent = login(
        &gateway,
        &json!({ "continuation": continuation, "otp": oathtool.code_in(SECRET, 30) }),
    );
    assert_eq!(spent.status, 401);
    assert_eq!(spent.json()["continuation"], Value::Null);
    let granted = login(
        &gateway,
        &json!({ "continuation": next, "otp": oathtool.code_in(SECRET, 30) }),
    );
    assert_eq!(granted.status, 200, "{granted:?}");
    // the steps before it are over as well, and one that is too far away never was good
    for seconds in [-60, -30, 0, 90] {
        let other = login(&gateway, &rita(Some(&oathtool.code_in(SECRET, seconds))));
        assert_eq!(other.status, 401, "{seconds}");
        if seconds == 0 {
            break;
        }
    }
}

/// A form that is sent twice, or a program that tries again, is no guess.
#[test]
fn a_used_code_is_refused_and_counts_as_no_wrong_one() {
    let Some(oathtool) = oathtool() else { return };
    let gateway = set_up().start();
    let used = code(&oathtool);
    let (address, body) = (gateway.address, rita(Some(&used)).to_string());
    let statuses = std::thread::scope(|scope| {
        let send = || post(address, "/auth/login", JSON, &body).status;
        let sent: Vec<_> = (0..4).map(|_| scope.spawn(send)).collect();
        sent.into_iter()
            .map(|one| one.join().unwrap())
            .collect::<Vec<_>>()
    });
    let granted = statuses.iter().filter(|status| **status == 200).count();
    assert_eq!(granted, 1, "{statuses:?}");
    for _ in 0..6 {
        let again = login(&gateway, &rita(Some(&used)));
        assert_eq!(
            (again.status, again.json()["error"].as_str()),
            (401, Some("invalid_grant")),
            "{again:?}"
        );
    }
    let next = login(&gateway, &rita(Some(&oathtool.code_in(SECRET, 30))));
    assert_eq!(next.status, 200, "{next:?}");
}

#[test]
fn who_has_no_factor_is_not_asked_and_off_asks_nobody() {
    let gateway = set_up().start();
    let body = json!({ "username": "carl", "password": PASSWORD, "otp": "123456" });
    let granted = login(&gateway, &body);
    assert_eq!(granted.status, 200, "{granted:?}");
    assert_eq!(claims(&granted)["amr"], json!(["pwd"]));
    drop(gateway);
    let gateway = set_up().auth("login: { second_factor: off }").start();
    assert_eq!(login(&gateway, &rita(None)).status, 200);
}

#[test]
fn the_token_endpoint_says_400_and_forms_are_read_as_json_is() {
    let Some(oathtool) = oathtool() else { return };
    let gateway = set_up().start();
    let password = PASSWORD.replace(' ', "+");
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    let body = format!("grant_type=password&username=rita&password={password}");
    let asked = post(gateway.address, "/auth/token", form, &body);
    assert_eq!(
        (asked.status, asked.json()["error"].as_str()),
        (400, Some("second_factor_required")),
        "{asked:?}"
    );
    let continuation = asked.json()["continuation"].as_str().unwrap().to_owned();
    let wrong = format!("grant_type=password&continuation={continuation}&otp=000000");
    let wrong = post(gateway.address, "/auth/token", form, &wrong);
    assert_eq!(
        (wrong.status, wrong.json()["error"].as_str()),
        (400, Some("invalid_grant")),
        "{wrong:?}"
    );
    let body = format!("{body}&otp={}", code(&oathtool));
    assert_eq!(
        post(gateway.address, "/auth/token", form, &body).status,
        200
    );
    // a code alone is nothing
    let alone = post(
        gateway.address,
        "/auth/token",
        form,
        "grant_type=password&otp=123456",
    );
    assert_eq!(
        (alone.status, alone.json()["error"].as_str()),
        (400, Some("invalid_request"))
    );
}

/// Who sends both at once does not learn which of them was wrong.
#[test]
fn a_wrong_code_beside_a_right_password_is_answered_like_a_wrong_password() {
    let gateway = set_up().start();
    let right = login(&gateway, &rita(Some("000000")));
    let wrong = login(
        &gateway,
        &json!({ "username": "rita", "password": "wrong", "otp": "000000" }),
    );
    let plain = |answer: &Answer| {
        let mut fields = answer.head.lines().filter(|line| {
            let line = line.to_ascii_lowercase();
            !line.starts_with("date:") && !line.starts_with("x-request-id:")
        });
        let head: Vec<_> = fields.by_ref().map(str::to_owned).collect();
        (answer.status, head, answer.body.clone())
    };
    assert_eq!(plain(&right), plain(&wrong));
}

#[test]
fn what_stands_for_a_password_is_bound_to_its_network_and_its_user() {
    let Some(oathtool) = oathtool() else { return };
    let gateway = set_up().server("trusted_proxies: [127.0.0.1]").start();
    let from = |address: &str| format!("{JSON}X-Forwarded-For: {address}\r\n");
    let ask = |address: &str, body: &Value| {
        post(
            gateway.address,
            "/auth/login",
            &from(address),
            &body.to_string(),
        )
    };
    let asked = ask("192.0.2.1", &rita(None)).json();
    let body = json!({ "continuation": asked["continuation"], "otp": code(&oathtool) });
    let elsewhere = ask("192.0.2.2", &body);
    assert_eq!(elsewhere.status, 401, "{elsewhere:?}");
    // another user's name beside it changes nothing
    let mut with_name = body.clone();
    with_name["username"] = "carl".into();
    let granted = ask("192.0.2.1", &with_name);
    assert_eq!(
        (granted.status, claims(&granted)["sub"].as_str()),
        (200, Some("rita")),
        "{granted:?}"
    );
    for text in ["", "x", "AAAA"] {
        let body = json!({ "continuation": text, "otp": "123456" });
        assert!(
            [401, 422].contains(&ask("192.0.2.1", &body).status),
            "{text}"
        );
    }
}

/// A right password in between forgets no wrong code, from one address or from many.
#[test]
fn wrong_codes_hold_the_account_wherever_they_come_from_and_a_right_password_clears_nothing() {
    let Some(oathtool) = oathtool() else { return };
    let gateway = set_up().server("trusted_proxies: [127.0.0.1]").start();
    let ask = |address: &str, body: &Value| {
        let fields = format!("{JSON}X-Forwarded-For: {address}\r\n");
        post(gateway.address, "/auth/login", &fields, &body.to_string())
    };
    for number in 1..=5 {
        let address = format!("192.0.2.{number}");
        assert_eq!(
            ask(&address, &rita(None)).json()["error"],
            "second_factor_required"
        );
        assert_eq!(ask(&address, &rita(Some("000000"))).status, 401);
    }
    let held = ask("198.51.100.7", &rita(Some(&code(&oathtool))));
    assert_eq!(
        held.status, 429,
        "a right one, from an address that has done nothing: {held:?}"
    );
    let seconds: u64 = held.header("retry-after").parse().unwrap();
    assert!((880..=900).contains(&seconds), "{seconds}");
    // five from one address hold the pair, as wrong passwords do, with right passwords in between
    let gateway = set_up().start();
    let wrong = || {
        login(
            &gateway,
            &json!({ "username": "rita", "password": "wrong" }),
        )
    };
    for _ in 0..4 {
        assert_eq!(wrong().status, 401);
        assert_eq!(
            login(&gateway, &rita(None)).json()["error"],
            "second_factor_required"
        );
    }
    assert_eq!(login(&gateway, &rita(Some("000000"))).status, 401);
    assert_eq!(login(&gateway, &rita(None)).status, 429);
    assert_eq!(
        login(
            &gateway,
            &json!({ "username": "carl", "password": PASSWORD })
        )
        .status,
        200
    );
}

#[test]
fn a_code_is_good_once_over_two_replicas() {
    let (Some(oathtool), Some(redis)) = (oathtool(), Redis::start(&[])) else {
        return;
    };
    let state = format!("state: {}", redis.url());
    let users = users();
    let replica = || set_up().users(&users).more(&state).start();
    let (one, other) = (replica(), replica());
    let code_now = code(&oathtool);
    let body = rita(Some(&code_now)).to_string();
    let ask = |address, body: &str| post(address, "/auth/login", JSON, body).status;
    // both at once
    let mut got = std::thread::scope(|scope| {
        let ways = [one.address, other.address].map(|address| {
            let body = body.as_str();
            scope.spawn(move || ask(address, body))
        });
        ways.map(|way| way.join().unwrap())
    });
    got.sort_unstable();
    assert_eq!(got, [200, 401]);
    // what one gave stands at the other, once
    let asked = login(&one, &rita(None)).json();
    let body =
        json!({ "continuation": asked["continuation"], "otp": oathtool.code_in(SECRET, 30) });
    assert_eq!(login(&other, &body).status, 200);
    assert_eq!(login(&one, &body).status, 401);
    // and so do wrong codes
    for number in 0..5 {
        let at = if number % 2 == 0 { &one } else { &other };
        assert_eq!(login(at, &rita(Some("000000"))).status, 401, "{number}");
    }
    assert_eq!(login(&other, &rita(Some("000000"))).status, 429);
}

#[test]
fn a_restart_forgets_no_code() {
    let Some(oathtool) = oathtool() else { return };
    let folder = tempfile::tempdir().unwrap();
    let state = format!("state: file:{}", folder.path().join("state.redb").display());
    let users = users();
    let start = || set_up().users(&users).more(&state).start();
    let code_now = code(&oathtool);
    let before = start();
    assert_eq!(login(&before, &rita(Some(&code_now))).status, 200);
    drop(before);
    let after = start();
    assert_eq!(login(&after, &rita(Some(&code_now))).status, 401);
}

#[test]
fn http_basic_takes_no_password_of_somebody_with_a_factor() {
    use base64::Engine as _;
    let gateway = set_up().start();
    let basic = |user: &str| {
        let pair = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{PASSWORD}"));
        gateway.get("/x", &format!("Authorization: Basic {pair}\r\n"))
    };
    assert_eq!(basic("carl").status, 200);
    let refused = basic("rita");
    assert_eq!(refused.status, 401);
    assert!(refused.body.contains("use an API key"), "{refused:?}");
    let event = gateway.named_event("second_factor_required");
    assert_eq!(event["user"], "rita", "{event}");
}

/// What the page sends back.
pub fn hidden(page: &Answer, name: &str) -> String {
    let (_, rest) = page
        .body
        .split_once(&format!("name=\"{name}\" value=\""))
        .unwrap();
    let value = rest.split('"').next().unwrap();
    value.replace("&#x2f;", "/")
}

#[test]
fn the_page_asks_for_a_code_and_comes_back_to_what_was_asked_for() {
    let Some(oathtool) = oathtool() else { return };
    let gateway = set_up().start();
    let password = PASSWORD.replace(' ', "+");
    let form = format!("username=rita&password={password}&next=/jobs");
    let asked = submit(gateway.address, "/auth/login", &form, SAME);
    assert_eq!(
        (asked.status, asked.headers("set-cookie").len()),
        (200, 0),
        "{asked:?}"
    );
    assert!(
        asked.body.contains("autocomplete=\"one-time-code\""),
        "{}",
        asked.body
    );
    let (continuation, next) = (hidden(&asked, "continuation"), hidden(&asked, "next"));
    let wrong = format!("continuation={continuation}&otp=000000&next={next}");
    let wrong = submit(gateway.address, "/auth/login", &wrong, SAME);
    assert_eq!(wrong.status, 401);
    assert!(wrong.body.contains("The code is wrong"), "{}", wrong.body);
    assert_eq!(wrong.headers("set-cookie").len(), 0);
    // a form that another site sends is none
    let good = format!(
        "continuation={}&otp={}&next={}",
        hidden(&wrong, "continuation"),
        code(&oathtool),
        hidden(&wrong, "next")
    );
    let foreign = submit(
        gateway.address,
        "/auth/login",
        &good,
        "Sec-Fetch-Site: cross-site\r\n",
    );
    assert_eq!(foreign.status, 403);
    let done = submit(gateway.address, "/auth/login", &good, SAME);
    assert_eq!(
        (done.status, done.header("location")),
        (303, "/jobs"),
        "{done:?}"
    );
    let cookie = format!("Cookie: {}\r\n", cookie_of(&done, "gatelatch"));
    assert_eq!(
        gateway
            .get("/jobs", &format!("{NAVIGATION}{cookie}"))
            .status,
        200
    );
    // sent twice, as by a button that is pressed twice
    let twice = submit(gateway.address, "/auth/login", &good, SAME);
    assert_eq!(twice.status, 401);
    assert!(
        twice.body.contains("Please sign in again"),
        "{}",
        twice.body
    );
}

/// The browser of the owner is known: who has the password alone keeps nobody out of it.
#[test]
fn an_attacker_with_the_password_does_not_keep_the_owner_out_of_a_known_browser() {
    let Some(oathtool) = oathtool() else { return };
    let gateway = set_up().server("trusted_proxies: [127.0.0.1]").start();
    let password = PASSWORD.replace(' ', "+");
    let form = format!("username=rita&password={password}");
    let half = |fields: &str| {
        submit(
            gateway.address,
            "/auth/login",
            &form,
            &format!("{SAME}{fields}"),
        )
    };
    let asked = half("");
    let finish = |page: &Answer, otp: &str, fields: &str| {
        let form = format!("continuation={}&otp={otp}", hidden(page, "continuation"));
        submit(
            gateway.address,
            "/auth/login",
            &form,
            &format!("{SAME}{fields}"),
        )
    };
    let done = finish(&asked, &code(&oathtool), "");
    assert_eq!(done.status, 303, "{done:?}");
    let known = format!("Cookie: {}\r\n", cookie_of(&done, "gatelatch-device"));
    for number in 1..=5 {
        let fields = format!("{JSON}X-Forwarded-For: 192.0.2.{number}\r\n");
        let body = rita(Some("000000")).to_string();
        assert_eq!(
            post(gateway.address, "/auth/login", &fields, &body).status,
            401
        );
    }
    let next = oathtool.code_in(SECRET, 30);
    let held = half("");
    assert_eq!(finish(&held, &next, "").status, 429);
    let free = half(&known);
    assert_eq!(finish(&free, &next, &known).status, 303);
}

/// Adds an app as the sign-in page asks `carl` to; its secret.
fn add_an_app(gateway: &Gateway, oathtool: &Oathtool) -> String {
    let password = PASSWORD.replace(' ', "+");
    let form = format!("username=carl&password={password}");
    let page = submit(gateway.address, "/auth/login", &form, SAME);
    let (_, rest) = page.body.split_once("<code>").unwrap();
    let secret = rest.split('<').next().unwrap().replace(' ', "");
    let _ = code(oathtool);
    let form = format!(
        "continuation={}&otp={}",
        hidden(&page, "continuation"),
        oathtool.code(&secret)
    );
    let done = submit(gateway.address, "/auth/login", &form, SAME);
    assert!(
        done.status == 200 && done.body.contains("Recovery codes for carl"),
        "{done:?}"
    );
    secret
}

/// With a key pair the former private key is gone with the reload that takes another one.
#[test]
fn factors_outlive_an_exchange_of_the_key_pair_that_seals_them() {
    let Some(oathtool) = oathtool() else { return };
    let keys = tempfile::tempdir().unwrap();
    let key = |name: &str| {
        let path = keys.path().join(name);
        let path = path.to_str().unwrap();
        let made = gatelatch(
            keys.path(),
            &["key", "generate", "--algorithm", "Ed25519", "--out", path],
        );
        assert!(made.status.success(), "{}", text(&made.stderr));
        path.to_owned()
    };
    let (first, second) = (key("first.pem"), key("second.pem"));
    let state = keys.path().join("state.redb").display().to_string();
    let configuration = |key: &str| {
        format!(
            "server: {{ listen: [\"127.0.0.1:0\"] }}\nadmin: {{ listen: \"127.0.0.1:0\" }}\nstate: file:{state}\n\
             auth: {{ token: {{ algorithm: Ed25519, private_key_file: {key} }}, login: {{ second_factor: required }} }}\n\
             services: {{ app: {{ upstream: http://127.0.0.1:9, rules: [ {{ path: /, allow: authenticated }} ] }} }}\n"
        )
    };
    let gateway = set_up().whole(&configuration(&first)).start();
    let secret = add_an_app(&gateway, &oathtool);
    gateway.replace("gateway.yaml", &configuration(&second));
    gateway.event("configuration reloaded");
    let body = json!({ "username": "carl", "password": PASSWORD });
    until("the factors to be sealed anew", || {
        login(&gateway, &body).json()["continuation"].is_string()
    });
    let mut body = body;
    body["otp"] = oathtool.code_in(&secret, 30).into();
    assert_eq!(login(&gateway, &body).status, 200);
}

const ADMIN_TOKEN: &str = "an-admin-token-of-the-tests";

/// The way back for who has lost the app, with the gateway that has the state.
#[test]
fn an_operator_sees_who_has_a_factor_and_takes_it_away() {
    let Some(oathtool) = oathtool() else { return };
    let folder = tempfile::tempdir().unwrap();
    let state = format!("state: file:{}", folder.path().join("state.redb").display());
    let with_token = |folder: &Path| {
        let file = folder.join("gateway.yaml");
        let written = fs::read_to_string(&file).unwrap();
        let listen = "admin: { listen: \"127.0.0.1:0\"";
        assert!(written.contains(listen));
        let with = format!("{listen}, token: {ADMIN_TOKEN}");
        fs::write(file, written.replace(listen, &with)).unwrap();
    };
    let gateway = set_up()
        .auth("login: { second_factor: required }")
        .more(&state)
        .prepare(with_token)
        .start();
    add_an_app(&gateway, &oathtool);
    let bearer = format!("Authorization: Bearer {ADMIN_TOKEN}\r\n");
    let shown = crate::support::get(gateway.admin, "/api/factors", &bearer).json();
    let carl = json!({ "user": "carl", "totp": true, "keys": 0, "recovery_codes": 10 });
    assert_eq!(
        shown,
        json!({ "factors": [carl], "next": null, "listed": { "total": 1, "users": ["rita"] } })
    );

    let written = gateway.read("gateway.yaml");
    let admin = format!("admin: {{ listen: \"{}\"", gateway.admin);
    let written = written.replace("admin: { listen: \"127.0.0.1:0\"", &admin);
    fs::write(gateway.path("operator.yaml"), written).unwrap();
    let remove = |more: &[&str]| {
        let arguments = [&["--config", "operator.yaml", "user", "remove-totp"], more].concat();
        gatelatch(gateway.folder(), &arguments)
    };
    let told = remove(&["carl"]);
    assert!(
        text(&told.stderr).contains(
            "`carl` has added an authenticator app and 10 recovery codes at `/auth/account`; `--all` takes that away"
        ),
        "{told:?}"
    );
    let removed = remove(&["carl", "--all"]);
    assert!(removed.status.success(), "{removed:?}");
    let event = gateway.named_event("factors_removed");
    assert_eq!(
        (&event["user"], &event["removed"]),
        (&json!("carl"), &json!(true))
    );
    let nothing = remove(&["carl"]);
    assert_eq!(nothing.status.code(), Some(1), "{nothing:?}");
    let removed = remove(&["rita"]);
    assert!(
        text(&removed.stderr).contains("no second factor of `rita` remains"),
        "{removed:?}"
    );
    // nobody without the token
    let foreign = post(
        gateway.admin,
        "/api/factors/remove",
        JSON,
        "{\"user\":\"carl\"}",
    );
    assert_eq!(foreign.status, 401, "{foreign:?}");
}

#[test]
fn people_add_an_app_and_sign_in_with_it_without_javascript() {
    let programs = (
        oathtool(),
        program("oathtool"),
        program("zbarimg"),
        program("chromium"),
        python(),
    );
    let (Some(_), Some(oathtool), Some(zbarimg), Some(chromium), Some(python)) = programs else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let state = format!("state: file:{}", folder.path().join("state.redb").display());
    let gateway = set_up()
        .auth("login: { second_factor: required }")
        .more(&state)
        .start();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser/second_factor.py");
    let mut command = Command::new(python);
    command
        .arg(script)
        .arg(format!("http://{}", gateway.address))
        .arg(chromium)
        .args(["carl", PASSWORD])
        .args([oathtool, zbarimg])
        .args(std::env::var_os("GATELATCH_TEST_PICTURES"));
    let visits: Value = serde_json::from_str(&output(&mut command)).unwrap();
    let (first, second) = (&visits[0], &visits[1]);
    assert_eq!(
        (first["adds"].as_str(), &first["typed"]),
        (Some("Add a second factor"), &json!(true)),
        "{visits}"
    );
    assert_eq!(first["codes"], 10, "{visits}");
    let uri = format!("otpauth://totp/{}:carl?", gateway.address).replacen(':', "-", 2);
    assert_eq!(
        first["uri"],
        uri.replacen("otpauth-", "otpauth:", 1),
        "{visits}"
    );
    for (visit, part) in [(first, "adding"), (second, "asking")] {
        assert_eq!(visit[part]["overflow"], false, "{visits}");
        assert_eq!(
            (&visit[part]["focus"], &visit[part]["autocomplete"]),
            (&json!("otp"), &json!("one-time-code")),
            "{visits}"
        );
        assert!(visit[part]["tall"].as_f64().unwrap() >= 44.0, "{visits}");
        assert_eq!(
            (&visit["told"], &visit["complaints"]),
            (&json!("x"), &json!([])),
            "{visits}"
        );
    }
    assert!(
        second["alert"]
            .as_str()
            .unwrap()
            .starts_with("The code is wrong"),
        "{visits}"
    );
    assert_eq!(second["describes"], "error", "{visits}");
}

#[test]
fn who_must_have_a_factor_and_has_none_adds_one_and_may_do_nothing_before() {
    let Some(oathtool) = oathtool() else { return };
    let folder = tempfile::tempdir().unwrap();
    let state = format!("state: file:{}", folder.path().join("state.redb").display());
    let gateway = set_up()
        .auth("login: { second_factor: required }")
        .more(&state)
        .start();
    let refused = login(
        &gateway,
        &json!({ "username": "carl", "password": PASSWORD }),
    );
    assert_eq!(
        (refused.status, refused.json()["error"].as_str()),
        (401, Some("second_factor_required"))
    );
    assert!(
        refused.body.contains("sign in with a browser") && !refused.body.contains("continuation"),
        "{refused:?}"
    );
    let password = PASSWORD.replace(' ', "+");
    let form = format!("username=carl&password={password}");
    let page = submit(gateway.address, "/auth/login", &form, SAME);
    assert_eq!(
        (page.status, page.headers("set-cookie").len()),
        (200, 0),
        "{page:?}"
    );
    assert!(page.body.contains("<path fill=\"#000\""), "{}", page.body);
    let (_, rest) = page.body.split_once("<code>").unwrap();
    let secret = rest.split('<').next().unwrap().replace(' ', "");
    let finish = |page: &Answer, otp: &str| {
        let form = format!(
            "continuation={}&otp={otp}&next=%2Fjobs",
            hidden(page, "continuation")
        );
        submit(gateway.address, "/auth/login", &form, SAME)
    };
    let wrong = finish(&page, "000000");
    assert!(
        wrong.status == 401 && wrong.body.contains(&rest[..39]),
        "{wrong:?}"
    );
    let _ = code(&oathtool);
    let done = finish(&wrong, &oathtool.code(&secret));
    // the codes are shown this once, to who is signed in by that
    let session = format!("Cookie: {}\r\n", cookie_of(&done, "gatelatch"));
    let codes = recovery_codes(&done.body);
    assert_eq!(
        (done.status, done.header("cache-control"), codes.len()),
        (200, "no-store", 10),
        "{done:?}"
    );
    let on = "href=\"&#x2f;jobs\">I have kept them</a>";
    assert!(done.body.contains(on), "{}", done.body);
    assert_eq!(gateway.get("/jobs", &session).status, 200);
    let shown = gateway.get("/auth/account", &format!("{NAVIGATION}{session}"));
    assert!(shown.body.contains("10 of 10 left"), "{}", shown.body);
    let by_code = json!({ "username": "carl", "password": PASSWORD, "otp": codes.first() });
    assert_eq!(login(&gateway, &by_code).status, 200);
    // from now on it is asked for, and it stays
    let body = json!({ "username": "carl", "password": PASSWORD });
    let asked = login(&gateway, &body);
    assert!(asked.json()["continuation"].is_string(), "{asked:?}");
    let body = json!({ "continuation": asked.json()["continuation"], "otp": oathtool.code_in(&secret, 30) });
    assert_eq!(login(&gateway, &body).status, 200);
    drop(gateway);

    // where nothing is kept, the operator adds it
    let gateway = set_up().auth("login: { second_factor: required }").start();
    let page = submit(gateway.address, "/auth/login", &form, SAME);
    assert_eq!(page.status, 403, "{page:?}");
    assert!(page.body.contains("ask the operator"), "{}", page.body);
}
