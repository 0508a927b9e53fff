//! `/api/lockouts`: who may not log in now, and the one thing that the dashboard changes.

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::{limit, told};
use crate::admin::AdminState;
use crate::admin::answer::{Answer, problem};
use crate::admin::query::Query;
use crate::ambient;
use crate::session::{Account, Away, Held, Lockout, Unknown};

/// What a body may hold, and how long it may take.
const LARGEST: usize = 4096;
const PATIENCE: Duration = Duration::from_secs(5);

/// Users whose names are tried for the accounts of lockouts, which are known by a hash only.
const TRIED: usize = 100_000;

/// The names of accounts, as far as they are known.
type Names = HashMap<Account, String>;

pub(super) async fn list(query: &str, state: &AdminState) -> Answer {
    let limit = match Query::parse(query, &["limit"]).and_then(|query| limit(&query, 100, 500)) {
        Ok(limit) => limit,
        Err(wrong) => return problem(StatusCode::BAD_REQUEST, &wrong),
    };
    let now = ambient::unix_millis();
    let lockouts = match state.sessions.lockouts(limit, now).await {
        Ok(lockouts) => lockouts,
        Err(away) => return unreachable_store(away),
    };
    let names = names(&lockouts.list, state);
    let list: Vec<_> = lockouts.list.iter().map(|lockout| entry(lockout, &names, now)).collect();
    told(json!({ "total": lockouts.total, "lockouts": list }))
}

fn entry(lockout: &Lockout, names: &Names, now: u64) -> Value {
    let (kind, account, network) = match lockout.held {
        Held::Pair(account, network) => ("account_from_network", Some(account), Some(network)),
        Held::Network(network) => ("network", None, Some(network)),
        Held::Account(account) => ("account", Some(account), None),
    };
    json!({
        "id": lockout.id,
        "kind": kind,
        "user": account.and_then(|account| names.get(&account)),
        "network": network.map(|network| network.in_words()),
        "until": lockout.until,
        "seconds_left": lockout.until.saturating_sub(now).div_ceil(1000),
    })
}

/// The store keeps hashes. The names that were tried here lately are looked at first, then those of the user list.
fn names(lockouts: &[Lockout], state: &AdminState) -> Names {
    let mut wanted: Vec<_> = lockouts.iter().filter_map(|lockout| account(lockout.held)).collect();
    let mut names = Names::new();
    let mut try_name = |name: &str| {
        if !wanted.is_empty() && !name.is_empty() {
            let account = Account::named(name);
            if wanted.contains(&account) {
                wanted.retain(|one| *one != account);
                names.insert(account, name.to_owned());
            }
        }
        !wanted.is_empty()
    };
    let recent = state.recent.sign_ins(usize::MAX);
    if !recent.iter().all(|one| try_name(&one.user)) {
        return names;
    }
    let in_force = (state.in_force)();
    let _ = in_force.directory().users().take(TRIED).all(|user| try_name(&user.identity.subject));
    names
}

fn account(held: Held) -> Option<Account> {
    match held {
        Held::Pair(account, _) | Held::Account(account) => Some(account),
        Held::Network(_) => None,
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Lift {
    id: String,
}

/// Lifts one lockout, whose name is in the body.
pub(super) async fn lift(body: Incoming, state: &AdminState) -> Answer {
    let Some(body) = collect(body).await else {
        return problem(StatusCode::BAD_REQUEST, "the body did not come, or is too large");
    };
    let Ok(Lift { id }) = serde_json::from_slice(&body) else {
        return problem(StatusCode::BAD_REQUEST, "send `{\"id\": \"…\"}` with the `id` of a lockout");
    };
    match state.sessions.lift_named(&id).await {
        Err(Unknown) => problem(StatusCode::NOT_FOUND, "no lockout has this `id`; `/api/lockouts` lists them"),
        Ok(Err(away)) => unreachable_store(away),
        Ok(Ok(held)) => {
            tracing::info!(
                event = "lockout_lifted",
                kind = kind(held),
                lockout = id,
                "an operator has lifted a lockout"
            );
            told(json!({ "lifted": id }))
        }
    }
}

fn kind(held: Held) -> &'static str {
    match held {
        Held::Pair(..) => "account_from_network",
        Held::Network(_) => "network",
        Held::Account(_) => "account",
    }
}

async fn collect(body: Incoming) -> Option<Bytes> {
    let whole = timeout(PATIENCE, Limited::new(body, LARGEST).collect()).await;
    Some(whole.ok()?.ok()?.to_bytes())
}

fn unreachable_store(away: Away) -> Answer {
    problem(
        StatusCode::SERVICE_UNAVAILABLE,
        &format!("{away}: `state` of the configuration says which, the log says why"),
    )
}
