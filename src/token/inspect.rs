//! Looks at a token without deciding anything: what it says, and each check with its verdict.

use serde_json::Value;

use super::claims::Claims;
use super::compact::{Compact, decode};
use super::error::TokenError;
use super::header::{Header, TokenType};
use super::verifier::Verifier;

/// What is to be said about a token. Nothing that it says is to be believed before every check holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Inspection {
    /// The header, where it is JSON.
    pub header: Option<Value>,
    /// The claims, where they are JSON.
    pub claims: Option<Value>,
    /// The name and the verdict of each check that could be made, in the order in which they count: the token holds
    /// where all of them do.
    pub checks: Vec<(&'static str, Result<(), TokenError>)>,
}

impl Verifier {
    /// Makes the checks of [`Verifier::verify`], all of them.
    pub fn inspect(&self, token: &str, now: u64) -> Inspection {
        let mut inspection = Inspection {
            header: None,
            claims: None,
            checks: Vec::new(),
        };
        let parts = Compact::split(token)
            .and_then(|compact| Ok((compact, decode(compact.header)?, decode(compact.payload)?)));
        inspection
            .checks
            .push(("form", parts.as_ref().map(drop).map_err(|refusal| *refusal)));
        let Ok((compact, header, payload)) = parts else {
            return inspection;
        };
        inspection.header = serde_json::from_slice(&header).ok();
        inspection.claims = serde_json::from_slice(&payload).ok();
        let header = Header::parse(&header)
            .and_then(|header| header.check(TokenType::Access).map(|()| header));
        inspection.checks.push((
            "header",
            header.as_ref().map(drop).map_err(|refusal| *refusal),
        ));
        if let Ok(header) = &header {
            inspection
                .checks
                .push(("signature", self.keys().verify(header, &compact)));
        }
        match Claims::parse(&payload) {
            Ok(claims) => inspection.checks.extend(self.claim_checks(&claims, now)),
            Err(refusal) => inspection.checks.push(("claims", Err(refusal))),
        }
        inspection
    }
}
