//! A wall clock that is set ahead and back, or has slept, under the real binary: `libfaketime` shows it what a file says.

use std::fs;
use std::path::PathBuf;

use crate::support::{
    Gateway, GatewayBuilder, PASSWORD, Tokens, Upstream, gateway, get, log_out, program, refresh,
    sign_in, tokens, until,
};

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

const SERVICES: &str = "
  app:
    upstream: http://UPSTREAM
    rules:
      - { path: /me, allow: authenticated }
";

/// The library for programs with threads; `None` where the test is skipped.
fn library() -> Option<PathBuf> {
    program("faketime")?;
    let folders = fs::read_dir("/usr/lib").unwrap().flatten();
    folders
        .map(|folder| folder.path().join("faketime/libfaketimeMT.so.1"))
        .find(|library| library.exists())
}

/// A gateway, and the file that says by how many seconds its wall clock is ahead. The monotonic clock is the real one.
struct Clocked {
    gateway: Gateway,
    offset: PathBuf,
    _folder: tempfile::TempDir,
}

impl Clocked {
    fn start(builder: GatewayBuilder, ahead: i64) -> Option<Self> {
        let library = library()?;
        let folder = tempfile::tempdir().unwrap();
        let offset = folder.path().join("offset");
        fs::write(&offset, format!("{ahead:+}")).unwrap();
        let gateway = builder
            .variable("LD_PRELOAD", library.to_str().unwrap())
            .variable("FAKETIME_TIMESTAMP_FILE", offset.to_str().unwrap())
            .variable("FAKETIME_NO_CACHE", "1")
            .variable("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .start();
        Some(Self {
            gateway,
            offset,
            _folder: folder,
        })
    }

    /// Sets the clock to so many seconds ahead of the real one.
    fn set(&self, ahead: i64) {
        let new = self.offset.with_extension("new");
        fs::write(&new, format!("{ahead:+}")).unwrap();
        fs::rename(new, &self.offset).unwrap();
    }

    /// The statuses of many requests, each on a connection of its own, so that every worker is asked.
    fn statuses(&self, fields: &str) -> Vec<u16> {
        let mut statuses: Vec<u16> = (0..40)
            .map(|_| get(self.gateway.address, "/me", fields).status)
            .collect();
        statuses.dedup();
        statuses
    }
}

/// 40 requests and two workers: that all of them reach one has a chance of 1 to 10^12.
#[test]
fn after_a_step_of_the_clock_all_workers_agree() {
    let upstream = Upstream::saying("hi");
    let builder = gateway(SERVICES).upstream(upstream.address).workers(2);
    let Some(clocked) = Clocked::start(builder, HOUR) else {
        return;
    };
    let bearer = tokens(&clocked.gateway, "rita").bearer();
    let cookie = sign_in(&clocked.gateway, "rita");
    for fields in [&bearer, &cookie] {
        // one worker has seen it, the other one has not
        assert_eq!(get(clocked.gateway.address, "/me", fields).status, 200);
    }
    for (ahead, bearers, cookies) in [
        (0, 401, 401),
        (HOUR, 200, 200),
        (HOUR + 600, 200, 200),
        (1200, 401, 401),
        (HOUR, 200, 200),
        (HOUR + 2 * DAY, 401, 401),
    ] {
        clocked.set(ahead);
        assert_eq!(clocked.statuses(&bearer), [bearers], "bearer at {ahead:+}");
        assert_eq!(clocked.statuses(&cookie), [cookies], "cookie at {ahead:+}");
    }
}

#[test]
fn a_lockout_lasts_as_long_as_it_is_whatever_the_clock_does() {
    let upstream = Upstream::saying("hi");
    let builder = gateway(SERVICES).upstream(upstream.address);
    let builder = builder.auth("login: { attempts: 2, window: 1m, lockout: 2s }");
    let Some(clocked) = Clocked::start(builder, HOUR) else {
        return;
    };
    let gateway = &clocked.gateway;
    let lock = |user: &str| {
        let failed = [(); 2].map(|()| gateway.login(user, "x").status);
        assert_eq!(
            (failed, gateway.login(user, PASSWORD).status),
            ([401; 2], 429)
        );
    };
    lock("rita");
    clocked.set(0);
    // not in an hour: longer than the patience of the test
    until("the end of the lockout", || {
        gateway.login("rita", PASSWORD).status == 200
    });
    lock("carl");
    // the machine has slept for a day
    clocked.set(DAY);
    assert_eq!(gateway.login("carl", PASSWORD).status, 200);
}

#[test]
fn no_step_of_the_clock_brings_a_session_back_or_ends_it() {
    let upstream = Upstream::saying("hi");
    let builder = gateway(SERVICES).upstream(upstream.address);
    let Some(clocked) = Clocked::start(builder, 0) else {
        return;
    };
    let gateway = &clocked.gateway;
    let (rita, ended) = (tokens(gateway, "rita"), tokens(gateway, "rita"));
    assert_eq!(log_out(gateway, &ended).status, 204);
    // wrong for a moment, while others log in and what has expired is forgotten
    clocked.set(3 * DAY);
    let ahead = tokens(gateway, "carl");
    clocked.set(0);
    assert_eq!(gateway.get("/me", &ended.bearer()).status, 401);
    assert_eq!(refresh(gateway, &ended.refresh).status, 401);
    for session in [rita, ahead] {
        let again = Tokens::of(&refresh(gateway, &session.refresh));
        assert_eq!(gateway.get("/me", &again.bearer()).status, 200);
    }
}
