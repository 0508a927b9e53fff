use super::*;
use crate::access::PathOptions;

fn service(hosts: &[&str], mount: &str, case: CaseRule) -> RoutedService {
    let hosts = hosts
        .iter()
        .map(|host| HostPattern::parse(host).unwrap())
        .collect();
    RoutedService {
        hosts,
        mount: Mount::parse(mount).unwrap(),
        case,
        paths: PathOptions::default(),
    }
}

fn sensitive(hosts: &[&str], mount: &str) -> RoutedService {
    service(hosts, mount, CaseRule::Sensitive)
}

fn find(router: &Router, host: &str, path: &str) -> Option<usize> {
    router.find(
        host,
        &RequestPath::parse(path, PathOptions::default()).unwrap(),
    )
}

#[test]
fn one_service_answers_for_everything() {
    let router = Router::build(vec![sensitive(&[], "/")]).unwrap();
    for (host, path) in [("example.com", "/"), ("", "/a/b"), ("[::1]", "/x")] {
        assert_eq!(find(&router, host, path), Some(0));
    }
}

#[test]
fn the_longest_match_over_host_then_path_wins() {
    let router = Router::build(vec![
        sensitive(&["jobs.example.com"], "/api"),
        sensitive(&["*.example.com"], "/"),
        sensitive(&["*.jobs.example.com"], "/"),
        sensitive(&[], "/api/v2"),
        sensitive(&[], "/api"),
        sensitive(&["jobs.example.com"], "/api/v1"),
        sensitive(&["10.0.0.1", "[2001:DB8::1]", "localhost"], "/"),
    ])
    .unwrap();
    for (host, path, expected) in [
        ("jobs.example.com", "/api/x", Some(0)),
        ("jobs.example.com", "/api", Some(0)),
        ("jobs.example.com", "/api/", Some(0)),
        ("jobs.example.com", "/api/v1/x", Some(5)),
        ("jobs.example.com", "/api/v10", Some(0)),
        // No mount of the exact host fits: the wildcard is asked, then any host.
        ("jobs.example.com", "/other", Some(1)),
        ("jobs.example.com", "/apis", Some(1)),
        ("a.jobs.example.com", "/api", Some(2)),
        ("a.b.jobs.example.com", "/api", Some(2)),
        ("a.b.example.com", "/", Some(1)),
        // A wildcard does not cover the name below which it stands.
        ("example.com", "/api/x", Some(4)),
        ("notexample.com", "/api/v2/x", Some(3)),
        ("example.com", "/", None),
        ("", "/api", Some(4)),
        ("10.0.0.1", "/", Some(6)),
        ("[2001:db8::1]", "/", Some(6)),
        ("2001:db8:0::1", "/", Some(6)),
        ("localhost", "/api/v2", Some(6)),
    ] {
        assert_eq!(find(&router, host, path), expected, "{host}{path}");
    }
}

#[test]
fn case_counts_as_the_service_says() {
    let router = Router::build(vec![
        service(&[], "/Jobs", CaseRule::Insensitive),
        sensitive(&[], "/Users"),
        sensitive(&[], "/jobs/New"),
    ])
    .unwrap();
    for (path, expected) in [
        ("/JOBS/1", Some(0)),
        ("/jobs", Some(0)),
        ("/Users", Some(1)),
        ("/users", None),
        ("/jobs/New/x", Some(2)),
        ("/Jobs/New/x", Some(0)),
    ] {
        assert_eq!(find(&router, "h", path), expected, "{path}");
    }
}

#[test]
fn overlaps_are_all_reported() {
    let overlaps = Router::build(vec![
        sensitive(&[], "/"),
        sensitive(&["a.example", "b.example", "A.example."], "/x"),
        sensitive(&["b.example", "a.example"], "/x/"),
        sensitive(&[], "/%2C"),
        sensitive(&[], "/,"),
        sensitive(&[], "/X"),
        service(&[], "/x", CaseRule::Insensitive),
        sensitive(&[], "/y"),
        sensitive(&[], "/Y"),
        sensitive(&["*.b.example"], "/x"),
    ])
    .unwrap_err();
    let pairs: Vec<_> = overlaps
        .iter()
        .map(|pair| (pair.first, pair.second))
        .collect();
    assert_eq!(pairs, [(1, 2), (3, 4), (5, 6)]);
}

#[test]
fn hosts_are_names_or_one_wildcard_in_front() {
    for (text, expected) in [
        ("Jobs.Example.COM", Ok("jobs.example.com")),
        ("jobs.example.com.", Ok("jobs.example.com")),
        ("*.example.com", Ok("*.example.com")),
        ("localhost", Ok("localhost")),
        ("my_service", Ok("my_service")),
        ("10.0.0.1", Ok("10.0.0.1")),
        ("[::1]", Ok("[::1]")),
        ("0:0:0:0:0:0:0:1", Ok("[::1]")),
        (
            "",
            Err("a host is missing; leave out `hosts` to answer for any host"),
        ),
        (
            "*",
            Err("a host is missing; leave out `hosts` to answer for any host"),
        ),
        (
            "a.com:8080",
            Err("a host is matched without its port; write `a.com`"),
        ),
        (
            "[::1]:80",
            Err("a host is matched without its port; write `[::1]`"),
        ),
        (
            "https://a.com/x",
            Err("`hosts` holds names, no URLs; write `a.com`"),
        ),
        (
            "a.com/x",
            Err("`hosts` holds names, no URLs; write `a.com`"),
        ),
        (
            "[::1",
            Err("`[::1` is no IPv6 address; write one such as `[::1]`"),
        ),
        (
            "a b",
            Err("a host name holds no ` `; write letters, digits, `-` and `.`"),
        ),
        (
            "bücher.de",
            Err("`ü` is not ASCII; write the name as browsers send it, beginning with `xn--`"),
        ),
        (
            "a..b",
            Err(
                "`a..b` is no host name; write labels of 1 to 63 characters between dots, 253 in all",
            ),
        ),
        (
            "a.*.com",
            Err(
                "`*` stands for whole labels in front, not as in `a.*.com`; write `*.` and the host above",
            ),
        ),
        (
            "*a.com",
            Err(
                "`*` stands for whole labels in front, not as in `*a.com`; write `*.` and the host above",
            ),
        ),
    ] {
        let result = HostPattern::parse(text);
        let shown = result
            .as_ref()
            .map(ToString::to_string)
            .map_err(ToString::to_string);
        assert_eq!(
            shown,
            expected.map(str::to_owned).map_err(str::to_owned),
            "{text}"
        );
    }
}

#[test]
fn a_host_is_known_where_some_service_answers_for_it() {
    let router = Router::build(vec![
        sensitive(&["jobs.example.com", "::1"], "/api"),
        sensitive(&["*.apps.example.com"], "/"),
    ])
    .unwrap();
    for (host, is_known) in [
        ("jobs.example.com", true),
        ("::1", true),
        ("a.apps.example.com", true),
        ("a.b.apps.example.com", true),
        ("apps.example.com", false),
        ("example.com", false),
        ("com", false),
        ("evil.example", false),
        ("", false),
    ] {
        assert_eq!(router.knows_host(host), is_known, "{host}");
    }
    let any = Router::build(vec![sensitive(&[], "/")]).unwrap();
    assert!(any.knows_host("evil.example"));
    assert!(!Router::default().knows_host("evil.example"));
}
