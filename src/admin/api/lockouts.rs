//! `/api/lockouts`: who may not log in now.

use std::collections::HashMap;

use http::StatusCode;
use serde_json::{Value, json};

use crate::admin::AdminState;
use crate::admin::query::Query;
use crate::admin::response::{self, AdminResponse, problem};
use crate::ambient;
use crate::session::{Account, Lockout, LockoutScope, Network, StoreUnavailable};
use crate::text::fold::fold;

/// Users whose names are tried for the accounts of lockouts, which are known by a hash only.
const TRIED: usize = 100_000;

/// The names of accounts, as far as they are known.
pub(super) type Names = HashMap<Account, String>;

pub(super) async fn list(query: &str, state: &AdminState) -> AdminResponse {
    let limit = match Query::parse(query, &["limit"]).and_then(|query| query.limit(100, 500)) {
        Ok(limit) => limit,
        Err(wrong) => return problem(StatusCode::BAD_REQUEST, &wrong),
    };
    let now = ambient::unix_millis();
    let lockouts = match state.sessions.lockouts(limit, now).await {
        Ok(lockouts) => lockouts,
        Err(away) => return unreachable_store(away),
    };
    let names = names(lockouts.list.iter().map(|lockout| lockout.held), state);
    let list: Vec<_> = lockouts
        .list
        .iter()
        .map(|lockout| entry(lockout, &names, now))
        .collect();
    response::json(json!({ "total": lockouts.total, "lockouts": list }))
}

fn entry(lockout: &Lockout, names: &Names, now: u64) -> Value {
    let (kind, account, network) = parts(lockout.held);
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
pub(super) fn names(held: impl Iterator<Item = LockoutScope>, state: &AdminState) -> Names {
    let mut wanted: Vec<_> = held.filter_map(|held| parts(held).1).collect();
    let mut names = Names::new();
    let mut try_name = |name: &str| {
        if !wanted.is_empty() && !name.is_empty() {
            // names of a directory count as it folds them
            for account in [Account::named(name), Account::named(&fold(name))] {
                if wanted.contains(&account) {
                    wanted.retain(|one| *one != account);
                    names.insert(account, name.to_owned());
                }
            }
        }
        !wanted.is_empty()
    };
    let recent = state.recent.sign_ins(usize::MAX);
    if !recent.iter().all(|one| try_name(&one.user)) {
        return names;
    }
    let in_force = (state.in_force)();
    let mut users = in_force.directory().users().take(TRIED);
    let _ = users.all(|user| try_name(&user.identity.subject));
    names
}

/// The kind of a lockout, and whom it holds.
pub(super) fn parts(held: LockoutScope) -> (&'static str, Option<Account>, Option<Network>) {
    match held {
        LockoutScope::Pair(account, network) => {
            ("account_from_network", Some(account), Some(network))
        }
        LockoutScope::Network(network) => ("network", None, Some(network)),
        LockoutScope::Account(account) => ("account", Some(account), None),
    }
}

pub(super) fn unreachable_store(away: StoreUnavailable) -> AdminResponse {
    problem(
        StatusCode::SERVICE_UNAVAILABLE,
        &format!("{away}: `state` of the configuration says which, the log says why"),
    )
}
