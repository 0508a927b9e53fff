use super::*;

fn add(user: &str) -> Change {
    let roles = vec!["admin".to_owned(), "a b".to_owned()];
    let name = Some("Zoë: \"Z\"".to_owned());
    let hash = Some("$2b$12$abc/.".to_owned());
    Change::Add(vec![NewUser {
        user: user.to_owned(),
        hash,
        roles,
        name,
        email: None,
        created: None,
    }])
}

fn add_key(user: &str, name: &str) -> Change {
    let roles = Some(vec!["deployer".to_owned()]);
    let key = NewKey {
        name: name.to_owned(),
        hash: "sha256:00".to_owned(),
        roles,
        expires: Some("2027-01-01".to_owned()),
    };
    Change::AddKey {
        user: user.to_owned(),
        key,
    }
}

fn refuse_before(user: &str) -> Change {
    Change::RefuseTokensBefore {
        user: user.to_owned(),
        time: "2026-12-01T06:00:00Z".to_owned(),
    }
}

fn set_password(user: &str) -> Change {
    Change::SetPassword {
        user: user.to_owned(),
        hash: "$2b$12$new".to_owned(),
    }
}

#[track_caller]
fn check(before: &str, change: &Change, after: &str) {
    assert_eq!(edit(before, change).as_deref(), Ok(after), "{before}");
    if before.contains('\n') {
        let crlf = |text: &str| text.replace('\n', "\r\n");
        assert_eq!(edit(&crlf(before), change), Ok(crlf(after)), "with \\r\\n");
    }
}

const BLOCK: &str = "\
# who may log in
users:
    # the first
    alice:   # in place
        password: $2b$12$old     # from 2025
        roles: [recruiter]
        # a remark

    'bob b':
        api_keys:
        - { name: ci, hash: \"sha256:11\" }   # for builds
        name: Bob
# the end
";

#[test]
fn a_block_keeps_its_comments_order_and_indentation() {
    check(
        BLOCK,
        &add("carl@example.com"),
        &BLOCK.replace(
            "        name: Bob\n",
            "        name: Bob\n    carl@example.com:\n        password: $2b$12$abc/.\n        \
             roles: [admin, \"a b\"]\n        name: \"Zoë: \\\"Z\\\"\"\n",
        ),
    );
    check(
        BLOCK,
        &set_password("alice"),
        &BLOCK.replace("$2b$12$old", "$2b$12$new"),
    );
    for quoted in ["\"$2b$12$o\\\"ld\"", "'$2b$12$o''ld'"] {
        let text = |password: &str| {
            format!(
                "users:\n  alice:\n    password: {password} # from 2025\n    roles: [a]\n  bob: {{}}\n"
            )
        };
        check(&text(quoted), &set_password("alice"), &text("$2b$12$new"));
        let braces = |password: &str| format!("users:\n  alice: {{ password: {password} }} # c\n");
        check(
            &braces(quoted),
            &set_password("alice"),
            &braces("$2b$12$new"),
        );
    }
    check(
        BLOCK,
        &refuse_before("alice"),
        &BLOCK.replace(
            "        roles: [recruiter]\n",
            "        roles: [recruiter]\n        tokens_valid_after: \"2026-12-01T06:00:00Z\"\n",
        ),
    );
    check(
        "users:\n  a: { tokens_valid_after: 2026-01-01T00:00:00Z, roles: [b] } # c\n",
        &refuse_before("a"),
        "users:\n  a: { tokens_valid_after: \"2026-12-01T06:00:00Z\", roles: [b] } # c\n",
    );
    check(
        BLOCK,
        &set_password("bob b"),
        &BLOCK.replace(
            "        name: Bob\n",
            "        name: Bob\n        password: $2b$12$new\n",
        ),
    );
    check(
        BLOCK,
        &Change::Disable("alice".to_owned()),
        &BLOCK.replace("[recruiter]\n", "[recruiter]\n        disabled: true\n"),
    );
    let key = "{ name: deploy, hash: \"sha256:00\", roles: [deployer], expires: 2027-01-01 }";
    check(
        BLOCK,
        &add_key("bob b", "deploy"),
        &BLOCK.replace(
            "# for builds\n",
            &format!("# for builds\n        - {key}\n"),
        ),
    );
    check(
        BLOCK,
        &add_key("alice", "deploy"),
        &BLOCK.replace(
            "[recruiter]\n",
            &format!("[recruiter]\n        api_keys:\n            - {key}\n"),
        ),
    );
    let (start, end) = (
        BLOCK.find("    'bob b'").unwrap(),
        BLOCK.find("# the end").unwrap(),
    );
    check(
        BLOCK,
        &Change::Remove("bob b".to_owned()),
        &[&BLOCK[..start], &BLOCK[end..]].concat(),
    );
    let removed = "# who may log in\nusers:\n    # the first\n        # a remark\n\n";
    check(
        BLOCK,
        &Change::Remove("alice".to_owned()),
        &[removed, &BLOCK[start..]].concat(),
    );
}

#[test]
fn a_flow_stays_one() {
    let flow =
        "users:\n  rita: { password: \"$2b$04$x\", roles: [recruiter] } # r\n  carl: {}\n  nil:\n";
    check(
        flow,
        &set_password("rita"),
        &flow.replace("\"$2b$04$x\"", "$2b$12$new"),
    );
    check(
        flow,
        &Change::Disable("rita".to_owned()),
        &flow.replace("[recruiter] }", "[recruiter], disabled: true }"),
    );
    check(
        flow,
        &Change::Disable("carl".to_owned()),
        &flow.replace("{}", "{ disabled: true }"),
    );
    check(
        flow,
        &Change::Disable("nil".to_owned()),
        &flow.replace("nil:\n", "nil:\n    disabled: true\n"),
    );
    let key = "{ name: k, hash: \"sha256:00\", roles: [deployer], expires: 2027-01-01 }";
    check(
        flow,
        &add_key("carl", "k"),
        &flow.replace("{}", &format!("{{ api_keys: [{key}] }}")),
    );
    let inner = "users: { a: { roles: [x] }, b: {}, c: {} }\n";
    check(
        inner,
        &Change::Remove("a".to_owned()),
        "users: { b: {}, c: {} }\n",
    );
    check(
        inner,
        &Change::Remove("b".to_owned()),
        "users: { a: { roles: [x] }, c: {} }\n",
    );
    check(
        inner,
        &Change::Remove("c".to_owned()),
        "users: { a: { roles: [x] }, b: {} }\n",
    );
    let keys = "users: { a: { api_keys: [ { name: x, hash: y } ] } }";
    check(
        keys,
        &add_key("a", "k"),
        &keys.replace("y } ]", &format!("y }}, {key} ]")),
    );
}

#[test]
fn an_empty_list_becomes_a_block() {
    let lines = "users:\n  d:\n    password: $2b$12$abc/.\n    roles: [admin, \"a b\"]\n    name: \"Zoë: \\\"Z\\\"\"\n";
    check("users: {}\n", &add("d"), lines);
    check("users:\n", &add("d"), lines);
    check("users:", &add("d"), lines);
    check(
        "users: # nobody\n",
        &add("d"),
        &lines.replace("users:\n", "users: # nobody\n"),
    );
    check(
        "users:\n  d: {}\n",
        &Change::Remove("d".to_owned()),
        "users:\n",
    );
}

#[test]
fn enabling_takes_back_what_disabled() {
    let text = "users:\n  a:\n    disabled: true # for now\n  b: { disabled: false }\n  c: { disabled: \"${OFF}\" }\n";
    check(
        text,
        &Change::Enable("a".to_owned()),
        &text.replace("disabled: true", "disabled: false"),
    );
    check(
        text,
        &Change::Disable("b".to_owned()),
        &text.replace("disabled: false", "disabled: true"),
    );
    let nothing = |change: &Change| matches!(edit(text, change), Err(EditError::NothingToDo(_)));
    assert!(nothing(&Change::Disable("a".to_owned())) && nothing(&Change::Enable("b".to_owned())));
    assert_eq!(
        edit(text, &Change::Enable("c".to_owned())),
        Err(EditError::Elsewhere("disabled"))
    );
}

#[test]
fn names_and_values_mean_what_was_typed() {
    for text in [
        "no", "12", "1.5", "null", "~", "true", "a: b", "#x", "- x", "a#b", "[x]", "'", "\"", "\\",
        "é", "@x", "*x",
    ] {
        let new = NewUser {
            user: text.to_owned(),
            hash: None,
            roles: vec![text.to_owned()],
            name: Some(format!("{text} {{x}}, $$ ${{HOME}}")),
            email: Some(text.to_owned()),
            created: None,
        };
        let edited = edit("users: {}\n", &Change::Add(vec![new]))
            .unwrap_or_else(|error| panic!("{text}: {error}"));
        assert!(!edited.contains(" ${HOME}"), "{edited}");
    }
}

#[test]
fn what_cannot_be_done_is_said() {
    let missing = Err(EditError::NoSuchUser("zoe".to_owned()));
    for change in [
        set_password("zoe"),
        add_key("zoe", "k"),
        Change::Remove("zoe".to_owned()),
    ] {
        assert_eq!(edit(BLOCK, &change), missing);
    }
    assert_eq!(
        edit(BLOCK, &add("alice")),
        Err(EditError::UserExists("alice".to_owned()))
    );
    assert_eq!(
        edit(BLOCK, &add_key("bob b", "ci")),
        Err(EditError::KeyExists("ci".to_owned()))
    );
    let elsewhere = "users: { a: { password_file: a.txt }, b: { password: \"${B}\" } }";
    for user in ["a", "b"] {
        assert_eq!(
            edit(elsewhere, &set_password(user)),
            Err(EditError::Elsewhere("password"))
        );
    }
}

/// Whatever the text half does not understand is refused, and so is what the reader complains about.
#[test]
fn a_style_that_is_not_understood_is_left_alone() {
    for text in [
        "users:\n  a:\n    password: |\n      $2b$12$old\n",
        "users:\n  a: &x { roles: [b] }\n",
        "users:\n  a: { roles: [b] }\n  a: {}\n",
        "users:\r  a: {}\r",
        "users:\r\n  a: {}\n",
        "users:\n\ta: {}\n",
    ] {
        assert_eq!(
            edit(text, &set_password("a")),
            Err(EditError::Style),
            "{text:?}"
        );
    }
}

#[test]
fn several_users_are_added_at_once() {
    let new = |user: &str| {
        let roles = vec!["staff".to_owned()];
        NewUser {
            user: user.to_owned(),
            hash: None,
            roles,
            name: None,
            email: None,
            created: None,
        }
    };
    let all = || Change::Add(vec![new("ann"), new("ben")]);
    for (before, after) in [
        (
            "users: {}\n",
            "users:\n  ann:\n    roles: [staff]\n  ben:\n    roles: [staff]\n",
        ),
        (
            "users: # people\n",
            "users: # people\n  ann:\n    roles: [staff]\n  ben:\n    roles: [staff]\n",
        ),
        (
            "users:\n  eve: # own\n    name: E\n# end\n",
            "users:\n  eve: # own\n    name: E\n  ann:\n    roles: [staff]\n  ben:\n    roles: [staff]\n# end\n",
        ),
        (
            "users: { eve: {} }\n",
            "users: { eve: {}, ann: { roles: [staff] }, ben: { roles: [staff] } }\n",
        ),
    ] {
        assert_eq!(edit(before, &all()).as_deref(), Ok(after));
    }
    assert_eq!(
        edit("users: { ben: {} }\n", &all()),
        Err(EditError::UserExists("ben".to_owned()))
    );
}

#[test]
fn the_secret_of_an_app_comes_and_goes() {
    let add = |user: &str| Change::AddTotp {
        user: user.to_owned(),
        secret: "GEZDGNBVGY3TQOJQ".to_owned().into(),
    };
    let remove = |user: &str| Change::RemoveTotp(user.to_owned());
    let with = BLOCK.replace(
        "[recruiter]\n",
        "[recruiter]\n        totp: GEZDGNBVGY3TQOJQ\n",
    );
    check(BLOCK, &add("alice"), &with);
    check(&with, &remove("alice"), BLOCK);
    check(
        "users: { a: {} }\n",
        &add("a"),
        "users: { a: { totp: GEZDGNBVGY3TQOJQ } }\n",
    );
    check(
        "users:\n  a:\n",
        &add("a"),
        "users:\n  a:\n    totp: GEZDGNBVGY3TQOJQ\n",
    );
    check(
        "users:\n  a:\n    totp: GEZDGNBVGY3TQOJQ\n",
        &remove("a"),
        "users:\n  a:\n",
    );
    check(
        "users: { a: { totp: GEZDGNBVGY3TQOJQ, name: A } }\n",
        &remove("a"),
        "users: { a: { name: A } }\n",
    );
    for (text, change, why) in [
        (
            &*with,
            add("alice"),
            EditError::TotpExists("alice".to_owned()),
        ),
        (BLOCK, add("eve"), EditError::NoSuchUser("eve".to_owned())),
        (
            BLOCK,
            remove("eve"),
            EditError::NoSuchUser("eve".to_owned()),
        ),
        (
            BLOCK,
            remove("alice"),
            EditError::NothingToDo("the user list has no `totp` of the user"),
        ),
    ] {
        assert_eq!(edit(text, &change), Err(why));
    }
}
