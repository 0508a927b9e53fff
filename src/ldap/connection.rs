//! One connection to a directory (RFC 4511).
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "of the operations and result codes of the protocol a client knows a few, and all others are one case"
)]

use std::time::Duration;

use bytes::BytesMut;
use ldap3_proto::LdapCodec;
use ldap3_proto::proto::{
    LdapBindCred, LdapBindRequest, LdapExtendedRequest, LdapMsg, LdapOp, LdapResult,
    LdapResultCode, LdapSearchRequest,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_util::codec::{Decoder, Encoder};
use zeroize::Zeroize;

use super::entry::Entry;
use super::error::{LdapError, log_safe};
use super::settings::{LdapSecurity, LdapSettings};
use crate::net::{Alpn, DialedStream, Dialer};

/// The most bytes of one message: a group with ten thousands of members.
const LARGEST_MESSAGE: usize = 4 << 20;

/// The most bytes of all answers to what is asked at once.
const LARGEST_ANSWER: usize = 16 << 20;

/// How deep the values of a message may lie in each other. Those of an entry lie six deep.
const DEEPEST: usize = 16;

/// So many messages may come that answer nothing.
const MOST_UNASKED: usize = 16;

const START_TLS: &str = "1.3.6.1.4.1.1466.20037";
const NOTICE_OF_DISCONNECTION: &str = "1.3.6.1.4.1.1466.20036";

/// A connection. After an error it is of no use any more: what comes next may belong to an earlier question.
pub(super) struct Connection {
    stream: DialedStream,
    codec: LdapCodec,
    unread: BytesMut,
    last_id: i32,
    /// How many bytes the answers to the present question may still have.
    budget: usize,
}

/// What a directory says to a name and a password.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum BindAnswer {
    Accepted,
    /// Wrong, locked, expired, or not allowed: not told apart.
    Refused,
}

/// The answer to a search.
#[derive(Debug)]
pub(super) struct SearchAnswer {
    pub(super) entries: Vec<Entry>,
    pub(super) end: SearchEnd,
}

/// How a search ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum SearchEnd {
    Complete,
    /// There are more entries than were asked for.
    Limited,
    /// What is searched from does not exist, or may not be seen.
    Absent,
    /// Anything else, a referral as well: nothing is known.
    Failed(String),
}

impl Connection {
    /// Connects, and begins TLS as the settings say. The caller sets the deadline; `limit` is what is left of it.
    pub(super) async fn open(
        dialer: &Dialer,
        settings: &LdapSettings,
        limit: Duration,
    ) -> Result<Self, LdapError> {
        let server = settings.url.server();
        let at_once = match &settings.security {
            LdapSecurity::Ldaps(tls) => Some((&**tls, Alpn::None)),
            LdapSecurity::StartTls(_) | LdapSecurity::Clear => None,
        };
        let stream = dialer.connect(server, at_once, limit).await;
        let mut connection = Self::over(stream.map_err(LdapError::unavailable)?);
        if let LdapSecurity::StartTls(tls) = &settings.security {
            connection.request_tls().await?;
            let clear = connection.stream;
            let secured = Dialer::secure(clear, server, (tls, Alpn::None), limit).await;
            connection = Self::over(secured.map_err(LdapError::unavailable)?);
        }
        Ok(connection)
    }

    fn over(stream: DialedStream) -> Self {
        Self {
            stream,
            codec: LdapCodec::new(Some(LARGEST_MESSAGE), Some(DEEPEST)),
            unread: BytesMut::new(),
            last_id: 0,
            budget: LARGEST_ANSWER,
        }
    }

    /// Asks for TLS. What the server sent in the clear beyond its answer would be read as if it had come over TLS.
    async fn request_tls(&mut self) -> Result<(), LdapError> {
        let id = self
            .send(LdapOp::ExtendedRequest(LdapExtendedRequest {
                name: START_TLS.to_owned(),
                value: None,
            }))
            .await?;
        let result = match self.receive(&[id]).await?.op {
            LdapOp::ExtendedResponse(response) => response.res,
            other => return Err(unexpected(&other)),
        };
        if result.code != LdapResultCode::Success {
            let why = explain(&result);
            return Err(LdapError::unavailable(format!("no StartTLS: {why}")));
        }
        if self.unread.is_empty() {
            Ok(())
        } else {
            let why = "the directory sends more in the clear after its answer to StartTLS";
            Err(LdapError::unavailable(why))
        }
    }

    /// Proves a name with a password. It is the connection's from then on.
    ///
    /// # Errors
    /// [`LdapError::Unavailable`] for every answer that is not about name and password, and, without asking, for a name
    /// or a password that is empty: to many directories that is an anonymous bind, which succeeds.
    pub(super) async fn bind(&mut self, dn: &str, password: &str) -> Result<BindAnswer, LdapError> {
        if dn.trim().is_empty() || !may_be_password(password) {
            return Err(LdapError::unavailable(
                "a bind without a name or a password",
            ));
        }
        let id = self
            .send(LdapOp::BindRequest(LdapBindRequest {
                version: 3,
                dn: dn.to_owned(),
                cred: LdapBindCred::Simple(password.to_owned()),
            }))
            .await?;
        let result = match self.receive(&[id]).await?.op {
            LdapOp::BindResponse(response) => response.res,
            other => return Err(unexpected(&other)),
        };
        judge_bind(&result)
    }

    /// Searches, all at once: each question has its answer at the same place.
    pub(super) async fn search(
        &mut self,
        searches: &[LdapSearchRequest],
    ) -> Result<Vec<SearchAnswer>, LdapError> {
        self.budget = LARGEST_ANSWER;
        let mut open = Vec::new();
        for search in searches {
            open.push(self.send(LdapOp::SearchRequest(search.clone())).await?);
        }
        let ids = open.clone();
        let mut found: Vec<Vec<Entry>> = searches.iter().map(|_| Vec::new()).collect();
        let mut ends: Vec<Option<SearchEnd>> = vec![None; searches.len()];
        while !open.is_empty() {
            let message = self.receive(&open).await?;
            let Some(at) = ids.iter().position(|id| *id == message.msgid) else {
                return Err(LdapError::unavailable("an answer to no question"));
            };
            match message.op {
                LdapOp::SearchResultEntry(entry) => {
                    let most = usize::try_from(searches[at].sizelimit).unwrap_or_default();
                    if found[at].len() >= most.max(1) {
                        let why = "the directory sends more entries than were asked for";
                        return Err(LdapError::unavailable(why));
                    }
                    found[at].push(entry.into());
                }
                // where else to look is not followed: the server would choose whom the password is sent to
                LdapOp::SearchResultReference(_) => {}
                LdapOp::SearchResultDone(result) => {
                    open.retain(|id| *id != message.msgid);
                    ends[at] = Some(judge_search(&result));
                }
                other => return Err(unexpected(&other)),
            }
        }
        let answers = found.into_iter().zip(ends);
        Ok(answers
            .map(|(entries, end)| SearchAnswer {
                entries,
                end: end.unwrap_or(SearchEnd::Absent),
            })
            .collect())
    }

    async fn send(&mut self, op: LdapOp) -> Result<i32, LdapError> {
        self.last_id = self.last_id.checked_add(1).unwrap_or(1);
        let mut bytes = BytesMut::new();
        let message = LdapMsg::new(self.last_id, op);
        let encoded = self.codec.encode(message, &mut bytes);
        encoded.map_err(LdapError::unavailable)?;
        let sent = async {
            self.stream.write_all(&bytes).await?;
            self.stream.flush().await
        };
        let sent = sent.await;
        // it may hold a password
        bytes.as_mut().zeroize();
        sent.map_err(broken_off)?;
        Ok(self.last_id)
    }

    /// The next message that answers one of these questions.
    async fn receive(&mut self, ids: &[i32]) -> Result<LdapMsg, LdapError> {
        let mut unasked = 0;
        loop {
            let message = self.next().await?;
            match &message.op {
                _ if message.msgid == 0 => notice(&message.op)?,
                LdapOp::IntermediateResponse(_) if ids.contains(&message.msgid) => {}
                _ if ids.contains(&message.msgid) => return Ok(message),
                _ => {
                    let why = "the directory answers what it was not asked";
                    return Err(LdapError::unavailable(why));
                }
            }
            unasked += 1;
            if unasked > MOST_UNASKED {
                let why = "the directory sends too much that it was not asked";
                return Err(LdapError::unavailable(why));
            }
        }
    }

    async fn next(&mut self) -> Result<LdapMsg, LdapError> {
        loop {
            let declared = declared_length(&self.unread)?;
            if declared.is_some_and(|length| length <= self.unread.len()) {
                let before = self.unread.len();
                let decoded = self.codec.decode(&mut self.unread);
                let message = decoded.map_err(|error| garbage(&error.to_string()))?;
                let message = message.ok_or_else(|| garbage("a message that does not end"))?;
                let size = before - self.unread.len();
                self.budget = self.budget.checked_sub(size).ok_or_else(|| {
                    let most = LARGEST_ANSWER >> 20;
                    LdapError::unavailable(format!("the answers have more than {most} MiB"))
                })?;
                return Ok(message);
            }
            let read = self.stream.read_buf(&mut self.unread).await;
            if read.map_err(broken_off)? == 0 {
                return Err(LdapError::unavailable(
                    "the directory has closed the connection",
                ));
            }
        }
    }
}

/// Whether a text may be the password of a simple bind: without one the bind is unauthenticated (RFC 4513, section
/// 5.1.2), and servers written in C end it at a NUL.
pub(super) fn may_be_password(password: &str) -> bool {
    !password.is_empty() && !password.contains('\0')
}

/// How long the message is that begins here, as far as it says; its end need not be there yet.
fn declared_length(bytes: &[u8]) -> Result<Option<usize>, LdapError> {
    let Some((tag, rest)) = bytes.split_first() else {
        return Ok(None);
    };
    if *tag != 0x30 {
        return Err(garbage("no LDAP message begins like this"));
    }
    let Some((first, rest)) = rest.split_first() else {
        return Ok(None);
    };
    let (header, length) = if *first < 0x80 {
        (2, usize::from(*first))
    } else {
        let digits = usize::from(*first & 0x7f);
        if digits == 0 || digits > 4 {
            return Err(garbage("a length that no message has"));
        }
        let Some(length) = rest.get(..digits) else {
            return Ok(None);
        };
        let length = length
            .iter()
            .fold(0, |sum, byte| sum << 8 | usize::from(*byte));
        (2 + digits, length)
    };
    if header + length > LARGEST_MESSAGE {
        let most = LARGEST_MESSAGE >> 20;
        return Err(garbage(&format!("a message of more than {most} MiB")));
    }
    Ok(Some(header + length))
}

/// A message that answers nothing. The server says goodbye with one (RFC 4511, section 4.4.1).
fn notice(op: &LdapOp) -> Result<(), LdapError> {
    match op {
        LdapOp::ExtendedResponse(response)
            if response.name.as_deref() == Some(NOTICE_OF_DISCONNECTION) =>
        {
            let why = explain(&response.res);
            Err(LdapError::unavailable(format!(
                "the directory disconnects: {why}"
            )))
        }
        LdapOp::ExtendedResponse(_) => Ok(()),
        other => Err(unexpected(other)),
    }
}

/// 49, 53 and 19 say no, and so do 32 and 48 of servers that tell apart. Everything else but 0 says nothing about the
/// password: busy, away, a referral, more steps of SASL, a connection without TLS.
fn judge_bind(result: &LdapResult) -> Result<BindAnswer, LdapError> {
    use LdapResultCode as Code;
    let refusals = [
        Code::InvalidCredentials,
        Code::UnwillingToPerform,
        Code::ConstraintViolation,
        Code::InappropriateAuthentication,
        Code::NoSuchObject,
    ];
    match &result.code {
        Code::Success => Ok(BindAnswer::Accepted),
        code if refusals.contains(code) => Ok(BindAnswer::Refused),
        _ => Err(LdapError::unavailable(format!(
            "no bind: {}",
            explain(result)
        ))),
    }
}

fn judge_search(result: &LdapResult) -> SearchEnd {
    use LdapResultCode as Code;
    match &result.code {
        Code::Success => SearchEnd::Complete,
        Code::SizeLimitExceeded => SearchEnd::Limited,
        Code::NoSuchObject | Code::InsufficentAccessRights => SearchEnd::Absent,
        _ => SearchEnd::Failed(explain(result)),
    }
}

fn explain(result: &LdapResult) -> String {
    let code = format!("{:?}", result.code);
    match log_safe(&result.message) {
        text if text.is_empty() => code,
        text => format!("{code}, {text}"),
    }
}

fn broken_off(error: std::io::Error) -> LdapError {
    LdapError::unavailable(format!("the connection has broken off: {error}"))
}

fn garbage(why: &str) -> LdapError {
    LdapError::unavailable(format!("the directory sends no LDAP: {why}"))
}

fn unexpected(_: &LdapOp) -> LdapError {
    LdapError::unavailable("the directory answers another question")
}
