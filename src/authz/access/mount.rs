//! A literal path prefix: where a service, or the gateway itself, is mounted.

use super::case::CaseRule;
use super::path::{PathError, PathOptions, RequestPath, decode};
use super::pattern::{Pattern, PatternError, Segment};

/// A service's `path`: a literal path prefix such as `/` or `/jobs`, without parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    source: Box<str>,
    segments: Box<[Box<str>]>,
}

impl Mount {
    /// Parses a service's `path`. A trailing slash is ignored.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        let pattern = Pattern::parse(text)?;
        let literals = pattern.segments().iter().map(|segment| match segment {
            Segment::Literal(text) => Ok(text.clone()),
            Segment::Parameter(_) | Segment::Rest => Err(PatternError::NotAPrefix),
        });
        Ok(Self {
            source: text.into(),
            segments: literals.collect::<Result<_, _>>()?,
        })
    }

    /// The text as written.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Its percent-decoded segments, from the left; none for `/`.
    pub fn segments(&self) -> impl Iterator<Item = &str> {
        self.segments.iter().map(|segment| &**segment)
    }
}

impl RequestPath {
    /// Whether the path equals the prefix or lies under it, on segment borders: `/auth` and `/auth/login` lie under
    /// `/auth`, `/authors` does not. Letter case counts.
    pub fn lies_under(&self, prefix: &Mount) -> bool {
        self.after(prefix, CaseRule::Sensitive).is_some()
    }

    /// What is left after a mount's prefix is taken away, starting with `/`; checked again as a whole.
    /// `None` where the path does not lie under the mount. `case` is the service's, with which the router found it.
    pub fn strip(
        &self,
        mount: &Mount,
        case: CaseRule,
        options: PathOptions,
    ) -> Option<Result<Self, PathError>> {
        let rest = self.after(mount, case)?;
        Some(Self::parse(
            if rest.is_empty() { "/" } else { rest },
            options,
        ))
    }

    /// What follows the prefix: empty, or starting with `/`.
    fn after(&self, prefix: &Mount, case: CaseRule) -> Option<&str> {
        let mut rest = self.as_str();
        for literal in prefix.segments() {
            let inner = rest.strip_prefix('/')?;
            let (segment, after) = inner.split_at(inner.find('/').unwrap_or(inner.len()));
            if case.fold(decode(segment)) != case.fold(literal.into()) {
                return None;
            }
            rest = after;
        }
        Some(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> RequestPath {
        RequestPath::parse(text, PathOptions::default()).unwrap()
    }

    #[test]
    fn a_prefix_ends_on_a_segment_border() {
        for (text, prefix, expected) in [
            ("/auth", "/auth", true),
            ("/auth/", "/auth", true),
            ("/auth/login", "/auth", true),
            ("/auth/login", "/auth/", true),
            ("/%61uth/login", "/auth", true),
            ("/authors", "/auth", false),
            ("/AUTH/login", "/auth", false),
            ("/", "/auth", false),
            ("/x/auth", "/auth", false),
            ("/auth", "/auth/login", false),
            ("/", "/", true),
            ("/x", "/", true),
            ("/a,b/c", "/a%2Cb", true),
            ("/a%2cb/c", "/a,b", true),
            ("/gr%C3%BCn", "/grün", true),
        ] {
            assert_eq!(
                path(text).lies_under(&Mount::parse(prefix).unwrap()),
                expected,
                "{text} under {prefix}"
            );
        }
    }

    #[test]
    fn stripping_leaves_a_whole_path() {
        use CaseRule::{Insensitive, Sensitive};
        for (text, mount, case, expected) in [
            ("/jobs/1/x", "/jobs", Sensitive, Some("/1/x")),
            ("/jobs", "/jobs", Sensitive, Some("/")),
            ("/jobs/", "/jobs", Sensitive, Some("/")),
            ("/jobs/1/", "/jobs", Sensitive, Some("/1/")),
            ("/jobs/1", "/", Sensitive, Some("/jobs/1")),
            ("/jobsearch", "/jobs", Sensitive, None),
            ("/JOBS/1", "/jobs", Sensitive, None),
            ("/JOBS/Eva", "/jobs", Insensitive, Some("/Eva")),
            ("/a%2cb/%2c", "/a,b", Sensitive, Some("/%2C")),
            ("/", "/jobs", Sensitive, None),
        ] {
            let stripped =
                path(text).strip(&Mount::parse(mount).unwrap(), case, PathOptions::default());
            let stripped = stripped.map(|result| result.unwrap().to_string());
            assert_eq!(stripped.as_deref(), expected, "{text} without {mount}");
        }
    }

    #[test]
    fn a_stripped_path_is_checked_with_the_options_given() {
        let lenient = PathOptions {
            allow_semicolon: true,
            ..PathOptions::default()
        };
        let path = RequestPath::parse("/jobs/a;b", lenient).unwrap();
        let mount = Mount::parse("/jobs").unwrap();
        let strict = path.strip(&mount, CaseRule::Sensitive, PathOptions::default());
        assert_eq!(strict, Some(Err(PathError::Semicolon)));
    }

    #[test]
    fn a_mount_is_literal() {
        for text in ["/*", "/{id}", "/a/**"] {
            assert_eq!(Mount::parse(text), Err(PatternError::NotAPrefix), "{text}");
        }
        assert!(Mount::parse("jobs").is_err());
    }
}
