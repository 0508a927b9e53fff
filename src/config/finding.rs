//! Problems while they are collected: places are spans, and no text of a file has been looked at yet.

use std::collections::HashMap;

use super::code::Code;
use super::problem::Severity;
use super::span::Span;

/// A problem to be.
#[derive(Debug)]
pub(super) struct Finding {
    pub(super) code: Code,
    pub(super) severity: Severity,
    pub(super) message: String,
    pub(super) span: Option<Span>,
    pub(super) help: Option<String>,
    pub(super) notes: Vec<(Span, String)>,
    /// A value that may be a secret under a misspelled key.
    pub(super) concealed: Option<Span>,
    /// The rule and the service that it is about: their `allow_lints` may silence it.
    subjects: Vec<Span>,
}

/// All problems of one load.
#[derive(Debug, Default)]
pub(super) struct Findings {
    list: Vec<Finding>,
    silences: Vec<Silence>,
}

/// A lint that is allowed: about one subject, or about anything.
#[derive(Debug)]
struct Silence {
    code: Code,
    subject: Option<Span>,
    place: Span,
}

impl Finding {
    /// Something that makes the configuration unusable.
    pub(super) fn error(code: Code, span: Span, message: impl Into<String>) -> Self {
        Self::new(code, Severity::Error, Some(span), message.into())
    }

    /// Something worth a second look.
    pub(super) fn warning(code: Code, span: Span, message: impl Into<String>) -> Self {
        Self::new(code, Severity::Warning, Some(span), message.into())
    }

    /// A problem that no line of a file has.
    pub(super) fn nowhere(code: Code, severity: Severity, message: impl Into<String>) -> Self {
        Self::new(code, severity, None, message.into())
    }

    fn new(code: Code, severity: Severity, span: Option<Span>, message: String) -> Self {
        Self {
            code,
            severity,
            message,
            span,
            help: None,
            notes: Vec::new(),
            concealed: None,
            subjects: Vec::new(),
        }
    }

    /// What to write instead.
    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// What to write instead, where there is something to say.
    pub(super) fn maybe_help(mut self, help: Option<String>) -> Self {
        self.help = help;
        self
    }

    /// Another place that belongs to it.
    pub(super) fn note(mut self, span: Span, message: impl Into<String>) -> Self {
        self.notes.push((span, message.into()));
        self
    }

    /// What it is about.
    pub(super) fn about(mut self, subjects: impl IntoIterator<Item = Span>) -> Self {
        self.subjects.extend(subjects);
        self
    }

    /// Whether it is of this kind, about this place.
    pub(super) fn is_of(&self, code: Code, span: Span) -> bool {
        self.code == code && self.span == Some(span)
    }

    /// The value there is not to be shown.
    pub(super) fn conceal(mut self, span: Span) -> Self {
        self.concealed = Some(span);
        self
    }
}

impl Findings {
    /// Adds one.
    pub(super) fn push(&mut self, finding: Finding) {
        self.list.push(finding);
    }

    /// Lets warnings of this kind pass about this subject.
    pub(super) fn silence(&mut self, code: Code, subject: Option<Span>, place: Span) {
        self.silences.push(Silence {
            code,
            subject,
            place,
        });
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    /// Takes away all but the first so many.
    pub(super) fn split_off(&mut self, at: usize) -> Vec<Finding> {
        self.list.split_off(at)
    }

    /// Adds others as if they had been added when there were so many.
    pub(super) fn insert(&mut self, at: usize, others: Vec<Finding>) {
        self.list.splice(at..at, others);
    }

    /// Whether one of them makes the configuration unusable.
    pub(super) fn has_errors(&self) -> bool {
        self.list
            .iter()
            .any(|finding| finding.severity == Severity::Error)
    }

    /// All of them that are not silenced, by place; those without one come first.
    pub(super) fn into_sorted(mut self) -> Vec<Finding> {
        let complete = !self.has_errors();
        let silences: HashMap<_, _> = self
            .silences
            .iter()
            .enumerate()
            .map(|(index, silence)| ((silence.code, silence.subject), index))
            .collect();
        let mut used = vec![false; self.silences.len()];
        self.list.retain(|finding| {
            let subjects = finding.subjects.iter().copied().map(Some).chain([None]);
            let found: Vec<_> = subjects
                .filter_map(|subject| silences.get(&(finding.code, subject)))
                .collect();
            found.iter().for_each(|index| used[**index] = true);
            finding.severity == Severity::Error || found.is_empty()
        });
        // After an error not every lint was asked.
        if complete {
            // who can read the files is not looked at by every load
            let unused = self
                .silences
                .iter()
                .zip(used)
                .filter(|(silence, used)| !used && silence.code != Code::WorldReadable);
            self.list
                .extend(unused.map(|(silence, _)| pointless(silence)));
        }
        self.list.sort_by_key(|finding| finding.span);
        self.list
    }
}

fn pointless(silence: &Silence) -> Finding {
    let message = format!("`{}` has nothing to say here", silence.code);
    Finding::warning(Code::PointlessAllow, silence.place, message)
        .help("take it out of `allow_lints`")
}

/// `did you mean …?` for the nearest of the known words, if one is near enough to be meant.
pub fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(word, known).map(|name| format!("did you mean `{name}`?"))
}

/// Algorithms of signatures that are no slip of the pen for another one, folded.
const OTHER_ALGORITHMS: [&str; 6] = [
    "es256k",
    "ed448",
    "esp256",
    "ml_dsa_44",
    "ml_dsa_65",
    "ml_dsa_87",
];

/// The nearest of the known words, if one is near enough to be meant.
pub(super) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // A word much longer than any key is not a slip of the pen, and measuring it takes long.
    if word.len() > 64 {
        return None;
    }
    let folded = word.to_ascii_lowercase().replace('-', "_");
    if OTHER_ALGORITHMS.contains(&&*folded) {
        return None;
    }
    // something of the word is right: one letter for another is no slip
    let length = word.chars().count();
    let allowed = (length / 3).max(1).min(length.saturating_sub(1));
    let distance = |name: &str| {
        let begins = folded.len() >= 3
            && name.len() >= 3
            && (folded.starts_with(name) || name.starts_with(&folded));
        // `warning` for `warn`: far away by letters, and yet meant.
        match begins {
            true => allowed,
            false => strsim::osa_distance(&folded, &name.to_ascii_lowercase()),
        }
    };
    let near = known.into_iter().map(|name| (distance(name), name));
    let (_, name) = near.filter(|(d, _)| *d <= allowed).min()?;
    Some(name)
}

/// `` `a`, `b` or `c` ``.
pub(super) fn any_of<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let words: Vec<String> = words.into_iter().map(|word| format!("`{word}`")).collect();
    match words.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_recognised_and_a_stranger_is_not() {
        let keys = ["listen", "workers", "trusted_proxies", "roles"];
        for (written, meant) in [
            ("lisen", Some("listen")),
            ("Listen", Some("listen")),
            ("trusted-proxies", Some("trusted_proxies")),
            ("role", Some("roles")),
            ("worker_count", None),
            ("listening", Some("listen")),
            ("ports", None),
            ("", None),
        ] {
            assert_eq!(nearest(written, keys), meant, "{written}");
        }
        for (written, meant) in [
            ("ES256K", None),
            ("es-256", Some("ES256")),
            ("ml-dsa-44", None),
        ] {
            assert_eq!(nearest(written, ["ES256", "ES384"]), meant, "{written}");
        }
    }

    #[test]
    fn words_are_listed() {
        assert_eq!(any_of(["a"]), "`a`");
        assert_eq!(any_of(["a", "b", "c"]), "`a`, `b` or `c`");
    }
}
