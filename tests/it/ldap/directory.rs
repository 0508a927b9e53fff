//! What a real OpenLDAP says.

use std::time::{Duration, Instant};

use gatelatch::ldap::{LdapFailure, probe};

use super::{
    GROUPS, PEOPLE, account, block_on, directory, plain, roles, settings, sign_in, unavailable,
};
use crate::support::{LDAP_PASSWORD, SERVICE_DN, Slapd};

#[test]
fn somebody_signs_in_with_the_password_of_the_directory() {
    let Some(slapd) = Slapd::start() else { return };
    block_on(async {
        let directory = directory(&format!("{}, {PEOPLE}, {GROUPS}", plain(&slapd)));
        let alice = sign_in(&directory, "alice", LDAP_PASSWORD).await.unwrap();
        assert_eq!(&*alice.subject, "alice");
        assert_eq!(alice.name.as_deref(), Some("Alice Doe"));
        assert_eq!(alice.email.as_deref(), Some("alice@example.com"));
        // in a group that is in another, and that one in the first
        assert_eq!(roles(&alice), "Staff,everyone");
        // a comma in the name of the entry
        let carol = sign_in(&directory, "carol", LDAP_PASSWORD).await.unwrap();
        assert_eq!(
            (roles(&carol), carol.name.as_deref()),
            ("Staff,everyone".into(), Some("Doe, Carol"))
        );
        // the subject is the entry's, however the name was typed
        for spelling in ["ALICE", " alice ", "Alice"] {
            let found = sign_in(&directory, spelling, LDAP_PASSWORD).await.unwrap();
            assert_eq!(&*found.subject, "alice", "{spelling}");
        }
        assert_eq!(directory.look_up("carol").await, Ok(carol));
    });
}

#[test]
fn everything_else_is_refused_alike() {
    let Some(slapd) = Slapd::start() else { return };
    block_on(async {
        let directory = directory(&format!("{}, {PEOPLE}, {GROUPS}", plain(&slapd)));
        for (name, password) in [
            ("alice", "wrong"),
            // to the server that would be an anonymous bind, which succeeds
            ("alice", ""),
            ("alice", "\0"),
            ("nobody", LDAP_PASSWORD),
            ("", LDAP_PASSWORD),
            (" ", LDAP_PASSWORD),
            // two entries
            ("twin", LDAP_PASSWORD),
            // disabled, as Active Directory says it
            ("bob", LDAP_PASSWORD),
            // injection
            ("*", LDAP_PASSWORD),
            ("alice)(uid=*", LDAP_PASSWORD),
            ("*)(|(uid=alice)", LDAP_PASSWORD),
            ("ali*", LDAP_PASSWORD),
            ("alice\0", LDAP_PASSWORD),
            ("\\61lice", LDAP_PASSWORD),
            ("alice,ou=people", LDAP_PASSWORD),
        ] {
            let refused = sign_in(&directory, name, password).await;
            assert_eq!(refused, Err(LdapFailure::Refused), "{name:?} {password:?}");
        }
        for name in ["nobody", "twin", "bob", "*", "ALICE", ""] {
            assert_eq!(
                directory.look_up(name).await,
                Err(LdapFailure::Refused),
                "{name}"
            );
        }
        let candidate = directory.find("alice").await.unwrap();
        let denied = directory.authenticate(candidate, LDAP_PASSWORD.to_owned().into(), false);
        assert_eq!(denied.await, Err(LdapFailure::Refused));
    });
}

#[test]
fn tls_begins_at_once_or_on_request() {
    let Some(slapd) = Slapd::start() else { return };
    block_on(async {
        let ca = format!("ca: \"{}\", {}", slapd.ca().display(), account());
        let (clear, secure) = (slapd.url(), slapd.secure_url());
        for entries in [
            format!("url: \"{secure}\", {ca}, {PEOPLE}"),
            format!("url: \"{clear}\", starttls: true, {ca}, {PEOPLE}"),
        ] {
            let directory = directory(&entries);
            let alice = sign_in(&directory, "alice", LDAP_PASSWORD).await;
            assert_eq!(&*alice.unwrap().subject, "alice", "{entries}");
        }
        // nobody whom the system trusts has issued the certificate, or it is for another name
        let other = slapd.secure_url().replace("localhost", "127.0.0.1");
        for (entries, word) in [
            (
                format!("url: \"{secure}\", {}, {PEOPLE}", account()),
                "UnknownIssuer",
            ),
            (
                format!("url: \"{clear}\", starttls: true, {}, {PEOPLE}", account()),
                "UnknownIssuer",
            ),
            (
                format!("url: \"{other}\", {ca}, {PEOPLE}"),
                "not valid for name",
            ),
        ] {
            let failed = sign_in(&directory(&entries), "alice", LDAP_PASSWORD).await;
            let why = unavailable(failed);
            assert!(why.contains(word), "{why}");
        }
    });
}

#[test]
fn groups_are_found_in_every_way() {
    let Some(slapd) = Slapd::start() else { return };
    block_on(async {
        let with = |groups: &str| format!("{}, {PEOPLE}, {groups}", plain(&slapd));
        let base = "base: \"ou=groups,dc=example,dc=com\"";
        for (groups, expected) in [
            (
                "groups: { attribute: memberOf }".to_owned(),
                "Staff,everyone",
            ),
            (
                "groups: { attribute: MEMBEROF, name: CN }".to_owned(),
                "Staff,everyone",
            ),
            (
                format!("groups: {{ attribute: memberOf, {base} }}"),
                "Staff,everyone",
            ),
            (
                "groups: { attribute: memberOf, base: \"cn=staff, OU=Groups,dc=example,dc=com\" }"
                    .to_owned(),
                "Staff",
            ),
            (
                "groups: { attribute: mail }".to_owned(),
                "alice@example.com",
            ),
            (
                format!("groups: {{ {base}, filter: \"(memberUid={{username}})\" }}"),
                "posix",
            ),
            (
                format!(
                    "groups: {{ {base}, filter: \"(&(objectClass=groupOfNames)(member={{dn}}))\", name: cn }}"
                ),
                "Staff,everyone",
            ),
            (
                format!(
                    "groups: {{ {base} }}, roles: {{ STAFF: [worker], nothing: [admin], \"*\": [member] }}"
                ),
                "member,worker",
            ),
            (
                format!(
                    "groups: {{ {base} }}, roles: {{ \"CN=Everyone, ou=groups,dc=example,dc=com\": [all] }}"
                ),
                "all",
            ),
            ("roles: { \"*\": [member] }".to_owned(), "member"),
            ("refresh: 15m".to_owned(), ""),
        ] {
            let directory = directory(&with(&groups));
            let alice = sign_in(&directory, "alice", LDAP_PASSWORD).await.unwrap();
            assert_eq!(roles(&alice), expected, "{groups}");
            assert_eq!(directory.look_up("alice").await, Ok(alice), "{groups}");
        }
    });
}

#[test]
fn active_directory_calls_things_otherwise() {
    let Some(slapd) = Slapd::start() else { return };
    block_on(async {
        let entries = format!(
            "{}, users: {{ base: \"dc=example,dc=com\", subject: sAMAccountName, name: cn, email: mail,
               filter: \"(&(objectClass=inetOrgPerson)(|(sAMAccountName={{username}})(mail={{username}}))(!(userAccountControl:1.2.840.113556.1.4.803:=2)))\" }},
             groups: {{ attribute: memberOf }}, roles: {{ staff: [worker] }}",
            plain(&slapd)
        );
        // OpenLDAP has no such rule: without it
        let entries = entries.replace("(!(userAccountControl:1.2.840.113556.1.4.803:=2))", "");
        let directory = directory(&entries);
        let alice = sign_in(&directory, "alice.doe", LDAP_PASSWORD)
            .await
            .unwrap();
        assert_eq!((&*alice.subject, &*roles(&alice)), ("Alice.Doe", "worker"));
        // by mail, and looked up by the subject later
        let by_mail = sign_in(&directory, "alice@EXAMPLE.com", LDAP_PASSWORD).await;
        assert_eq!(by_mail.as_ref(), Ok(&alice));
        assert_eq!(directory.look_up("Alice.Doe").await, Ok(alice));
        assert_eq!(
            directory.look_up("alice.doe").await,
            Err(LdapFailure::Refused)
        );
        assert_eq!(
            sign_in(&directory, "bob", LDAP_PASSWORD).await,
            Err(LdapFailure::Refused)
        );
    });
}

#[test]
fn an_entry_whose_subject_is_not_one_name_is_refused() {
    let Some(slapd) = Slapd::start() else { return };
    slapd.modify("dn: uid=bob,ou=people,dc=example,dc=com\nchangetype: modify\nreplace: userAccountControl\nuserAccountControl: 512\n-\nadd: uid\nuid: alice2\n-\n\n");
    block_on(async {
        let own = directory(&format!("{}, {PEOPLE}", plain(&slapd)));
        assert_eq!(
            sign_in(&own, "alice2", LDAP_PASSWORD).await,
            Err(LdapFailure::Refused)
        );
        assert_eq!(
            sign_in(&own, "bob", LDAP_PASSWORD).await,
            Err(LdapFailure::Refused)
        );
        let without = format!(
            "{}, {}",
            plain(&slapd),
            PEOPLE.replace(" }", ", subject: title }")
        );
        assert_eq!(
            sign_in(&directory(&without), "alice", LDAP_PASSWORD).await,
            Err(LdapFailure::Refused)
        );
        let blanks = format!(
            "{}, {}",
            plain(&slapd),
            PEOPLE.replace(" }", ", subject: cn }")
        );
        assert_eq!(
            sign_in(&directory(&blanks), "alice", LDAP_PASSWORD).await,
            Err(LdapFailure::Refused)
        );
    });
}

#[test]
fn referrals_are_not_followed() {
    let Some(slapd) = Slapd::start() else { return };
    block_on(async {
        // a search below `ou=people` brings a reference to another server beside the entries
        let own = directory(&format!("{}, {PEOPLE}, timeout: 60s", plain(&slapd)));
        let begun = Instant::now();
        assert!(sign_in(&own, "alice", LDAP_PASSWORD).await.is_ok());
        // a search from the referral itself is answered with one
        let away = PEOPLE.replace("ou=people", "ou=elsewhere,ou=people");
        let failed = sign_in(
            &directory(&format!("{}, {away}", plain(&slapd))),
            "alice",
            LDAP_PASSWORD,
        )
        .await;
        let why = unavailable(failed);
        assert!(why.contains("Referral"), "{why}");
        // who follows it waits for 192.0.2.1 until the deadline
        assert!(begun.elapsed() < Duration::from_secs(30));
    });
}

#[test]
fn the_pool_heals_after_a_restart() {
    let Some(mut slapd) = Slapd::start() else {
        return;
    };
    block_on(async {
        let directory = directory(&format!("{}, {PEOPLE}, {GROUPS}", plain(&slapd)));
        for _ in 0..3 {
            assert!(sign_in(&directory, "alice", LDAP_PASSWORD).await.is_ok());
            slapd.stop();
            let why = unavailable(sign_in(&directory, "alice", LDAP_PASSWORD).await);
            assert!(why.contains("no connection"), "{why}");
            unavailable(directory.look_up("alice").await);
            slapd.restart();
            assert!(directory.look_up("alice").await.is_ok());
        }
        // restarted between two questions: nobody notices
        slapd.stop();
        slapd.restart();
        assert!(sign_in(&directory, "alice", LDAP_PASSWORD).await.is_ok());
    });
}

#[test]
fn a_directory_that_stalls_is_unavailable_in_time() {
    let Some(slapd) = Slapd::start() else { return };
    block_on(async {
        let own = directory(&format!("{}, {PEOPLE}, timeout: 300ms", plain(&slapd)));
        assert!(sign_in(&own, "alice", LDAP_PASSWORD).await.is_ok());
        slapd.signal("STOP");
        let why = unavailable(sign_in(&own, "alice", LDAP_PASSWORD).await);
        assert!(why.contains("within 300ms"), "{why}");
        slapd.signal("CONT");
        assert!(sign_in(&own, "alice", LDAP_PASSWORD).await.is_ok());
    });
}

#[test]
fn a_search_that_matches_too_much_is_refused() {
    let Some(slapd) = Slapd::start() else { return };
    block_on(async {
        let wide = PEOPLE.replace(" }", ", filter: \"(|(uid={username})(objectClass=*))\" }");
        let directory = directory(&format!("{}, {wide}", plain(&slapd)));
        assert_eq!(
            sign_in(&directory, "alice", LDAP_PASSWORD).await,
            Err(LdapFailure::Refused)
        );
    });
}

#[test]
fn a_probe_says_what_is_not_as_it_should_be() {
    let Some(slapd) = Slapd::start() else { return };
    block_on(async {
        let limit = Duration::from_secs(20);
        let ask = async |entries: &str| probe(&settings(entries), limit).await;
        let own = plain(&slapd);
        assert_eq!(ask(&format!("{own}, {PEOPLE}, {GROUPS}")).await, Ok(()));
        assert_eq!(
            ask(&format!(
                "{own}, {PEOPLE}, groups: {{ attribute: memberOf }}"
            ))
            .await,
            Ok(())
        );
        let elsewhere = "ou=nowhere,dc=example,dc=com";
        for (entries, word) in [
            (
                format!("{}, {PEOPLE}", own.replace("secret of", "wrong")),
                "refuses the password of `bind_dn`",
            ),
            (
                format!(
                    "{own}, {}",
                    PEOPLE.replace("ou=people,dc=example,dc=com", elsewhere)
                ),
                "the base of `users`, does not exist",
            ),
            (
                format!(
                    "{own}, {PEOPLE}, {}",
                    GROUPS.replace("ou=groups,dc=example,dc=com", elsewhere)
                ),
                "the base of `groups`, does not exist",
            ),
            (
                format!("{own}, {}", PEOPLE.replace(" }", ", subject: title }")),
                "nobody is found by `users.filter` who has the attribute `title`",
            ),
            (
                format!(
                    "{}, {PEOPLE}",
                    own.replace(SERVICE_DN, "cn=nobody,dc=example,dc=com")
                ),
                "refuses the password of `bind_dn`",
            ),
        ] {
            let why = ask(&entries).await.unwrap_err();
            assert!(why.contains(word), "{word}: {why}");
        }
    });
}

/// OpenLDAP gives entries in the order in which they were added: the odd one comes first.
#[test]
fn one_odd_entry_says_nothing_about_the_directory() {
    let Some(slapd) = Slapd::start() else { return };
    let odd = "dn: ou=odd,ou=people,dc=example,dc=com\nchangetype: add\nobjectClass: organizationalUnit\nou: odd\n\n\
        dn: uid=first,ou=odd,ou=people,dc=example,dc=com\nchangetype: add\nobjectClass: inetOrgPerson\n\
        uid: first\nuid: second\ncn: Odd\nsn: Odd\n\n\
        dn: uid=third,ou=odd,ou=people,dc=example,dc=com\nchangetype: add\nobjectClass: inetOrgPerson\n\
        uid: third\ncn: Good\nsn: Good\n\n";
    slapd.modify(odd);
    block_on(async {
        let own = plain(&slapd);
        let ask = async |entries: &str| probe(&settings(entries), Duration::from_secs(20)).await;
        let people = PEOPLE.replace("ou=people", "ou=odd,ou=people");
        assert_eq!(ask(&format!("{own}, {people}, {GROUPS}")).await, Ok(()));
        let only_odd = people.replace("base:", "filter: \"(&(cn=Odd)(uid={username}))\", base:");
        let why = ask(&format!("{own}, {only_odd}")).await.unwrap_err();
        assert!(why.contains("has 2 values of `uid`"), "{why}");
    });
}

#[test]
fn unknown_names_take_as_long_as_wrong_passwords() {
    let Some(slapd) = Slapd::start() else { return };
    block_on(async {
        let directory = directory(&format!("{}, {PEOPLE}", plain(&slapd)));
        assert!(sign_in(&directory, "alice", "wrong").await.is_err());
        for name in ["alice", "nobody", "twin", "bob"] {
            let (pace, begun) = (directory.pace(), Instant::now());
            assert!(pace > Duration::ZERO);
            assert!(sign_in(&directory, name, "wrong").await.is_err());
            // a real check forgets a sixteenth of what was slower
            assert!(begun.elapsed() >= pace - pace / 16, "{name}");
        }
    });
}
