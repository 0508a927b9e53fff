//! From a job to its answer. An error of any kind is the end of the connection.

use redis::RedisResult;

use super::link::{Connection, Link};
use super::{browser, factors, store, throttle};
use crate::session::browser::BrowserJob;
use crate::session::factors::FactorJob;
use crate::session::job::Job;
use crate::session::reply::{JobReply, StoreUnavailable, answer};
use crate::session::revocations::Revocations;

/// Does one thing and answers.
pub(super) async fn perform(job: Job, link: &Link, revocations: &Revocations) {
    let Some((mut connection, generation)) = link.connection() else {
        return job.refuse();
    };
    let (connection, used) = (&mut connection, &Used { link, generation });
    match job {
        Job::Open(order, reply) => finish(reply, used, store::open(connection, &order).await),
        Job::Exchange(mut order, reply) => {
            let now = order.exchange.now;
            order.exchange.spent_since = link.spent_since(order.exchange.spent_since, now);
            finish(
                reply,
                used,
                store::exchange(connection, &order, revocations).await,
            )
        }
        Job::Look(session, look, reply) => {
            let found = store::look(connection, session, &look, revocations).await;
            finish(reply, used, found);
        }
        Job::End(order, reply) => {
            let ended = store::end(connection, order, revocations).await;
            finish(reply, used, ended.map(drop));
        }
        Job::Leave(order, reply) => finish(
            reply,
            used,
            store::leave(connection, order, revocations).await,
        ),
        Job::Check(attempt, now, reply) => finish(
            reply,
            used,
            throttle::check(connection, &attempt, now).await,
        ),
        Job::Record(record, reply) => {
            finish(reply, used, throttle::record(connection, &record).await)
        }
        Job::ClearLockouts(subjects, reply) => {
            finish(reply, used, throttle::lift(connection, &subjects).await)
        }
        Job::List(limit, now, reply) => {
            finish(reply, used, throttle::list(connection, limit, now).await)
        }
        Job::Browser(job) => perform_browser(job, connection, used, revocations).await,
        Job::Factors(job) => perform_factors(job, connection, used).await,
    }
}

/// The connection that a job uses.
struct Used<'a> {
    link: &'a Link,
    generation: u64,
}

fn finish<T>(reply: JobReply<T>, used: &Used<'_>, result: RedisResult<T>) {
    let result = result.map_err(|error| {
        used.link.report(used.generation, error.to_string());
        StoreUnavailable
    });
    answer(reply, result);
}

async fn perform_browser(
    job: BrowserJob,
    connection: &mut Connection,
    used: &Used<'_>,
    revocations: &Revocations,
) {
    match job {
        BrowserJob::Begin(order, reply) => {
            finish(reply, used, browser::begin(connection, &order).await);
        }
        BrowserJob::Find(session, reply) => {
            finish(reply, used, browser::find(connection, session).await);
        }
        BrowserJob::Update(order, reply) => {
            let updated = browser::update(connection, &order, revocations).await;
            finish(reply, used, updated);
        }
        BrowserJob::Used(order, reply) => {
            finish(reply, used, browser::used(connection, order).await);
        }
        BrowserJob::UseOnce(key, until, now, reply) => {
            let used_now = browser::use_once(connection, key, until, now).await;
            finish(reply, used, used_now);
        }
        BrowserJob::WasUsed(key, reply) => {
            finish(reply, used, browser::was_used(connection, key).await);
        }
        BrowserJob::Lease(renewal, reply) => {
            finish(reply, used, browser::lease(connection, renewal).await);
        }
        BrowserJob::Release(renewal, reply) => {
            finish(reply, used, browser::release(connection, renewal).await);
        }
        BrowserJob::List(order, reply) => {
            let listed = browser::list(connection, &order, revocations).await;
            finish(reply, used, listed);
        }
        BrowserJob::End(order, reply) => {
            let ended = browser::end_selected(connection, &order, revocations).await;
            finish(reply, used, ended);
        }
    }
}

async fn perform_factors(job: FactorJob, connection: &mut Connection, used: &Used<'_>) {
    match job {
        FactorJob::Find(subject, reply) => {
            finish(reply, used, factors::find(connection, &subject).await);
        }
        FactorJob::FindNamed(name, reply) => {
            finish(reply, used, factors::find_named(connection, &name).await);
        }
        FactorJob::Swap(order, reply) => {
            finish(reply, used, factors::swap(connection, &order).await);
        }
        FactorJob::Remove(subject, reply) => {
            finish(reply, used, factors::remove(connection, &subject).await);
        }
        FactorJob::List(from, count, reply) => {
            finish(reply, used, factors::list(connection, from, count).await);
        }
        FactorJob::Keep(order, reply) => {
            finish(reply, used, factors::keep(connection, &order).await);
        }
        FactorJob::Take(key, _, reply) => {
            finish(reply, used, factors::take(connection, &key).await);
        }
    }
}
