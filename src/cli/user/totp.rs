//! `gatelatch user add-totp` and `remove-totp`: the authenticator app of a user of the list.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::path::Path;

use anyhow::{Context as _, bail};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::store::Store;
use crate::ambient;
use crate::cli::format::Format;
use crate::cli::printing::{counted, print, say};
use crate::cli::session::SessionAccess;
use crate::config::edit::Change;
use crate::factors::{CodeMatch, TotpCode, TotpSecret, TotpUri};

/// How often a code may be typed.
const TRIES: usize = 3;

/// The longest line of standard input that is read.
const LONGEST: u64 = 4096;

/// Add an authenticator app to a user
///
/// Makes a secret and shows it once, as an `otpauth:` address and as a QR code for the app to read. Then a code of the app is asked for,
/// on a terminal or on standard input: only a right one puts the secret into the user list as `totp`. From then on a code is asked for
/// after the user's password, unless `auth.login.second_factor` is `off`.
///
/// Whoever has the secret has the app: let its owner read the picture from your screen, and send it to nobody.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  gatelatch user add-totp alice
  gatelatch user add-totp alice --issuer 'Example Ltd' --format json --no-verify
  echo 'otpauth://totp/…' | gatelatch user add-totp alice --import")]
pub(super) struct AddTotpArgs {
    /// Whose app it is
    user: String,
    /// What the app calls the gateway
    #[arg(long, value_name = "NAME", default_value = "Gatelatch")]
    issuer: String,
    /// Put the secret into the list without a code of the app
    #[arg(long)]
    no_verify: bool,
    /// Take a secret from standard input, in base32 or as an `otpauth:` address: one that an app has already
    #[arg(long)]
    import: bool,
    /// How the secret is printed
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

/// Take the authenticator app of a user away
///
/// The way back for who has lost it. It takes away what the user list has, and says what the user has added besides, at
/// `/auth/account`: that is in `state`, and is taken away with --all, in the running gateway where that has it (`admin.listen`,
/// `admin.token`).
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  gatelatch user remove-totp alice
  gatelatch user remove-totp alice --all")]
pub(super) struct RemoveTotpArgs {
    /// Whose app it was
    user: String,
    /// Take away every second factor: apps, passkeys and recovery codes
    #[arg(long)]
    all: bool,
}

/// Adds the app, once it has shown that it has the secret.
///
/// # Errors
/// Where there is no such user, one with an app, or no right code; then the list is as it was.
pub(super) fn add(store: &Store, args: &AddTotpArgs) -> anyhow::Result<()> {
    let AddTotpArgs { user, .. } = args;
    let users = store.users()?;
    let known = users.iter().find(|known| *known.identity.subject == **user);
    match known {
        None => bail!("there is no user `{user}`; `gatelatch user list` shows all"),
        Some(known) if known.extras().totp.is_some() => bail!(
            "the user has an authenticator app already; `gatelatch user remove-totp {user}` takes it away"
        ),
        Some(known) if known.password.is_none() => {
            say("note: the user has no password, after which a code would be asked for")?;
        }
        Some(_) => {}
    }
    let mut input = io::stdin().lock();
    let secret = if args.import {
        imported(&line(&mut input)?)?
    } else {
        let secret = TotpSecret::fresh(&Zeroizing::new(ambient::random_bytes()));
        show(args, &secret)?;
        secret
    };
    if !args.no_verify && !args.import {
        verify(&secret, &mut input)?;
    }
    store.change(&Change::AddTotp {
        user: user.clone(),
        secret: secret.to_base32(),
    })?;
    say(&format!(
        "added an authenticator app to user `{user}` in {}",
        store.path().display()
    ))
}

/// Takes the app away, and says what remains.
///
/// # Errors
/// Where there is nothing to take away, or what is in `state` cannot be taken away that should be.
pub(super) fn remove(store: &Store, args: &RemoveTotpArgs, config: &Path) -> anyhow::Result<()> {
    let RemoveTotpArgs { user, all } = args;
    let users = store.users()?;
    let listed = users
        .iter()
        .any(|known| *known.identity.subject == **user && known.extras().totp.is_some());
    if listed {
        store.change(&Change::RemoveTotp(user.clone()))?;
        say(&format!(
            "removed the authenticator app of user `{user}` from {}",
            store.path().display()
        ))?;
    }
    let kept = SessionAccess::open(config).and_then(|access| {
        let kept = access.factors(user)?;
        Ok((access, kept))
    });
    match kept {
        Ok((access, Some(_))) if *all => {
            access.remove_factors(user)?;
            say(&format!("removed what `{user}` has added from `state`"))
        }
        Ok((_, Some(kept))) => say(&format!(
            "`{user}` has added {} at `/auth/account`; `--all` takes that away as well",
            in_words(&kept)
        )),
        Ok((_, None)) if listed => say(&format!("no second factor of `{user}` remains")),
        Ok((_, None)) => bail!("`{user}` has no second factor"),
        Err(error) if *all => Err(error),
        Err(error) if !listed => Err(error.context(format!(
            "the user list has no `totp` of `{user}`, and what is in `state` is not known"
        ))),
        Err(error) => say(&format!(
            "note: what `{user}` may have added at `/auth/account` is not known: {error}"
        )),
    }
}

/// `an authenticator app, 2 passkeys and 9 recovery codes`.
fn in_words(kept: &Value) -> String {
    let number = |name: &str| {
        let number = kept[name].as_u64().unwrap_or_default();
        usize::try_from(number).unwrap_or(usize::MAX)
    };
    let mut parts = Vec::new();
    if kept["totp"] == true {
        parts.push("an authenticator app".to_owned());
    }
    for (name, noun) in [("keys", "passkey"), ("recovery_codes", "recovery code")] {
        if number(name) > 0 {
            parts.push(counted(number(name), noun));
        }
    }
    match parts.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
        None => "nothing".to_owned(),
    }
}

/// Shows a new secret, the only time it is there to be seen.
fn show(args: &AddTotpArgs, secret: &TotpSecret) -> anyhow::Result<()> {
    let uri = TotpUri::new(&args.issuer, &args.user, secret);
    let shown = match args.format {
        Format::Json => {
            let written = json!({
                "user": args.user,
                "secret": *secret.to_base32(),
                "uri": uri.as_str(),
            });
            Zeroizing::new(format!("{written:#}\n"))
        }
        Format::Text => {
            let picture = uri.to_text();
            let picture = picture.as_ref().map_or("", |picture| picture.as_str());
            Zeroizing::new(format!("{picture}{}\n", uri.as_str()))
        }
    };
    print(&shown)
}

/// Asks for codes until one is right.
fn verify(secret: &TotpSecret, input: &mut io::StdinLock<'_>) -> anyhow::Result<()> {
    for _ in 0..TRIES {
        if input.is_terminal() {
            let mut terminal = anstream::stderr().lock();
            write!(terminal, "Code that the app shows: ").context("cannot ask for a code")?;
        }
        let typed = line(input)?;
        if typed.is_empty() {
            break;
        }
        let now = ambient::unix_seconds();
        let found = TotpCode::parse(&typed).map(|code| secret.look_at(&code, now, None));
        if let Some(CodeMatch::Fresh(_)) = found {
            return Ok(());
        }
        say("that is no code of this secret and this time; is the clock of the app right?")?;
    }
    bail!("the app has not shown that it has the secret; nothing was changed")
}

/// The next line of standard input, without its end.
fn line(input: &mut io::StdinLock<'_>) -> anyhow::Result<Zeroizing<String>> {
    let mut line = Zeroizing::new(String::new());
    io::Read::take(input, LONGEST)
        .read_line(&mut line)
        .context("cannot read standard input")?;
    Ok(Zeroizing::new(line.trim().to_owned()))
}

/// The secret of base32, or of an `otpauth:` address whose codes are of the kind that is taken here.
fn imported(text: &str) -> anyhow::Result<TotpSecret> {
    let secret = match text.strip_prefix("otpauth://totp/") {
        None => text.to_owned(),
        Some(rest) => {
            let (_, query) = rest.split_once('?').unwrap_or_default();
            of_query(query)?
        }
    };
    TotpSecret::parse(&secret).context("standard input holds no secret of an app")
}

fn of_query(query: &str) -> anyhow::Result<String> {
    let mut secret = None;
    for pair in query.split('&') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        match (name, value) {
            ("secret", value) => secret = Some(value.replace("%3D", "")),
            ("algorithm", value) if !value.eq_ignore_ascii_case("SHA1") => {
                bail!(
                    "codes by {} are not taken, only those by SHA1",
                    value.escape_debug()
                )
            }
            ("digits", value) if value != "6" => bail!("codes have six digits here"),
            ("period", value) if value != "30" => bail!("codes change every 30 seconds here"),
            _ => {}
        }
    }
    secret.context("the address has no `secret`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_of_other_lists_are_taken_where_their_codes_are() {
        let of = |text: &str| imported(text).map(|secret| secret.to_base32().to_string());
        let known = "GEZDGNBVGY3TQOJQ";
        for text in [
            known,
            "gezd gnbv gy3t qojq",
            "otpauth://totp/Authelia:john?algorithm=SHA1&digits=6&issuer=Authelia&period=30&secret=GEZDGNBVGY3TQOJQ",
            "otpauth://totp/x?secret=GEZDGNBVGY3TQOJQ%3D%3D",
        ] {
            assert_eq!(of(text).unwrap(), known, "{text}");
        }
        for (text, why) in [
            ("", "no secret"),
            ("otpauth://totp/x?digits=6", "no `secret`"),
            (
                "otpauth://totp/x?digits=8&secret=GEZDGNBVGY3TQOJQ",
                "six digits",
            ),
            (
                "otpauth://totp/x?period=60&secret=GEZDGNBVGY3TQOJQ",
                "30 seconds",
            ),
            (
                "otpauth://totp/x?algorithm=SHA512&secret=GEZDGNBVGY3TQOJQ",
                "SHA512",
            ),
            ("otpauth://hotp/x?secret=GEZDGNBVGY3TQOJQ", "no secret"),
        ] {
            let error = of(text).unwrap_err().to_string();
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
