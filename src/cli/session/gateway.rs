//! A gateway that runs, asked at its admin listener.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use http::{HeaderValue, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};

use crate::cli::healthcheck::reachable;
use crate::cli::{load, load_request};
use crate::config::find_admin_access;
use crate::net::{BoundedRequest, HttpUrl, get, post_json};
use crate::session::SessionSelector;
use crate::text::percent;

/// The longest answer: a page of 500 sessions has far less.
const LARGEST: usize = 4 << 20;

/// How long an answer may take.
const DEADLINE: Duration = Duration::from_secs(15);

/// A gateway that runs.
pub(in crate::cli) struct RunningGateway {
    address: SocketAddr,
    token: Option<SecretString>,
    runtime: Runtime,
}

impl RunningGateway {
    /// The admin listener of a configuration; `None` where it is off.
    pub(super) fn find(config: &Path) -> anyhow::Result<Option<Self>> {
        let access = find_admin_access(&load_request(config)).map_err(load::shown)?;
        let runtime = Builder::new_current_thread().enable_all().build()?;
        Ok(access.listen.map(|address| Self {
            address: reachable(address),
            token: access.token,
            runtime,
        }))
    }

    pub(super) fn page(
        &self,
        user: Option<&str>,
        provider: Option<&str>,
        from: u64,
    ) -> anyhow::Result<(Vec<Value>, Option<u64>)> {
        let mut query = format!("/api/sessions?from={from}");
        for (name, value) in [("user", user), ("provider", provider)] {
            if let Some(value) = value {
                query += &format!("&{name}=");
                percent::encode_into(&mut query, value, |byte| byte.is_ascii_alphanumeric());
            }
        }
        let mut answer = self.ask(&query, None)?;
        let next = answer["next"].as_u64();
        let Value::Array(list) = answer["sessions"].take() else {
            bail!(
                "what answers at `{}` is no gateway of this version",
                self.address
            )
        };
        Ok((list, next))
    }

    pub(super) fn end(&self, selector: &SessionSelector) -> anyhow::Result<usize> {
        let body = match selector {
            SessionSelector::User(name) => json!({ "user": name }),
            SessionSelector::Id(id) => json!({ "id": id.to_string() }),
            SessionSelector::ProviderSid(..)
            | SessionSelector::ProviderSub(..)
            | SessionSelector::ProviderSubWithoutSid(..)
            | SessionSelector::UserExcept(..) => {
                bail!("providers and people end their sessions themselves")
            }
        };
        let answer = self.ask("/api/sessions/end", Some(body))?;
        let ended = answer["ended"].as_u64();
        ended
            .and_then(|ended| usize::try_from(ended).ok())
            .ok_or_else(|| {
                anyhow!(
                    "what answers at `{}` is no gateway of this version",
                    self.address
                )
            })
    }

    pub(super) fn factors(&self, user: &str) -> anyhow::Result<Option<Value>> {
        let mut query = "/api/factors?user=".to_owned();
        percent::encode_into(&mut query, user, |byte| byte.is_ascii_alphanumeric());
        let mut answer = self.ask(&query, None)?;
        let Value::Array(list) = answer["factors"].take() else {
            return Err(self.is_other());
        };
        Ok(list.into_iter().next())
    }

    pub(super) fn remove_factors(&self, user: &str) -> anyhow::Result<bool> {
        let answer = self.ask("/api/factors/remove", Some(json!({ "user": user })))?;
        answer["removed"].as_bool().ok_or_else(|| self.is_other())
    }

    fn is_other(&self) -> anyhow::Error {
        anyhow!(
            "what answers at `{}` is no gateway of this version",
            self.address
        )
    }

    fn ask(&self, path: &str, body: Option<Value>) -> anyhow::Result<Value> {
        let url = HttpUrl::parse(&format!("http://{}{path}", self.address))?;
        let credential = match &self.token {
            Some(token) => {
                let text = format!("Bearer {}", token.expose_secret());
                let mut value =
                    HeaderValue::from_str(&text).context("`admin.token` is no token")?;
                value.set_sensitive(true);
                Some(value)
            }
            None => None,
        };
        let request = BoundedRequest {
            url: &url,
            accept: "application/json",
            authorization: credential.as_ref(),
            tls: None,
            largest: LARGEST,
            deadline: DEADLINE,
        };
        let answer = match body {
            Some(body) => self.runtime.block_on(post_json(request, body.to_string())),
            None => self.runtime.block_on(get(request)),
        };
        let answer = answer.map_err(|error| {
            anyhow!(
                "sessions are in the running gateway, and none answers at `admin.listen`: {error}; start it with \
                 `gatelatch run`, or name the configuration of one that runs with `--config`"
            )
        })?;
        let parsed = serde_json::from_slice::<Value>(answer.body()).unwrap_or_default();
        match answer.status() {
            StatusCode::OK => Ok(parsed),
            StatusCode::FORBIDDEN if self.token.is_none() => bail!(
                "the running gateway ends no session for anybody without a token: set `admin.token`, and reload it with \
                 this configuration"
            ),
            StatusCode::UNAUTHORIZED => {
                bail!("the running gateway has another `admin.token` than this configuration")
            }
            status => {
                let detail = parsed["detail"].as_str().unwrap_or("it does not say why");
                bail!(
                    "the running gateway answers {status}: {}",
                    detail.escape_debug()
                )
            }
        }
    }
}
