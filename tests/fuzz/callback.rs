//! The query of a callback: what is accepted, a reader of ten lines finds as well, and each parameter that counts is there
//! once.

use gatelatch::oidc::AuthorizationResponse;

pub(crate) fn run(data: &[u8]) {
    let Ok(query) = std::str::from_utf8(data) else {
        return;
    };
    let Ok(response) = AuthorizationResponse::parse(query) else {
        return;
    };
    let values = |wanted: &str| -> Vec<String> {
        let pairs = url::form_urlencoded::parse(query.as_bytes());
        let found = pairs.filter(|(name, _)| name == wanted);
        found.map(|(_, value)| value.into_owned()).collect()
    };
    assert_eq!(values("state"), [response.state.to_string()]);
    let iss = response.iss.as_deref().map(str::to_owned);
    assert_eq!(values("iss"), iss.into_iter().collect::<Vec<_>>());
    let (codes, errors) = (values("code").len(), values("error").len());
    let expected = if response.code.is_ok() { (1, 0) } else { (0, 1) };
    assert_eq!((codes, errors), expected);
}
