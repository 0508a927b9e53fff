//! Whether a gateway has followed: its metrics name the keys in force.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::time::sleep;

use crate::ambient;
use crate::cli::healthcheck::reachable;
use crate::net::{BoundedRequest, HttpUrl, get};

/// The longest answer that is read: metrics of many services and rules are long.
const LONGEST_ANSWER: usize = 16 << 20;

/// How long a gateway is left alone before it is asked again.
const AGAIN: Duration = Duration::from_millis(200);

/// What a key is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Signs,
    /// It may sign as well.
    Verifies,
}

impl Purpose {
    pub(super) fn said(self) -> &'static str {
        match self {
            Self::Signs => "signs",
            Self::Verifies => "verifies",
        }
    }
}

/// Waits until a gateway uses a key so.
///
/// # Errors
/// Where it does not within the time, and why that may be.
pub(super) fn wait_for(
    admin: SocketAddr,
    kid: &str,
    purpose: Purpose,
    limit: Duration,
) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let (admin, latest) = (reachable(admin), ambient::now() + limit);
        loop {
            let left = latest.saturating_duration_since(ambient::now());
            match ask(admin, left.max(AGAIN)).await {
                Ok(metrics) if uses(&metrics, kid, purpose) => return Ok(()),
                Ok(metrics) if left.is_zero() => {
                    let refused = metrics.contains("\ngatelatch_config_last_reload_successful 0");
                    let why = if refused {
                        "it has refused the files, its log says why"
                    } else {
                        "it has not read them; are they its files?"
                    };
                    bail!("the gateway at `{admin}` does not use the key `{kid}` yet: {why}")
                }
                Err(error) if left.is_zero() => {
                    return Err(error)
                        .with_context(|| format!("the gateway at `{admin}` does not answer"));
                }
                Ok(_) | Err(_) => sleep(AGAIN).await,
            }
        }
    })
}

fn uses(metrics: &str, kid: &str, purpose: Purpose) -> bool {
    let has = |purpose: &str| {
        let line = format!("gatelatch_token_key{{kid=\"{kid}\",use=\"{purpose}\"}} 1");
        metrics.lines().any(|other| other == line)
    };
    has("sign") || (purpose == Purpose::Verifies && has("verify"))
}

async fn ask(admin: SocketAddr, limit: Duration) -> anyhow::Result<String> {
    let request = BoundedRequest {
        url: &HttpUrl::parse(&format!("http://{admin}/metrics"))?,
        accept: "text/plain",
        authorization: None,
        tls: None,
        largest: LONGEST_ANSWER,
        deadline: limit,
    };
    let answer = get(request).await?;
    Ok(String::from_utf8_lossy(answer.body()).into_owned())
}
