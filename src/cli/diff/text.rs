//! The changes for people.

use super::notices::Notice;
use super::report::DiffReport;
use super::weight::Weight;
use crate::analysis::diff::{CallerKind, ChangeEffect, PolicyChange};
use crate::cli::printing::{STRONG, styled};
use crate::cli::terminal::{BAD, FAINT, GOOD};

/// Paths of one change that are shown.
const MOST_PATHS: usize = 8;
/// Changes for one and the same user that are shown.
const MOST_OF_ONE: usize = 12;

/// `width`: columns of the terminal; a line that is longer is left as it is, because a path cut in two helps nobody.
pub(super) fn render(report: &DiffReport<'_>, width: Option<usize>) -> String {
    let (old, new) = (report.paths.0.display(), report.paths.1.display());
    let mut text = format!("{} ({old} -> {new})\n", styled(STRONG, &report.summary()));
    let rule = styled(FAINT, &"─".repeat(width.unwrap_or(60).min(60)));
    let mut groups: Vec<Vec<&PolicyChange>> = Vec::new();
    for change in &report.changes {
        match groups.last_mut() {
            Some(group) if is_of_same_people(group[0], change) => group.push(change),
            Some(_) | None => groups.push(vec![change]),
        }
    }
    for group in groups {
        text += &format!("{rule}\n");
        text += &match group.as_slice() {
            [change] => one(report, change),
            many => of_people(report, many),
        };
    }
    if !report.notices.is_empty() {
        text += &format!("{rule}\n");
        text.extend(report.notices.iter().map(notice));
    }
    text
}

/// Whether both are about the same users, because of what changed about these.
fn is_of_same_people(one: &PolicyChange, other: &PolicyChange) -> bool {
    let is_about_people = |change: &PolicyChange| {
        change
            .callers
            .iter()
            .all(|class| matches!(class.who, CallerKind::People { .. }))
    };
    one.effect == other.effect && is_about_people(one) && one.callers == other.callers
}

fn mark(effect: ChangeEffect) -> String {
    match effect {
        ChangeEffect::Opens => styled(BAD, "OPENS "),
        ChangeEffect::Moves => styled(BAD, "MOVES "),
        ChangeEffect::Closes => styled(GOOD, "closes"),
    }
}

fn one(report: &DiffReport<'_>, change: &PolicyChange) -> String {
    let mut text = format!("{} {}\n", mark(change.effect), requests(report, change));
    text += &format!(
        "  for    {}{}\n",
        report.callers(change),
        affected(report, change)
    );
    text += &format!("  before {}\n", report.decided(report.old, change.before));
    text + &format!("  now    {}\n", report.decided(report.new, change.after))
}

/// Several changes that have their callers in common, a line each.
fn of_people(report: &DiffReport<'_>, changes: &[&PolicyChange]) -> String {
    let mut text = format!(
        "{} for {}\n",
        mark(changes[0].effect),
        report.callers(changes[0])
    );
    for change in changes.iter().take(MOST_OF_ONE) {
        text += &format!(
            "  {}: {}\n",
            requests(report, change),
            report.decided(report.new, change.after)
        );
    }
    match changes.len().saturating_sub(MOST_OF_ONE) {
        0 => text,
        more => text + &format!("  and {more} more; `--format json` shows all\n"),
    }
}

/// `jobs: GET /jobs, /jobs/{id}`.
fn requests(report: &DiffReport<'_>, change: &PolicyChange) -> String {
    let paths = report.paths(change);
    let shown = paths
        .iter()
        .take(MOST_PATHS)
        .cloned()
        .collect::<Vec<_>>()
        .join(" ");
    let more = match paths.len().saturating_sub(MOST_PATHS) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let hosts = report
        .hosts(change)
        .map(|hosts| format!(" at {hosts}"))
        .unwrap_or_default();
    format!(
        "{}: {} {shown}{more}{hosts}",
        report.service(change),
        styled(STRONG, &report.methods(change))
    )
}

fn affected(report: &DiffReport<'_>, change: &PolicyChange) -> String {
    if change.affected.is_empty() {
        return String::new();
    }
    styled(
        FAINT,
        &format!(" (users: {})", report.everybody.names(&change.affected, 5)),
    )
}

fn notice(notice: &Notice) -> String {
    let mark = match notice.weight {
        Weight::Opens => styled(BAD, "OPENS "),
        Weight::Closes => styled(GOOD, "closes"),
        Weight::Says => styled(FAINT, "note  "),
    };
    format!("{mark} {}: {}\n", notice.about, notice.what)
}
