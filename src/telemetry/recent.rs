//! The last denials and the last logins, for an operator who looks now.
//!
//! Each worker writes into rings of its own, and a request that is allowed writes nothing. A ring that is being read at
//! this moment is not waited for. Rings are bounded, and in a flood of denials they allocate nothing.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::SystemTime;

use super::access_log::AccessLine;
use crate::access::ClientAddress;

/// Entries that a worker keeps of each kind.
const KEPT: usize = 256;

/// Bytes that are kept of a text that a client has chosen.
const LONGEST: usize = 300;

/// The last denials and logins of the process.
#[derive(Debug, Default)]
pub struct Recent(Mutex<Vec<Arc<Rings>>>);

/// One worker's part of them.
#[derive(Debug)]
pub struct RecentShard(Arc<Rings>);

#[derive(Debug, Default)]
struct Rings {
    denials: Mutex<Ring<RecentDenial>>,
    sign_ins: Mutex<Ring<RecentSignIn>>,
}

/// A recent request that was denied, or would have been denied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecentDenial {
    /// When it came.
    pub time: SystemTime,
    /// How often it came in a row; the time and the request id are those of the last one.
    pub times: u64,
    /// Its id.
    pub request_id: String,
    /// The client's address.
    pub client: ClientAddress,
    /// The user, where there was one.
    pub user: Option<String>,
    /// Its method.
    pub method: String,
    /// Its host.
    pub host: String,
    /// Its path, without the query.
    pub path: String,
    /// The service; empty where none was found.
    pub service: String,
    /// The winning rule; empty where none was found.
    pub rule: String,
    /// The `decision` label.
    pub decision: &'static str,
    /// Why.
    pub reason: String,
    /// The status of the answer; 0 where there was none.
    pub status: u16,
}

/// A recent login, refresh or logout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecentSignIn {
    /// When it ended.
    pub time: SystemTime,
    /// How often it came in a row; the time is that of the last one.
    pub times: u64,
    /// What it was, as the event is called: `login`, `login_failed`, `second_factor_required`,
    /// `refresh_failed`, `logout`.
    pub event: &'static str,
    /// Why it failed; empty where it did not.
    pub reason: &'static str,
    /// The given name; empty where there is none.
    pub user: String,
    /// The OpenID provider that it was about; empty where there is none.
    pub provider: String,
    /// The client's address.
    pub client: ClientAddress,
}

/// The newest entries, in places that are used again.
#[derive(Debug)]
struct Ring<T> {
    entries: Vec<T>,
    /// Where the next one goes, once the ring is full.
    next: usize,
}

impl Recent {
    /// Rings for one worker. What it has written stays when it is dropped.
    pub fn shard(&self) -> RecentShard {
        let rings = Arc::new(Rings::default());
        self.shards().push(Arc::clone(&rings));
        RecentShard(rings)
    }

    /// The newest denials of all workers, the newest first.
    pub fn denials(&self, limit: usize) -> Vec<RecentDenial> {
        let mut found = self.gather(|rings| lock(&rings.denials).entries.clone());
        found.sort_by_key(|denial| std::cmp::Reverse(denial.time));
        found.truncate(limit);
        found
    }

    /// The newest logins, refreshes that failed and logouts of all workers, the newest first.
    pub fn sign_ins(&self, limit: usize) -> Vec<RecentSignIn> {
        let mut found = self.gather(|rings| lock(&rings.sign_ins).entries.clone());
        found.sort_by_key(|sign_in| std::cmp::Reverse(sign_in.time));
        found.truncate(limit);
        found
    }

    fn gather<T>(&self, read: impl Fn(&Rings) -> Vec<T>) -> Vec<T> {
        self.shards().iter().flat_map(|rings| read(rings)).collect()
    }

    fn shards(&self) -> MutexGuard<'_, Vec<Arc<Rings>>> {
        lock(&self.0)
    }
}

impl RecentShard {
    /// Remembers a request that was refused, or would have been.
    pub fn denied(&self, line: &AccessLine<'_>) {
        let Some(mut ring) = try_lock(&self.0.denials) else {
            return;
        };
        if let Some(last) = ring.newest().filter(|last| last.is_like(line)) {
            last.times += 1;
            last.time = line.time;
            write(&mut last.request_id, line.request_id);
        } else {
            ring.place(RecentDenial::empty).fill(line);
        }
    }

    /// Remembers a login, a refresh that failed, or a logout.
    pub fn signed_in(
        &self,
        time: SystemTime,
        event: &'static str,
        reason: &'static str,
        (user, provider): (&str, &str),
        client: ClientAddress,
    ) {
        let Some(mut ring) = try_lock(&self.0.sign_ins) else {
            return;
        };
        let user = shortened(user);
        let same = |last: &&mut RecentSignIn| {
            let known = (last.event, last.reason, &*last.user, &*last.provider);
            known == (event, reason, user, provider) && last.client == client
        };
        if let Some(last) = ring.newest().filter(same) {
            last.times += 1;
            last.time = time;
            return;
        }
        let place = ring.place(RecentSignIn::empty);
        write(&mut place.user, user);
        write(&mut place.provider, provider);
        *place = RecentSignIn {
            time,
            times: 1,
            event,
            reason,
            user: std::mem::take(&mut place.user),
            provider: std::mem::take(&mut place.provider),
            client,
        };
    }
}

impl RecentDenial {
    fn empty() -> Self {
        Self {
            time: SystemTime::UNIX_EPOCH,
            times: 0,
            request_id: String::new(),
            client: ClientAddress::Unknown,
            user: None,
            method: String::new(),
            host: String::new(),
            path: String::new(),
            service: String::new(),
            rule: String::new(),
            decision: "",
            reason: String::new(),
            status: 0,
        }
    }

    fn fill(&mut self, line: &AccessLine<'_>) {
        self.time = line.time;
        self.times = 1;
        self.client = line.client;
        self.user = line.user.map(|user| shortened(user).to_owned());
        self.decision = line.decision;
        self.status = line.status;
        for (place, text) in [
            (&mut self.request_id, line.request_id),
            (&mut self.method, line.method),
            (&mut self.host, line.host),
            (&mut self.path, line.path),
            (&mut self.service, line.service.unwrap_or_default()),
            (&mut self.rule, line.rule.unwrap_or_default()),
            (&mut self.reason, line.reason.unwrap_or_default()),
        ] {
            write(place, text);
        }
    }

    /// Whether it is the same but for its time and id.
    fn is_like(&self, line: &AccessLine<'_>) -> bool {
        let texts = [
            (&self.path, line.path),
            (&self.method, line.method),
            (&self.host, line.host),
            (&self.service, line.service.unwrap_or_default()),
            (&self.rule, line.rule.unwrap_or_default()),
            (&self.reason, line.reason.unwrap_or_default()),
        ];
        (self.decision, self.status, self.client) == (line.decision, line.status, line.client)
            && self.user.as_deref() == line.user.map(shortened)
            && texts.iter().all(|(kept, text)| **kept == shortened(text))
    }
}

impl RecentSignIn {
    fn empty() -> Self {
        let client = ClientAddress::Unknown;
        Self {
            time: SystemTime::UNIX_EPOCH,
            times: 0,
            event: "",
            reason: "",
            user: String::new(),
            provider: String::new(),
            client,
        }
    }
}

impl<T> Default for Ring<T> {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
            next: 0,
        }
    }
}

impl<T> Ring<T> {
    fn newest(&mut self) -> Option<&mut T> {
        let last = self.next.checked_sub(1).unwrap_or(KEPT - 1);
        self.entries.get_mut(last)
    }

    /// The place of the oldest entry, or a new one while there is room.
    fn place(&mut self, empty: impl FnOnce() -> T) -> &mut T {
        let place = self.next;
        self.next = (place + 1) % KEPT;
        if place == self.entries.len() {
            self.entries.push(empty());
        }
        &mut self.entries[place]
    }
}

/// Writes into the room that is there.
fn write(place: &mut String, text: &str) {
    place.clear();
    place.push_str(shortened(text));
}

fn shortened(text: &str) -> &str {
    let mut end = text.len().min(LONGEST);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// `None` while somebody reads: a worker does not wait.
fn try_lock<T>(mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    match mutex.try_lock() {
        Ok(guard) => Some(guard),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    fn line<'a>(path: &'a str, request_id: &'a str, second: u64) -> AccessLine<'a> {
        AccessLine {
            time: UNIX_EPOCH + Duration::from_secs(second),
            request_id,
            client: ClientAddress::Known(Ipv4Addr::LOCALHOST.into()),
            user: Some("rita"),
            provider: None,
            method: "GET",
            host: "a",
            path,
            service: Some("jobs"),
            rule: Some("GET /jobs"),
            decision: "forbidden",
            reason: Some("role missing"),
            status: 403,
            bytes: 0,
            upstream: None,
            duration: Duration::ZERO,
            upstream_duration: None,
            aborted: None,
            trace_id: None,
        }
    }

    #[test]
    fn the_newest_of_all_workers_come_first() {
        let recent = Recent::default();
        let shards = [recent.shard(), recent.shard()];
        for second in 0..4 {
            shards[second as usize % 2].denied(&line(&format!("/{second}"), "id", second));
        }
        let paths: Vec<_> = recent
            .denials(3)
            .into_iter()
            .map(|denial| denial.path)
            .collect();
        assert_eq!(paths, ["/3", "/2", "/1"]);
        let newest = &recent.denials(1)[0];
        assert_eq!(
            (&*newest.rule, &*newest.reason, newest.status, newest.times),
            ("GET /jobs", "role missing", 403, 1)
        );
    }

    #[test]
    fn the_same_denial_again_takes_no_further_place() {
        let recent = Recent::default();
        let shard = recent.shard();
        for (id, second) in [("a", 1), ("b", 2), ("c", 3)] {
            shard.denied(&line("/x", id, second));
        }
        let denials = recent.denials(10);
        assert_eq!(denials.len(), 1);
        assert_eq!((denials[0].times, &*denials[0].request_id), (3, "c"));
        shard.denied(&AccessLine {
            user: None,
            ..line("/x", "d", 4)
        });
        assert_eq!(recent.denials(10).len(), 2);
    }

    #[test]
    fn a_flood_takes_no_more_room() {
        let recent = Recent::default();
        let shard = recent.shard();
        let long = "é".repeat(10_000);
        for second in 0..3 * KEPT as u64 {
            shard.denied(&line(&format!("/{second}{long}"), "id", second));
            shard.signed_in(
                UNIX_EPOCH,
                "login_failed",
                "invalid",
                (&second.to_string(), ""),
                ClientAddress::Known(Ipv4Addr::LOCALHOST.into()),
            );
        }
        let denials = recent.denials(usize::MAX);
        assert_eq!(
            (denials.len(), recent.sign_ins(usize::MAX).len()),
            (KEPT, KEPT)
        );
        assert!(denials.iter().all(|denial| denial.path.len() <= LONGEST));
        assert!(denials[0].path.starts_with(&format!("/{}é", 3 * KEPT - 1)));
    }

    #[test]
    fn nobody_waits_for_a_reader() {
        let recent = Recent::default();
        let shard = recent.shard();
        let reading = lock(&shard.0.denials);
        shard.denied(&line("/x", "a", 1));
        drop(reading);
        assert_eq!(recent.denials(10), []);
    }
}
