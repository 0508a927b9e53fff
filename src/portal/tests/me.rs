//! Who one is, and what is no endpoint.

use http::header::ALLOW;

use super::*;

fn ask(method: Method, path: &str, caller: &PortalCaller) -> Response<Bytes> {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .body(Bytes::new())
        .unwrap();
    send_to(&portal(), request, caller).response
}

fn known() -> PortalCaller {
    PortalCaller::Known {
        identity: Arc::new(alice()),
        expires_at: NOW + 60,
        session: Some(SessionId::from_bytes([1; 16])),
        sign_in: None,
    }
}

#[test]
fn me_tells_who_is_asking() {
    let expected = concat!(
        "200 OK\ncache-control: no-store\ncontent-type: application/json\n\n",
        r#"{"sub":"alice@example.com","roles":["recruiter","admin"],"name":"Alice Doe","#,
        r#""claims":{"tenant":"acme","levels":[1,true]},"exp":1700000060}"#,
        "\n"
    );
    assert_eq!(
        transcript(&ask(Method::GET, "/auth/me", &known())),
        expected
    );
    let head = ask(Method::HEAD, "/auth/me", &known());
    let length = expected.split("\n\n").last().unwrap().len();
    assert_eq!(
        transcript(&head),
        format!(
            "200 OK\ncache-control: no-store\ncontent-length: {length}\ncontent-type: application/json\n\n"
        )
    );
}

#[test]
fn me_challenges_who_is_unknown() {
    let cases = [
        (
            PortalCaller::Anonymous,
            "Not authenticated",
            r#"Bearer realm="gatelatch""#,
        ),
        (
            PortalCaller::Rejected(crate::token::TokenError::Expired.description()),
            "Invalid or expired token",
            r#"Bearer realm="gatelatch", error="invalid_token", error_description="the token has expired""#,
        ),
    ];
    for (caller, detail, challenge) in cases {
        let expected = format!(
            "401 Unauthorized\ncache-control: no-store\ncontent-type: application/problem+json\n\
             www-authenticate: {challenge}\n\n\
             {{\"type\":\"about:blank\",\"title\":\"Unauthorized\",\"status\":401,\"detail\":\"{detail}\"}}\n"
        );
        assert_eq!(transcript(&ask(Method::GET, "/auth/me", &caller)), expected);
    }
}

#[test]
fn other_methods_and_names_are_refused() {
    let patch = Method::from_bytes(b"PROPFIND").unwrap();
    for method in [
        Method::GET,
        Method::HEAD,
        Method::PUT,
        Method::OPTIONS,
        patch.clone(),
    ] {
        for path in ["/auth/token", "/auth/refresh", "/auth/logout"] {
            let response = ask(method.clone(), path, &known());
            assert_eq!(
                (response.status().as_u16(), &response.headers()[ALLOW]),
                (405, &"POST".parse().unwrap())
            );
        }
    }
    for method in [Method::PUT, Method::OPTIONS, patch] {
        let response = ask(method, "/auth/login", &known());
        assert_eq!(
            (response.status().as_u16(), &response.headers()[ALLOW]),
            (405, &"GET, HEAD, POST".parse().unwrap())
        );
    }
    for method in [Method::POST, Method::DELETE, Method::OPTIONS] {
        let response = ask(method, "/auth/me", &known());
        assert_eq!(
            (response.status().as_u16(), &response.headers()[ALLOW]),
            (405, &"GET, HEAD".parse().unwrap())
        );
    }
    for path in ["/auth", "/auth/", "/auth/x", "/auth/login/", "/auth/me/x"] {
        let response = ask(Method::GET, path, &PortalCaller::Anonymous);
        assert_eq!(response.status(), 404, "{path}");
        assert_eq!(
            response.headers()[HeaderName::from_static("content-type")],
            "application/problem+json"
        );
    }
}
