//! `gatelatch session list | end`: in the store, or through the gateway that has it.

use std::fs;
use std::path::Path;
use std::process::Output;

use gatelatch::ambient;
use gatelatch::session::{Sessions, StateSettings};
use gatelatch::telemetry::metrics::Metrics;
use gatelatch::token::SessionId;
use serde_json::Value;

use crate::support::commands::{gatelatch, json, text};
use crate::support::{
    Gateway, GatewayBuilder, Redis, Upstream, gateway, refresh, sign_in, submit, tokens, until,
};

const SERVICES: &str = "
  app:
    upstream: http://UPSTREAM
    rules:
      - { path: /me, allow: authenticated }
";

const TOKEN: &str = "an-admin-token-of-the-tests";

/// A gateway with `admin.token`, where it is to have one.
fn with_state(upstream: &Upstream, state: &str, token: Option<&'static str>) -> GatewayBuilder {
    let gateway = gateway(SERVICES)
        .upstream(upstream.address)
        .more(&format!("state: {state}"));
    gateway.prepare(move |folder| {
        let Some(token) = token else { return };
        let file = folder.join("gateway.yaml");
        let written = fs::read_to_string(&file).unwrap();
        let listen = "listen: \"127.0.0.1:0\" }\nauth";
        assert!(written.contains(listen));
        let with_token = format!("listen: \"127.0.0.1:0\", token: {token} }}\nauth");
        fs::write(file, written.replace(listen, &with_token)).unwrap();
    })
}

/// The configuration as an operator has it, whose admin listener has a fixed port.
fn operators(gateway: &Gateway, change: impl Fn(String) -> String) {
    let written = gateway.read("gateway.yaml");
    let admin = format!("admin: {{ listen: \"{}\"", gateway.admin);
    let written = written.replace("admin: { listen: \"127.0.0.1:0\"", &admin);
    fs::write(gateway.path("operator.yaml"), change(written)).unwrap();
}

fn session(folder: &Path, arguments: &[&str]) -> Output {
    let arguments = [&["--config", "operator.yaml", "session"], arguments].concat();
    gatelatch(folder, &arguments)
}

fn list(folder: &Path, more: &[&str]) -> Vec<Value> {
    let output = session(folder, &[&["list", "--format", "json"], more].concat());
    json(&output).as_array().unwrap().clone()
}

/// What was printed on standard output, with success.
fn printed(output: &Output) -> String {
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout)
}

fn refused(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stdout));
    text(&output.stderr)
}

/// What an operator sees and does while people are signed in.
fn assert_lists_and_ends(one: &Gateway, other: &Gateway) {
    let folder = one.folder();
    assert_eq!(list(folder, &[]), [] as [Value; 0]);
    let (first, second) = (sign_in(one, "rita"), sign_in(other, "rita"));
    let (carl, program) = (sign_in(one, "carl"), tokens(one, "rita"));
    let me = |gateway: &Gateway, cookie: &str| gateway.get("/me", cookie).status;
    let all = list(folder, &[]);
    assert_eq!(all.len(), 4);
    let ritas = list(folder, &["--user", "rita"]);
    let kinds = |kind: &str| ritas.iter().filter(|one| one["kind"] == kind).count();
    assert_eq!((kinds("browser"), kinds("tokens"), ritas.len()), (2, 1, 3));
    let unknown = refused(&session(folder, &["list", "--provider", "corp"]));
    assert!(
        unknown.contains("there is no provider `corp`; none is configured"),
        "{unknown}"
    );
    let now = ambient::unix_seconds();
    for session in &all {
        let (since, until) = (session["since"].as_u64(), session["until"].as_u64());
        assert!(since.unwrap() <= now && until.unwrap() > now, "{session}");
        assert_eq!(
            (&session["provider"], &session["confirmed"]),
            (&Value::Null, &Value::Null)
        );
    }
    let table = printed(&session(folder, &["list", "--user", "carl"]));
    let lines: Vec<_> = table.lines().collect();
    assert!(
        lines[0].starts_with("ID ") && lines[0].ends_with("CONFIRMED"),
        "{table}"
    );
    assert!(
        lines[1].contains("  carl  browser  -  ") && lines.len() == 2,
        "{table}"
    );

    // one session, by its name
    let carls = list(folder, &["--user", "carl"]);
    let id = carls[0]["id"].as_str().unwrap();
    let end = |arguments: &[&str]| session(folder, &[&["end"], arguments].concat());
    assert_eq!(printed(&end(&["--id", id])), "ended 1 session\n");
    until("carl to be out", || {
        me(one, &carl) == 401 && me(other, &carl) == 401
    });
    let again = end(&["--id", id]);
    assert_eq!(
        (again.status.code(), text(&again.stdout)),
        (Some(1), "ended 0 sessions\n".to_owned())
    );
    let none = text(&again.stderr);
    assert!(
        none.contains(&format!("no session `{id}` is there")),
        "{none}"
    );
    // all of a user
    assert_eq!((me(one, &first), me(other, &second)), (200, 200));
    let nobody = refused(&end(&["--user", "nobody"]));
    assert!(
        nobody.contains("nobody called `nobody` is signed in"),
        "{nobody}"
    );
    assert_eq!(printed(&end(&["--user", "rita"])), "ended 3 sessions\n");
    for gateway in [one, other] {
        until("rita to be out", || {
            let bearer = gateway.get("/me", &program.bearer()).status;
            me(gateway, &first) == 401 && me(gateway, &second) == 401 && bearer == 401
        });
    }
    assert_eq!(refresh(one, &program.refresh).status, 401);
    assert_eq!(list(folder, &[]), [] as [Value; 0]);
    // whoever signs out is no longer listed
    let third = sign_in(one, "rita");
    assert_eq!(list(folder, &[]).len(), 1);
    let same = format!("{third}Sec-Fetch-Site: same-origin\r\n");
    assert_eq!(submit(one.address, "/auth/logout", "", &same).status, 303);
    assert_eq!(list(folder, &[]), [] as [Value; 0]);
}

#[test]
fn sessions_in_the_memory_of_a_gateway_are_listed_and_ended_by_it() {
    let upstream = Upstream::saying("hi");
    let gateway = with_state(&upstream, "memory", Some(TOKEN)).start();
    operators(&gateway, |written| written);
    assert_lists_and_ends(&gateway, &gateway);
    assert_eq!(gateway.named_event("sessions_ended")["ended"], 1);
}

#[test]
fn sessions_in_a_file_are_listed_and_ended_by_the_gateway_or_without_one() {
    let upstream = Upstream::saying("hi");
    let mut gateway = with_state(&upstream, "file:state.redb", Some(TOKEN)).start();
    operators(&gateway, |written| written);
    assert_lists_and_ends(&gateway, &gateway);
    sign_in(&gateway, "rita");
    gateway.signal("TERM");
    gateway.ended();
    let folder = gateway.folder();
    let ritas = list(folder, &["--user", "rita"]);
    let id = SessionId::parse(ritas[0]["id"].as_str().unwrap()).unwrap();
    assert_eq!(ritas.len(), 1);
    assert_eq!(
        printed(&session(folder, &["end", "--user", "rita"])),
        "ended 1 session\n"
    );
    assert_eq!(list(folder, &[]), [] as [Value; 0]);
    // whoever starts now knows of it
    let state = StateSettings::parse("file:state.redb", folder).unwrap();
    let next = Sessions::start(&state, Metrics::new(), ambient::hash_state()).unwrap();
    assert!(next.has_ended(&id));
    drop(next);
    // nobody makes the gateway's file for it
    operators(&gateway, |written| {
        written.replace("state.redb", "none.redb")
    });
    let none = refused(&session(gateway.folder(), &["list"]));
    assert!(
        none.contains("none.redb") && none.contains("has run yet"),
        "{none}"
    );
    assert!(!gateway.path("none.redb").exists());
}

#[test]
fn sessions_in_redis_are_listed_and_ended_whether_or_not_a_gateway_runs() {
    let Some(redis) = Redis::start(&[]) else {
        return;
    };
    let upstream = Upstream::saying("hi");
    let start = || with_state(&upstream, &redis.url(), None).start();
    let (mut one, other) = (start(), start());
    operators(&one, |written| written);
    assert_lists_and_ends(&one, &other);
    let cookie = sign_in(&other, "rita");
    one.signal("TERM");
    one.ended();
    assert_eq!(
        printed(&session(one.folder(), &["end", "--user", "rita"])),
        "ended 1 session\n"
    );
    until("rita to be out", || other.get("/me", &cookie).status == 401);
    drop(redis);
    let away = refused(&session(one.folder(), &["list"]));
    assert!(
        away.contains("is not there within") && away.contains("--probe"),
        "{away}"
    );
}

#[test]
fn what_stands_in_the_way_is_said_with_what_to_do() {
    let upstream = Upstream::saying("hi");
    let mut gateway = with_state(&upstream, "memory", None).start();
    let cookie = sign_in(&gateway, "rita");
    let folder = gateway.path("");
    let try_with = |change: &dyn Fn(String) -> String, arguments: &[&str]| {
        operators(&gateway, change);
        session(&folder, arguments)
    };
    let as_it_is = |written: String| written;
    let with_token = |written: String| {
        let listen = format!("listen: \"{}\"", gateway.admin);
        written.replace(&listen, &format!("{listen}, token: {TOKEN}"))
    };
    let off = |written: String| written.replace(&format!("\"{}\"", gateway.admin), "off");
    // whoever reaches the listener may look, and nobody changes anything
    assert!(printed(&try_with(&as_it_is, &["list"])).contains("rita"));
    for (change, arguments, said) in [
        (
            &as_it_is as &dyn Fn(String) -> String,
            &["end", "--user", "rita"][..],
            "set `admin.token`",
        ),
        (&with_token, &["end", "--user", "rita"], "set `admin.token`"),
        (&off, &["list"], "`admin.listen` is `off`"),
        (
            &as_it_is,
            &["end", "--id", "\u{1b}[2J"],
            "no name of a session",
        ),
    ] {
        let error = refused(&try_with(change, arguments));
        assert!(error.contains(said) && !error.contains('\u{1b}'), "{error}");
    }
    for arguments in [&["end"][..], &["end", "--user", "a", "--id", "b"], &["lst"]] {
        assert_eq!(
            session(&folder, arguments).status.code(),
            Some(2),
            "{arguments:?}"
        );
    }
    assert_eq!(gateway.get("/me", &cookie).status, 200);
    operators(&gateway, as_it_is);
    gateway.signal("TERM");
    gateway.ended();
    let gone = refused(&session(&folder, &["list"]));
    assert!(gone.contains("none answers at `admin.listen`"), "{gone}");
}
