use bytes::BytesMut;
use ldap3_proto::proto::{LdapDerefAliases, LdapMsg, LdapOp, LdapSearchRequest, LdapSearchScope};
use ldap3_proto::{LdapCodec, LdapFilter};
use proptest::prelude::*;
use tokio_util::codec::{Decoder, Encoder};

use super::*;

fn filled(text: &str, username: &str) -> LdapFilter {
    let values = FilterValues {
        username,
        dn: "cn=a,dc=x",
    };
    FilterTemplate::parse(text).unwrap().fill(values)
}

fn equal(attribute: &str, value: &str) -> LdapFilter {
    LdapFilter::Equality(attribute.to_owned(), value.to_owned())
}

fn substring(attribute: &str, parts: (Option<&str>, &[&str], Option<&str>)) -> LdapFilter {
    let owned = |text: &str| text.to_owned();
    let substring = LdapSubstringFilter {
        initial: parts.0.map(owned),
        any: parts.1.iter().copied().map(owned).collect(),
        final_: parts.2.map(owned),
    };
    LdapFilter::Substring(attribute.to_owned(), substring)
}

#[test]
fn operators_write_filters_as_the_rfc_has_them() {
    use LdapFilter as F;
    let owned = str::to_owned;
    let rule = |type_: Option<&str>, rule: Option<&str>, dn, value: &str| {
        F::Extensible(LdapMatchingRuleAssertion {
            matching_rule: rule.map(owned),
            type_: type_.map(owned),
            match_value: owned(value),
            dn_attributes: dn,
        })
    };
    for (text, expected) in [
        // RFC 4515, section 4
        ("(cn=Babs Jensen)", equal("cn", "Babs Jensen")),
        (
            "(!(cn=Tim Howes))",
            F::Not(Box::new(equal("cn", "Tim Howes"))),
        ),
        (
            "(&(objectClass=Person)(|(sn=Jensen)(cn=Babs J*)))",
            F::And(vec![
                equal("objectClass", "Person"),
                F::Or(vec![
                    equal("sn", "Jensen"),
                    substring("cn", (Some("Babs J"), &[], None)),
                ]),
            ]),
        ),
        (
            "(o=univ*of*mich*)",
            substring("o", (Some("univ"), &["of", "mich"], None)),
        ),
        ("(seeAlso=)", equal("seeAlso", "")),
        (
            "(cn:caseExactMatch:=Fred)",
            rule(Some("cn"), Some("caseExactMatch"), false, "Fred"),
        ),
        ("(cn:=Betty)", rule(Some("cn"), None, false, "Betty")),
        (
            "(sn:dn:2.4.6.8.10:=Barney)",
            rule(Some("sn"), Some("2.4.6.8.10"), true, "Barney"),
        ),
        ("(o:dn:=Ace)", rule(Some("o"), None, true, "Ace")),
        ("(:1.2.3:=Wilma)", rule(None, Some("1.2.3"), false, "Wilma")),
        (
            "(o=Parens R Us \\28for all\\29)",
            equal("o", "Parens R Us (for all)"),
        ),
        ("(cn=*\\2A*)", substring("cn", (None, &["*"], None))),
        ("(filename=C:\\5cMyFile)", equal("filename", "C:\\MyFile")),
        ("(sn=Lu\\c4\\8di\\c4\\87)", equal("sn", "Lučić")),
        // what operators write beside it
        (
            "(memberOf=cn=staff,dc=x)",
            equal("memberOf", "cn=staff,dc=x"),
        ),
        ("(cn;lang-de=Zoë)", equal("cn;lang-de", "Zoë")),
        ("(2.5.4.3=x)", equal("2.5.4.3", "x")),
        ("(uid=*)", F::Present("uid".to_owned())),
        (
            " ( & (a=b) \n (c=d) ) ",
            F::And(vec![equal("a", "b"), equal("c", "d")]),
        ),
        ("(a>=1)", F::GreaterOrEqual("a".into(), "1".into())),
        ("(a<=1)", F::LessOrEqual("a".into(), "1".into())),
        ("(a~=1)", F::Approx("a".into(), "1".into())),
        ("(&)", F::And(Vec::new())),
        ("(member={dn})", equal("member", "cn=a,dc=x")),
        ("(mail={username}@x.org)", equal("mail", "alice@x.org")),
        (
            "(cn={username}*)",
            substring("cn", (Some("alice"), &[], None)),
        ),
        (
            "(member:1.2.840.113556.1.4.1941:={dn})",
            rule(
                Some("member"),
                Some("1.2.840.113556.1.4.1941"),
                false,
                "cn=a,dc=x",
            ),
        ),
    ] {
        assert_eq!(filled(text, "alice"), expected, "{text}");
    }
}

#[test]
fn a_mistake_in_a_filter_has_its_place() {
    for (text, at, length) in [
        ("", 0, 1),
        ("uid={username}", 0, 1),
        ("(uid={username}", 0, 1),
        ("(uid={username}))", 16, 1),
        ("(uid={username})(a=b)", 16, 1),
        ("(&(a=b)c=d)", 7, 1),
        ("(uid)", 4, 1),
        ("(=x)", 1, 1),
        ("(u d=x)", 2, 1),
        ("(-a=x)", 1, 2),
        ("(1.=x)", 1, 2),
        ("(a;=x)", 1, 2),
        ("(uid={user})", 5, 6),
        ("(uid={username)", 5, 1),
        ("({username}=x)", 1, 1),
        ("(uid=a\\zz)", 6, 1),
        ("(uid=a\\2)", 6, 1),
        ("(uid=a(b))", 6, 1),
        ("(uid=})", 5, 1),
        ("(uid=\\ff)", 5, 3),
        ("(a:=)x", 5, 1),
        ("(:=x)", 1, 1),
        ("(a>1)", 3, 1),
    ] {
        let error = FilterTemplate::parse(text).expect_err(text);
        assert_eq!((error.at, error.length), (at, length), "{text}: {error}");
    }
    let deep = "(!".repeat(32) + "(a=b)" + &")".repeat(32);
    assert!(FilterTemplate::parse(&deep).is_err());
    assert!(FilterTemplate::parse(&deep[2..deep.len() - 1]).is_ok());
    assert!(FilterTemplate::parse(&format!("(a={})", "x".repeat(5000))).is_err());
}

/// What the directory reads of a filter.
fn over_the_wire(filter: LdapFilter) -> LdapFilter {
    let search = LdapSearchRequest {
        base: String::new(),
        scope: LdapSearchScope::Subtree,
        aliases: LdapDerefAliases::Never,
        sizelimit: 2,
        timelimit: 0,
        typesonly: false,
        filter,
        attrs: Vec::new(),
    };
    let message = LdapMsg::new(1, LdapOp::SearchRequest(search));
    let (mut codec, mut bytes) = (LdapCodec::default(), BytesMut::new());
    codec.encode(message, &mut bytes).unwrap();
    let decoded = codec.decode(&mut bytes).unwrap().unwrap().op;
    let LdapOp::SearchRequest(search) = decoded else {
        panic!("{decoded:?}");
    };
    search.filter
}

#[test]
fn a_name_that_looks_like_a_filter_is_one_value() {
    for name in [
        "*)(uid=*",
        "*",
        "a*",
        "(",
        ")",
        "\\2a",
        "a)(|(uid=*))",
        "{dn}",
        "\u{0}",
    ] {
        let filter = over_the_wire(filled("(&(objectClass=person)(uid={username}))", name));
        let expected = LdapFilter::And(vec![equal("objectClass", "person"), equal("uid", name)]);
        assert_eq!(filter, expected, "{name:?}");
    }
}

proptest! {
    #[test]
    fn no_name_changes_a_filter(name in ".{0,40}") {
        let filter = over_the_wire(filled("(|(uid={username})(mail={username}))", &name));
        prop_assert_eq!(filter, LdapFilter::Or(vec![equal("uid", &name), equal("mail", &name)]));
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in "[(){}*&|!=<>~:;a-c\\\\0-9 é]{0,60}") {
        let _ = FilterTemplate::parse(&text);
    }
}

#[test]
fn a_known_subject_takes_the_place_of_the_typed_name() {
    let template = |text: &str| FilterTemplate::parse(text).unwrap();
    let filter = template("(&(|(mail={username})(cn={username}*))(memberOf=cn=staff,dc=x))");
    assert_eq!(
        filter.fill_for_subject("uid", "alice"),
        LdapFilter::And(vec![
            LdapFilter::Or(vec![equal("uid", "alice"), equal("uid", "alice")]),
            equal("memberOf", "cn=staff,dc=x"),
        ])
    );
    assert!(filter.uses(Placeholder::Username) && !filter.uses(Placeholder::Dn));
}

#[test]
fn the_value_decides_what_is_found_or_it_does_not() {
    use Selectivity::{Nothing, Part, Whole};
    for (text, expected) in [
        ("(uid={username})", Whole),
        ("(userPrincipalName={username}@corp.example.com)", Whole),
        ("(uid:caseExactMatch:={username})", Whole),
        ("(&(objectClass=person)(uid={username}))", Whole),
        ("(|(uid={username})(mail={username}))", Whole),
        ("(&(uid={username})(!(aliasOf={username})))", Whole),
        ("(&(uid={username}*)(mail={username}))", Whole),
        ("(uid={username}*)", Part),
        ("(uid=*{username})", Part),
        ("(cn~={username})", Part),
        ("(uid>={username})", Part),
        ("(|(uid={username})(cn=*{username}*))", Part),
        ("(!(uid={username}))", Nothing),
        ("(&(objectClass=person)(!(uid={username})))", Nothing),
        ("(|(uid={username})(uid=admin))", Nothing),
        ("(|(uid={username})(&))", Nothing),
        ("(uid=*)", Nothing),
    ] {
        let filter = FilterTemplate::parse(text).unwrap();
        let selectivity = filter.selectivity(&[Placeholder::Username]);
        assert_eq!(selectivity, expected, "{text}");
    }
    let both = FilterTemplate::parse("(|(member={dn})(memberUid={username}))").unwrap();
    let of_both = [Placeholder::Username, Placeholder::Dn];
    assert_eq!(both.selectivity(&of_both), Whole);
    assert_eq!(both.selectivity(&of_both[..1]), Nothing);
}
