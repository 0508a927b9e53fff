//! What a browser sends, without a browser.

use std::net::SocketAddr;

use super::client::{Answer, send};
use super::gateway::{Gateway, PASSWORD};

/// The fields of a browser that opens a page.
pub const NAVIGATION: &str =
    "Accept: text/html,application/xhtml+xml,*/*;q=0.8\r\nSec-Fetch-Mode: navigate\r\n";

/// Sends a form of one of the gateway's own pages; `fields` are further header lines.
pub fn submit(address: SocketAddr, path: &str, form: &str, fields: &str) -> Answer {
    let length = form.len();
    send(
        address,
        format!(
            "POST {path} HTTP/1.1\r\nHost: gateway.test\r\n{NAVIGATION}{fields}\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {length}\r\n\r\n{form}"
        ),
    )
}

/// Signs a user in; returns the `Cookie` line.
pub fn sign_in(gateway: &Gateway, user: &str) -> String {
    let form = format!(
        "username={user}&password={}&next=%2F",
        PASSWORD.replace(' ', "+")
    );
    let answer = submit(
        gateway.address,
        "/auth/login",
        &form,
        "Sec-Fetch-Site: same-origin\r\n",
    );
    assert_eq!(answer.status, 303, "{answer:?}");
    format!("Cookie: {}\r\n", cookie_of(&answer, "gatelatch"))
}

/// The `name=value` that an answer sets.
pub fn cookie_of(answer: &Answer, name: &str) -> String {
    let lines = answer.headers("set-cookie");
    let line = lines
        .iter()
        .find(|line| line.split('=').next() == Some(name));
    line.unwrap_or_else(|| panic!("no `{name}` in {answer:?}"))
        .split(';')
        .next()
        .unwrap()
        .to_owned()
}
