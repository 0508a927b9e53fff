//! The differences between two configurations, whatever the format.

use std::path::Path;

use super::notices::Notice;
use super::people::Everybody;
use crate::analysis::diff::{MethodClass, PolicyChange};
use crate::cli::printing::counted;
use crate::config::Config;

/// Everything that is shown, whatever the format.
pub(super) struct DiffReport<'a> {
    /// The files, as given.
    pub(super) paths: (&'a Path, &'a Path),
    pub(super) old: &'a Config,
    pub(super) new: &'a Config,
    pub(super) everybody: Everybody,
    /// All classes of methods.
    pub(super) methods: Vec<MethodClass>,
    pub(super) changes: Vec<PolicyChange>,
    pub(super) notices: Vec<Notice>,
}

impl DiffReport<'_> {
    /// Whether anybody reaches what was out of reach before.
    pub(super) fn opens(&self) -> bool {
        self.changes.iter().any(|change| change.effect.is_opening())
            || self.notices.iter().any(Notice::is_opening)
    }

    /// `2 openings, 1 closing`; `nothing changes`.
    pub(super) fn summary(&self) -> String {
        let opening = self
            .changes
            .iter()
            .filter(|change| change.effect.is_opening())
            .count()
            + self
                .notices
                .iter()
                .filter(|notice| notice.is_opening())
                .count();
        let closing = self
            .changes
            .iter()
            .filter(|change| !change.effect.is_opening())
            .count()
            + self
                .notices
                .iter()
                .filter(|notice| notice.is_closing())
                .count();
        match (opening, closing) {
            (0, 0) => "no request is decided differently".to_owned(),
            (opening, closing) => format!(
                "{}, {}",
                counted(opening, "opening"),
                counted(closing, "closing")
            ),
        }
    }
}
