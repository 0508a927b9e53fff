//! The fields of a login, a refresh or a logout, from a form or from JSON.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use zeroize::Zeroizing;

use super::body_format::BodyFormat;
use super::login_api::LoginApi;
use super::multipart::{self, Boundary, FormPart};
use super::rejection::FormRejection;
use crate::text::form::{self, FormField};
use crate::users::Password;

/// A login that can be tried.
pub(super) struct LoginRequest {
    pub(super) username: String,
    pub(super) password: Password,
    /// A code, where one was sent along.
    pub(super) otp: Option<Zeroizing<String>>,
}

/// A code after a right password.
pub(super) struct ContinueRequest {
    /// What stands for the password.
    pub(super) continuation: Zeroizing<String>,
    pub(super) otp: Zeroizing<String>,
}

/// The grant of a token request.
pub(super) enum GrantRequest {
    Password(LoginRequest),
    Continue(ContinueRequest),
    Refresh(Zeroizing<String>),
    Client(ClientRequest),
}

/// The credentials of a client in a body.
#[derive(Default)]
pub(super) struct ClientFields {
    pub(super) id: Option<Zeroizing<String>>,
    pub(super) secret: Option<Zeroizing<String>>,
}

/// What a request for a token of an API key says.
pub(super) struct ClientRequest {
    pub(super) client: ClientFields,
    pub(super) scope: Option<Zeroizing<String>>,
}

/// A token that somebody asks about, or ends.
pub(super) struct TokenQuery {
    pub(super) token: Zeroizing<String>,
    pub(super) client: ClientFields,
}

/// The fields of a browser's form, valid or not.
#[derive(Default)]
pub(super) struct FormExtras {
    /// The name that was typed; shown again.
    pub(super) username: String,
    /// Where the browser wants to go.
    pub(super) next: String,
    /// Not a field: whether its page offers keys.
    pub(super) offers_keys: bool,
}

/// The value of a field.
enum Field {
    Text(Zeroizing<String>),
    Null,
    Other,
}

/// The defined fields. Others are ignored (RFC 6749, section 3.2).
#[derive(Default)]
struct Fields {
    username: Option<Field>,
    password: Option<Field>,
    otp: Option<Field>,
    continuation: Option<Field>,
    grant_type: Option<Field>,
    scope: Option<Field>,
    client_id: Option<Field>,
    client_secret: Option<Field>,
    refresh_token: Option<Field>,
    token: Option<Field>,
}

/// Reads a login or a refresh from a whole body.
///
/// # Errors
/// The first field that is wrong.
pub(super) fn parse(
    api: LoginApi,
    format: &BodyFormat,
    body: &[u8],
) -> Result<GrantRequest, FormRejection> {
    Fields::read(format, body)?.into_request(api)
}

/// Reads a login, or a code after it, from the whole body of the sign-in page's form.
///
/// # Errors
/// The first field that is wrong.
pub(super) fn parse_page_form(
    format: &BodyFormat,
    body: &[u8],
) -> Result<GrantRequest, FormRejection> {
    match parse(LoginApi::Login, format, body)? {
        GrantRequest::Password(request) => Ok(GrantRequest::Password(request)),
        GrantRequest::Continue(request) => Ok(GrantRequest::Continue(request)),
        GrantRequest::Refresh(_) | GrantRequest::Client(_) => Err(FormRejection::GrantType),
    }
}

/// Reads the refresh token of a logout from a whole body, if there is one.
///
/// # Errors
/// The first field that is wrong.
pub(super) fn parse_logout(
    format: &BodyFormat,
    body: &[u8],
) -> Result<Option<Zeroizing<String>>, FormRejection> {
    text("refresh_token", Fields::read(format, body)?.refresh_token)
}

/// Reads which token somebody asks about (RFC 7662, section 2.1), or ends (RFC 7009, section 2.1), from a whole body. A hint
/// of its type is not needed.
///
/// # Errors
/// The first field that is wrong.
pub(super) fn parse_token_query(
    format: &BodyFormat,
    body: &[u8],
) -> Result<TokenQuery, FormRejection> {
    let mut fields = Fields::read(format, body)?;
    let token = text("token", fields.token.take())?.ok_or(FormRejection::Missing("token"))?;
    let client = fields.take_client()?;
    Ok(TokenQuery { token, client })
}

/// The fields of a form that its answer needs even where it is refused. Of several values the first counts.
pub(super) fn extras(format: &BodyFormat, body: &[u8]) -> FormExtras {
    let mut extras = FormExtras::default();
    for (name, value) in readable_pairs(format, body) {
        let slot = match &**name {
            "username" => &mut extras.username,
            "next" => &mut extras.next,
            _ => continue,
        };
        if slot.is_empty() {
            slot.clone_from(&value);
        }
    }
    extras
}

/// The fields of a form that can be read, in their order.
pub(super) fn readable_pairs(format: &BodyFormat, body: &[u8]) -> Vec<FormField> {
    match format {
        BodyFormat::Form => form::pairs(body).filter_map(Result::ok).collect(),
        BodyFormat::Multipart(Some(boundary)) => {
            let parts = multipart::parts(body, boundary).unwrap_or_default();
            let pair = |part: FormPart| Some((part.name.into(), part.value?));
            parts.into_iter().filter_map(pair).collect()
        }
        BodyFormat::Multipart(None) | BodyFormat::Json => Vec::new(),
    }
}

impl Fields {
    fn read(format: &BodyFormat, body: &[u8]) -> Result<Self, FormRejection> {
        match format {
            BodyFormat::Multipart(boundary) => Self::from_multipart(boundary.as_ref(), body),
            BodyFormat::Form => Self::from_form(body),
            BodyFormat::Json => Self::from_json(body),
        }
    }

    fn from_form(body: &[u8]) -> Result<Self, FormRejection> {
        let mut fields = Self::default();
        for pair in form::pairs(body) {
            let (name, value) = pair.map_err(|form::MalformedForm| FormRejection::MalformedForm)?;
            fields.put(&name, Field::Text(value))?;
        }
        Ok(fields)
    }

    fn from_multipart(boundary: Option<&Boundary>, body: &[u8]) -> Result<Self, FormRejection> {
        let parts = boundary.and_then(|boundary| multipart::parts(body, boundary).ok());
        let mut fields = Self::default();
        for part in parts.ok_or(FormRejection::MalformedMultipart)? {
            let value = part.value.map_or(Field::Other, Field::Text);
            fields.put(&part.name, value)?;
        }
        Ok(fields)
    }

    fn from_json(body: &[u8]) -> Result<Self, FormRejection> {
        let text = std::str::from_utf8(body).map_err(|_| FormRejection::MalformedJson)?;
        let members: Members =
            serde_json::from_str(text).map_err(|error| match error.classify() {
                serde_json::error::Category::Data => FormRejection::NotAnObject,
                serde_json::error::Category::Io
                | serde_json::error::Category::Syntax
                | serde_json::error::Category::Eof => FormRejection::MalformedJson,
            })?;
        let mut fields = Self::default();
        for (name, value) in members.0 {
            fields.put(&name, value)?;
        }
        Ok(fields)
    }

    /// No field may come twice (RFC 6749, section 3.2): two readers could pick different ones.
    fn put(&mut self, name: &str, value: Field) -> Result<(), FormRejection> {
        let (name, slot) = match name {
            "username" => ("username", &mut self.username),
            "password" => ("password", &mut self.password),
            "otp" => ("otp", &mut self.otp),
            "continuation" => ("continuation", &mut self.continuation),
            "grant_type" => ("grant_type", &mut self.grant_type),
            "scope" => ("scope", &mut self.scope),
            "client_id" => ("client_id", &mut self.client_id),
            "client_secret" => ("client_secret", &mut self.client_secret),
            "refresh_token" => ("refresh_token", &mut self.refresh_token),
            "token" => ("token", &mut self.token),
            _ => return Ok(()),
        };
        match slot.replace(value) {
            None => Ok(()),
            Some(_) => Err(FormRejection::Duplicate(name)),
        }
    }

    fn into_request(mut self, api: LoginApi) -> Result<GrantRequest, FormRejection> {
        let grant = text("grant_type", self.grant_type.take())?;
        match (grant.as_ref().map(|grant| grant.as_str()), api) {
            (Some("password"), LoginApi::Login | LoginApi::Token) | (None, LoginApi::Login) => {
                self.into_login()
            }
            (Some("refresh_token"), LoginApi::Token | LoginApi::Refresh)
            | (None, LoginApi::Refresh) => self.into_refresh().map(GrantRequest::Refresh),
            (Some("client_credentials"), LoginApi::Token) => {
                self.into_client().map(GrantRequest::Client)
            }
            (None, LoginApi::Token | LoginApi::Query) => Err(FormRejection::Missing("grant_type")),
            (Some(_), LoginApi::Login | LoginApi::Token | LoginApi::Refresh | LoginApi::Query) => {
                Err(FormRejection::GrantType)
            }
        }
    }

    fn take_client(&mut self) -> Result<ClientFields, FormRejection> {
        Ok(ClientFields {
            id: text("client_id", self.client_id.take())?,
            secret: text("client_secret", self.client_secret.take())?,
        })
    }

    fn into_client(mut self) -> Result<ClientRequest, FormRejection> {
        let client = self.take_client()?;
        let scope = text("scope", self.scope)?;
        if scope.as_ref().is_some_and(|scope| !is_scope(scope)) {
            return Err(FormRejection::Scope);
        }
        Ok(ClientRequest { client, scope })
    }

    fn into_refresh(self) -> Result<Zeroizing<String>, FormRejection> {
        text("refresh_token", self.refresh_token)?.ok_or(FormRejection::Missing("refresh_token"))
    }

    fn into_login(self) -> Result<GrantRequest, FormRejection> {
        let otp = text("otp", self.otp)?;
        if let Some(continuation) = text("continuation", self.continuation)? {
            let otp = otp.ok_or(FormRejection::Missing("otp"))?;
            return Ok(GrantRequest::Continue(ContinueRequest {
                continuation,
                otp,
            }));
        }
        let username =
            text("username", self.username)?.ok_or(FormRejection::Missing("username"))?;
        let password =
            text("password", self.password)?.ok_or(FormRejection::Missing("password"))?;
        // Generic clients send these along; this gateway has neither scopes nor clients.
        text("scope", self.scope)?;
        text("client_id", self.client_id)?;
        text("client_secret", self.client_secret)?;
        Ok(GrantRequest::Password(LoginRequest {
            username: String::clone(&username),
            password: password.into(),
            otp,
        }))
    }
}

/// A field without a value counts as left out (RFC 6749, section 3.2), `null` likewise.
fn text(
    name: &'static str,
    field: Option<Field>,
) -> Result<Option<Zeroizing<String>>, FormRejection> {
    match field {
        None | Some(Field::Null) => Ok(None),
        Some(Field::Text(text)) => Ok(Some(text).filter(|text| !text.is_empty())),
        Some(Field::Other) => Err(FormRejection::WrongType(name)),
    }
}

/// The members of a JSON object in their order, duplicates included.
struct Members(Vec<(String, Field)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Members(members))
    }
}

impl<'de> Deserialize<'de> for Field {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FieldVisitor)
    }
}

/// Accepts every JSON value, to distinguish a wrong type from malformed JSON.
struct FieldVisitor;

impl<'de> Visitor<'de> for FieldVisitor {
    type Value = Field;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Field, E> {
        Ok(Field::Text(text.to_owned().into()))
    }

    fn visit_unit<E: Error>(self) -> Result<Field, E> {
        Ok(Field::Null)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Field, E> {
        Ok(Field::Other)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Field, E> {
        Ok(Field::Other)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Field, E> {
        Ok(Field::Other)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Field, E> {
        Ok(Field::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Field, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Field::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Field, A::Error> {
        while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Field::Other)
    }
}

/// Whether this is a list of scopes (RFC 6749, section 3.3).
fn is_scope(text: &str) -> bool {
    let is_token = |token: &str| {
        let mut bytes = token.bytes();
        !token.is_empty() && bytes.all(|byte| byte.is_ascii_graphic() && !b"\"\\".contains(&byte))
    };
    text.split(' ').all(is_token)
}

#[cfg(test)]
mod tests {
    use super::is_scope;

    #[test]
    fn scopes_are_visible_words_with_single_blanks() {
        for (scope, expected) in [
            ("a", true),
            ("read:all https://example.com/x.y", true),
            ("", false),
            (" a", false),
            ("a  b", false),
            ("a\"b", false),
            ("a\\b", false),
            ("é", false),
            ("a\tb", false),
        ] {
            assert_eq!(is_scope(scope), expected, "{scope:?}");
        }
    }
}
