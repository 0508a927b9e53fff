//! What a good directory never sends.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use bytes::BytesMut;
use gatelatch::ldap::LdapFailure;
use ldap3_proto::LdapCodec;
use ldap3_proto::proto::{
    LdapBindResponse, LdapExtendedResponse, LdapMsg, LdapOp, LdapPartialAttribute, LdapResult,
    LdapResultCode, LdapSearchResultEntry, LdapSearchResultReference,
};
use tokio_util::codec::{Decoder as _, Encoder as _};

use super::{PEOPLE, block_on, directory, sign_in, unavailable};

/// What a server answers a message with.
type Script = fn(&LdapMsg) -> Vec<u8>;

/// A server that answers each message as a script says; its address.
fn server(script: Script) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.unwrap();
            thread::spawn(move || serve(stream, script));
        }
    });
    address
}

fn serve(mut stream: TcpStream, script: Script) {
    let (mut codec, mut unread) = (LdapCodec::default(), BytesMut::new());
    let mut piece = [0; 4096];
    loop {
        match stream.read(&mut piece) {
            Ok(0) | Err(_) => return,
            Ok(length) => unread.extend_from_slice(&piece[..length]),
        }
        while let Ok(Some(message)) = codec.decode(&mut unread) {
            let answer = script(&message);
            if answer == CLOSE || stream.write_all(&answer).is_err() {
                return;
            }
        }
    }
}

/// In place of an answer: the end of the connection.
const CLOSE: &[u8] = b"CLOSE";

fn result(code: LdapResultCode) -> LdapResult {
    LdapResult {
        code,
        matcheddn: String::new(),
        message: "as the test wants it".to_owned(),
        referral: Vec::new(),
    }
}

fn bytes(id: i32, op: LdapOp) -> Vec<u8> {
    let mut bytes = BytesMut::new();
    LdapCodec::default()
        .encode(LdapMsg::new(id, op), &mut bytes)
        .unwrap();
    bytes.to_vec()
}

fn bound(id: i32, code: LdapResultCode) -> Vec<u8> {
    bytes(
        id,
        LdapOp::BindResponse(LdapBindResponse {
            res: result(code),
            saslcreds: None,
        }),
    )
}

fn done(id: i32, code: LdapResultCode) -> Vec<u8> {
    bytes(id, LdapOp::SearchResultDone(result(code)))
}

fn entry(id: i32, name: &str) -> Vec<u8> {
    let attribute = |atype: &str, value: &[u8]| LdapPartialAttribute {
        atype: atype.to_owned(),
        vals: vec![value.to_vec()],
    };
    bytes(
        id,
        LdapOp::SearchResultEntry(LdapSearchResultEntry {
            dn: format!("uid={name},ou=people,dc=example,dc=com"),
            attributes: vec![attribute("UID", name.as_bytes())],
        }),
    )
}

/// What a good one answers: everybody exists and has every password.
fn good(message: &LdapMsg) -> Vec<u8> {
    let id = message.msgid;
    match &message.op {
        LdapOp::BindRequest(_) => bound(id, LdapResultCode::Success),
        LdapOp::SearchRequest(_) => {
            [entry(id, "alice"), done(id, LdapResultCode::Success)].concat()
        }
        _ => CLOSE.to_vec(),
    }
}

fn entries(address: SocketAddr) -> String {
    format!("url: \"ldap://{address}\", {PEOPLE}, timeout: 2s")
}

/// What comes of a sign-in at such a server.
fn outcome(script: Script) -> Result<String, LdapFailure> {
    block_on(async {
        let directory = directory(&entries(server(script)));
        let signed_in = sign_in(&directory, "alice", "a password").await;
        signed_in.map(|identity| identity.subject.to_string())
    })
}

#[test]
fn a_server_of_the_test_can_be_good() {
    assert_eq!(outcome(good), Ok("alice".to_owned()));
}

/// A bind is answered with this code.
macro_rules! answers_binds_with {
    ($code:ident) => {
        |message: &LdapMsg| match &message.op {
            LdapOp::BindRequest(_) => bound(message.msgid, LdapResultCode::$code),
            _ => good(message),
        }
    };
}

#[test]
fn what_is_said_of_a_password_is_a_refusal_and_nothing_else_is() {
    let refusing: [(&str, Script); 5] = [
        ("49", answers_binds_with!(InvalidCredentials)),
        ("53", answers_binds_with!(UnwillingToPerform)),
        ("19", answers_binds_with!(ConstraintViolation)),
        ("48", answers_binds_with!(InappropriateAuthentication)),
        ("32", answers_binds_with!(NoSuchObject)),
    ];
    for (code, script) in refusing {
        assert_eq!(outcome(script), Err(LdapFailure::Refused), "{code}");
    }
    let away: [(&str, Script); 9] = [
        ("3", answers_binds_with!(TimeLimitExceeded)),
        ("51", answers_binds_with!(Busy)),
        ("52", answers_binds_with!(Unavailable)),
        ("80", answers_binds_with!(Other)),
        ("10", answers_binds_with!(Referral)),
        ("14", answers_binds_with!(SaslBindInProgress)),
        ("8", answers_binds_with!(StrongerAuthRequired)),
        ("13", answers_binds_with!(ConfidentialityRequired)),
        ("1", answers_binds_with!(OperationsError)),
    ];
    for (code, script) in away {
        let failure = outcome(script).unwrap_err();
        assert!(
            matches!(failure, LdapFailure::Unavailable(_)),
            "{code}: {failure:?}"
        );
    }
}

/// A search is answered with these bytes, by the id of the question.
macro_rules! answers_searches_with {
    ($id:ident => $bytes:expr) => {
        |message: &LdapMsg| match &message.op {
            LdapOp::SearchRequest(_) => {
                let $id = message.msgid;
                let bytes: Vec<u8> = $bytes;
                bytes
            }
            _ => good(message),
        }
    };
}

#[test]
fn what_is_no_ldap_is_no_answer() {
    let scripts: [(&str, Script); 14] = [
        (
            "text",
            answers_searches_with!(_id => b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()),
        ),
        ("zeros", answers_searches_with!(_id => vec![0; 64])),
        (
            "a message of 2 GiB",
            answers_searches_with!(_id => vec![0x30, 0x84, 0x7f, 0xff, 0xff, 0xff, 2, 1]),
        ),
        (
            "a length of 126 digits",
            answers_searches_with!(_id => [vec![0x30, 0xfe], vec![0xff; 126]].concat()),
        ),
        (
            "an endless length",
            answers_searches_with!(_id => vec![0x30, 0x80, 0, 0]),
        ),
        ("nested deeply", answers_searches_with!(_id => nested(60))),
        (
            "a length inside that lies",
            answers_searches_with!(_id => vec![0x30, 5, 2, 1, 1, 0x64, 0x7f]),
        ),
        ("no message", answers_searches_with!(_id => vec![0x30, 0])),
        (
            "another answer",
            answers_searches_with!(id => bound(id, LdapResultCode::Success)),
        ),
        (
            "another id",
            answers_searches_with!(id => done(id + 7, LdapResultCode::Success)),
        ),
        (
            "a negative id",
            answers_searches_with!(_id => done(-1, LdapResultCode::Success)),
        ),
        (
            "more than was asked for",
            answers_searches_with!(id => entry(id, "alice").repeat(3)),
        ),
        (
            "an unknown code",
            answers_searches_with!(id => unknown_code(id)),
        ),
        ("the end", answers_searches_with!(_id => CLOSE.to_vec())),
    ];
    for (what, script) in scripts {
        let failure = outcome(script).unwrap_err();
        assert!(
            matches!(failure, LdapFailure::Unavailable(_)),
            "{what}: {failure:?}"
        );
    }
}

/// Sequences in sequences, each with its length.
fn nested(depth: usize) -> Vec<u8> {
    (0..depth).fold(vec![5, 0], |inner, _| {
        let length = u8::try_from(inner.len()).unwrap();
        [vec![0x30, 0x81, length], inner].concat()
    })
}

fn unknown_code(id: i32) -> Vec<u8> {
    let mut bytes = done(id, LdapResultCode::Success);
    let at = bytes
        .windows(3)
        .position(|three| three == [0x0a, 1, 0])
        .unwrap();
    bytes[at + 2] = 100;
    bytes
}

fn notice(name: &str) -> Vec<u8> {
    let name = Some(name.to_owned());
    bytes(
        0,
        LdapOp::ExtendedResponse(LdapExtendedResponse {
            res: result(LdapResultCode::Unavailable),
            name,
            value: None,
        }),
    )
}

#[test]
fn a_notice_of_disconnection_is_one() {
    let failure =
        outcome(answers_searches_with!(_id => notice("1.3.6.1.4.1.1466.20036"))).unwrap_err();
    let LdapFailure::Unavailable(why) = failure else {
        panic!("{failure:?}");
    };
    assert!(
        why.contains("the directory disconnects: Unavailable, as the test wants it"),
        "{why}"
    );
}

#[test]
fn what_answers_nothing_is_passed_over_but_not_without_end() {
    let few = answers_searches_with!(id => [notice("1.2.3").repeat(10), entry(id, "alice"), done(id, LdapResultCode::Success)].concat());
    assert_eq!(outcome(few), Ok("alice".to_owned()));
    let many = answers_searches_with!(id => [notice("1.2.3").repeat(1000), entry(id, "alice"), done(id, LdapResultCode::Success)].concat());
    assert!(matches!(outcome(many), Err(LdapFailure::Unavailable(_))));
}

#[test]
fn a_reference_is_no_entry() {
    let script = answers_searches_with!(id => {
        let uris = vec!["ldap://192.0.2.1/dc=x".to_owned()];
        let reference = LdapOp::SearchResultReference(LdapSearchResultReference { uris });
        [bytes(id, reference), done(id, LdapResultCode::Success)].concat()
    });
    assert_eq!(outcome(script), Err(LdapFailure::Refused));
}

#[test]
fn bytes_that_are_no_text_name_nobody() {
    let script = answers_searches_with!(id => {
        let mut entry = entry(id, "alixe");
        let at = entry.windows(5).rposition(|five| five == b"alixe").unwrap();
        entry[at + 3] = 0xff;
        [entry, done(id, LdapResultCode::Success)].concat()
    });
    assert_eq!(outcome(script), Err(LdapFailure::Refused));
}

#[test]
fn an_entry_without_a_name_is_not_bound_as() {
    let script = answers_searches_with!(id => {
        let uid = LdapPartialAttribute { atype: "uid".to_owned(), vals: vec![b"alice".to_vec()] };
        let entry = LdapSearchResultEntry { dn: String::new(), attributes: vec![uid] };
        [bytes(id, LdapOp::SearchResultEntry(entry)), done(id, LdapResultCode::Success)].concat()
    });
    assert_eq!(outcome(script), Err(LdapFailure::Refused));
}

/// StartTLS is answered with these bytes.
macro_rules! answers_start_tls_with {
    ($id:ident => $bytes:expr) => {
        |message: &LdapMsg| match &message.op {
            LdapOp::ExtendedRequest(_) => {
                let $id = message.msgid;
                let bytes: Vec<u8> = $bytes;
                bytes
            }
            _ => good(message),
        }
    };
}

fn extended(id: i32, code: LdapResultCode) -> Vec<u8> {
    bytes(
        id,
        LdapOp::ExtendedResponse(LdapExtendedResponse {
            res: result(code),
            name: None,
            value: None,
        }),
    )
}

#[test]
fn start_tls_has_no_way_back() {
    let refusing: [(&str, Script, &str); 5] = [
        (
            "refused",
            answers_start_tls_with!(id => extended(id, LdapResultCode::Unavailable)),
            "no StartTLS: Unavailable",
        ),
        (
            "not known",
            answers_start_tls_with!(id => extended(id, LdapResultCode::ProtocolError)),
            "no StartTLS: ProtocolError",
        ),
        // RFC 4511, 4.14.1: nothing may follow; whoever is on the way could put it there, to be read as if it came over TLS
        (
            "more in the clear",
            answers_start_tls_with!(id => [extended(id, LdapResultCode::Success), bound(id + 1, LdapResultCode::Success)].concat()),
            "more in the clear",
        ),
        (
            "no TLS",
            answers_start_tls_with!(id => extended(id, LdapResultCode::Success)),
            "no answer ",
        ),
        (
            "something first",
            answers_start_tls_with!(_id => bound(1, LdapResultCode::Success)),
            "another question",
        ),
    ];
    for (what, script, expected) in refusing {
        let why = block_on(async {
            let entries = format!("{}, starttls: true", entries(server(script)));
            unavailable(sign_in(&directory(&entries), "alice", "a password").await)
        });
        assert!(why.contains(expected), "{what}: {why}");
    }
}

#[test]
fn many_values_are_asked_for_in_pieces() {
    let script: Script = |message| {
        let id = message.msgid;
        let LdapOp::SearchRequest(search) = &message.op else {
            return good(message);
        };
        let names = search.attrs.iter().map(|name| name.to_ascii_lowercase());
        let asked = names.into_iter().find(|name| name.starts_with("memberof"));
        let groups = |name: &str, from: usize, to: usize| {
            let vals = (from..to).map(|number| format!("group-{number}").into_bytes());
            let vals = vals.collect();
            let uid = LdapPartialAttribute {
                atype: "uid".to_owned(),
                vals: vec![b"alice".to_vec()],
            };
            let groups = LdapPartialAttribute {
                atype: name.to_owned(),
                vals,
            };
            let dn = "uid=alice,ou=people,dc=example,dc=com".to_owned();
            let entry = LdapSearchResultEntry {
                dn,
                attributes: vec![uid, groups],
            };
            [
                bytes(id, LdapOp::SearchResultEntry(entry)),
                done(id, LdapResultCode::Success),
            ]
            .concat()
        };
        match asked.as_deref() {
            Some("memberof") => groups("memberOf;range=0-99", 0, 100),
            Some("memberof;range=100-*") => groups("memberOf;range=100-199", 100, 200),
            Some("memberof;range=200-*") => groups("memberOf;range=200-*", 200, 250),
            _ => done(id, LdapResultCode::NoSuchObject),
        }
    };
    block_on(async {
        let entries = format!(
            "{}, groups: {{ attribute: memberOf }}",
            entries(server(script))
        );
        let alice = sign_in(&directory(&entries), "alice", "a password")
            .await
            .unwrap();
        assert_eq!(alice.roles.len(), 250);
        assert_eq!(&*alice.roles[249], "group-249");
    });
}

#[test]
fn a_flood_of_sign_ins_is_bounded() {
    let silent: Script = |_| Vec::new();
    block_on(async {
        let directory = directory(&format!(
            "{}, timeout: 60s",
            entries(server(silent)).replace(", timeout: 2s", "")
        ));
        let mut attempts = tokio::task::JoinSet::new();
        for _ in 0..400 {
            let directory = std::sync::Arc::clone(&directory);
            attempts.spawn(async move { directory.find("alice").await.err() });
        }
        let mut busy = 0;
        while let Ok(Some(ended)) =
            tokio::time::timeout(Duration::from_secs(30), attempts.join_next()).await
        {
            assert_eq!(ended.unwrap(), Some(LdapFailure::Busy));
            busy += 1;
            if busy == 272 {
                break;
            }
        }
        assert_eq!(busy, 400 - 128);
    });
}
