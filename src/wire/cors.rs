//! `cors`: which pages of other origins may call a service from a browser (Fetch standard, section "CORS protocol").

use std::time::Duration;

use bytes::Bytes;
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, AUTHORIZATION, CONTENT_TYPE,
    ORIGIN, VARY,
};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};

use super::browser::only;
use super::problem::problem;

/// The `cors` block of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cors {
    /// Whose pages may call.
    pub origins: Origins,
    /// Which methods a page may use; default GET, HEAD, POST, PUT, PATCH, DELETE.
    pub methods: Vec<Method>,
    /// Which fields a page may send; default: whatever it asks for.
    pub headers: Option<Vec<HeaderName>>,
    /// Which further fields of an answer a page may read; default: none.
    pub expose: Vec<HeaderName>,
    /// Whether the browser may send cookies along; default no.
    pub credentials: bool,
    /// How long a browser may remember the answer to a preflight; default 10 min.
    pub max_age: Duration,
}

/// Whose pages may call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origins {
    /// Everybody's; never with credentials.
    Any,
    /// Those of these origins, such as `https://app.example.com`, lower-case.
    These(Vec<Box<str>>),
}

/// The verdict on a request's `Origin`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    allowed: Option<HeaderValue>,
}

impl Cors {
    /// The same for the gateway's own endpoints: with their methods, and with the fields that they read.
    #[must_use]
    pub fn for_own_endpoints(&self) -> Self {
        let headers = self.headers.clone().map(|mut names| {
            names.extend([AUTHORIZATION, CONTENT_TYPE]);
            names
        });
        Self {
            methods: vec![Method::GET, Method::HEAD, Method::POST],
            headers,
            ..self.clone()
        }
    }

    /// Whether the request is of a page that may act by the browser's cookies: of an origin that is named, where
    /// credentials are allowed.
    pub fn lets_act(&self, headers: &HeaderMap) -> bool {
        let named = matches!(self.origins, Origins::These(_));
        named && self.credentials && self.judge(headers).is_allowed()
    }

    /// Looks at the request's `Origin`.
    pub fn judge(&self, headers: &HeaderMap) -> Answered {
        let mut origins = headers.get_all(ORIGIN).iter();
        let origin = origins.next().filter(|_| origins.next().is_none());
        let allowed = match (&self.origins, origin) {
            (_, None) => None,
            (Origins::Any, Some(_)) => Some(HeaderValue::from_static("*")),
            (Origins::These(these), Some(origin)) => {
                Some(origin.clone()).filter(|origin| contains(these, origin))
            }
        };
        Answered { allowed }
    }

    /// The answer to a preflight, which comes before authentication: browsers send it without credentials. `None` where
    /// the request is none.
    pub fn preflight(&self, head: &Parts) -> Option<Response<Bytes>> {
        if !is_preflight(head) {
            return None;
        }
        let verdict = self.judge(&head.headers);
        if verdict.allowed.is_none() {
            return Some(problem(StatusCode::FORBIDDEN, "The origin is not allowed"));
        }
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = StatusCode::NO_CONTENT;
        self.permit(&head.headers, response.headers_mut());
        Some(response)
    }

    /// What a page may do.
    fn permit(&self, asked: &HeaderMap, fields: &mut HeaderMap) {
        let methods = self.methods.iter().map(Method::as_str);
        fields.insert(ACCESS_CONTROL_ALLOW_METHODS, list(methods));
        let headers = match &self.headers {
            Some(names) => Some(list(names.iter().map(HeaderName::as_str))),
            None => asked.get(ACCESS_CONTROL_REQUEST_HEADERS).cloned(),
        };
        if let Some(headers) = headers.filter(|headers| !headers.is_empty()) {
            fields.insert(ACCESS_CONTROL_ALLOW_HEADERS, headers);
        }
        fields.insert(ACCESS_CONTROL_MAX_AGE, self.max_age.as_secs().into());
        for name in [
            ACCESS_CONTROL_REQUEST_METHOD,
            ACCESS_CONTROL_REQUEST_HEADERS,
        ] {
            fields.append(VARY, HeaderValue::from(name));
        }
    }

    /// Says in an answer what the browser may show the page. What the upstream says of it is taken out: there is one
    /// authority.
    pub fn apply(&self, verdict: &Answered, fields: &mut HeaderMap) {
        for name in [
            ACCESS_CONTROL_ALLOW_ORIGIN,
            ACCESS_CONTROL_ALLOW_CREDENTIALS,
            ACCESS_CONTROL_EXPOSE_HEADERS,
        ] {
            fields.remove(name);
        }
        if self.origins != Origins::Any {
            fields.append(VARY, HeaderValue::from(ORIGIN));
        }
        let Some(origin) = &verdict.allowed else {
            return;
        };
        fields.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        if self.credentials {
            let yes = HeaderValue::from_static("true");
            fields.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, yes);
        }
        if !self.expose.is_empty() {
            let names = list(self.expose.iter().map(HeaderName::as_str));
            fields.insert(ACCESS_CONTROL_EXPOSE_HEADERS, names);
        }
    }
}

impl Answered {
    /// Whether pages of the origin may call.
    pub fn is_allowed(&self) -> bool {
        self.allowed.is_some()
    }
}

fn is_preflight(head: &Parts) -> bool {
    head.method == Method::OPTIONS
        && head.headers.contains_key(ORIGIN)
        && head.headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

/// The method of the request that a preflight asks for; `None` where the request is no preflight, or announces none.
pub fn announced_method(head: &Parts) -> Option<Method> {
    if !is_preflight(head) {
        return None;
    }
    let announced = only(&head.headers, &ACCESS_CONTROL_REQUEST_METHOD)?;
    Method::from_bytes(announced.as_bytes()).ok()
}

fn contains(origins: &[Box<str>], origin: &HeaderValue) -> bool {
    origins
        .iter()
        .any(|allowed| origin.as_bytes().eq_ignore_ascii_case(allowed.as_bytes()))
}

fn list<'n>(names: impl Iterator<Item = &'n str>) -> HeaderValue {
    let names: Vec<&str> = names.collect();
    HeaderValue::try_from(names.join(", ")).expect("names of methods and fields are visible ASCII")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cors() -> Cors {
        Cors {
            origins: Origins::These(vec!["https://app.test".into()]),
            methods: vec![Method::GET, Method::POST],
            headers: None,
            expose: vec![HeaderName::from_static("x-total")],
            credentials: true,
            max_age: Duration::from_secs(600),
        }
    }

    fn preflight(cors: &Cors, fields: &[(&str, &str)]) -> Option<Response<Bytes>> {
        let mut request = http::Request::builder().method("OPTIONS");
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        cors.preflight(&request.body(()).unwrap().into_parts().0)
    }

    #[test]
    fn only_a_preflight_is_answered() {
        let (origin, asks) = (
            ("origin", "https://app.test"),
            ("access-control-request-method", "POST"),
        );
        assert!(preflight(&cors(), &[origin]).is_none());
        assert!(preflight(&cors(), &[asks]).is_none());
        let answer = preflight(
            &cors(),
            &[
                origin,
                asks,
                ("access-control-request-headers", "x-a, authorization"),
            ],
        );
        let answer = answer.unwrap();
        assert_eq!(answer.status(), StatusCode::NO_CONTENT);
        assert_eq!(answer.headers()[ACCESS_CONTROL_ALLOW_METHODS], "GET, POST");
        assert_eq!(
            answer.headers()[ACCESS_CONTROL_ALLOW_HEADERS],
            "x-a, authorization"
        );
        assert_eq!(answer.headers()[ACCESS_CONTROL_MAX_AGE], "600");
    }

    #[test]
    fn strangers_are_refused() {
        let asks = ("access-control-request-method", "POST");
        for origin in [
            "https://evil.test",
            "https://app.test.evil.test",
            "null",
            "http://app.test",
        ] {
            let answer = preflight(&cors(), &[("origin", origin), asks]).unwrap();
            assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{origin}");
        }
        let two = [
            ("origin", "https://app.test"),
            ("origin", "https://evil.test"),
            asks,
        ];
        assert_eq!(
            preflight(&cors(), &two).unwrap().status(),
            StatusCode::FORBIDDEN
        );
    }

    fn applied(cors: &Cors, origin: &'static str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(ORIGIN, HeaderValue::from_static(origin));
        let mut fields = HeaderMap::new();
        fields.insert(
            ACCESS_CONTROL_ALLOW_ORIGIN,
            HeaderValue::from_static("https://of.the.upstream"),
        );
        cors.apply(&cors.judge(&headers), &mut fields);
        fields
    }

    #[test]
    fn answers_say_who_may_read_them() {
        let fields = applied(&cors(), "https://app.test");
        assert_eq!(fields[ACCESS_CONTROL_ALLOW_ORIGIN], "https://app.test");
        assert_eq!(fields[ACCESS_CONTROL_ALLOW_CREDENTIALS], "true");
        assert_eq!(fields[ACCESS_CONTROL_EXPOSE_HEADERS], "x-total");
        assert_eq!(fields[VARY], "origin");
        let fields = applied(&cors(), "https://evil.test");
        assert!(!fields.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN));
        assert_eq!(fields[VARY], "origin");
        let any = Cors {
            origins: Origins::Any,
            credentials: false,
            ..cors()
        };
        let fields = applied(&any, "https://evil.test");
        assert_eq!(fields[ACCESS_CONTROL_ALLOW_ORIGIN], "*");
        assert!(!fields.contains_key(ACCESS_CONTROL_ALLOW_CREDENTIALS));
    }
}
