//! Keys of people, with an authenticator in software that says whatever a test wants; `passkeys_in_chromium` has real pages.

use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::soft_key::{SoftKey, UP, UV};
use crate::support::{
    Answer, Gateway, GatewayBuilder, PASSWORD, Redis, Upstream, gateway, ok, send,
};

mod codes;
mod directory;
mod given_names;

const ORIGIN: &str = "http://gateway.localhost";
const HOST: &str = "gateway.localhost";

const SERVICES: &str = "
  app:
    upstream: http://UPSTREAM
    rules:
      - { path: /jobs, allow: authenticated }
      - { path: /vault, allow: { second_factor: true } }
";

fn set_up(upstream: &Upstream) -> GatewayBuilder {
    gateway(SERVICES)
        .upstream(upstream.address)
        .auth("passkeys: {}")
        .more("state: file:state\n")
}

/// Somebody's browser, and what it keeps.
struct Browser {
    gateway: SocketAddr,
    host: &'static str,
    /// `name=value` each.
    cookies: Vec<String>,
}

impl Browser {
    fn at(gateway: SocketAddr) -> Self {
        Self {
            gateway,
            host: HOST,
            cookies: Vec::new(),
        }
    }

    fn keep(&mut self, answer: &Answer) {
        for line in answer.headers("set-cookie") {
            let pair = line.split(';').next().unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            self.cookies
                .retain(|kept| kept.split('=').next() != Some(name));
            if !value.is_empty() {
                self.cookies.push(pair.to_owned());
            }
        }
    }

    fn send(&mut self, head: &str, body: &str) -> Answer {
        let (host, cookies, length) = (self.host, self.cookies.join("; "), body.len());
        let cookies = if cookies.is_empty() {
            String::new()
        } else {
            format!("Cookie: {cookies}\r\n")
        };
        let request =
            format!("{head}\r\nHost: {host}\r\n{cookies}Content-Length: {length}\r\n\r\n{body}");
        let answer = send(self.gateway, request);
        self.keep(&answer);
        answer
    }

    fn get(&mut self, path: &str) -> Answer {
        self.send(&format!("GET {path} HTTP/1.1\r\nAccept: */*"), "")
    }

    /// What the script of a page asks.
    fn ask(&mut self, path: &str, body: &Value) -> Answer {
        let head = format!(
            "POST /auth/passkey/{path} HTTP/1.1\r\nSec-Fetch-Site: same-origin\r\nContent-Type: application/json\r\nAccept: application/json"
        );
        self.send(&head, &body.to_string())
    }

    fn give_password(&mut self, user: &str) -> Answer {
        self.show_password(user, PASSWORD)
    }

    fn show_password(&mut self, user: &str, password: &str) -> Answer {
        let password = password.replace(' ', "+");
        let form = format!("username={user}&password={password}&next=%2Fjobs");
        let head = "POST /auth/login HTTP/1.1\r\nSec-Fetch-Site: same-origin\r\nAccept: text/html\r\nContent-Type: application/x-www-form-urlencoded";
        self.send(head, &form)
    }

    fn signed_in_as(gateway: SocketAddr, user: &str) -> Self {
        let mut browser = Self::at(gateway);
        let answer = browser.give_password(user);
        assert_eq!(answer.status, 303, "{answer:?}");
        browser
    }

    fn begin(&mut self, path: &str, body: &Value) -> Value {
        let answer = self.ask(path, body);
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    }

    fn register(&mut self, key: &mut SoftKey, kind: &str) -> Answer {
        let begun = self.begin("registration/start", &json!({ "kind": kind }));
        let credential = key.create(&begun);
        self.ask(
            "registration/finish",
            &finish(&begun, &credential, json!({ "name": "Key" })),
        )
    }

    fn sign_in(&mut self, key: &SoftKey) -> Answer {
        let begun = self.begin("sign-in/start", &json!({}));
        self.ask(
            "sign-in/finish",
            &finish(&begun, &key.get(&begun), json!({ "next": "/vault" })),
        )
    }
}

fn finish(begun: &Value, credential: &[u8], mut more: Value) -> Value {
    more["ceremony"] = begun["ceremony"].clone();
    more["credential"] = serde_json::from_slice(credential).unwrap();
    more
}

fn key(id: u8) -> SoftKey {
    let mut key = SoftKey::new(id);
    key.rp_id = HOST.to_owned();
    key.client_data = json!({ "origin": ORIGIN });
    key
}

fn with_passkey(gateway: &Gateway, user: &str, id: u8) -> SoftKey {
    let mut key = key(id);
    let answer = Browser::signed_in_as(gateway.address, user).register(&mut key, "passkey");
    assert_eq!(answer.status, 200, "{answer:?}");
    key
}

fn detail(answer: &Answer) -> (u16, String) {
    let detail = answer.json()["detail"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    (answer.status, detail)
}

const STRANGE: &str = "This key does not sign you in here.";

#[test]
fn a_passkey_begins_a_session_with_two_factors() {
    let upstream = Upstream::new(|_| ok("in"));
    let gateway = set_up(&upstream).start();
    let key = with_passkey(&gateway, "rita", 1);
    let mut browser = Browser::at(gateway.address);
    let answer = browser.sign_in(&key);
    assert_eq!(
        (answer.status, answer.json()),
        (200, json!({ "location": "/vault" }))
    );
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(browser.get("/vault").status, 200);
    let me = browser.get("/auth/me").json();
    assert_eq!(me["sub"], "rita");
    // without a way back it goes where a password leads
    let begun = browser.begin("sign-in/start", &json!({}));
    let answer = browser.ask(
        "sign-in/finish",
        &finish(
            &begun,
            &key.get(&begun),
            json!({ "next": "https://evil.example/" }),
        ),
    );
    assert_eq!(answer.json(), json!({ "location": "/auth/account" }));
}

#[test]
fn an_answer_is_good_once_and_in_the_browser_that_began() {
    let upstream = Upstream::new(|_| ok("in"));
    let gateway = set_up(&upstream).start();
    let key = with_passkey(&gateway, "rita", 1);
    let [mut browser, mut other] = [(); 2].map(|()| Browser::at(gateway.address));
    let begun = browser.begin("sign-in/start", &json!({}));
    other.begin("sign-in/start", &json!({}));
    let body = finish(&begun, &key.get(&begun), json!({}));
    let too_long = (400, "That took too long. Please try again.".to_owned());
    assert_eq!(detail(&other.ask("sign-in/finish", &body)), too_long);
    let cookies = browser.cookies.clone();
    assert_eq!(browser.ask("sign-in/finish", &body).status, 200);
    browser.cookies = cookies;
    assert_eq!(detail(&browser.ask("sign-in/finish", &body)), too_long);
    // nor is one ceremony's end another's
    for path in ["second-factor/finish", "registration/finish"] {
        let answer = browser.ask(path, &body);
        assert!((400..500).contains(&answer.status), "{path}: {answer:?}");
    }
    let mut odd = body.clone();
    odd["ceremony"] = json!("AAAA");
    assert_eq!(detail(&browser.ask("sign-in/finish", &odd)), too_long);
}

#[test]
fn a_key_signs_in_its_owner_only() {
    let upstream = Upstream::new(|_| ok("in"));
    let gateway = set_up(&upstream).start();
    let mut rita = with_passkey(&gateway, "rita", 1);
    let carl = with_passkey(&gateway, "carl", 2);
    let mut browser = Browser::at(gateway.address);
    let strange = (401, STRANGE.to_owned());
    // the handle is not signed
    let own = std::mem::replace(&mut rita.handle, carl.handle.clone());
    assert_eq!(detail(&browser.sign_in(&rita)), strange);
    rita.handle = Some(vec![9; 16]);
    assert_eq!(detail(&browser.sign_in(&rita)), strange);
    rita.handle = None;
    assert_eq!(detail(&browser.sign_in(&rita)), strange);
    rita.handle = own;
    rita.flags = UP;
    assert_eq!(
        browser.sign_in(&rita).status,
        401,
        "nobody verified themselves"
    );
    rita.flags = UP | UV;
    rita.client_data = json!({ "origin": ORIGIN, "crossOrigin": true });
    assert_eq!(browser.sign_in(&rita).status, 401, "inside of another page");
    rita.client_data = json!({ "origin": "http://evil.localhost" });
    assert_eq!(browser.sign_in(&rita).status, 401, "from another page");
    rita.client_data = json!({ "origin": ORIGIN });
    assert_eq!(browser.sign_in(&rita).status, 200);
    assert_eq!(browser.get("/auth/me").json()["sub"], "rita");
}

#[test]
fn a_key_that_somebody_has_is_nobody_elses() {
    let upstream = Upstream::new(|_| ok("in"));
    let gateway = set_up(&upstream).start();
    let own = with_passkey(&gateway, "rita", 1);
    let mut carl = Browser::signed_in_as(gateway.address, "carl");
    let answer = carl.register(&mut key(1), "passkey");
    assert_eq!(
        detail(&answer),
        (409, "This key is registered already.".to_owned())
    );
    let mut rita = Browser::at(gateway.address);
    assert_eq!(rita.sign_in(&own).status, 200);
    let answer = rita.register(&mut key(1), "passkey");
    assert_eq!(
        detail(&answer),
        (400, "This key cannot be added here.".to_owned())
    );
    assert_eq!(rita.register(&mut key(2), "passkey").status, 200);
}

#[test]
fn keys_are_registered_by_who_has_just_signed_in_with_a_browser() {
    let upstream = Upstream::new(|_| ok("in"));
    let gateway = set_up(&upstream).start();
    let start = json!({ "kind": "passkey" });
    let mut browser = Browser::at(gateway.address);
    assert_eq!(browser.ask("registration/start", &start).status, 401);
    let token = gateway.token("rita");
    let head = format!(
        "POST /auth/passkey/registration/start HTTP/1.1\r\nSec-Fetch-Site: same-origin\r\nContent-Type: application/json\r\nAuthorization: Bearer {token}"
    );
    assert_eq!(browser.send(&head, &start.to_string()).status, 401);
    let mut browser = Browser::signed_in_as(gateway.address, "rita");
    assert_eq!(browser.ask("registration/start", &start).status, 200);
    let odd = json!({ "kind": "password" });
    assert_eq!(browser.ask("registration/start", &odd).status, 400);
}

#[test]
fn only_pages_of_this_site_ask() {
    let upstream = Upstream::new(|_| ok("in"));
    let gateway = set_up(&upstream).start();
    let mut browser = Browser::at(gateway.address);
    let path = "/auth/passkey/sign-in/start";
    let mut ask = |fields: &str| {
        let head = format!("POST {path} HTTP/1.1\r\nContent-Type: application/json{fields}");
        browser.send(&head, "{}").status
    };
    assert_eq!(ask("\r\nSec-Fetch-Site: same-origin"), 200);
    assert_eq!(ask(&format!("\r\nOrigin: {ORIGIN}")), 200);
    for foreign in [
        "",
        "\r\nSec-Fetch-Site: same-site",
        "\r\nSec-Fetch-Site: cross-site",
        "\r\nSec-Fetch-Site: none",
        "\r\nOrigin: http://evil.localhost",
        "\r\nOrigin: null",
    ] {
        assert_eq!(ask(foreign), 403, "{foreign}");
    }
    let same = "Sec-Fetch-Site: same-origin";
    let form = format!("POST {path} HTTP/1.1\r\n{same}\r\nContent-Type: text/plain");
    assert_eq!(browser.send(&form, "{}").status, 415);
    let large = format!("POST {path} HTTP/1.1\r\n{same}\r\nContent-Type: application/json");
    assert_eq!(browser.send(&large, &" ".repeat(65_537)).status, 413);
    assert_eq!(browser.get(path).status, 405);
    assert_eq!(browser.get("/auth/passkey/other").status, 404);

    // a host without a name has no keys, and neither has a gateway without the block
    browser.host = "127.0.0.1";
    assert_eq!(browser.ask("sign-in/start", &json!({})).status, 404);
    let plain = gateway_without_keys(&upstream);
    assert_eq!(
        Browser::at(plain.address)
            .ask("sign-in/start", &json!({}))
            .status,
        404
    );
}

fn gateway_without_keys(upstream: &Upstream) -> Gateway {
    gateway(SERVICES)
        .upstream(upstream.address)
        .more("state: file:state\n")
        .start()
}

#[test]
fn who_may_not_sign_in_any_more_does_not_by_a_key() {
    let upstream = Upstream::new(|_| ok("in"));
    let gateway = set_up(&upstream).start();
    let key = with_passkey(&gateway, "rita", 1);
    let users = gateway.read("users.yaml");
    gateway.replace(
        "users.yaml",
        &users.replace("name: Rita Recruiter", "disabled: true"),
    );
    gateway.event("configuration reloaded");
    let strange = (401, STRANGE.to_owned());
    assert_eq!(detail(&Browser::at(gateway.address).sign_in(&key)), strange);
}

#[test]
fn hosts_of_one_domain_share_keys_where_that_is_configured() {
    let upstream = Upstream::new(|_| ok("in"));
    let gateway = set_up(&upstream)
        .auth("passkeys: { rp_id: corp.localhost }")
        .start();
    let at = |host: &'static str| Browser {
        host,
        ..Browser::at(gateway.address)
    };
    let mut key = key(1);
    key.rp_id = "corp.localhost".to_owned();
    key.client_data = json!({ "origin": "http://wiki.corp.localhost" });
    let mut wiki = at("wiki.corp.localhost");
    assert_eq!(wiki.give_password("rita").status, 303);
    assert_eq!(wiki.register(&mut key, "passkey").status, 200);
    assert_eq!(wiki.sign_in(&key).status, 200);
    key.client_data = json!({ "origin": "http://jobs.corp.localhost" });
    assert_eq!(at("jobs.corp.localhost").sign_in(&key).status, 200);
    // the page of another host of the domain
    assert_eq!(wiki.sign_in(&key).status, 401);
    assert_eq!(
        at("other.localhost")
            .ask("sign-in/start", &json!({}))
            .status,
        404
    );
}

#[test]
fn a_security_key_comes_after_the_password() {
    let upstream = Upstream::new(|_| ok("in"));
    let gateway = set_up(&upstream).start();
    let mut key = key(3);
    key.flags = UP;
    let mut browser = Browser::signed_in_as(gateway.address, "rita");
    assert_eq!(browser.register(&mut key, "passkey").status, 400);
    assert_eq!(browser.register(&mut key, "security_key").status, 200);
    key.flags = UP | UV;
    assert_eq!(
        detail(&Browser::at(gateway.address).sign_in(&key)),
        (401, STRANGE.to_owned())
    );
    key.flags = UP;
    key.counter = 1;

    let mut browser = Browser::at(gateway.address);
    let page = browser.give_password("rita");
    assert_ne!(page.status, 303, "{page:?}");
    assert_eq!(browser.get("/auth/me").status, 401);
    let continuation = attribute(&page.body, "data-continuation");
    assert_eq!(attribute(&page.body, "data-kinds"), "security_key");
    let start = json!({ "continuation": continuation, "kind": "security_key" });
    let begun = browser.begin("second-factor/start", &start);
    let more = json!({ "continuation": continuation, "next": "/vault" });
    let body = finish(&begun, &key.get(&begun), more);
    let answer = browser.ask("second-factor/finish", &body);
    assert_eq!(
        (answer.status, answer.json()),
        (200, json!({ "location": "/vault" }))
    );
    assert_eq!(browser.get("/vault").status, 200);

    // what the password was exchanged for is used up
    let begun = Browser::at(gateway.address).ask("second-factor/start", &start);
    assert_eq!(begun.status, 200, "it may look");
    let mut browser = Browser::at(gateway.address);
    let begun = browser.begin("second-factor/start", &start);
    key.counter = 2;
    let more = json!({ "continuation": continuation });
    let answer = browser.ask(
        "second-factor/finish",
        &finish(&begun, &key.get(&begun), more),
    );
    assert_eq!(answer.status, 400, "{answer:?}");
    assert_eq!(browser.get("/auth/me").status, 401);
}

fn attribute(html: &str, name: &str) -> String {
    let (_, behind) = html
        .split_once(&format!("{name}=\""))
        .unwrap_or_else(|| panic!("{name} in {html}"));
    behind.split('"').next().unwrap().to_owned()
}

#[test]
fn a_copied_key_is_refused_and_reported() {
    let upstream = Upstream::new(|_| ok("in"));
    let gateway = set_up(&upstream).start();
    let mut key = with_passkey(&gateway, "rita", 1);
    key.counter = 8;
    let mut browser = Browser::at(gateway.address);
    assert_eq!(browser.sign_in(&key).status, 200);
    key.counter = 8;
    let (status, words) = detail(&browser.sign_in(&key));
    assert_eq!(status, 401);
    assert!(
        words.starts_with("This key may have been copied"),
        "{words}"
    );
    gateway.named_event("key_possibly_copied");
    key.counter = 9;
    assert_eq!(browser.sign_in(&key).status, 200, "the key itself goes on");
}

#[test]
fn an_answer_is_good_once_at_all_replicas() {
    let upstream = Upstream::new(|_| ok("in"));
    let Some(redis) = Redis::start(&[]) else {
        return;
    };
    let state = format!("state: {}\n", redis.url());
    let [one, other] = [(); 2].map(|()| set_up(&upstream).more(&state).start());
    let mut key = with_passkey(&one, "rita", 1);
    let mut browser = Browser::at(one.address);
    let begun = browser.begin("sign-in/start", &json!({}));
    let body = finish(&begun, &key.get(&begun), json!({}));
    let cookies = browser.cookies.clone();
    browser.gateway = other.address;
    assert_eq!(
        browser.ask("sign-in/finish", &body).status,
        200,
        "begun at one replica, ended at another"
    );
    for gateway in [&one, &other] {
        browser.gateway = gateway.address;
        browser.cookies.clone_from(&cookies);
        let again = detail(&browser.ask("sign-in/finish", &body));
        assert_eq!(
            again,
            (400, "That took too long. Please try again.".to_owned())
        );
    }

    // the counter is one of all replicas
    key.counter = 5;
    assert_eq!(Browser::at(one.address).sign_in(&key).status, 200);
    assert_eq!(Browser::at(other.address).sign_in(&key).status, 401);
    key.counter = 6;
    assert_eq!(Browser::at(other.address).sign_in(&key).status, 200);
}

/// Of two answers to two ceremonies of the same key that come at once, with the same counter, one is a copy's.
#[test]
fn of_two_answers_with_one_counter_one_is_taken() {
    let upstream = Upstream::new(|_| ok("in"));
    let gateway = set_up(&upstream).start();
    let mut key = with_passkey(&gateway, "rita", 1);
    for counter in 1..6 {
        key.counter = counter;
        let mut answers = Vec::new();
        for _ in 0..2 {
            let mut browser = Browser::at(gateway.address);
            let begun = browser.begin("sign-in/start", &json!({}));
            answers.push((browser, finish(&begun, &key.get(&begun), json!({}))));
        }
        let ask = |(mut browser, body): (Browser, Value)| {
            std::thread::spawn(move || browser.ask("sign-in/finish", &body).status)
        };
        let asked: Vec<_> = answers.into_iter().map(ask).collect();
        let mut statuses: Vec<_> = asked.into_iter().map(|one| one.join().unwrap()).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 401], "{counter}");
    }
}

#[test]
fn who_begins_keeps_nothing_in_the_store() {
    let upstream = Upstream::new(|_| ok("in"));
    let Some(redis) = Redis::start(&[]) else {
        return;
    };
    let gateway = set_up(&upstream)
        .more(&format!("state: {}\n", redis.url()))
        .start();
    let size = || {
        redis
            .command("DBSIZE")
            .trim()
            .trim_start_matches(':')
            .parse::<u64>()
            .unwrap()
    };
    let before = size();
    let mut browser = Browser::at(gateway.address);
    let begun: Vec<_> = (0..200)
        .map(|_| browser.begin("sign-in/start", &json!({})))
        .collect();
    let strange = key(9);
    for begun in &begun {
        let mut strange = finish(begun, &strange.get(begun), json!({}));
        strange["credential"]["response"]["userHandle"] = json!("BwcHBwcHBwcHBwcHBwcHBw");
        assert_eq!(browser.ask("sign-in/finish", &strange).status, 401);
    }
    // what the start has written may end meanwhile
    assert!(size() <= before, "{} after {before}", size());
}
