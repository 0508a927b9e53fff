//! An exchange of the key that second factors are sealed with. What a key pair has sealed is opened by its private key, and that is
//! there for the last time when a reload takes another one.

use std::io;
use std::thread;

use tokio::runtime::Builder;

use crate::session::{Sessions, StoreUnavailable};
use crate::token::Sealer;

/// Seals everybody's second factors anew, beside everything else.
pub(super) fn reseal(sessions: Sessions, sealer: Sealer) {
    let work = move || match run(&sessions, &sealer) {
        Ok(Ok(0)) => {}
        Ok(Ok(unreadable)) => tracing::error!(
            event = "factors_unreadable",
            unreadable,
            "second factors cannot be read by any key of `auth.token`: their users cannot log in"
        ),
        Ok(Err(error)) => not_sealed(&error),
        Err(error) => not_sealed(&error),
    };
    let started = thread::Builder::new().name("reseal".to_owned()).spawn(work);
    if let Err(error) = started {
        not_sealed(&error);
    }
}

fn run(sessions: &Sessions, sealer: &Sealer) -> io::Result<Result<usize, StoreUnavailable>> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(sessions.seal_factors_anew(sealer)))
}

fn not_sealed(error: &dyn std::error::Error) {
    tracing::error!(
        event = "factors_not_sealed",
        %error,
        "second factors are sealed with the former key still: reload with it, and then with the new one again"
    );
}
