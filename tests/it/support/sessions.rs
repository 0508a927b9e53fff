//! Logging in, refreshing and logging out, as clients do.

use std::net::SocketAddr;

use super::client::{Answer, Connection, send};
use super::gateway::{Gateway, PASSWORD};

/// What a login gives.
#[derive(Clone, Debug)]
pub struct Tokens {
    pub access: String,
    pub refresh: String,
}

impl Tokens {
    /// The tokens of an answer that must be one.
    pub fn of(answer: &Answer) -> Self {
        assert_eq!(answer.status, 200, "{answer:?}");
        let text = |name: &str| answer.json()[name].as_str().unwrap().to_owned();
        Self {
            access: text("access_token"),
            refresh: text("refresh_token"),
        }
    }

    /// `Authorization: Bearer`, as a header line.
    pub fn bearer(&self) -> String {
        format!("Authorization: Bearer {}\r\n", self.access)
    }
}

/// `POST` with a body, and further header lines.
pub fn post(address: SocketAddr, path: &str, fields: &str, body: &str) -> Answer {
    let length = body.len();
    send(
        address,
        format!(
            "POST {path} HTTP/1.1\r\nHost: a\r\n{fields}Content-Length: {length}\r\n\r\n{body}"
        ),
    )
}

/// Logs a user of the default list in.
pub fn tokens(gateway: &Gateway, user: &str) -> Tokens {
    Tokens::of(&gateway.login(user, PASSWORD))
}

/// `POST /auth/refresh` as JSON.
pub fn refresh(gateway: &Gateway, token: &str) -> Answer {
    refresh_at(gateway.address, token)
}

/// The same, for several threads.
pub fn refresh_at(address: SocketAddr, token: &str) -> Answer {
    let body = format!("{{\"refresh_token\":\"{token}\"}}");
    post(
        address,
        "/auth/refresh",
        "Content-Type: application/json\r\n",
        &body,
    )
}

/// `POST /auth/logout` with the access token alone.
pub fn log_out(gateway: &Gateway, tokens: &Tokens) -> Answer {
    post(gateway.address, "/auth/logout", &tokens.bearer(), "")
}

/// A login from an address, as a trusted proxy says, over a connection that stays open.
pub fn log_in_from(connection: &mut Connection, from: &str, user: &str, password: &str) -> Answer {
    let form = format!("username={user}&password={}", password.replace(' ', "+"));
    connection.write(format!(
        "POST /auth/login HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: {from}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
        form.len()
    ));
    connection.read()
}
