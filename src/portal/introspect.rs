//! What a token is worth now (RFC 7662), for the clients of `auth.clients`, and for whoever has it.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use serde_json::{Map, Value, json};

use super::client::ShownClient;
use super::denial::{LoginDenial, RefreshDenial};
use super::fields::{ClientFields, TokenQuery, parse_token_query};
use super::login::{LoginEvent, log_safe_name};
use super::login_api::LoginApi;
use super::me::PortalCaller;
use super::rejection::FormRejection;
use super::{Portal, PortalContext, PortalReply, ReceivedBody};
use crate::access::Identity;
use crate::session::RefreshToken;
use crate::token::{KEY_CLAIM, TextSigner, payload_of};
use crate::users::{API_KEY_PREFIX, NEVER};
use crate::wire::{self, Intake};

/// A client that has authenticated itself.
pub(super) enum KnownClient {
    /// One of `auth.clients`.
    Registered,
    /// A user with an API key, as at `grant_type=client_credentials`: libraries show what they got a token with.
    User(Arc<Identity>),
}

/// Who asks about a token.
enum Asker {
    /// A client, which may ask about any.
    Client,
    /// A user, who may ask about their own.
    User(Arc<Identity>),
    /// Whoever sent this bearer token or API key: about that, and about the tokens of its session.
    Holder,
}

impl Portal {
    /// All that is not good here gets the same answer: it may be spent, foreign, or none of the asker's business (RFC 7662,
    /// section 2.2).
    pub(super) async fn introspect(
        &self,
        intake: &Intake,
        body: ReceivedBody,
        context: &PortalContext<'_>,
    ) -> PortalReply {
        let TokenQuery { token, client } = match read_query(intake, body) {
            Ok(query) => query,
            Err(rejection) => return rejection.into_response(LoginApi::Query).into(),
        };
        let asker = match self.check_client(&intake.head.headers, client, context.now) {
            Ok(Some(KnownClient::Registered)) => Asker::Client,
            Ok(Some(KnownClient::User(identity))) => Asker::User(identity),
            Ok(None) if intake.has_field_credential() => match context.caller {
                PortalCaller::Known { .. } => Asker::Holder,
                PortalCaller::Rejected(why) => {
                    return wire::Challenges::default().invalid_token(why).into();
                }
                PortalCaller::Anonymous => return unknown_client(),
            },
            Ok(None) => return unknown_client(),
            Err(reply) => return *reply,
        };
        if let Asker::Holder = asker
            && !is_own(&token, self.browsers.signer(), intake, context)
        {
            return inactive().into();
        }
        let found = if RefreshToken::is_claimed_by(&token) {
            self.describe_refresh_token(&token, context.now).await
        } else {
            Ok(self.describe_token(&token, context))
        };
        let is_askers = |facts: &Map<String, Value>| match &asker {
            Asker::Client | Asker::Holder => true,
            Asker::User(identity) => facts.get("sub") == Some(&(*identity.subject).into()),
        };
        match found.map(|facts| facts.filter(is_askers)) {
            Ok(Some(facts)) => wire::json(StatusCode::OK, &facts).into(),
            Ok(None) => inactive().into(),
            Err(denial) => denial.into_response(LoginApi::Query).into(),
        }
    }

    /// Whether a client has authenticated itself; `None` where none tries to. A wrong secret is logged and counted as a failed
    /// login, and holds nobody: secrets are random.
    pub(super) fn check_client(
        &self,
        headers: &HeaderMap,
        fields: ClientFields,
        now: u64,
    ) -> Result<Option<KnownClient>, Box<PortalReply>> {
        let refuse = |rejection: FormRejection| {
            Box::new(PortalReply::from(rejection.into_response(LoginApi::Query)))
        };
        let Some(shown) = ShownClient::read(headers, fields).map_err(refuse)? else {
            return Ok(None);
        };
        let is_known = shown.readings().iter().any(|reading| {
            let mut clients = self.settings.clients.iter();
            let named = clients.find(|client| *client.id == **reading.id);
            named.is_some_and(|client| client.has_secret(&reading.secret))
        });
        if is_known {
            return Ok(Some(KnownClient::Registered));
        }
        let mut readings = shown.readings().iter();
        if let Some((_, key)) = readings.find_map(|reading| self.key_shown(reading, now)) {
            return Ok(Some(KnownClient::User(Arc::clone(&key.identity))));
        }
        let denial = LoginDenial::Client;
        Err(Box::new(PortalReply {
            response: denial.into_response(LoginApi::Query),
            login: Some(LoginEvent {
                user: log_safe_name(shown.id()),
                outcome: Err(denial),
                second_factor: None,
            }),
            ..PortalReply::default()
        }))
    }

    async fn describe_refresh_token(
        &self,
        text: &str,
        now: u64,
    ) -> Result<Option<Map<String, Value>>, RefreshDenial> {
        let Some(token) = RefreshToken::parse(text, self.browsers.signer()) else {
            return Ok(None);
        };
        let Some(good) = self.sessions.look(&token, self.times(now)).await? else {
            return Ok(None);
        };
        let Some(user) = self.still_admitted(&good.subject, good.opened_at) else {
            return Ok(None);
        };
        let mut facts = facts_of(&user.identity, good.expires_at);
        facts.insert("iat".to_owned(), good.opened_at.into());
        facts.insert("sid".to_owned(), token.session().to_string().into());
        Ok(Some(facts))
    }

    /// An access token of the gateway, or an API key. Those of other issuers are theirs to describe.
    fn describe_token(
        &self,
        token: &str,
        context: &PortalContext<'_>,
    ) -> Option<Map<String, Value>> {
        let PortalCaller::Known {
            identity,
            expires_at,
            session,
            ..
        } = (context.identify_token)(token)
        else {
            return None;
        };
        let is_key = token.starts_with(API_KEY_PREFIX);
        let mut facts = match session {
            Some(_) => payload_of(token)?,
            None if is_key => Map::new(),
            None => return None,
        };
        if facts.remove(KEY_CLAIM).is_some() || is_key {
            facts.insert("client_id".to_owned(), (*identity.subject).into());
        }
        facts.extend(facts_of(&identity, expires_at));
        self.issuer.write_roles(&identity.roles, &mut facts);
        facts.insert("token_type".to_owned(), "Bearer".into());
        Some(facts)
    }
}

/// Whether a token is the one that the request is authenticated with, or belongs to the same session.
fn is_own(token: &str, signer: &TextSigner, intake: &Intake, context: &PortalContext<'_>) -> bool {
    let shown = intake.credential.as_ref();
    if shown.is_some_and(|shown| shown.token() == token) {
        return true;
    }
    let PortalCaller::Known { session, .. } = context.caller else {
        return false;
    };
    let other = match RefreshToken::session_of(token, signer) {
        Some(session) => Some(session),
        None => match (context.identify_token)(token) {
            PortalCaller::Known { session, .. } => session,
            PortalCaller::Anonymous | PortalCaller::Rejected(_) => None,
        },
    };
    session.is_some() && *session == other
}

/// The roles are those of the list now.
fn facts_of(identity: &Identity, expires_at: u64) -> Map<String, Value> {
    let mut facts = Map::new();
    let mut put = |name: &str, value: Value| facts.insert(name.to_owned(), value);
    put("active", true.into());
    put("sub", (*identity.subject).into());
    put("username", (*identity.subject).into());
    if expires_at < NEVER {
        put("exp", expires_at.into());
    }
    facts
}

pub(super) fn read_query(intake: &Intake, body: ReceivedBody) -> Result<TokenQuery, FormRejection> {
    let format = LoginApi::Query.format(&intake.head.headers);
    parse_token_query(&format.ok_or(FormRejection::ContentType)?, &body.whole()?)
}

fn inactive() -> Response<Bytes> {
    wire::json(StatusCode::OK, &json!({ "active": false }))
}

/// To who asks without a client's secret and without a token.
fn unknown_client() -> PortalReply {
    LoginDenial::Client.into_response(LoginApi::Query).into()
}
