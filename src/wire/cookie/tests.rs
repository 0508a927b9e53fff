use http::header::CACHE_CONTROL;

use super::*;

fn cookie() -> SessionCookie {
    SessionCookie::new("gatelatch", SecureCookie::Auto, SameSite::Lax, None)
}

fn request(lines: &[&str]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("x-before", HeaderValue::from_static("1"));
    for line in lines {
        headers.append(COOKIE, HeaderValue::from_str(line).unwrap());
    }
    headers.insert("x-after", HeaderValue::from_static("1"));
    headers
}

/// What is left of the `Cookie` lines, and the sessions in the clear and over TLS.
fn take(lines: &[&str]) -> (Vec<String>, Option<String>, Option<String>) {
    let mut headers = request(lines);
    let cookies = cookie().take(&mut headers);
    let token = |scheme| {
        cookie()
            .credential(&cookies, scheme)
            .map(|credential| credential.token().to_owned())
    };
    let left = headers
        .get_all(COOKIE)
        .iter()
        .map(|line| line.to_str().unwrap().to_owned())
        .collect();
    let order: Vec<_> = headers
        .keys()
        .filter(|name| **name != COOKIE)
        .map(|name| name.as_str().to_owned())
        .collect();
    assert_eq!(order, ["x-before", "x-after"], "the order of other fields");
    (left, token(Scheme::Http), token(Scheme::Https))
}

#[test]
fn only_the_gateways_cookies_are_cut_out() {
    let some = |token: &str| Some(token.to_owned());
    for (lines, left, http, https) in [
        (&["a=1; b=2"][..], &["a=1; b=2"][..], None, None),
        (&["gatelatch=t"], &[], some("t"), None),
        (&["__Host-gatelatch=t"], &[], None, some("t")),
        (
            &["a=1; gatelatch=t; b=\"2\";c"],
            &["a=1; b=\"2\";c"],
            some("t"),
            None,
        ),
        (&["gatelatch=t;  b=2"], &["b=2"], some("t"), None),
        (&["a=1;gatelatch=t"], &["a=1"], some("t"), None),
        (&["a=1", "gatelatch=t"], &["a=1"], some("t"), None),
        (
            &["Gatelatch=x; xgatelatch=x; gatelatch2=x; a=gatelatch"],
            &["Gatelatch=x; xgatelatch=x; gatelatch2=x; a=gatelatch"],
            None,
            None,
        ),
        (
            &["__Secure-gatelatch=x; __host-gatelatch=y; a=1"],
            &["a=1"],
            None,
            None,
        ),
        (&["gatelatch-signin=9; a=1"], &["a=1"], None, None),
        (
            &["gatelatch-device=d; __Host-gatelatch-device=d; __Secure-gatelatch-device=d"],
            &[],
            None,
            None,
        ),
        (
            &["gatelatch=one; __Host-gatelatch=two"],
            &[],
            some("one"),
            some("two"),
        ),
    ] {
        let left: Vec<String> = left.iter().map(|line| (*line).to_owned()).collect();
        assert_eq!(take(lines), (left, http, https), "{lines:?}");
    }
}

#[test]
fn a_spelling_that_no_browser_sends_is_cut_out_and_no_session() {
    for line in [
        "a=1;  gatelatch=t",
        "a=1;\tgatelatch=t",
        "a=1; \tgatelatch=t",
        "a=1; gatelatch =t",
        "gatelatch\t=t; a=1",
        "a=1; gatelatch=t; gatelatch =t",
    ] {
        let unreadable = Some(String::new());
        assert_eq!(
            take(&[line]),
            (vec!["a=1".to_owned()], unreadable, None),
            "{line:?}"
        );
    }
}

#[test]
fn of_two_sessions_none_counts() {
    for lines in [
        &["gatelatch=a; gatelatch=b"][..],
        &["gatelatch=a", "gatelatch=a"],
    ] {
        assert_eq!(
            take(lines),
            (Vec::new(), Some(String::new()), None),
            "{lines:?}"
        );
    }
}

#[test]
fn the_upstream_cannot_write_the_gateways_cookies() {
    for own in [
        "gatelatch=x",
        " gatelatch = x; Path=/",
        "\tgatelatch=x",
        "=gatelatch=x",
        "= =gatelatch=x",
        "__Host-gatelatch=x; Secure; Path=/",
        "__SECURE-gatelatch=x",
        "__host-gatelatch=",
        "gatelatch; Path=/",
        "gatelatch-signin=1",
        "__Host-gatelatch-signin=1; Secure; Path=/",
    ] {
        let mut headers = HeaderMap::new();
        for value in ["a=1; Path=/", own, "b=2"] {
            headers.append(SET_COOKIE, HeaderValue::from_str(value).unwrap());
        }
        cookie().guard(&mut headers);
        let left: Vec<_> = headers.get_all(SET_COOKIE).iter().collect();
        assert_eq!(left, ["a=1; Path=/", "b=2"], "{own:?}");
    }
    let mut headers = HeaderMap::new();
    headers.append(SET_COOKIE, HeaderValue::from_static("gatelatches=1"));
    cookie().guard(&mut headers);
    assert_eq!(headers.len(), 1);
}

#[test]
fn a_cookie_is_as_narrow_as_the_connection_allows() {
    let write = |secure, same_site, domain: Option<&str>, scheme| {
        let cookie = SessionCookie::new("s", secure, same_site, domain.map(Box::from));
        cookie.write(scheme, "T", 9).to_str().unwrap().to_owned()
    };
    use SecureCookie::{Always, Auto, Never};
    for (written, expected) in [
        (
            write(Auto, SameSite::Lax, None, Scheme::Http),
            "s=T; Path=/; Max-Age=9; HttpOnly; SameSite=Lax",
        ),
        (
            write(Auto, SameSite::Lax, None, Scheme::Https),
            "__Host-s=T; Path=/; Max-Age=9; HttpOnly; SameSite=Lax; Secure",
        ),
        (
            write(Always, SameSite::None, None, Scheme::Http),
            "__Host-s=T; Path=/; Max-Age=9; HttpOnly; SameSite=None; Secure",
        ),
        (
            write(Never, SameSite::Strict, None, Scheme::Https),
            "s=T; Path=/; Max-Age=9; HttpOnly; SameSite=Strict",
        ),
        (
            write(Auto, SameSite::Lax, Some("example.com"), Scheme::Https),
            "s=T; Path=/; Max-Age=9; HttpOnly; SameSite=Lax; Secure; Domain=example.com",
        ),
    ] {
        assert_eq!(written, expected);
    }
    assert_eq!(
        cookie().clear(Scheme::Http),
        "gatelatch=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax"
    );
}

#[test]
fn a_renewal_is_never_left_in_a_shared_cache() {
    for (sent, expected, renewed) in [
        (None, vec!["private"], true),
        (Some("no-cache"), vec!["no-cache", "private"], true),
        (Some("no-store"), vec!["no-store"], true),
        (Some("Private, max-age=3"), vec!["Private, max-age=3"], true),
        (Some("max-age=3"), vec!["max-age=3", "private"], true),
        (Some("max-age=3, Public"), vec!["max-age=3, Public"], false),
        (Some("s-maxage=3"), vec!["s-maxage=3"], false),
    ] {
        let mut headers = HeaderMap::new();
        headers.extend(sent.map(|sent| (CACHE_CONTROL, HeaderValue::from_static(sent))));
        add_renewal(&mut headers, HeaderValue::from_static("s=1"));
        assert_eq!(
            headers.get_all(CACHE_CONTROL).iter().collect::<Vec<_>>(),
            expected
        );
        assert_eq!(headers.contains_key(SET_COOKIE), renewed, "{sent:?}");
    }
}

#[test]
fn a_former_cookie_is_cut_out_and_is_no_credential() {
    let cookie = cookie().with_former(&["old".to_owned(), "older".to_owned()]);
    let all =
        "old=1; __Host-old=2; __Secure-old=3; older=4; old-signin=5; oldest=6; Old=7; gatelatch=8";
    let mut headers = request(&[all]);
    let cookies = cookie.take(&mut headers);
    assert_eq!(headers[COOKIE], "oldest=6; Old=7");
    let shown: Vec<_> = cookies.sessions().map(Credential::token).collect();
    assert_eq!(shown, ["1", "2", "4", "8"]);
    let credential = |scheme| cookie.credential(&cookies, scheme);
    assert_eq!(credential(Scheme::Http).unwrap().token(), "8");
    assert!(credential(Scheme::Https).is_none());
    assert_eq!(cookie.marker(&cookies, Scheme::Http), None);
    for own in [
        "old=x",
        "__Host-older=x; Secure",
        "=old=x",
        "older-signin=x",
    ] {
        let mut headers = HeaderMap::new();
        headers.append(SET_COOKIE, HeaderValue::from_str(own).unwrap());
        cookie.guard(&mut headers);
        assert!(headers.is_empty(), "{own}");
    }
    let mut headers = HeaderMap::new();
    headers.append(SET_COOKIE, HeaderValue::from_static("oldest=x"));
    cookie.guard(&mut headers);
    assert_eq!(headers.len(), 1);
}

#[test]
fn every_other_name_that_was_brought_is_taken_away() {
    let cleared = |domain: Option<&str>, line: &str, scheme| {
        let cookie = SessionCookie::new(
            "new",
            SecureCookie::Auto,
            SameSite::Lax,
            domain.map(Box::from),
        );
        let cookie = cookie.with_former(&["old".to_owned()]);
        let cookies = cookie.take(&mut request(&[line]));
        let lines = cookie.clear_others(&cookies, scheme);
        lines
            .map(|line| line.to_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let all = "new=1; old=2; __Host-old=3; old=4; __Host-new=5";
    let plain = "old=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax";
    assert_eq!(cleared(None, "new=1", Scheme::Http), [""; 0]);
    assert_eq!(cleared(None, all, Scheme::Http), [plain]);
    assert_eq!(
        cleared(None, all, Scheme::Https),
        ["new", "old", "__Host-old"]
            .map(|name| format!("{name}=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax; Secure"))
    );
    assert_eq!(
        cleared(Some("a.test"), "old=2; __Host-old=3", Scheme::Https),
        [
            "old=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax; Secure; Domain=a.test",
            "__Host-old=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax; Secure"
        ]
    );
}

#[test]
fn of_more_cookies_than_are_read_none_counts() {
    let others = |count: usize| format!("gatelatch=good{}", "; __Host-gatelatch=x".repeat(count));
    for (count, more) in [(15, false), (16, true), (1000, true)] {
        let mut headers = request(&[&others(count)]);
        let cookies = cookie().take(&mut headers);
        assert!(!headers.contains_key(COOKIE));
        assert_eq!(cookies.has_more(), more);
        assert_eq!(cookies.sessions().count(), 16);
        let token = cookie().credential(&cookies, Scheme::Http).unwrap();
        assert_eq!(token.token(), if more { "" } else { "good" }, "{count}");
    }
}

#[test]
fn a_device_cookie_counts_under_its_name_for_the_scheme_and_once() {
    let device = |lines: &[&str], scheme| {
        let cookies = cookie().take(&mut request(lines));
        cookie().device(&cookies, scheme).map(str::to_owned)
    };
    let both = ["gatelatch-device=one; a=1", "__Host-gatelatch-device=two"];
    assert_eq!(device(&both, Scheme::Http).as_deref(), Some("one"));
    assert_eq!(device(&both, Scheme::Https).as_deref(), Some("two"));
    let twice = ["gatelatch-device=one; gatelatch-device=one"];
    assert_eq!(device(&twice, Scheme::Http), None);
    for line in [
        "gatelatch=one",
        "gatelatch-signin=one",
        "__Secure-gatelatch-device=one",
    ] {
        assert_eq!(device(&[line], Scheme::Http), None, "{line}");
        assert_eq!(device(&[line], Scheme::Https), None, "{line}");
    }
    assert_eq!(
        cookie().write_device(Scheme::Https, "d", 9),
        "__Host-gatelatch-device=d; Path=/; Max-Age=9; HttpOnly; SameSite=Lax; Secure"
    );
    assert_eq!(
        cookie().write_device(Scheme::Http, "d", 9),
        "gatelatch-device=d; Path=/; Max-Age=9; HttpOnly; SameSite=Lax"
    );
}

#[test]
fn the_upstream_cannot_set_a_device_cookie() {
    let mut headers = HeaderMap::new();
    for line in ["gatelatch-device=x", "__Host-gatelatch-device=x", "a=1"] {
        headers.append(SET_COOKIE, HeaderValue::from_static(line));
    }
    cookie().guard(&mut headers);
    let left: Vec<_> = headers.get_all(SET_COOKIE).iter().collect();
    assert_eq!(left, ["a=1"]);
}

#[test]
fn the_marker_asks_for_tls_where_the_client_came_over_it() {
    let mark = |secure, domain: Option<&str>, scheme| {
        SessionCookie::new(
            "gatelatch",
            secure,
            SameSite::Strict,
            domain.map(Into::into),
        )
        .mark(scheme, "1.0", 60)
    };
    let plain = "gatelatch-signin=1.0; Path=/; Max-Age=60; HttpOnly; SameSite=Lax";
    let host = "__Host-gatelatch-signin=1.0; Path=/; Max-Age=60; HttpOnly; SameSite=Lax; Secure";
    for (secure, domain, scheme, expected) in [
        (SecureCookie::Auto, None, Scheme::Http, plain),
        (SecureCookie::Auto, None, Scheme::Https, host),
        (SecureCookie::Auto, Some("b.test"), Scheme::Https, host),
        // the browser may not keep the session, and must be told so
        (SecureCookie::Always, None, Scheme::Http, plain),
        (SecureCookie::Never, None, Scheme::Https, plain),
    ] {
        assert_eq!(mark(secure, domain, scheme), expected, "{secure:?}");
    }
    let cookies = cookie().take(&mut request(&[
        "gatelatch-signin=1; __Host-gatelatch-signin=2; __Secure-gatelatch-signin=3",
    ]));
    assert_eq!(cookie().marker(&cookies, Scheme::Http), Some("1"));
    assert_eq!(cookie().marker(&cookies, Scheme::Https), Some("2"));
    assert!(!cookies.is_empty());
}

#[test]
fn a_sign_in_under_way_has_a_cookie_of_its_own() {
    let line = "gatelatch-oidc-aB3_-x9z=one; a=1; __Host-gatelatch-oidc-aB3_-x9z=two; \
                __Secure-gatelatch-oidc-q=three; gatelatch-oidc-=four";
    let mut headers = request(&[line]);
    let cookies = cookie().take(&mut headers);
    assert_eq!(headers[COOKIE], "a=1");
    let pending = |scheme| cookie().pending(&cookies, scheme).collect::<Vec<_>>();
    assert_eq!(pending(Scheme::Http), [("aB3_-x9z", "one"), ("", "four")]);
    assert_eq!(pending(Scheme::Https), [("aB3_-x9z", "two")]);
    assert!(!cookies.has_sessions() && cookies.is_empty());
    let strict = SessionCookie::new(
        "gatelatch",
        SecureCookie::Auto,
        SameSite::Strict,
        Some("b.test".into()),
    );
    assert!(strict.is_strict() && !cookie().is_strict());
    // it must come back with a navigation from another site
    assert_eq!(
        strict.write_pending(Scheme::Https, "aB3", "v", 600),
        "__Host-gatelatch-oidc-aB3=v; Path=/; Max-Age=600; HttpOnly; SameSite=Lax; Secure"
    );
    assert_eq!(
        strict.write_pending(Scheme::Http, "aB3", "", 0),
        "gatelatch-oidc-aB3=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax"
    );
    let flood = "gatelatch-oidc-a=1; ".repeat(100);
    let cookies = cookie().take(&mut request(&[&flood]));
    assert_eq!(cookie().pending(&cookies, Scheme::Http).count(), 16);
    let mut answer = HeaderMap::new();
    for line in [
        "gatelatch-oidc-a=x",
        "__Host-gatelatch-oidc-a=x",
        "=gatelatch-oidc-b=x",
        "a=1",
    ] {
        answer.append(SET_COOKIE, HeaderValue::from_static(line));
    }
    cookie().guard(&mut answer);
    let left: Vec<_> = answer.get_all(SET_COOKIE).iter().collect();
    assert_eq!(left, ["a=1"]);
}

/// As proxies do that know one value of each field.
#[test]
fn cookies_are_found_in_lines_that_a_proxy_has_joined() {
    for (joined, left, session) in [
        ("a=1,gatelatch=x", "a=1", Some("x")),
        ("a=1, gatelatch=x", "a=1", Some("x")),
        ("gatelatch=x,a=1", "a=1", Some("x")),
        ("gatelatch=x,a=1,b=2; c=3", "a=1,b=2; c=3", Some("x")),
        ("a=1; b=2,3,gatelatch=x; c=4", "a=1; b=2,3; c=4", Some("x")),
        ("a=1; gatelatch=x,b=2", "a=1;b=2", Some("x")),
        ("a=1,__Host-gatelatch=x", "a=1", None),
        ("a=1,gatelatch-device=x,b=2", "a=1;b=2", None),
        ("a=1,gatelatch-oidc-k=x", "a=1", None),
        ("gatelatch=x,gatelatch=y", "", Some("")),
        ("a=\"1,gatelatch=x\"", "a=\"1", None),
        ("a=1,2; b=gatelatch,3", "a=1,2; b=gatelatch,3", None),
        ("a=1,gatelatches=x", "a=1,gatelatches=x", None),
    ] {
        let mut headers = request(&[joined]);
        cookie().unjoin(&mut headers);
        let lines: Vec<_> = headers.get_all(COOKIE).iter().collect();
        let lines: Vec<_> = lines.iter().map(|line| line.to_str().unwrap()).collect();
        let (kept, plain, _) = take(&lines);
        assert_eq!(
            kept.join("|").replace("; ", ";"),
            left.replace("; ", ";"),
            "{joined}"
        );
        if !joined.contains('"') {
            assert_eq!(plain.as_deref(), session, "{joined}");
        }
    }
}
