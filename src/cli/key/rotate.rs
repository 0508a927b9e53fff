//! `gatelatch key rotate`: a new key that signs, in the order that logs nobody out.
//!
//! A key signs only after every gateway verifies it, and the former one goes on verifying. The new key is written beside
//! the present one, under the next number that is free, and both steps are one change each of one file, `gateway.yaml`. Which
//! step comes next is seen in `previous`, and nowhere else, so that a rotation that was broken off is taken up again, and a
//! key that was left behind under the next number never signs.

use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::ValueEnum;

use super::confirm::{Purpose, wait_for};
use super::place::{KeyPlace, Spelling};
use crate::cli::load::load;
use crate::cli::printing::{print, say};
use crate::cli::words::duration;
use crate::config::edit::{KeyChange, WrittenKey, WrittenKeys, edit_keys, read_keys};
use crate::config::{Config, KeyLife, create_like, replace, show_duration};
use crate::token::Algorithm;

/// Put a new key in the place of the one that signs tokens, and log nobody out
///
/// The new secret or key pair is made known to every gateway first (`auth.token.previous`), and signs only when all have
/// confirmed that they verify it; the former one goes on verifying. gateway.yaml, and `.env` or the key files, are changed in
/// place, comments kept. A rotation that was broken off is taken up where it stands, which `previous` shows; whatever else is there
/// under the next name stays unused. Where the files cannot be written, or
/// the secret comes from the environment, the steps are printed instead, and the exit code is 1.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  gatelatch key rotate --dry-run
  gatelatch key rotate
  gatelatch key rotate --admin 10.0.0.1:9900 --admin 10.0.0.2:9900
  gatelatch key rotate --step introduce")]
pub(super) struct RotateArgs {
    /// Say the steps, and change nothing
    #[arg(long)]
    dry_run: bool,

    /// Take this step only; between the two, copy the files to gateways that have copies of their own
    #[arg(long, value_enum)]
    step: Option<Step>,

    /// The admin listener of a gateway that must confirm; again for each replica; default: `admin.listen`
    #[arg(long, value_name = "ADDR")]
    admin: Vec<SocketAddr>,

    /// How long the gateways may take to confirm a step
    #[arg(long, default_value = "60s", value_name = "DURATION", value_parser = duration)]
    timeout: Duration,

    /// No gateway runs: wait for none
    #[arg(long, conflicts_with = "admin")]
    offline: bool,
}

/// A step of a rotation.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// The new key verifies
    Introduce,
    /// The new key signs, the former one verifies
    Sign,
}

pub(super) fn run(args: &RotateArgs, config: &Path) -> anyhow::Result<ExitCode> {
    let rotation = Rotation::read(config)?;
    if args.dry_run {
        print(&rotation.steps())?;
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(why) = rotation.hindrance() {
        say(&format!("{why}; do this by hand:\n"))?;
        print(&rotation.steps())?;
        return Ok(ExitCode::FAILURE);
    }
    let waiting = Waiting::new(args, &rotation.config)?;
    match (rotation.next.introduced, args.step) {
        (Some(_), Some(Step::Introduce)) => say("the new key is introduced already")?,
        (None, Some(Step::Sign)) => {
            bail!("no new key is introduced; take the step `introduce` first")
        }
        (Some(_), _) => say(&rotation.note())?,
        (None, _) => rotation.introduce(config)?,
    }
    // as it is now, whoever has written it
    let rotation = Rotation::read(config)?;
    let new = rotation.new_key_id()?;
    waiting.confirm(&new, Purpose::Verifies)?;
    if args.step == Some(Step::Introduce) {
        say(
            "bring the files to every gateway that has copies of its own, then: `gatelatch key rotate --step sign`, with `--admin` for each",
        )?;
        return Ok(ExitCode::SUCCESS);
    }
    rotation.sign(config)?;
    waiting.confirm(&new, Purpose::Signs)?;
    rotation.say_end()?;
    Ok(ExitCode::SUCCESS)
}

/// The gateways that must confirm.
struct Waiting {
    admins: Vec<SocketAddr>,
    timeout: Duration,
}

impl Waiting {
    fn new(args: &RotateArgs, config: &Config) -> anyhow::Result<Self> {
        let admins = match (&args.admin[..], args.offline) {
            ([], true) => Vec::new(),
            ([], false) => vec![config.admin.context(
                "`admin.listen` is `off`, so nobody can confirm a step; name it with `--admin`, or say `--offline` where no gateway runs",
            )?],
            (named, _) => named.to_vec(),
        };
        Ok(Self {
            admins,
            timeout: args.timeout,
        })
    }

    fn confirm(&self, kid: &str, purpose: Purpose) -> anyhow::Result<()> {
        for admin in &self.admins {
            say(&format!(
                "  waiting until {admin} confirms that `{kid}` {}, for {} at most; `--offline` waits for none, where no gateway runs",
                purpose.said(),
                show_duration(self.timeout)
            ))?;
            wait_for(*admin, kid, purpose, self.timeout)
                .context("the rotation stands still, and nobody is logged out; once that is mended, the same command takes it up")?;
            say(&format!(
                "  confirmed by {admin}: `{kid}` {}",
                purpose.said()
            ))?;
        }
        Ok(())
    }
}

/// A configuration, and where its rotation stands.
struct Rotation {
    text: String,
    config: Config,
    algorithm: Algorithm,
    written: WrittenKeys,
    place: KeyPlace,
    next: NextKey,
}

/// The key that will sign.
struct NextKey {
    place: KeyPlace,
    /// Which entry of `previous` it is, once it is introduced.
    introduced: Option<usize>,
    /// The names before it that are in use already, by something that no rotation has introduced.
    left_over: Vec<String>,
}

impl NextKey {
    /// A rotation that was begun is in `previous`. What is there otherwise under the next name, such as a key that is
    /// retired, is left alone, and the key gets the first name that is free.
    fn choose(place: &KeyPlace, previous: &[Option<WrittenKey>]) -> anyhow::Result<Self> {
        let entry_of = |next: &KeyPlace| {
            let key = next.verifying();
            let is_this = |entry: &WrittenKey| entry.name == key.name && entry.value == key.value;
            let mut entries = previous.iter();
            entries.position(|entry| entry.as_ref().is_some_and(is_this))
        };
        let mut places = place.successors();
        if let Some((place, index)) =
            places.find_map(|next| entry_of(&next).map(|index| (next, index)))
        {
            return Ok(Self {
                place,
                introduced: Some(index),
                left_over: Vec::new(),
            });
        }
        let mut left_over = Vec::new();
        for next in place.successors() {
            // where the keys come from another place, that place is not seen
            if next.is_free() || place.is_external() {
                return Ok(Self {
                    place: next,
                    introduced: None,
                    left_over,
                });
            }
            left_over.push(next.to_string());
        }
        bail!(
            "no name is free for a new key, from `{}` on; remove what is left over from former rotations",
            left_over.first().map_or("", String::as_str)
        )
    }
}

impl Rotation {
    fn read(path: &Path) -> anyhow::Result<Self> {
        let config = load(path)?.config;
        if config.auth.token.key_life == KeyLife::Process {
            bail!("there is no key to rotate: without `auth.token.secret` each start makes one");
        }
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read `{}`", path.display()))?;
        let text = text.trim_start_matches('\u{feff}').to_owned();
        let written = read_keys(&text).ok().flatten();
        let written = written.context(
            "`auth.token` is written in a way that cannot be edited without risk; rotate by hand, as the guide shows under \"Keys\"",
        )?;
        let place = KeyPlace::of(&written.current, path);
        let next = NextKey::choose(&place, &written.previous)?;
        Ok(Self {
            algorithm: config.auth.token.key.algorithm(),
            text,
            config,
            written,
            place,
            next,
        })
    }

    /// Why the files cannot be changed, if they cannot.
    fn hindrance(&self) -> Option<String> {
        self.place.hindrance(&self.next.place)
    }

    /// The name by which the key that will sign goes.
    fn new_key_id(&self) -> anyhow::Result<String> {
        let index = self.next.introduced.context("no new key is introduced")?;
        let key = self.config.auth.token.previous.get(index);
        Ok(key.context("the new key is not read")?.id().to_owned())
    }

    /// The next `kid`, where the present key has one that was given.
    fn numbered(&self, key: WrittenKey, next: bool) -> WrittenKey {
        let kid = self.written.current.kid.as_deref().map(|kid| {
            let kid = Spelling::parse(kid, '-', "");
            if next {
                kid.next().to_string()
            } else {
                kid.to_string()
            }
        });
        WrittenKey { kid, ..key }
    }

    fn introduce(&self, path: &Path) -> anyhow::Result<()> {
        if !self.next.left_over.is_empty() {
            say(&self.note())?;
        }
        let next = &self.next.place;
        for (file, text) in next.material(self.algorithm)? {
            say(&format!("1. writing {}", file.display()))?;
            create_like(&file, &self.place.model(), &text)?;
        }
        if let Some((file, before, after)) = next.variable_line()? {
            say(&format!("1. adding `{next}` to {}", file.display()))?;
            replace(&file, before.as_ref().map(|text| text.as_str()), &after)?;
        }
        say("2. `auth.token.previous`: the new key verifies")?;
        let key = self.numbered(next.verifying(), true);
        let change = KeyChange::Introduce(key, self.algorithm.name().to_owned());
        self.change(path, &change)
    }

    fn sign(&self, path: &Path) -> anyhow::Result<()> {
        let index = self.next.introduced.context("no new key is introduced")?;
        if let Some((file, text)) = self.place.public_half(self.algorithm)? {
            say(&format!("3. writing {}", file.display()))?;
            create_like(&file, &self.place.model(), &text)?;
        }
        say("3. `auth.token`: the new key signs, the former one verifies")?;
        let change = KeyChange::Sign {
            current: self.numbered(self.next.place.signing(), true),
            index,
            previous: self.numbered(self.place.verifying(), false),
        };
        self.change(path, &change)
    }

    /// Changes the configuration; one that would not load is put back.
    fn change(&self, path: &Path, change: &KeyChange) -> anyhow::Result<()> {
        let target = path.canonicalize()?;
        let whole = std::fs::read_to_string(&target)?;
        let mark = if whole.starts_with('\u{feff}') {
            "\u{feff}"
        } else {
            ""
        };
        let edited = edit_keys(&self.text, change)?;
        let edited = format!("{mark}{edited}");
        replace(&target, Some(&whole), &edited)?;
        load(path).map(drop).inspect_err(|_| {
            // it says itself where that fails
            let _ = replace(&target, Some(&edited), &whole);
        })
    }

    fn say_end(&self) -> anyhow::Result<()> {
        let life = self.longest_life();
        say(&format!(
            "done. Take the former key out of `auth.token.previous` in {}: until then tokens that it has signed are in use",
            show_duration(life)
        ))
    }

    /// The longest that anything but a device cookie, which gives no right, may live that the former key has signed.
    fn longest_life(&self) -> Duration {
        let auth = &self.config.auth;
        // what `token issue --ttl` makes lives up to `max_lifetime`
        let token = auth.token.access_ttl.max(auth.token.max_lifetime);
        auth.session.max_age.max(token)
    }

    /// Which key it is about, and why that one.
    fn note(&self) -> String {
        let next = &self.next;
        let place = &next.place;
        match (next.introduced, &next.left_over[..]) {
            (Some(_), _) => format!(
                "a rotation was begun: `auth.token.previous` has `{}`; it is taken up",
                place.verifying().value
            ),
            (None, []) => format!("the new key is `{place}`"),
            (None, left_over) => format!(
                "the new key is `{place}`: `{}` is in use already, and not in `auth.token.previous`; it is left alone",
                left_over.join("`, `")
            ),
        }
    }

    /// The steps, for somebody who takes them by hand.
    fn steps(&self) -> String {
        let (present, next) = (&self.place, &self.next.place);
        let algorithm = self.algorithm.name();
        let (verifying, signing) = (next.verifying(), next.signing());
        let former = present.verifying();
        let begun = if self.next.introduced.is_some() {
            " (done)"
        } else {
            ""
        };
        format!(
            "{}\n\
             1. {}{begun}\n\
             2. in gateway.yaml, under `auth.token`, add to `previous`:{begun}\n\
             \x20      - {{ algorithm: {algorithm}, {}: \"{}\" }}\n\
             \x20  and wait until every gateway shows it at /metrics: gatelatch_token_key{{kid=\"...\",use=\"verify\"}}\n\
             3. in gateway.yaml, in one save, exchange the two:\n\
             \x20  under `auth.token`           {}: \"{}\"\n\
             \x20  in the entry of `previous`   {}: \"{}\"\n\
             \x20  and wait until every gateway shows the new key with use=\"sign\"\n\
             4. after {}, take the entry out of `previous`\n",
            self.note(),
            next.how_to_make(self.algorithm),
            verifying.name,
            verifying.value,
            signing.name,
            signing.value,
            former.name,
            shown(&former),
            show_duration(self.longest_life()),
        )
    }
}

/// A secret that stands in the file itself is not printed.
fn shown(key: &WrittenKey) -> &str {
    if key.name == "secret" && !key.value.starts_with("${") {
        "the present secret"
    } else {
        &key.value
    }
}
