//! The page about a request that is refused, for people.

use bytes::Bytes;
use http::{Response, StatusCode};

use super::Portal;
use super::page::{SignInReason, show};
use super::return_path::ReturnPath;
use crate::access::{AuthenticationDemand, Identity};
use crate::pages::{DurationInWords, RefusedPage, Theme};

/// A request that is refused.
#[derive(Clone, Copy, Debug)]
pub struct RefusedRequest<'a> {
    /// The status of the answer.
    pub status: StatusCode,
    /// What programs are told.
    pub detail: &'a str,
    /// After how many seconds it may be worth trying again.
    pub retry_after: Option<u64>,
    /// Who is signed in.
    pub identity: Option<&'a Identity>,
    /// The sign-in that would be enough, where the one there is is not.
    pub step_up: Option<AuthenticationDemand>,
    /// Whether the browser opens something, and sends nothing.
    pub opens: bool,
    /// Where the browser wants to go; `None` where there is no safe way back.
    pub next: Option<&'a ReturnPath>,
    /// The id of the request in the logs.
    pub request_id: &'a str,
}

impl Portal {
    /// The page about a request that is refused; `None` where browsers get what programs get.
    pub fn show_refused(&self, request: &RefusedRequest<'_>) -> Option<Response<Bytes>> {
        let theme = self.settings.theme.as_deref()?;
        if let Some(demand) = request.step_up {
            return Some(self.show_step_up(theme, request, demand));
        }
        let (heading, text) = words(request.status);
        let detail = sentence(request.detail);
        let (text, detail) = match request.status {
            // it names what is missing
            StatusCode::FORBIDDEN if !detail.is_empty() => (&*detail, ""),
            status if says_all(status) => (text, ""),
            _ => (text, &*detail),
        };
        let retry = match request.retry_after {
            Some(seconds) => format!("Please try again in {}.", DurationInWords(seconds.max(1))),
            None if may_pass(request.status) => "Please try again in a moment.".to_owned(),
            None => String::new(),
        };
        let sign_in = match (request.identity, request.status) {
            (Some(_), _) => self.switch_path(request.next),
            (None, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => {
                self.sign_in_path(request.next)
            }
            (None, _) => String::new(),
        };
        let (user, name) = names(request);
        let page = RefusedPage {
            heading,
            text,
            detail,
            retry: &retry,
            user,
            name,
            again: "",
            sign_in: &sign_in,
            status: request.status.as_str(),
            request_id: request.request_id,
        };
        Some(show(theme.show(&page), request.status))
    }

    /// To somebody whose sign-in is not enough.
    fn show_step_up(
        &self,
        theme: &Theme,
        request: &RefusedRequest<'_>,
        demand: AuthenticationDemand,
    ) -> Response<Bytes> {
        let asked = demand_in_words(demand);
        let (heading, text) = if request.opens {
            (
                "Please confirm that it is you",
                format!("This page asks for {asked}."),
            )
        } else {
            (
                "Your form was not sent on",
                format!(
                    "What you sent asks for {asked}. Sign in again, then go back to the form and send it once more."
                ),
            )
        };
        let (user, name) = names(request);
        let page = RefusedPage {
            heading,
            text: &text,
            user,
            name,
            again: &SignInReason::StepUp(demand).address(&self.login_path(), request.next),
            sign_in: &self.switch_path(request.next),
            status: request.status.as_str(),
            request_id: request.request_id,
            ..RefusedPage::default()
        };
        show(theme.show(&page), request.status)
    }
}

/// Who is signed in, and the display name.
fn names<'a>(request: &RefusedRequest<'a>) -> (&'a str, &'a str) {
    let identity = request.identity;
    let name = identity.and_then(|identity| identity.name.as_deref());
    let user = identity.map_or("", |identity| &identity.subject);
    (user, name.unwrap_or_default())
}

/// What a sign-in must be, for people.
fn demand_in_words(demand: AuthenticationDemand) -> String {
    let factor = if demand.second_factor {
        " with a second factor"
    } else {
        ""
    };
    match demand.max_age {
        Some(age) => {
            let age = DurationInWords(age.as_secs());
            format!("a sign-in{factor} within the last {age}")
        }
        None => format!("a sign-in{factor}"),
    }
}

/// A message for programs as a sentence without the marks of code.
fn sentence(detail: &str) -> String {
    let plain = detail.replace('`', "");
    let mut characters = plain.chars();
    let Some(first) = characters.next() else {
        return plain;
    };
    let end = if plain.ends_with(['.', '!', '?']) {
        ""
    } else {
        "."
    };
    format!("{}{}{end}", first.to_uppercase(), characters.as_str())
}

/// Whether what programs are told would say the same once more, or in the words of operators.
fn says_all(status: StatusCode) -> bool {
    const SAYING: [StatusCode; 3] = [
        StatusCode::UNAUTHORIZED,
        StatusCode::NOT_FOUND,
        StatusCode::METHOD_NOT_ALLOWED,
    ];
    SAYING.contains(&status) || status.is_server_error()
}

/// Whether the same request is likely to be answered soon.
fn may_pass(status: StatusCode) -> bool {
    const PASSING: [StatusCode; 4] = [
        StatusCode::REQUEST_TIMEOUT,
        StatusCode::BAD_GATEWAY,
        StatusCode::SERVICE_UNAVAILABLE,
        StatusCode::GATEWAY_TIMEOUT,
    ];
    PASSING.contains(&status)
}

/// What happened, in a few words and in a sentence.
const WORDS: [(StatusCode, &str, &str); 13] = [
    (
        StatusCode::UNAUTHORIZED,
        "You are not signed in",
        "Only people who are signed in can open this page.",
    ),
    (
        StatusCode::FORBIDDEN,
        "You cannot open this page",
        "You may not have the right to it.",
    ),
    (
        StatusCode::NOT_FOUND,
        "There is nothing here",
        "No service answers at this address.",
    ),
    (
        StatusCode::METHOD_NOT_ALLOWED,
        "This address cannot be opened",
        "It answers requests of another kind, as programs send them.",
    ),
    (
        StatusCode::REQUEST_TIMEOUT,
        "That took too long",
        "What your browser sent did not arrive in time.",
    ),
    (
        StatusCode::PAYLOAD_TOO_LARGE,
        "That is too large",
        "Your browser sent more than this site accepts.",
    ),
    (
        StatusCode::URI_TOO_LONG,
        "This address is too long",
        "Please open the site by a shorter one.",
    ),
    (
        StatusCode::MISDIRECTED_REQUEST,
        "Please try again",
        "The settings of this site have just changed.",
    ),
    (
        StatusCode::TOO_MANY_REQUESTS,
        "Too many requests",
        "More requests came from you than this site accepts.",
    ),
    (
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        "Your browser sent too much",
        "Deleting the cookies of this site may help.",
    ),
    (
        StatusCode::BAD_GATEWAY,
        "The service does not answer",
        "It may be starting, or out of order.",
    ),
    (
        StatusCode::SERVICE_UNAVAILABLE,
        "The service is not available",
        "It may be back in a moment.",
    ),
    (
        StatusCode::GATEWAY_TIMEOUT,
        "The service took too long",
        "It may be busy, or out of order.",
    ),
];

fn words(status: StatusCode) -> (&'static str, &'static str) {
    let named = WORDS.iter().find(|(of, ..)| *of == status);
    match named {
        Some((_, heading, text)) => (heading, text),
        None if status.is_client_error() => (
            "This address cannot be opened",
            "Something in the request is wrong. Please check how you came here.",
        ),
        None => (
            "Something went wrong",
            "This site could not answer. Please tell its operator if it happens again.",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_read_what_a_sign_in_must_be() {
        let demand = |second_factor, seconds: Option<u64>| AuthenticationDemand {
            second_factor,
            max_age: seconds.map(std::time::Duration::from_secs),
        };
        for (demand, expected) in [
            (demand(true, None), "a sign-in with a second factor"),
            (
                demand(false, Some(900)),
                "a sign-in within the last 15 minutes",
            ),
            (
                demand(true, Some(60)),
                "a sign-in with a second factor within the last 1 minute",
            ),
        ] {
            assert_eq!(demand_in_words(demand), expected);
        }
    }

    #[test]
    fn details_become_sentences() {
        for (detail, expected) in [
            ("", ""),
            ("Not authenticated", "Not authenticated."),
            ("the request has no `Host`", "The request has no Host."),
            (
                "Access denied. Requires role: a",
                "Access denied. Requires role: a.",
            ),
            ("éa.", "Éa."),
        ] {
            assert_eq!(sentence(detail), expected);
        }
    }
}
