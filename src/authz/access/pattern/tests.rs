use super::*;

fn literal(text: &str) -> Segment {
    Segment::Literal(text.into())
}

fn named(text: &str) -> Segment {
    Segment::Parameter(Some(text.into()))
}

#[test]
fn patterns_are_read_segment_by_segment() {
    let any = || Segment::Parameter(None);
    for (source, expected) in [
        ("/", vec![]),
        ("/jobs", vec![literal("jobs")]),
        ("/jobs/", vec![literal("jobs")]),
        ("/**", vec![Segment::Rest]),
        ("/**/", vec![Segment::Rest]),
        ("/jobs/**", vec![literal("jobs"), Segment::Rest]),
        ("/*/{id}", vec![any(), named("id")]),
        ("/*/*", vec![any(), any()]),
        ("/{_a-1}", vec![named("_a-1")]),
        ("/a,b", vec![literal("a,b")]),
        ("/a%2cb", vec![literal("a,b")]),
        ("/%6Aobs", vec![literal("jobs")]),
        ("/grün", vec![literal("grün")]),
        ("/gr%C3%BCn", vec![literal("grün")]),
        ("/a b", vec![literal("a b")]),
        ("/a%2Fb", vec![literal("a/b")]),
        ("/a%3Bb", vec![literal("a;b")]),
        ("/%2A%7Bid%7D", vec![literal("*{id}")]),
        ("/%3Aid", vec![literal(":id")]),
        ("/a:id", vec![literal("a:id")]),
        ("/:", vec![literal(":")]),
        (
            "/Users('x')/$value",
            vec![literal("Users('x')"), literal("$value")],
        ),
        (
            "/.well-known/jwks.json",
            vec![literal(".well-known"), literal("jwks.json")],
        ),
    ] {
        let pattern = Pattern::parse(source).unwrap();
        assert_eq!(pattern.segments(), expected, "{source}");
        assert_eq!(pattern.source(), source);
    }
}

#[test]
fn a_refused_pattern_says_what_to_write_instead() {
    for (source, expected) in [
        ("jobs", "`jobs` does not start with `/`; write `/jobs`"),
        ("", "`` does not start with `/`; write `/`"),
        (
            "http://x/jobs",
            "`http://x/jobs` does not start with `/`; write `/jobs`, and the host in `hosts` of the service",
        ),
        (
            "//x",
            "`//` can never match, such requests are refused; write one `/`",
        ),
        (
            "https://x",
            "`https://x` does not start with `/`; write `/`, and the host in `hosts` of the service",
        ),
        (
            "/a//b",
            "`//` can never match, such requests are refused; write one `/`",
        ),
        (
            "//",
            "`//` can never match, such requests are refused; write one `/`",
        ),
        (
            "/u/:id",
            "`:id` is a literal here; write `{id}` for any segment, or `%3Aid` for the literal",
        ),
        (
            "/u/:user_id(x)/a",
            "`:user_id(x)` is a literal here; write `{user_id}` for any segment, or `%3Auser_id(x)` for the literal",
        ),
        (
            "/a?x=1",
            "a pattern matches the path, never the query; leave out `?` and what follows, or write `%3F` for a literal one",
        ),
        (
            "/a#top",
            "a pattern holds no fragment; leave out `#` and what follows, or write `%23` for a literal one",
        ),
        (
            "/a;v=1",
            "`;` is refused in requests by default; leave it out, or write `%3B` for a literal one",
        ),
        (
            "^/jobs",
            "`^` is not read as part of an expression; write `{name}` or `*` for any segment, or `%5E` for a literal `^`",
        ),
        (
            "/<id>",
            "`<` is not read as part of an expression; write `{name}` or `*` for any segment, or `%3C` for a literal `<`",
        ),
        (
            "/jobs/.*",
            "`.*` looks like a regular expression; write `*` or `{name}` for one segment, `/**` at the end for any number, or `%2E%2A` for the literal",
        ),
        (
            "/jobs$",
            "`$` looks like a regular expression; write `*` or `{name}` for one segment, `/**` at the end for any number, or `%24` for the literal",
        ),
        (
            "/a*",
            "`*` stands for a whole segment, not for a part as in `a*`; write `*` alone, `/**` at the end, or `%2A` for a literal one",
        ),
        (
            "/***",
            "`*` stands for a whole segment, not for a part as in `***`; write `*` alone, `/**` at the end, or `%2A` for a literal one",
        ),
        (
            "/{a}b",
            "a parameter is a whole segment, not a part as in `{a}b`; write `{name}` alone, or `%7B` and `%7D` for literal braces",
        ),
        (
            "/{a",
            "a parameter is a whole segment, not a part as in `{a`; write `{name}` alone, or `%7B` and `%7D` for literal braces",
        ),
        (
            "/{a}{b}",
            "a parameter is a whole segment, not a part as in `{a}{b}`; write `{name}` alone, or `%7B` and `%7D` for literal braces",
        ),
        (
            "/{id:int}",
            "`id:int` is not a parameter's name; write letters, digits, `_` and `-`, and begin with a letter or `_`, such as `{id}`",
        ),
        (
            "/{*rest}",
            "`*rest` is not a parameter's name; write letters, digits, `_` and `-`, and begin with a letter or `_`, such as `{rest}`",
        ),
        (
            "/{}",
            "`` is not a parameter's name; write letters, digits, `_` and `-`, and begin with a letter or `_`, such as `{name}`",
        ),
        (
            "/{1}",
            "`1` is not a parameter's name; write letters, digits, `_` and `-`, and begin with a letter or `_`, such as `{name}`",
        ),
        (
            "/{a}/x/{a}",
            "the parameter `{a}` stands there twice; give one another name, or write `*`",
        ),
        (
            "/a/**/b",
            "`**` stands only at the end; write `*` for one segment in the middle, or end the pattern there",
        ),
        (
            "/**/**",
            "`**` stands only at the end; write `*` for one segment in the middle, or end the pattern there",
        ),
        (
            "/a/../b",
            "`..` can never match, because such requests are refused: the path holds a dot segment `.` or `..`; write the path as services see it",
        ),
        (
            "/%2e",
            "`%2e` can never match, because such requests are refused: the path holds a dot segment `.` or `..`; write the path as services see it",
        ),
        (
            "/100%",
            "`100%` can never match, because such requests are refused: the path holds a `%` without two hex digits; write the path as services see it",
        ),
    ] {
        assert_eq!(
            Pattern::parse(source).unwrap_err().to_string(),
            expected,
            "{source}"
        );
    }
}

#[test]
fn foreign_syntax_is_refused() {
    for source in [
        "/(a|b)", "/a\\d", "/[0-9]", "/a.+", "/(?i)a", "/\"a\"", "/`a`", "/a^b", "/a>b",
    ] {
        assert!(Pattern::parse(source).is_err(), "{source}");
    }
}

#[test]
fn a_pattern_is_no_longer_than_any_real_path() {
    assert!(Pattern::parse(&"/a".repeat(MAX_SEGMENTS)).is_ok());
    let error = Pattern::parse(&"/a".repeat(MAX_SEGMENTS + 1)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "129 segments are more than the 128 a pattern may have; end it earlier with `/**`"
    );
}

#[test]
fn parameters_are_named_from_the_left() {
    let pattern = Pattern::parse("/{a}/*/x/{b}/**").unwrap();
    assert_eq!(pattern.parameters().collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(
        (
            pattern.position("a"),
            pattern.position("b"),
            pattern.position("c")
        ),
        (Some(0), Some(3), None)
    );
}

#[test]
fn a_pattern_lies_under_a_prefix_of_its_literals() {
    for (source, prefix, expected) in [
        ("/auth", "/auth", true),
        ("/auth/login", "/auth", true),
        ("/auth/**", "/auth/", true),
        ("/auth/{x}", "/auth", true),
        ("/%61uth/x", "/auth", true),
        ("/authors", "/auth", false),
        ("/AUTH/x", "/auth", false),
        ("/**", "/auth", false),
        ("/*/login", "/auth", false),
        ("/", "/auth", false),
        ("/x", "/", true),
        ("/x", "not a path", false),
        ("/*", "/*", false),
    ] {
        assert_eq!(
            Pattern::parse(source).unwrap().lies_under(prefix),
            expected,
            "{source} under {prefix}"
        );
    }
}
