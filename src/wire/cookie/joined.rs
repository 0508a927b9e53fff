//! Lines that a proxy has joined.

use http::header::COOKIE;
use http::{HeaderMap, HeaderValue};

use super::{SessionCookie, cookie_name, replace_lines};

impl SessionCookie {
    /// Takes apart `Cookie` lines that a proxy has joined by commas, before and behind each cookie of the gateway, whose values
    /// have no comma. Other commas may belong to a value.
    pub fn unjoin(&self, headers: &mut HeaderMap) {
        let lines: Vec<Option<HeaderValue>> = headers
            .get_all(COOKIE)
            .iter()
            .map(|line| HeaderValue::from_bytes(&self.unjoin_line(line.as_bytes())).ok())
            .collect();
        if !lines.is_empty() {
            replace_lines(headers, lines.into_iter().flatten());
        }
    }

    fn unjoin_line(&self, line: &[u8]) -> Vec<u8> {
        let (mut text, mut was_own) = (Vec::with_capacity(line.len()), false);
        for (index, piece) in line.split(|byte| *byte == b',').enumerate() {
            let begin = piece.split(|byte| *byte == b';').next().unwrap_or_default();
            let is_own = self.own(cookie_name(begin)).is_some();
            if index > 0 {
                text.push(if is_own || was_own { b';' } else { b',' });
            }
            text.extend_from_slice(piece);
            let end = piece.rsplit(|byte| *byte == b';').next();
            was_own = self.own(cookie_name(end.unwrap_or_default())).is_some();
        }
        text
    }
}
