//! `gatelatch token issue`.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};

use crate::ambient;
use crate::cli::load;
use crate::cli::printing::print;
use crate::cli::words::{duration, trimmed};
use crate::config::{Auth, KeyLife, show_duration};
use crate::token::{Holder, IssuerSettings, SessionId, SignIn, TokenIssuer};

/// Make a token for a user of the list
///
/// It is signed with the configured key, and printed on standard output.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  gatelatch token issue --user rita
  gatelatch token issue --user rita --ttl 10m --roles recruiter")]
pub(super) struct TokenIssueArgs {
    /// Whom it is for
    #[arg(long, value_name = "USER")]
    user: String,

    /// How long it is valid, up to `max_lifetime`
    #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = life)]
    ttl: Duration,

    /// What the token says of roles (several with commas between them), for services that read it themselves: the
    /// gateway itself always takes those of the user list
    #[arg(long, value_name = "ROLES", value_delimiter = ',', value_parser = trimmed::<Box<str>>)]
    roles: Option<Vec<Box<str>>>,
}

fn life(text: &str) -> Result<Duration, &'static str> {
    let life = duration(text).ok();
    life.filter(|life| *life >= Duration::from_secs(1))
        .ok_or("write a duration such as `10m` or `1h`")
}

pub(super) fn run(args: &TokenIssueArgs, config: &Path) -> anyhow::Result<ExitCode> {
    let config = load::load(config)?.config;
    let user = config.directory.find(&args.user);
    let user = user.with_context(|| {
        format!(
            "there is no user `{}`; `gatelatch user list` shows all",
            args.user
        )
    })?;
    if user.extras().disabled {
        bail!(
            "user `{}` is disabled: every token of this user is refused",
            args.user
        );
    }
    let issuer = issuer(config.auth, args.ttl, config.server.limits.header_bytes)?;
    let identity = &user.identity;
    let holder = Holder {
        subject: &identity.subject,
        roles: args.roles.as_deref().unwrap_or(&identity.roles),
        name: identity.name.as_deref(),
        email: identity.email.as_deref(),
        claims: user.extras().claims.as_deref(),
        session: Some(SessionId::from_bytes(ambient::random_bytes())),
        // nobody has signed in
        sign_in: SignIn::default(),
    };
    let issued = issuer.issue(&holder, ambient::random_bytes(), ambient::unix_seconds())?;
    print(&format!("{}\n", issued.token))?;
    Ok(ExitCode::SUCCESS)
}

fn issuer(auth: Auth, ttl: Duration, longest_token: usize) -> anyhow::Result<TokenIssuer> {
    let token = auth.token;
    if token.key_life == KeyLife::Process {
        bail!(
            "no key is configured, so no other process would accept the token: write `auth.token.secret`"
        );
    }
    if ttl > token.max_lifetime {
        let longest = show_duration(token.max_lifetime);
        bail!("a token of this life is refused: `auth.token.max_lifetime` is {longest}");
    }
    let settings = IssuerSettings {
        issuer: token.issuer,
        audience: token.audience,
        access_ttl: ttl,
        roles_claim: token.roles_claim,
        longest_token,
    };
    Ok(TokenIssuer::new(token.key, settings))
}
