//! How a program authenticates as an OAuth client (RFC 6749, section 2.3.1): HTTP Basic, or fields of the body.

use http::HeaderMap;
use http::header::AUTHORIZATION;
use zeroize::Zeroizing;

use super::fields::ClientFields;
use super::rejection::FormRejection;
use crate::text::percent;
use crate::wire::BasicCredentials;

/// A client id and a secret as they were shown.
///
/// Section 2.3.1 has clients encode both as in a form before they write them as HTTP Basic. Go's do, Python's do not. What is
/// shown by Basic is therefore read in both ways. Neither admits more than the other: the secret decides.
pub(super) struct ShownClient {
    readings: Vec<ClientReading>,
}

/// One way to read what was shown.
pub(super) struct ClientReading {
    pub(super) id: Zeroizing<String>,
    pub(super) secret: Zeroizing<String>,
}

impl ShownClient {
    /// Reads the credentials of a client; `None` where there are none. `client_id` alone authenticates nobody, and nor does
    /// the empty Basic that Swagger UI sends. Basic that is malformed is nobody's.
    ///
    /// # Errors
    /// [`FormRejection::ClientTwice`] where there are several, which a client must not send.
    pub(super) fn read(
        headers: &HeaderMap,
        fields: ClientFields,
    ) -> Result<Option<Self>, FormRejection> {
        match (basic(headers), fields.secret) {
            (None, None) => Ok(None),
            (None, Some(secret)) => {
                let id = fields.id.unwrap_or_default();
                let readings = vec![ClientReading { id, secret }];
                Ok(Some(Self { readings }))
            }
            (Some(_), Some(_)) => Err(FormRejection::ClientTwice),
            (Some(readings), None) => {
                let is_other = |id: &String| readings.iter().all(|reading| *reading.id != *id);
                match fields.id.as_deref() {
                    Some(id) if !readings.is_empty() && is_other(id) => {
                        Err(FormRejection::ClientTwice)
                    }
                    Some(_) | None => Ok(Some(Self { readings })),
                }
            }
        }
    }

    /// The ways to read it; none where it is malformed.
    pub(super) fn readings(&self) -> &[ClientReading] {
        &self.readings
    }

    /// The client id as it was sent, for the log.
    pub(super) fn id(&self) -> &str {
        self.readings.first().map_or("", |reading| &reading.id)
    }
}

/// What stands in `Authorization: Basic`, in its readings.
fn basic(headers: &HeaderMap) -> Option<Vec<ClientReading>> {
    let field = headers.get(AUTHORIZATION)?.as_bytes();
    let (scheme, rest) = field.split_at_checked("Basic".len())?;
    if !scheme.eq_ignore_ascii_case(b"Basic") || rest.first().is_some_and(|byte| *byte != b' ') {
        return None;
    }
    let token = std::str::from_utf8(rest.trim_ascii()).unwrap_or_default();
    let Some(BasicCredentials { username, password }) = BasicCredentials::parse(token) else {
        return Some(Vec::new());
    };
    if username.is_empty() && password.is_empty() {
        return None;
    }
    let decoded = [&username, &password].map(|text| percent::decode_form(text.as_bytes()));
    let [id, secret] = decoded;
    let decoded = id
        .zip(secret)
        .map(|(id, secret)| ClientReading { id, secret });
    let sent = ClientReading {
        id: username,
        secret: password,
    };
    Some(std::iter::once(sent).chain(decoded).collect())
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use http::HeaderValue;

    use super::*;

    type Pairs = Option<Vec<(String, String)>>;

    fn read(
        field: Option<&str>,
        id: Option<&str>,
        secret: Option<&str>,
    ) -> Result<Pairs, FormRejection> {
        let mut headers = HeaderMap::new();
        headers.extend(field.map(|field| (AUTHORIZATION, HeaderValue::from_str(field).unwrap())));
        let own = |text: Option<&str>| text.map(|text| Zeroizing::new(text.to_owned()));
        let fields = ClientFields {
            id: own(id),
            secret: own(secret),
        };
        let pair = |reading: &ClientReading| (reading.id.to_string(), reading.secret.to_string());
        let shown = ShownClient::read(&headers, fields)?;
        Ok(shown.map(|shown| shown.readings().iter().map(pair).collect()))
    }

    fn basic(pair: &str) -> String {
        format!("Basic {}", STANDARD.encode(pair))
    }

    fn pairs(pairs: &[(&str, &str)]) -> Result<Pairs, FormRejection> {
        let own = |(id, secret): &(&str, &str)| (id.to_string(), secret.to_string());
        Ok(Some(pairs.iter().map(own).collect()))
    }

    #[test]
    fn a_client_shows_itself_in_one_way() {
        let field = basic("ci%40x:a+b%2Bc");
        let both = pairs(&[("ci%40x", "a+b%2Bc"), ("ci@x", "a b+c")]);
        for (id, expected) in [
            (None, both.clone()),
            (Some("ci@x"), both.clone()),
            (Some("ci%40x"), both),
            (Some("other"), Err(FormRejection::ClientTwice)),
        ] {
            assert_eq!(read(Some(&field), id, None), expected, "{id:?}");
        }
        let twice = Err(FormRejection::ClientTwice);
        assert_eq!(read(Some(&field), Some("ci@x"), Some("s")), twice);
        assert_eq!(read(None, Some("ci"), Some("a+%")), pairs(&[("ci", "a+%")]));
        assert_eq!(read(None, None, Some("s")), pairs(&[("", "s")]));
        for field in [
            None,
            Some("Bearer x"),
            Some("Basic Og=="),
            Some("BasicOg=="),
        ] {
            assert_eq!(read(field, Some("ci"), None), Ok(None), "{field:?}");
            assert_eq!(read(field, Some("ci"), Some("s")), pairs(&[("ci", "s")]));
        }
        let broken = basic("ci:100%");
        assert_eq!(read(Some(&broken), None, None), pairs(&[("ci", "100%")]));
        for field in ["Basic", "basic !", &basic("no colon"), &basic("a:\0")] {
            assert_eq!(read(Some(field), None, None), pairs(&[]), "{field}");
        }
    }
}
