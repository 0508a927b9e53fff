//! What passes, and what does not.

use super::*;

fn passes(name: &str) -> bool {
    FieldFilter::new(&IdentitySettings::default())
        .passes(&HeaderName::from_bytes(name.as_bytes()).unwrap())
}

#[test]
fn what_an_upstream_could_take_for_the_gateways_word_is_dropped() {
    for name in [
        "Remote-User",
        "remote_groups",
        "Remote.Name",
        "REMOTE-ANYTHING",
        "X-Gatelatch-Anything",
        "x_gatelatch_user",
        "X-Forwarded-User",
        "X_Forwarded_User",
        "X-Forwarded-Client-Cert",
        "X-Forwarded-Anything",
        "X-SSL-Client-CN",
        "X-Original-Host",
        "X-Auth-Request-Email",
        "X-WEBAUTH-USER",
        "X-Remote-User",
        "X-Remote-Group",
        "x_remote-extra-scope",
        "X-Original-URL",
        "X-Rewrite-Url",
        "X-HTTP-Method-Override",
        "Forwarded",
        "X-Forwarded-For",
        "X-Real-IP",
        "True-Client-IP",
        "CF-Connecting-IP",
        "X-Client-IP",
        "X-Cluster-Client-IP",
        "Fastly-Client-IP",
        "X-Original-Forwarded-For",
        "X-Forwarded",
        "Client_IP",
        "X-ProxyUser-Ip",
        "Client-IP",
        "CF-Pseudo-IPv4",
        "DO-Connecting-IP",
        "Fly-Client-IP",
        "Forwarded-For",
        "Incap-Client-IP",
        "X-AppEngine-User-IP",
        "X-Azure-ClientIP",
        "X-Azure-SocketIP",
        "X-NF-Client-Connection-IP",
        "X-Originating-IP",
        "X-ProxyUser-IP",
        "X-Sucuri-ClientIP",
        "X-True-Client-IP",
        "X-Vercel-Forwarded-For",
        "Connection",
        "Keep-Alive",
        "Transfer-Encoding",
        "Content-Length",
        "Proxy-Authorization",
        "TE",
        "Upgrade",
        "Host",
    ] {
        assert!(!passes(name), "{name}");
    }
}

#[test]
fn everything_else_passes() {
    for name in [
        "Accept",
        "Content-Type",
        "Cookie",
        "X-Custom",
        "Range",
        "traceparent",
        "User-Agent",
        "Authorization",
    ] {
        assert!(passes(name), "{name}");
    }
    assert!(passes(&"x-a".repeat(40)));
}

#[test]
fn how_a_name_starts_is_never_taken_for_more_than_it_says() {
    let header = super::super::identity::IdentityHeader {
        name: HeaderName::from_static("_u"),
        field: super::super::identity::IdentityField::Subject,
    };
    let settings = IdentitySettings {
        headers: vec![header],
        ..IdentitySettings::default()
    };
    let filter = FieldFilter::new(&settings);
    for (name, passes) in [
        ("u", false),
        ("-u", false),
        ("u-", false),
        ("ua", true),
        ("r-emote-user", false),
    ] {
        assert_eq!(
            filter.passes(&HeaderName::from_bytes(name.as_bytes()).unwrap()),
            passes,
            "{name}"
        );
    }
}

#[test]
fn a_long_name_cannot_hide_an_identity() {
    assert!(!passes(&format!("remote-{}user", "-".repeat(80))));
}

#[test]
fn identity_pass_lets_a_named_field_through() {
    let settings = IdentitySettings {
        pass: vec![HeaderName::from_static("x-forwarded-user")],
        ..IdentitySettings::default()
    };
    let filter = FieldFilter::new(&settings);
    assert!(filter.passes(&HeaderName::from_static("x-forwarded-user")));
    assert!(
        !filter.passes(&HeaderName::from_static("x_forwarded_user")),
        "only the exact name"
    );
    assert!(!filter.passes(&HeaderName::from_static("x-forwarded-email")));
    let settings = IdentitySettings {
        pass: vec![HeaderName::from_static("remote-user")],
        ..IdentitySettings::default()
    };
    assert!(
        !FieldFilter::new(&settings).passes(&HeaderName::from_static("remote-user")),
        "the gateway's own"
    );
}

#[test]
fn trailers_carry_neither_framing_nor_identity() {
    let filter = FieldFilter::new(&IdentitySettings::default());
    let trailer =
        |name: &str| filter.passes_trailer(&HeaderName::from_bytes(name.as_bytes()).unwrap());
    for name in [
        "grpc-status",
        "grpc-message",
        "x-checksum",
        "digest",
        "server-timing",
    ] {
        assert!(trailer(name), "{name}");
    }
    for name in [
        "content-length",
        "transfer-encoding",
        "host",
        "te",
        "trailer",
        "authorization",
        "cookie",
        "set-cookie",
        "proxy-authorization",
        "remote-user",
        "x_forwarded_for",
        "x-gatelatch-user",
        "forwarded",
        "content-type",
        "x-request-id",
        "x-original-url",
    ] {
        assert!(!trailer(name), "{name}");
    }
}

#[test]
fn announced_trailers_are_those_that_pass() {
    let mut headers = HeaderMap::new();
    assert_eq!(announce_trailers(&headers, trailer_is_harmless), None);
    headers.append(TRAILER, HeaderValue::from_static("X-Sum, Content-Length"));
    headers.append(TRAILER, HeaderValue::from_static("digest,, bad name"));
    assert_eq!(
        announce_trailers(&headers, trailer_is_harmless).unwrap(),
        "x-sum, digest"
    );
    let present = FieldPresence::of(&headers);
    remove_hop_by_hop(&mut headers, present);
    assert_eq!(headers[TRAILER], "x-sum, digest");
}

#[test]
fn a_keep_alive_field_says_how_long() {
    for (value, seconds) in [
        ("timeout=5", Some(5)),
        ("max=9, Timeout = 7", Some(7)),
        ("max=9", None),
        ("timeout=x", None),
        ("5", None),
    ] {
        let mut headers = HeaderMap::new();
        headers.insert("keep-alive", HeaderValue::from_static(value));
        assert_eq!(
            keep_alive_timeout(&headers),
            seconds.map(Duration::from_secs),
            "{value}"
        );
    }
}

#[test]
fn all_connection_lines_of_a_response_count() {
    let mut headers = HeaderMap::new();
    headers.append(CONNECTION, HeaderValue::from_static("close, X-A"));
    headers.append(CONNECTION, HeaderValue::from_static("x-b"));
    for name in ["x-a", "x-b", "x-c", "keep-alive"] {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static("1"));
    }
    let present = FieldPresence::of(&headers);
    remove_hop_by_hop(&mut headers, present);
    assert_eq!(
        headers.keys().map(HeaderName::as_str).collect::<Vec<_>>(),
        ["x-c"]
    );
}

#[test]
fn the_fields_of_a_response_keep_their_order() {
    let mut headers = HeaderMap::new();
    for name in [
        "connection",
        "x-a",
        "keep-alive",
        "x-b",
        "content-length",
        "x-c",
        "transfer-encoding",
        "x-d",
    ] {
        headers.append(HeaderName::from_static(name), HeaderValue::from_static("1"));
    }
    let present = FieldPresence::of(&headers);
    remove_hop_by_hop(&mut headers, present);
    let names: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
    assert_eq!(names, ["x-a", "x-b", "content-length", "x-c", "x-d"]);
}
