//! `auth.login`: the sign-in page, and how many failures are too many.

use std::time::Duration;

use super::label;
use crate::config::blocks;
use crate::config::code::Code;
use crate::config::files::reason;
use crate::config::finding::Finding;
use crate::config::places::SignInPlaces;
use crate::config::reader::Reader;
use crate::config::section::Section;
use crate::config::settings::ChangePassword;
use crate::config::span::Span;
use crate::config::yaml::Entry;
use crate::factors::SecondFactorPolicy;
use crate::pages::{PageKind, Theme};
use crate::session::AttemptLimits;

/// What `auth.login` says.
pub(super) struct Login {
    /// The pages; `None` where nobody signs in with a browser.
    pub(super) theme: Option<Theme>,
    pub(super) attempts: AttemptLimits,
    pub(super) change_password: ChangePassword,
    pub(super) second_factor: SecondFactorPolicy,
    /// Where it stands, with the keys of people.
    pub(super) places: SignInPlaces,
}

/// The block; `passkeys` is where that of their keys stands.
pub(super) fn login(
    entry: Option<Entry>,
    passkeys: Option<Span>,
    reader: &mut Reader<'_>,
) -> Login {
    let section = entry.and_then(|entry| reader.section(entry, &blocks::LOGIN));
    let Some(mut section) = section else {
        return Login {
            theme: Some(Theme::builtin("Sign in")),
            attempts: AttemptLimits::default(),
            change_password: ChangePassword::Off,
            second_factor: SecondFactorPolicy::default(),
            places: SignInPlaces {
                passkeys,
                ..SignInPlaces::default()
            },
        };
    };
    let page = section.boolean("page", reader).unwrap_or(true);
    let title = section
        .take("title")
        .and_then(|entry| label(&entry, reader));
    let mut theme = Theme::builtin(title.as_deref().unwrap_or("Sign in"));
    if let Some(entry) = section.take("templates") {
        templates(&entry, &mut theme, reader);
    }
    let attempts = attempts(&mut section, reader);
    let change_password = section.take("change_password");
    let second_factor = section.take("second_factor");
    let place = |entry: &Option<Entry>| entry.as_ref().map(|entry| entry.key_span);
    let places = SignInPlaces {
        second_factor: place(&second_factor),
        change_password: place(&change_password),
        passkeys,
    };
    let change_password =
        change_password.and_then(|entry| reader.choice(&entry, blocks::CHANGE_PASSWORD));
    let second_factor =
        second_factor.and_then(|entry| reader.choice(&entry, blocks::SECOND_FACTOR));
    section.finish(reader);
    Login {
        theme: page.then_some(theme),
        attempts,
        change_password: change_password.unwrap_or_default(),
        second_factor: second_factor.unwrap_or_default(),
        places,
    }
}

/// `attempts`, `window` and `lockout`.
fn attempts(section: &mut Section, reader: &mut Reader<'_>) -> AttemptLimits {
    let mut limits = AttemptLimits::default();
    section.integer("attempts", &mut limits.attempts, reader);
    let (second, day) = (Duration::from_secs(1), Duration::from_secs(24 * 3600));
    section.duration("window", &mut limits.window, second..=day, reader);
    section.duration("lockout", &mut limits.lockout, second..=day, reader);
    limits
}

/// Own pages from a folder, each in place of the built-in one.
fn templates(entry: &Entry, theme: &mut Theme, reader: &mut Reader<'_>) {
    let Some(folder) = reader.path(entry) else {
        return;
    };
    let mut found = 0;
    for kind in PageKind::ALL {
        let path = folder.join(kind.file());
        let message = match reader.read_file(&path) {
            Ok(text) => {
                found += 1;
                let Err(error) = theme.replace(kind, &text) else {
                    continue;
                };
                (
                    Code::InvalidTemplate,
                    format!("`{}` is no template: {error}", path.display()),
                )
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => (
                Code::UnreadableFile,
                format!("cannot read `{}`: {}", path.display(), reason(&error)),
            ),
        };
        found += 1;
        reader.report(Finding::error(message.0, entry.node.span, message.1));
    }
    if found == 0 {
        let names = PageKind::ALL
            .map(|kind| format!("`{}`", kind.file()))
            .join(", ");
        let message = format!("there is no page in `{}`", folder.display());
        let finding = Finding::error(Code::UnreadableFile, entry.node.span, message);
        reader.report(finding.help(format!("name a folder that holds at least one of {names}")));
    }
}
