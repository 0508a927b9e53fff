//! The account's page: sessions that people see and end, and their own password.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::time::Duration;

use gatelatch::ambient;
use gatelatch::token::{
    AuthenticationMethods, CookieSessions, Key, SessionId, SessionSettings, SignIn,
};
use serde_json::{Value, json};

use crate::chromium::browse_with;
use crate::support::commands::{gatelatch, json as printed};
use crate::support::{
    Answer, Gateway, GatewayBuilder, NAVIGATION, PASSWORD, Redis, SECRET, Upstream, cookie_of,
    gateway, hash, post, refresh, submit, tokens, until,
};

const SERVICES: &str = "
  app:
    upstream: http://UPSTREAM
    rules:
      - { path: /me, allow: authenticated }
";

const SAME: &str = "Sec-Fetch-Site: same-origin\r\n";
const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
const IPHONE: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) \
                      Version/18.0 Mobile/15E148 Safari/604.1";
const NEW: &str = "a wholly new password";

/// A user list with comments, for one that is changed in place.
fn users() -> String {
    let [rita, carl] = [hash(), hash()];
    format!(
        "# who may sign in\nusers:\n  rita:\n    password: \"{rita}\" # from 2025\n    roles: [recruiter]\n    \
         name: Rita Recruiter\n  # the other one\n  carl: {{ password: \"{carl}\", roles: [candidate] }}\n"
    )
}

fn set_up(upstream: &Upstream) -> GatewayBuilder {
    let gateway = gateway(SERVICES).upstream(upstream.address);
    gateway
        .auth("login: { change_password: true }")
        .users(&users())
}

/// Signs somebody in with a browser that says this of itself; the `Cookie` line.
fn browser(gateway: &Gateway, user: &str, password: &str, agent: &str) -> String {
    let form = format!("username={user}&password={}", password.replace(' ', "+"));
    let fields = format!("{SAME}User-Agent: {agent}\r\n");
    let answer = submit(gateway.address, "/auth/login", &form, &fields);
    assert_eq!(answer.status, 303, "{answer:?}");
    format!("Cookie: {}\r\n", cookie_of(&answer, "gatelatch"))
}

fn page(gateway: &Gateway, cookie: &str) -> String {
    let answer = gateway.get("/auth/account", &format!("{NAVIGATION}{cookie}"));
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body
}

fn change(gateway: &Gateway, cookie: &str, form: &str) -> Answer {
    let fields = format!("{SAME}{cookie}");
    submit(gateway.address, "/auth/account", form, &fields)
}

fn password_form(current: &str, new: &str) -> String {
    let [current, new] = [current, new].map(|text| text.replace(' ', "+"));
    format!("change=password&current={current}&new={new}&again={new}")
}

fn me(gateway: &Gateway, fields: &str) -> u16 {
    gateway.get("/me", fields).status
}

/// The names of the sessions that can be ended on a page.
fn ids(page: &str) -> Vec<String> {
    let found = page.split("name=\"session\" value=\"").skip(1);
    found
        .map(|rest| rest.split('"').next().unwrap().to_owned())
        .collect()
}

#[track_caller]
fn assert_says(page: &str, texts: &[&str]) {
    for text in texts {
        assert!(page.contains(text), "{text}: {page}");
    }
}

#[test]
fn people_see_their_sessions_and_end_them() {
    let upstream = Upstream::saying("x");
    let gateway = set_up(&upstream).start();
    let here = browser(&gateway, "rita", PASSWORD, FIREFOX);
    let phone = browser(&gateway, "rita", PASSWORD, IPHONE);
    let carl = browser(&gateway, "carl", PASSWORD, FIREFOX);
    let program = tokens(&gateway, "rita");
    let shown = page(&gateway, &here);
    assert_says(
        &shown,
        &[
            "<h1>Your account</h1>",
            "Firefox on Linux<span class=\"tag\">this browser</span>",
            "Safari on iPhone</p>",
            "A program</p>",
            "127.0.0.1 · signed in a moment ago",
            "End all other sessions",
        ],
    );
    assert!(!shown.contains("Mozilla"), "{shown}");
    assert_eq!(ids(&shown).len(), 2, "not the own one: {shown}");

    // one
    let first = &ids(&shown)[0];
    let answer = change(
        &gateway,
        &here,
        &format!("change=end_session&session={first}"),
    );
    assert_eq!(
        (answer.status, answer.header("location")),
        (303, "/auth/account?done=session")
    );
    let again = change(
        &gateway,
        &here,
        &format!("change=end_session&session={first}"),
    );
    assert_eq!(again.status, 404, "it is over");
    assert_says(&again.body, &["There is no such session any more."]);
    let bearer = program.bearer();
    let left = [me(&gateway, &phone), me(&gateway, &bearer)];
    assert!(matches!(left, [200, 401] | [401, 200]), "{left:?}");
    gateway.named_event("session_ended");

    // somebody else's
    let others = ids(&page(&gateway, &carl));
    assert_eq!(others, [] as [String; 0], "carl has one session");
    let second = browser(&gateway, "carl", PASSWORD, IPHONE);
    let of_carl = &ids(&page(&gateway, &carl))[0];
    let answer = change(
        &gateway,
        &here,
        &format!("change=end_session&session={of_carl}"),
    );
    assert_eq!((answer.status, me(&gateway, &second)), (404, 200));

    // all others
    let more = browser(&gateway, "rita", PASSWORD, "curl/8.0");
    let answer = change(&gateway, &here, "change=end_others");
    assert_eq!(answer.header("location"), "/auth/account?done=others");
    let cookies = [&here, &phone, &bearer, &more, &carl, &second];
    let left = cookies.map(|fields| me(&gateway, fields));
    assert_eq!(left, [200, 401, 401, 401, 200, 200]);
    let shown = page(&gateway, &here);
    assert_eq!(ids(&shown), [] as [String; 0]);
    assert!(!shown.contains("End all other sessions"), "{shown}");
    let done = gateway.get("/auth/account?done=others", &format!("{NAVIGATION}{here}"));
    assert_says(
        &done.body,
        &["role=\"status\">All other sessions have ended."],
    );
    gateway.named_event("other_sessions_ended");
}

#[test]
fn the_last_use_of_a_session_is_when_its_cookie_was_renewed() {
    let upstream = Upstream::saying("x");
    let gateway = set_up(&upstream).auth_token("access_ttl: 2s").start();
    let phone = browser(&gateway, "rita", PASSWORD, IPHONE);
    let program = tokens(&gateway, "rita");
    until("the cookie to be renewed", || {
        let answer = gateway.get("/me", &phone);
        assert_eq!(answer.status, 200, "it is renewed before it has expired");
        answer
            .headers("set-cookie")
            .iter()
            .any(|line| line.starts_with("gatelatch="))
    });
    // a use in the second of the sign-in is none
    let second = ambient::unix_seconds();
    until("another second", || ambient::unix_seconds() > second);
    assert_eq!(refresh(&gateway, &program.refresh).status, 200);
    until("both uses to be noted", || {
        let here = browser(&gateway, "rita", PASSWORD, FIREFOX);
        page(&gateway, &here)
            .matches("last used a moment ago")
            .count()
            == 2
    });
}

#[test]
fn a_form_counts_from_the_own_page_in_a_fresh_session_of_a_browser() {
    let upstream = Upstream::saying("x");
    let gateway = set_up(&upstream).start();
    let here = browser(&gateway, "rita", PASSWORD, FIREFOX);
    let phone = browser(&gateway, "rita", PASSWORD, IPHONE);
    let form = "change=end_others";
    let send = |fields: &str| submit(gateway.address, "/auth/account", form, fields);
    let foreign = send(&format!("Sec-Fetch-Site: cross-site\r\n{here}"));
    assert_eq!(foreign.status, 403, "{foreign:?}");
    assert_says(
        &foreign.body,
        &["This form was not sent by the account page"],
    );
    let silent = send(&here);
    assert_eq!(silent.status, 403, "nothing says where it comes from");
    let nobody = send(SAME);
    assert_eq!(
        (nobody.status, nobody.header("location")),
        (303, "/auth/login?next=/auth/account")
    );
    let bearer = tokens(&gateway, "rita").bearer();
    assert_eq!(send(&format!("{SAME}{bearer}")).status, 403);
    let broken = change(&gateway, &here, "change=more");
    assert_eq!(broken.status, 400);
    assert_says(
        &broken.body,
        &["role=\"alert\">The form could not be read."],
    );
    let json = format!("Content-Type: application/json\r\n{here}");
    let json = post(gateway.address, "/auth/account", &json, "{}");
    assert_eq!(json.status, 415, "{json:?}");

    // of the same user, signed in six minutes ago
    let old = old_session(Duration::from_secs(6 * 60));
    let shown = page(&gateway, &old);
    assert_says(&shown, &["your last sign-in was more than 5 minutes ago"]);
    assert!(!shown.contains("name=\"change\""), "no forms: {shown}");
    let answer = change(&gateway, &old, form);
    assert_eq!(answer.status, 303);
    let location = answer.header("location").to_owned();
    assert!(
        location.starts_with("/auth/login?next=/auth/account"),
        "{location}"
    );
    assert_eq!([me(&gateway, &here), me(&gateway, &phone)], [200, 200]);
    let young = old_session(Duration::from_secs(4 * 60));
    assert_eq!(change(&gateway, &young, form).status, 303);
    until("the others to be out", || {
        [me(&gateway, &here), me(&gateway, &phone)] == [401, 401]
    });
}

/// A session of rita's that began so long ago, as the gateway would have signed it.
fn old_session(age: Duration) -> String {
    let settings = SessionSettings {
        issuer: "gatelatch".to_owned(),
        ttl: Duration::from_secs(1800),
        max_age: Duration::from_secs(12 * 3600),
        max_lifetime: Duration::from_secs(24 * 3600),
        leeway: Duration::from_secs(30),
    };
    let key = Key::hs256(SECRET.as_bytes()).unwrap();
    let sessions = CookieSessions::new(key.clone(), key, settings);
    let id = SessionId::from_bytes(ambient::random_bytes());
    let begun_at = ambient::unix_seconds() - age.as_secs();
    let sign_in = SignIn::new(begun_at, AuthenticationMethods::PASSWORD);
    let session = sessions.begin("rita", id, sign_in, begun_at).unwrap();
    format!("Cookie: gatelatch={}\r\n", session.value)
}

#[test]
fn people_change_their_password_and_all_that_was_issued_before_ends() {
    let upstream = Upstream::saying("x");
    let gateway = set_up(&upstream)
        .prepare(|folder| {
            let file = folder.join("users.yaml");
            fs::set_permissions(file, fs::Permissions::from_mode(0o640)).unwrap();
        })
        .start();
    let before = gateway.read("users.yaml");
    let here = browser(&gateway, "rita", PASSWORD, FIREFOX);
    let phone = browser(&gateway, "rita", PASSWORD, IPHONE);
    let forgotten = old_session(Duration::from_secs(60));
    let program = tokens(&gateway, "rita");
    let carl = browser(&gateway, "carl", PASSWORD, FIREFOX);
    assert_says(
        &page(&gateway, &here),
        &[
            "autocomplete=\"current-password\"",
            "autocomplete=\"new-password\"",
        ],
    );
    // nothing that is signed in the second of the change is older than it
    let second = ambient::unix_seconds();
    until("another second", || ambient::unix_seconds() > second);
    let answer = change(&gateway, &here, &password_form(PASSWORD, NEW));
    assert_eq!(
        (answer.status, answer.header("location")),
        (303, "/auth/account?done=password"),
        "{answer:?}"
    );
    let renewed = format!("Cookie: {}\r\n", cookie_of(&answer, "gatelatch"));
    let bearer = program.bearer();
    let all = [&renewed, &here, &phone, &forgotten, &bearer, &carl];
    let left = all.map(|fields| me(&gateway, fields));
    assert_eq!(left, [200, 401, 401, 401, 401, 200]);
    assert_eq!(refresh(&gateway, &program.refresh).status, 401);
    assert_eq!(gateway.login("rita", PASSWORD).status, 401);
    assert_eq!(gateway.login("rita", NEW).status, 200);
    let done = gateway.get(
        "/auth/account?done=password",
        &format!("{NAVIGATION}{renewed}"),
    );
    assert_says(&done.body, &["Your password is changed.", "this browser"]);

    // the file: everything else is as it was
    let after = gateway.read("users.yaml");
    assert_ne!(before, after);
    let rest = |text: &str| -> Vec<String> {
        let lines = text
            .lines()
            .filter(|line| !line.contains("tokens_valid_after") && !line.contains("# from 2025"));
        lines.map(str::to_owned).collect()
    };
    assert_eq!(rest(&before), rest(&after));
    assert_says(&after, &["# from 2025", "tokens_valid_after: \"20"]);
    let mode = fs::metadata(gateway.path("users.yaml"))
        .unwrap()
        .permissions();
    assert_eq!(mode.mode() & 0o7777, 0o640);
    assert!(
        after.contains("\"$2b$10$") || after.contains(" $2b$10$"),
        "{after}"
    );
    gateway.named_event("password_changed");
    let events = gateway.printed();
    assert!(
        !events.contains(NEW) && !events.contains("$2b$"),
        "{events}"
    );
}

#[test]
fn a_password_stays_where_the_form_or_the_list_is_not_fit() {
    let upstream = Upstream::saying("x");
    let gateway = set_up(&upstream).start();
    let before = gateway.read("users.yaml");
    let here = browser(&gateway, "rita", PASSWORD, FIREFOX);
    let current = PASSWORD.replace(' ', "+");
    for (form, status, told) in [
        (
            password_form(PASSWORD, "seven77"),
            422,
            "at least 8 characters",
        ),
        (
            password_form(PASSWORD, PASSWORD),
            422,
            "is the one that you have",
        ),
        (
            password_form(PASSWORD, &"x".repeat(73)),
            422,
            "at most 72 bytes",
        ),
        (
            format!("change=password&current={current}&new=longenough1&again=longenough2"),
            422,
            "not typed twice alike",
        ),
        (
            password_form("wrong", NEW),
            401,
            "The current password is wrong.",
        ),
    ] {
        let answer = change(&gateway, &here, &form);
        assert_eq!(answer.status, status, "{form}: {answer:?}");
        assert_says(&answer.body, &["role=\"alert\"", told]);
    }
    // the configuration does not load: the list is put back
    let config = gateway.read("gateway.yaml");
    gateway.replace("gateway.yaml", &config.replace("upstream:", "upstraem:"));
    let answer = change(&gateway, &here, &password_form(PASSWORD, NEW));
    assert_eq!(answer.status, 503, "{answer:?}");
    assert_says(&answer.body, &["configuration has a problem"]);
    gateway.replace("gateway.yaml", &config);
    assert_eq!(gateway.read("users.yaml"), before);
    assert_eq!(
        (me(&gateway, &here), gateway.login("rita", PASSWORD).status),
        (200, 200)
    );

    // wrong ones count as failed logins of the account
    for _ in 0..5 {
        change(&gateway, &here, &password_form("wrong", NEW));
    }
    let held = change(&gateway, &here, &password_form(PASSWORD, NEW));
    assert_eq!(held.status, 429, "{held:?}");
    assert_says(&held.body, &["Too many attempts have failed."]);
    assert_eq!(gateway.read("users.yaml"), before);
    gateway.named_event("login_failed");
}

#[test]
fn a_password_that_stands_elsewhere_is_not_changed() {
    let upstream = Upstream::saying("x");
    let users = users().replacen(
        "password: \"$2b",
        "password_file: rita.hash\n    # \"$2b",
        1,
    );
    let gateway = set_up(&upstream)
        .users(&users)
        .prepare(|folder| fs::write(folder.join("rita.hash"), hash()).unwrap())
        .start();
    let here = browser(&gateway, "rita", PASSWORD, FIREFOX);
    let answer = change(&gateway, &here, &password_form(PASSWORD, NEW));
    assert_eq!(answer.status, 503, "{answer:?}");
    assert_says(
        &answer.body,
        &["it is not kept in the list of users itself"],
    );
    assert_eq!(gateway.read("users.yaml"), users);
}

#[test]
fn without_the_setting_nobody_changes_a_password() {
    let upstream = Upstream::saying("x");
    let gateway = gateway(SERVICES).upstream(upstream.address).start();
    let here = browser(&gateway, "rita", PASSWORD, FIREFOX);
    let shown = page(&gateway, &here);
    assert!(!shown.contains("Password</h2>"), "{shown}");
    let answer = change(&gateway, &here, &password_form(PASSWORD, NEW));
    assert_eq!(answer.status, 403);
    assert_says(&answer.body, &["Your password cannot be changed here."]);
}

/// A replica whose users file is that of another folder, where one is named.
fn replica(upstream: &Upstream, redis: &Redis, setting: &str, of: Option<&Path>) -> Gateway {
    let shared = of.map(|folder| folder.join("users.yaml"));
    gateway(SERVICES)
        .upstream(upstream.address)
        .auth(&format!("login: {{ change_password: {setting} }}"))
        .users(&users())
        .more(&format!("state: {}", redis.url()))
        .prepare(move |folder| {
            if let Some(shared) = shared {
                fs::remove_file(folder.join("users.yaml")).unwrap();
                symlink(shared, folder.join("users.yaml")).unwrap();
            }
        })
        .start()
}

#[test]
fn replicas_share_sessions_and_a_password_only_where_they_share_the_list() {
    let Some(redis) = Redis::start(&[]) else {
        return;
    };
    let upstream = Upstream::saying("x");
    let alone = replica(&upstream, &redis, "true", None);
    let here = browser(&alone, "rita", PASSWORD, FIREFOX);
    let shown = page(&alone, &here);
    assert_says(&shown, &["several gateways answer at this address"]);
    assert!(!shown.contains("new-password"), "{shown}");
    let answer = change(&alone, &here, &password_form(PASSWORD, NEW));
    assert_eq!(answer.status, 403, "{answer:?}");

    let one = replica(&upstream, &redis, "shared", None);
    let other = replica(&upstream, &redis, "shared", Some(one.folder()));
    let at_one = browser(&one, "rita", PASSWORD, FIREFOX);
    let at_other = browser(&other, "rita", PASSWORD, IPHONE);
    let carl = browser(&other, "carl", PASSWORD, IPHONE);
    let shown = page(&one, &at_one);
    assert_says(&shown, &["Safari on iPhone", "Firefox on Linux"]);
    assert_eq!(
        ids(&shown).len(),
        2,
        "that of the first gateway too: {shown}"
    );
    let answer = change(&one, &at_one, "change=end_others");
    assert_eq!(answer.status, 303, "{answer:?}");
    until("the others to be out everywhere", || {
        [me(&other, &at_other), me(&alone, &here)] == [401, 401]
    });
    assert_eq!((me(&one, &at_one), me(&other, &carl)), (200, 200));

    let answer = change(&one, &at_one, &password_form(PASSWORD, NEW));
    assert_eq!(
        answer.header("location"),
        "/auth/account?done=password",
        "{answer:?}"
    );
    let renewed = format!("Cookie: {}\r\n", cookie_of(&answer, "gatelatch"));
    other.event("configuration reloaded");
    assert_eq!(other.login("rita", NEW).status, 200);
    assert_eq!([me(&one, &renewed), me(&other, &renewed)], [200, 200]);
    let list = gatelatch(one.folder(), &["user", "list", "--format", "json"]);
    assert_eq!(printed(&list).as_array().unwrap().len(), 2);
}

#[test]
fn the_page_works_without_javascript_on_every_screen() {
    let upstream = Upstream::saying("x");
    let gateway = set_up(&upstream).start();
    let old = old_session(Duration::from_secs(20 * 60));
    let old = old.trim_end().split_once('=').unwrap().1.to_owned();
    let Some(found) = browse_with("account.py", &gateway, &[old]) else {
        return;
    };
    let numbers = |value: &Value| -> Vec<f64> {
        let all = value.as_array().unwrap().iter();
        all.map(|number| number.as_f64().unwrap()).collect()
    };
    let (stale, visits) = (&found["stale"], &found["visits"]);
    for visit in [stale, visits]
        .into_iter()
        .flat_map(|of| of.as_array().unwrap())
    {
        assert!(!visit["overflow"].to_string().contains("true"), "{visit}");
        let contrast = numbers(&visit["contrast"]);
        assert!(contrast.iter().all(|ratio| *ratio >= 4.5), "{contrast:?}");
        for control in visit["controls"].as_array().unwrap() {
            assert_ne!(control[0], "", "{visit}");
            assert!(control[1].as_f64().unwrap() >= 44.0, "{control}");
        }
    }
    for visit in stale.as_array().unwrap() {
        let shown = visit["shown"].as_str().unwrap();
        assert_says(shown, &["confirm that it is you"]);
        assert!(!shown.contains("New password"), "{shown}");
        let sent_to = visit["sent_to"].as_str().unwrap();
        assert!(
            sent_to.starts_with("/auth/login?next=/auth/account"),
            "{sent_to}"
        );
    }
    for visit in visits.as_array().unwrap() {
        let shown = visit["shown"].as_str().unwrap();
        assert_says(
            shown,
            &["Chrome on Linux", "this browser", "Safari on iPhone"],
        );
        let told =
            |what: &str| [&visit[what][0], &visit[what][1]].map(|text| text.as_str().unwrap());
        assert_eq!(
            told("ended"),
            ["/auth/account?done=session", "The session has ended."]
        );
        assert_eq!(visit["phone"], "/auth/login?next=/auth/account");
        assert_eq!(visit["wrong"], "The current password is wrong.");
        let [at, words] = told("changed");
        assert_eq!(at, "/auth/account?done=password");
        assert_says(words, &["Your password is changed."]);
        assert_eq!(visit["complaints"], json!([]), "{visit}");
    }
    assert_eq!(visits.as_array().unwrap().len(), 4);
}
