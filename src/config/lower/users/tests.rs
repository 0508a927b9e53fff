//! Reading a list user by user tells the same as reading its tree whole.

use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::config::files::Files;
use crate::config::secrecy::secrets_of;
use crate::config::variables::{Dotenv, Variables};

const HASH: &str = "$2b$12$N9qo8uLOickgx2ZMRZoMye7lwnnKjdKULIb0Soe6BjJXxCPR1R3dC";

/// Pieces of a users file, good and bad; `HASH` stands for a hash.
const PIECES: [&str; 53] = [
    "  alice:\n    password: HASH\n    roles: [a, b]\n    name: Alice Doe\n",
    "  bob: { password: HASH, roles: [a], email: bob@example.com }\n",
    "  \"alice\": { roles: [c] }\n",
    "  'bo b': {}\n",
    "  alice: { rolse: [c], password: HASH }\n",
    "  carl:\n    roles: [a, a]\n    claims: { a: 1, a: 2, b: [x, { c: ~ }] }\n",
    "  carl: { password: HASH, password: HASH }\n",
    "  dora: &x { roles: [a] }\n",
    "  &y dora: { roles: [a] }\n",
    "  emil: *x\n",
    "  emil: !tag { roles: [a] }\n",
    "  emil: &z\n    roles: &w\n      x: 1\n",
    "  <<: { roles: [a] }\n",
    "  <<: { roles: [b] }\n",
    "  ? fritz\n  : { roles: [a] }\n",
    "  ? [fritz, gina]\n  : {}\n",
    "  [gina]: {}\n",
    "  gina: plain\n",
    "  gina:\n",
    "  gina: ~\n",
    "  12: { disabled: true }\n",
    "  hans:\n  - x\n",
    "  hans: { disabled: maybe, name: 5, email: [x] }\n",
    "  hans: { password: ${UNSET} }\n",
    "  hans: { password: \"${UNSET:-HASH}\" }\n",
    "  hans: { password: secret, groups: [a], roles: [b] }\n",
    "  ida: { password_file: nowhere.txt }\n",
    "  ida: { password_file: nowhere.txt, password: HASH }\n",
    "  ida: { tokens_valid_after: 2026-01-01T00:00:00Z, claims: { sub: x, roles: y, name: z } }\n",
    "  jan: { api_keys: [{ name: ci, hash: \"sha256:ab\" }] }\n",
    "  secret-service: { name: x, email: y, displayname: z }\n",
    "  glk_looks_secret: { name: glk_x, claims: { url: \"http://a:b@c\" } }\n",
    "  karl:\n    name: |\n      two\n      lines\n",
    "  karl: { claims: { a: {b: {c: {d: {e: {f: {g: {h: {i: {j: {k: {l: {m: {n: {o: {p: {q: {r: {s: {t: {u: {v: {w: {x: {y: {z: {a: {b: {c: {d: {e: {f: 1}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}} } }\n",
    "  lea: { password: $2b$04$N9qo8uLOickgx2ZMRZoMye7lwnnKjdKULIb0Soe6BjJXxCPR1R3dC }\n",
    "  lea: { password: $2b$10$N9qo8uLOickgx2ZMRZoMye7lwnnKjdKULIb0Soe6BjJXxCPR1R3dC }\n",
    "    roles: [z]\n",
    "    name: more\n",
    "    password: HASH\n",
    "users:\n",
    "users: { mia: { roles: [a] }, mia: {}, noah: x }\n",
    "users: nobody\n",
    "users: []\n",
    "other: { a: 1, a: 2 }\n",
    "user:\n  olga: { password: HASH }\n",
    "---\n",
    "...\n",
    "# a comment\n",
    "\n",
    "\t\n",
    "  otto: { given_name: Otto, locale: de, address: { country: AT } }\n",
    "  paul: { roles: [a\n",
    "}\n",
];

/// The whole list from its whole tree.
fn whole(text: &str, roles_claim: &ClaimPath, reader: &mut Reader<'_>) -> UsersRead {
    let (mark, mut findings) = (reader.mark(), Findings::default());
    let tree = yaml::read(text, File::Users, &mut findings);
    reader.precede(&mark, findings);
    let Some(tree) = tree else {
        return UsersRead {
            list: None,
            secrets: None,
        };
    };
    let secrets = Some(secrets_of(&tree));
    let mut lowering = Lowering::new(roles_claim, reader);
    let span = tree.root.span;
    let root = Entry {
        key: lowering.reader.file_name(span),
        key_span: span,
        node: tree.root,
    };
    if let Some(mut top) = lowering.reader.section(root, &blocks::USERS) {
        let list = top.require(
            lowering.reader,
            "users",
            "{ alice: { password: $2b$12$…, roles: [admin] } }",
        );
        top.finish(lowering.reader);
        let users = list.and_then(|entry| lowering.reader.map(entry));
        users
            .into_iter()
            .flatten()
            .for_each(|entry| lowering.take(entry));
    }
    let Lowering {
        enrolment,
        places,
        all,
        reader,
        ..
    } = lowering;
    all.notes.report(reader);
    UsersRead {
        list: Some(UserList {
            directory: enrolment.finish(),
            places,
        }),
        secrets,
    }
}

type Read = fn(&str, &ClaimPath, &mut Reader<'_>) -> UsersRead;

/// All that a load sees of a text, in words.
fn outcome(text: &str, read: Read) -> String {
    let (environment, path) = (BTreeMap::new(), Path::new("/nowhere/gateway.yaml"));
    let variables = Variables::new(&environment, Dotenv::default());
    let mut reader = Reader::new(variables, Findings::default(), Files::default(), path);
    reader.enter_users(Path::new("/nowhere/users.yaml"));
    let UsersRead { list, mut secrets } = read(text, &ClaimPath::of("roles"), &mut reader);
    let (findings, files) = reader.finish();
    secrets.iter_mut().for_each(|spans| spans.sort_unstable());
    let users = list.map(|list| {
        let UserList { directory, places } = list;
        let users: Vec<_> = directory.users().collect();
        format!("{users:#?} {places:?}")
    });
    format!(
        "{:#?}\n{users:?}\n{secrets:?}\n{:?}",
        findings.into_sorted(),
        files.finish()
    )
}

fn assert_same(text: &str) {
    assert_eq!(outcome(text, users), outcome(text, whole), "{text}");
}

fn text_of(head: &str, pieces: &[&str]) -> String {
    (head.to_owned() + &pieces.concat()).replace("HASH", HASH)
}

#[test]
fn each_piece_alone_and_after_a_user() {
    for piece in PIECES {
        for head in [
            "",
            "users:\n",
            "users:\n  zoe: { roles: [a], password: HASH }\n",
            "first: 1\nusers:\n",
        ] {
            assert_same(&text_of(head, &[piece]));
        }
    }
}

#[test]
fn a_list_that_breaks_off_says_nothing_of_its_users() {
    let text = text_of(
        "users:\n",
        &[
            "  a: { rolse: [a] }\n",
            "  b: { password_file: nowhere.txt }\n",
            "  c: [\n",
        ],
    );
    let said = outcome(&text, users);
    assert!(
        said.contains("this is not YAML")
            && !said.contains("rolse")
            && !said.contains("nowhere.txt"),
        "{said}"
    );
    assert_same(&text);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_list_of_pieces(
        head in prop::sample::select(vec!["users:\n", "users:\n", "users:\n", "", "{users: {\n", "other: 1\nusers:\n"]),
        pieces in prop::collection::vec(prop::sample::select(PIECES.to_vec()), 0..9),
    ) {
        assert_same(&text_of(head, &pieces));
    }

    #[test]
    fn any_list_with_a_slip(
        pieces in prop::collection::vec(prop::sample::select(PIECES[..32].to_vec()), 1..5),
        at in any::<prop::sample::Index>(),
        slip in prop::sample::select(vec!["", "", " ", "\n", ":", "\"", "{", "]", "#", "&a ", "- ", "\t", ",", "ü"]),
    ) {
        let mut text = text_of("users:\n", &pieces);
        let at = at.index(text.len());
        text.replace_range(at..=at, slip);
        assert_same(&text);
    }
}
