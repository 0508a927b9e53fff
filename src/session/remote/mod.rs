//! `state: redis://…`: what all replicas share.
//!
//! `connect` finds the server, `sentinel` asks for it and follows a failover, `dial` opens one connection, `follow` keeps the connection alive and hears of sessions that
//! end anywhere, `store` does what is requested of sessions, and `throttle` what is requested of logins. Every change is
//! one atomic step of Redis; a call that fails or takes too long counts as the loss of the store, and everything is
//! refused until it was found again.

mod browser;
mod connect;
mod dial;
mod factors;
mod follow;
mod index;
mod link;
mod names;
mod perform;
mod sentinel;
mod store;
mod throttle;

use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::sync::mpsc::Receiver;
use tokio::task::spawn_local;
use tokio::time::sleep;

use self::follow::RETRY;
use self::link::Link;
use super::health::StoreHealth;
use super::job::Job;
use super::revocations::Revocations;
use super::settings::RedisSettings;

/// Jobs under way at a time; further ones wait.
const UNDER_WAY: usize = 256;

/// Serves until the last sender is gone.
pub(super) async fn serve(
    mut jobs: Receiver<Job>,
    settings: RedisSettings,
    revocations: Arc<Revocations>,
    health: Arc<StoreHealth>,
) {
    provide_cryptography();
    let link = Rc::new(Link::default());
    spawn_local(keep_following(
        settings,
        Rc::clone(&link),
        Arc::clone(&revocations),
        health,
    ));
    let slots = Arc::new(Semaphore::new(UNDER_WAY));
    while let Some(job) = jobs.recv().await {
        // it fails only for a semaphore that is closed, which this one never is
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else {
            return;
        };
        let (link, revocations) = (Rc::clone(&link), Arc::clone(&revocations));
        spawn_local(async move {
            perform::perform(job, &link, &revocations).await;
            drop(slot);
        });
    }
}

/// The library takes its cryptography from the process.
fn provide_cryptography() {
    // an error says that it is there already
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

/// Whether a server is found that takes writes.
pub(super) async fn probe(settings: &RedisSettings) -> Result<(), String> {
    provide_cryptography();
    let probed = async { store::probe(&mut connect::connect(settings).await?.orders).await };
    probed.await.map_err(|error| error.to_string())
}

/// Follows again where following has panicked: without it this replica would not hear of any further logout.
async fn keep_following(
    settings: RedisSettings,
    link: Rc<Link>,
    revocations: Arc<Revocations>,
    health: Arc<StoreHealth>,
) {
    loop {
        let (link, revocations) = (Rc::clone(&link), Arc::clone(&revocations));
        let following = follow::follow(
            settings.clone(),
            Rc::clone(&link),
            revocations,
            Arc::clone(&health),
        );
        if let Err(panic) = spawn_local(following).await {
            link.close();
            health.lost(&panic);
        }
        sleep(RETRY).await;
    }
}
