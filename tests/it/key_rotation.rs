//! `gatelatch key rotate`, and the order by hand: whoever asks between the steps, with whatever was issued before, is let in.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::commands::{gatelatch, text};
use crate::support::{
    Gateway, GatewayBuilder, Redis, Tokens, Upstream, gateway, get, refresh_at, sign_in, tokens,
    until,
};

const SERVICES: &str = "
services:
  app:
    upstream: http://UPSTREAM
    rules:
      - { path: /me, allow: authenticated }
";

const SECRET: &str = "GATELATCH_SECRET=0123456789abcdef0123456789abcdef-test-secret\n";

/// A configuration with comments, whose key is written so.
fn configuration(token: &str, more: &str) -> String {
    format!(
        "# the door\nserver: {{ listen: [\"127.0.0.1:0\"], workers: 2 }}\nadmin: {{ listen: \"127.0.0.1:0\" }}\n{more}\
         auth:\n  users_file: users.yaml\n  token:\n    {token}   # signs\n    access_ttl: 10m\n{SERVICES}"
    )
}

fn start(upstream: &Upstream, token: &str, more: &str, files: &'static [(&str, &str)]) -> Gateway {
    let builder: GatewayBuilder = gateway("").upstream(upstream.address);
    let builder = builder.whole(&configuration(token, more));
    let lay_out = move |folder: &Path| {
        for (name, text) in files {
            fs::write(folder.join(name), text).unwrap();
        }
    };
    builder.prepare(lay_out).start()
}

/// Somebody who is signed in, and asks all the time: a bearer token, a cookie and a refresh token of before.
fn always_let_in(gateways: &[&Gateway], change: impl FnOnce()) {
    let old = tokens(gateways[0], "rita");
    let cookie = sign_in(gateways[0], "rita");
    let addresses: Vec<_> = gateways.iter().map(|gateway| gateway.address).collect();
    let (over, asked) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        struct Stop<'a>(&'a AtomicBool);
        impl Drop for Stop<'_> {
            fn drop(&mut self) {
                self.0.store(true, Ordering::Relaxed);
            }
        }
        scope.spawn(|| {
            let _stop = Stop(&over);
            let mut fresh = old.clone();
            while !over.load(Ordering::Relaxed) {
                for address in &addresses {
                    fresh = Tokens::of(&refresh_at(*address, &fresh.refresh));
                    // what was issued by one is good at every other
                    for other in &addresses {
                        for fields in [&old.bearer(), &cookie, &fresh.bearer()] {
                            assert_eq!(get(*other, "/me", fields).status, 200);
                        }
                    }
                }
                asked.fetch_add(1, Ordering::Relaxed);
            }
        });
        let _stop = Stop(&over);
        let more = || {
            let before = asked.load(Ordering::Relaxed);
            until("more requests", || {
                assert!(!over.load(Ordering::Relaxed), "somebody was not let in");
                asked.load(Ordering::Relaxed) > before + 2
            });
        };
        more();
        change();
        more();
    });
}

fn keys(gateway: &Gateway) -> Vec<String> {
    let metrics = gateway.probe("/metrics").body;
    let lines = metrics.lines();
    lines
        .filter(|line| line.starts_with("gatelatch_token_key{"))
        .map(str::to_owned)
        .collect()
}

fn rotate(folder: &Path, admins: &[&Gateway], more: &[&str]) -> (Option<i32>, String, String) {
    let admins: Vec<String> = admins
        .iter()
        .map(|gateway| gateway.admin.to_string())
        .collect();
    let named = admins.iter().flat_map(|admin| ["--admin", admin.as_str()]);
    let arguments: Vec<&str> = ["key", "rotate"]
        .into_iter()
        .chain(named)
        .chain(more.iter().copied())
        .collect();
    let output = gatelatch(folder, &arguments);
    (
        output.status.code(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

/// A gateway that signs with another key than before, and verifies both.
fn assert_rotated(before: &[String], gateway: &Gateway) {
    let after = keys(gateway);
    let kid = |line: &str| line.split('"').nth(1).unwrap().to_owned();
    assert_eq!(after.len(), before.len() + 1, "{after:?}");
    assert_ne!(kid(&after[0]), kid(&before[0]));
    assert!(after.contains(&before[0].replace("use=\"sign\"", "use=\"verify\"")));
}

#[test]
fn a_rotation_logs_nobody_out_wherever_the_key_is() {
    let upstream = Upstream::saying("hi");
    let pem: &str = include_str!("../keys/p256.pem");
    let pem: &'static [(&str, &str)] = Box::leak(Box::new([("token.pem", pem)]));
    for (token, files) in [
        ("secret: ${GATELATCH_SECRET}", &[(".env", SECRET)][..]),
        (
            "secret: 0123456789abcdef0123456789abcdef-test-secret",
            &[][..],
        ),
        (
            "secret_file: token",
            &[("token", "0123456789abcdef0123456789abcdef-test-secret\n")][..],
        ),
        (
            "{ algorithm: ES256, kid: main, private_key_file: token.pem }",
            pem,
        ),
    ] {
        let gateway = start_flow(&upstream, token, files);
        let before = keys(&gateway);
        let (code, out, _) = rotate(gateway.folder(), &[&gateway], &["--dry-run"]);
        assert_eq!((code, out.lines().next().is_some()), (Some(0), true));
        assert_eq!(keys(&gateway), before, "a dry run changes nothing");
        always_let_in(&[&gateway], || {
            let (code, _, said) = rotate(gateway.folder(), &[&gateway], &[]);
            assert_eq!(code, Some(0), "{token}: {said}");
        });
        assert_rotated(&before, &gateway);
        let written = gateway.read("gateway.yaml");
        assert!(
            written.starts_with("# the door\n") && written.contains("# signs"),
            "{written}"
        );
        assert!(!gateway.printed().contains("configuration not reloaded"));
        // and once more
        always_let_in(&[&gateway], || {
            let (code, _, said) = rotate(gateway.folder(), &[&gateway], &[]);
            assert_eq!(code, Some(0), "{token}: {said}");
        });
        assert_eq!(keys(&gateway).len(), before.len() + 2);
    }
}

/// `token` may be a map of its own.
fn start_flow(upstream: &Upstream, token: &str, files: &'static [(&str, &str)]) -> Gateway {
    if !token.starts_with('{') {
        return start(upstream, token, "", files);
    }
    let whole = configuration("TOKEN", "").replace(
        "  token:\n    TOKEN   # signs\n    access_ttl: 10m\n",
        &format!("  token: {token}   # signs\n"),
    );
    let lay_out = move |folder: &Path| {
        for (name, text) in files {
            fs::write(folder.join(name), text).unwrap();
        }
    };
    let builder = gateway("").upstream(upstream.address).whole(&whole);
    builder.prepare(lay_out).start()
}

/// Two gateways with copies of the files, and a Redis; the files are copied between the steps.
#[test]
fn a_rotation_over_copies_of_the_files_logs_nobody_out() {
    let Some(redis) = Redis::start(&[]) else {
        return;
    };
    let upstream = Upstream::saying("hi");
    let state = format!("state: {}\n", redis.url());
    let [one, other] = [(); 2].map(|()| {
        let files = &[(".env", SECRET)];
        start(&upstream, "secret: ${GATELATCH_SECRET}", &state, files)
    });
    let before = keys(&one);
    let copy = || {
        for name in [".env", "gateway.yaml"] {
            other.replace(name, &one.read(name));
        }
    };
    always_let_in(&[&one, &other], || {
        let (code, _, said) = rotate(one.folder(), &[&one], &["--step", "introduce"]);
        assert_eq!(code, Some(0), "{said}");
        // the other one does not know the key yet: nothing signs with it
        let impatient = ["--step", "sign", "--timeout", "100ms"];
        let (code, _, said) = rotate(one.folder(), &[&one, &other], &impatient);
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains("it has not read them"), "{said}");
        copy();
        let (code, _, said) = rotate(one.folder(), &[&one, &other], &["--step", "introduce"]);
        assert_eq!(code, Some(0), "{said}");
        // taken up where it stands
        let (code, _, said) = rotate(one.folder(), &[&one], &[]);
        assert_eq!(code, Some(0), "{said}");
        copy();
        until("the other one to sign", || keys(&other) == keys(&one));
    });
    assert_rotated(&before, &other);
}

/// What is there under the next name, but not in `previous`, is retired and perhaps known to somebody: it never signs.
#[test]
fn a_key_that_was_left_behind_never_signs() {
    let upstream = Upstream::saying("hi");
    const RETIRED: &str = "retired-secret-0123456789abcdef0123456789";
    const VARIABLES: &str = "GATELATCH_SECRET=0123456789abcdef0123456789abcdef-test-secret
export GATELATCH_SECRET_2=retired-secret-0123456789abcdef0123456789
";
    let retired_pem: &str = include_str!("../keys/p521.pem");
    let pems: &'static [(&str, &str)] = Box::leak(Box::new([
        ("token.pem", include_str!("../keys/p256.pem")),
        ("token-2.pem", retired_pem),
    ]));
    let key = "0123456789abcdef0123456789abcdef-test-secret";
    for (token, files, left_over, new) in [
        (
            "secret: ${GATELATCH_SECRET}",
            &[(".env", VARIABLES)][..],
            "GATELATCH_SECRET_2",
            "${GATELATCH_SECRET_3}",
        ),
        (
            "secret: 0123456789abcdef0123456789abcdef-test-secret",
            &[(".env", VARIABLES)][..],
            "GATELATCH_SECRET_2",
            "${GATELATCH_SECRET_3}",
        ),
        (
            "secret_file: token",
            &[
                ("token", "0123456789abcdef0123456789abcdef-test-secret"),
                ("token-2", RETIRED),
            ][..],
            "token-2",
            "token-3",
        ),
        (
            "{ algorithm: ES256, kid: main, private_key_file: token.pem }",
            pems,
            "token-2.pem",
            "token-3.pem",
        ),
    ] {
        let gateway = start_flow(&upstream, token, files);
        let before = keys(&gateway);
        let left_behind = |said: &str| said.contains(&format!("`{left_over}` is in use already"));
        let (code, out, said) = rotate(gateway.folder(), &[&gateway], &["--dry-run"]);
        assert_eq!(code, Some(0), "{token}: {said}");
        assert!(left_behind(&out) && out.contains(new), "{token}: {out}");
        let (code, _, said) = rotate(gateway.folder(), &[&gateway], &["--step", "introduce"]);
        assert_eq!(code, Some(0), "{token}: {said}");
        assert!(left_behind(&said), "{token}: {said}");
        // broken off here, it is taken up with the key of `previous`
        let (_, out, _) = rotate(gateway.folder(), &[&gateway], &["--dry-run"]);
        let (code, _, said) = rotate(gateway.folder(), &[&gateway], &[]);
        assert_eq!(code, Some(0), "{token}: {said}");
        for said in [out, said] {
            assert!(said.contains("a rotation was begun"), "{token}: {said}");
        }
        assert_rotated(&before, &gateway);
        let written = gateway.read("gateway.yaml");
        assert!(written.contains(new), "{token}: {written}");
        for name in ["_2}", "token-2"] {
            assert!(!written.contains(name), "{token}: {written}");
        }
        let files = [".env", "token-3"]
            .map(|name| fs::read_to_string(gateway.folder().join(name)).unwrap_or_default());
        let signing = files[0]
            .lines()
            .last()
            .and_then(|line| line.split_once('='));
        for secret in [signing.map_or("", |(_, secret)| secret), files[1].trim()] {
            assert!(secret != RETIRED && secret != key, "{token}");
        }
    }
}

/// `gatelatch token issue --ttl` makes tokens up to `max_lifetime`.
#[test]
fn the_former_key_is_kept_for_as_long_as_any_token_may_live() {
    let upstream = Upstream::saying("hi");
    let gateway = start_flow(&upstream, "secret_file: token", &[("token", SECRET)]);
    let (code, out, said) = rotate(gateway.folder(), &[&gateway], &["--dry-run"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(out.contains("4. after 1d, take the entry out"), "{out}");
    let (code, out, said) = rotate(gateway.folder(), &[&gateway], &[]);
    assert_eq!(code, Some(0), "{said}");
    let all = format!("{out}{said}");
    assert!(all.contains("`auth.token.previous` in 1d: "), "{all}");
}

#[test]
fn what_cannot_be_written_is_said_step_by_step() {
    let upstream = Upstream::saying("hi");
    let whole = configuration("secret: ${GATELATCH_SECRET}", "");
    let secret = SECRET.split_once('=').unwrap().1.trim();
    let builder = gateway("").upstream(upstream.address).whole(&whole);
    let gateway = builder.variable("GATELATCH_SECRET", secret).start();
    let before = gateway.read("gateway.yaml");
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_gatelatch"))
        .args(["key", "rotate"])
        .env("GATELATCH_SECRET", secret)
        .current_dir(gateway.folder())
        .output()
        .unwrap();
    let (out, said) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(1), "{out}{said}");
    assert!(
        said.contains("the secret comes from the environment"),
        "{said}"
    );
    for part in [
        "GATELATCH_SECRET_2",
        "algorithm: HS256",
        "previous",
        "use=\"sign\"",
    ] {
        assert!(out.contains(part), "{out}");
    }
    assert!(!out.contains(secret) && !said.contains(secret));
    assert_eq!(gateway.read("gateway.yaml"), before);
}

/// The order of the guide, by hand.
#[test]
fn the_order_by_hand_logs_nobody_out() {
    let upstream = Upstream::saying("hi");
    let files = &[(".env", SECRET)];
    let gateway = start(&upstream, "secret: ${GATELATCH_SECRET}", "", files);
    let before = keys(&gateway);
    let shows = |count: usize, signs: &dyn Fn(&str) -> bool| {
        until("the reload", || {
            let keys = keys(&gateway);
            keys.len() == count && signs(&keys[0])
        });
    };
    always_let_in(&[&gateway], || {
        let new = format!(
            "GATELATCH_SECRET_2={}\n",
            "n3w-secret-0123456789abcdef0123456789"
        );
        gateway.replace(".env", &format!("{SECRET}{new}"));
        let introduced = gateway.read("gateway.yaml").replace(
            "    access_ttl: 10m\n",
            "    access_ttl: 10m\n    previous:\n      - { algorithm: HS256, secret: \"${GATELATCH_SECRET_2}\" }\n",
        );
        gateway.replace("gateway.yaml", &introduced);
        shows(2, &|signs| *signs == before[0]);
        let exchanged = introduced
            .replace("\"${GATELATCH_SECRET_2}\" }", "\"${FORMER}\" }")
            .replace(
                "secret: ${GATELATCH_SECRET} ",
                "secret: ${GATELATCH_SECRET_2} ",
            )
            .replace("${FORMER}", "${GATELATCH_SECRET}");
        gateway.replace("gateway.yaml", &exchanged);
        shows(2, &|signs| *signs != before[0]);
    });
    assert_rotated(&before, &gateway);
    assert!(!gateway.printed().contains("configuration not reloaded"));
}
