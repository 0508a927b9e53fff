//! Key sets as issuers publish them.

use serde_json::json;

use super::*;

const ALL: [Algorithm; 6] = [
    Algorithm::Rs256,
    Algorithm::Ps256,
    Algorithm::Es256,
    Algorithm::Es384,
    Algorithm::Es512,
    Algorithm::EdDsa,
];

fn public(algorithm: Algorithm, name: &str) -> Value {
    let path = format!("{}/tests/keys/{name}.pub.pem", env!("CARGO_MANIFEST_DIR"));
    let key = VerifyingKey::from_pem(
        algorithm,
        &std::fs::read_to_string(path).unwrap(),
        Some("a"),
    )
    .unwrap();
    KeySet::new(vec![key]).to_jwks()["keys"][0].clone()
}

fn changed(mut key: Value, changes: Value) -> Value {
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            key.as_object_mut().unwrap().remove(name);
        } else {
            key[name] = value.clone();
        }
    }
    key
}

#[track_caller]
fn check(key: Value, algorithms: &[Algorithm], expected: &[Algorithm]) {
    let set =
        KeySet::from_jwks(json!({ "keys": [key] }).to_string().as_bytes(), algorithms).unwrap();
    let found: Vec<Algorithm> = set.keys().iter().map(VerifyingKey::algorithm).collect();
    assert_eq!(found, expected, "{key}");
}

#[test]
fn what_is_shown_is_read_again() {
    for (algorithm, name) in ALL
        .into_iter()
        .zip(["rsa", "rsa", "p256", "p384", "p521", "ed25519"])
    {
        check(public(algorithm, name), &ALL, &[algorithm]);
        check(public(algorithm, name), &[Algorithm::Hs256], &[]);
    }
}

#[test]
fn a_key_is_bound_to_what_it_names_and_to_what_is_accepted() {
    let (rs, ps, es) = (Algorithm::Rs256, Algorithm::Ps256, Algorithm::Es256);
    let rsa = public(rs, "rsa");
    check(
        changed(rsa.clone(), json!({ "alg": null })),
        &ALL,
        &[rs, ps],
    );
    check(changed(rsa.clone(), json!({ "alg": null })), &[rs], &[rs]);
    check(changed(rsa.clone(), json!({ "alg": "PS256" })), &ALL, &[ps]);
    check(changed(rsa.clone(), json!({ "alg": "PS256" })), &[rs], &[]);
    check(
        changed(rsa.clone(), json!({ "alg": "RSA-OAEP" })),
        &ALL,
        &[],
    );
    check(
        changed(rsa.clone(), json!({ "alg": "HS256" })),
        &[Algorithm::Hs256, rs],
        &[],
    );
    check(changed(rsa.clone(), json!({ "alg": 7 })), &ALL, &[]);
    check(changed(rsa.clone(), json!({ "use": "enc" })), &ALL, &[]);
    check(
        changed(rsa.clone(), json!({ "use": null, "key_ops": ["verify"] })),
        &ALL,
        &[rs],
    );
    check(
        changed(rsa.clone(), json!({ "key_ops": ["encrypt"] })),
        &ALL,
        &[],
    );
    check(
        changed(rsa.clone(), json!({ "key_ops": "verify" })),
        &ALL,
        &[],
    );
    check(changed(rsa.clone(), json!({ "kid": 7 })), &ALL, &[]);
    check(changed(rsa.clone(), json!({ "kid": null })), &ALL, &[rs]);
    check(changed(rsa, json!({ "x5c": ["…"] })), &ALL, &[rs]);
    // members that decide nothing here may be of any type
    check(
        changed(
            public(rs, "rsa"),
            json!({ "x5c": "no list", "x5t": 7, "crv": "P-256", "x": 1, "other": {} }),
        ),
        &ALL,
        &[rs],
    );
    let point = public(es, "p256");
    check(changed(point.clone(), json!({ "crv": "P-384" })), &ALL, &[]);
    check(
        changed(point.clone(), json!({ "crv": "secp256k1" })),
        &ALL,
        &[],
    );
}

/// RFC 9864: both names are one algorithm, in the key, in the configuration and in the token.
#[test]
fn a_key_for_ed25519_is_found_under_both_names() {
    let (new, old) = (Algorithm::Ed25519, Algorithm::EdDsa);
    let key = public(new, "ed25519");
    assert_eq!(key["alg"], "Ed25519");
    assert_eq!(public(old, "ed25519")["alg"], "EdDSA");
    for alg in [json!("Ed25519"), json!("EdDSA"), Value::Null] {
        let key = changed(key.clone(), json!({ "alg": alg }));
        check(key.clone(), &[new], &[new]);
        check(key.clone(), &[old], &[old]);
        check(key, &[Algorithm::Rs256, new, old], &[new]);
    }
    for alg in ["Ed448", "ES256", "ed25519", "eddsa"] {
        check(
            changed(key.clone(), json!({ "alg": alg })),
            &[new, old],
            &[],
        );
    }
}

/// One odd key costs no other key, and is reported where it would have been used.
#[test]
fn a_broken_key_is_named_and_the_others_are_used() {
    let (rsa, point) = (
        public(Algorithm::Rs256, "rsa"),
        public(Algorithm::Es256, "p256"),
    );
    let with = |key: &Value, changes: Value| changed(key.clone(), changes);
    let keys = json!([
        with(&rsa, json!({ "kid": 7 })),
        with(&point, json!({ "kid": "off", "x": point["y"], "y": point["x"] })),
        with(&point, json!({ "kid": "short", "x": &point["x"].as_str().unwrap()[4..] })),
        with(&rsa, json!({ "kid": "`\u{202e}`", "n": rsa["n"].as_str().unwrap()[..172] })),
        with(&rsa, json!({ "e": null })),
        { "kty": "EC", "crv": "P-256K", "x": 1 },
        { "kty": "AKP", "alg": "ML-DSA-44", "pub": "AA" },
        { "kty": "oct", "k": "c2VjcmV0" },
        with(&rsa, json!({ "kid": 7, "use": "enc" })),
        with(&rsa, json!({ "kid": 7, "alg": "RSA-OAEP" })),
        "no key",
        with(&rsa, json!({ "kid": "good" })),
    ]);
    let set = KeySet::from_jwks(json!({ "keys": keys }).to_string().as_bytes(), &ALL).unwrap();
    let ids: Vec<&str> = set.keys().iter().map(VerifyingKey::id).collect();
    assert_eq!(ids, ["good"]);
    let messages: Vec<String> = set.flaws().iter().map(ToString::to_string).collect();
    assert_eq!(
        messages,
        [
            "key 1 is not used: `kid` is missing or malformed (RFC 7517, RFC 7518)",
            "key 2, `off`, is not used: not a P-256 key, which ES256 needs: its point is not valid on that curve",
            "key 3, `short`, is not used: not a P-256 key, which ES256 needs: its point is not valid on that curve",
            "key 4 is not used: an RSA key of 1032 bits; 2048 to 8192 are accepted",
            "key 5, `a`, is not used: `e` is missing or malformed (RFC 7517, RFC 7518)",
        ]
    );
}

/// Of 256 keys one has a coordinate that begins with a zero byte, which some libraries leave out.
#[test]
fn a_coordinate_that_is_too_short_is_filled_up_and_reported() {
    let set = |key: &Value| {
        let set = json!({ "keys": [key] }).to_string();
        KeySet::from_jwks(set.as_bytes(), &ALL).unwrap()
    };
    for (curve, name, x, y, short) in [
        (
            "P-256",
            "y",
            "mGriUG8f8QTQQjCGHY9LSY9LxMbQCbMPdUTcEpuC0o0",
            "ADzMwKZGDgrjKKTZfTx7YdhvxiicGJ8lJREMRBuwfpc",
            "PMzApkYOCuMopNl9PHth2G_GKJwYnyUlEQxEG7B-lw",
        ),
        (
            "P-256",
            "x",
            "AFVDiUrz0A7X10Cr29dclrBod7eH219w7qeLkKjXwAo",
            "u0yFo9jqKe-q-iRAaRLdhNWxTcMr9lbvbGvVil2UP5I",
            "VUOJSvPQDtfXQKvb11yWsGh3t4fbX3Dup4uQqNfACg",
        ),
        (
            "P-384",
            "y",
            "0DqnSPX0jrPgxUtoPyXS4tfX4yASgqlbV6Wf-4-Uz0xDsRB8qUS5IRw1ERLeFu0Y",
            "AAoIxgLcXgAx2tCIwZMF9rJSorw_JF96W4C0hMe5n2mBwyN0xxSnaDJV9TMfZrsG",
            "CgjGAtxeADHa0IjBkwX2slKivD8kX3pbgLSEx7mfaYHDI3THFKdoMlX1Mx9muwY",
        ),
        (
            "P-384",
            "x",
            "AE0QSybuVnH3LBDJhoQdPmXSheJRYWG3uqNBsSYxueMrbw1YlthDHFHV2To3y8kO",
            "8RoeP4t7kFOO5CzADuk0puLuJVQWB9j7ZceosR4viGhTiG7vOGXskzIAufJVmfKf",
            "TRBLJu5WcfcsEMmGhB0-ZdKF4lFhYbe6o0GxJjG54ytvDViW2EMcUdXZOjfLyQ4",
        ),
        (
            "P-521",
            "x",
            "AGUr88UpJ6Qyxz28M5HATrC_ellu_bU_DSTPA9q48Xes5Dg8DG1eMBQjcRL-rxN-eaMp1-Hm2JMXONWrUJbsjzB4",
            "AVvm7xvdZgHW7IorcxFKgRKRHNj-jocuAFHt2BfJoDRwh7tol8kHLPN0MRVAIRz1_3nR8Aclc1T3-Bc8w-jesJDL",
            "ZSvzxSknpDLHPbwzkcBOsL96WW79tT8NJM8D2rjxd6zkODwMbV4wFCNxEv6vE355oynX4ebYkxc41atQluyPMHg",
        ),
        (
            "P-521",
            "y",
            "AVhTieNZ4eIYJqL1vxVxVtSI7TRUG5iHRpksSrFFuMa2ZXQp4TlhNNo188VW33JaMY9PULq9hc0oZh9FYnlny-IH",
            "ACouYYyaiu3znwtVVXonrpOOMIimVO4c67bIJbomPdtEbg1p5XVgV6yED_Vuz0q_2H1zbCrpKIgPNDqg6oa5rSpO",
            "Ki5hjJqK7fOfC1VVeieuk44wiKZU7hzrtsgluiY920RuDWnldWBXrIQP9W7PSr_YfXNsKukoiA80OqDqhrmtKk4",
        ),
    ] {
        let full = json!({ "kty": "EC", "crv": curve, "kid": "a", "x": x, "y": y });
        let repaired = set(&changed(full.clone(), json!({ name: short })));
        let full = set(&full);
        assert_eq!((full.keys().len(), full.flaws()), (1, &[][..]), "{curve}");
        assert_eq!(repaired.to_jwks(), full.to_jwks());
        assert_eq!(
            repaired.flaws()[0].to_string(),
            format!(
                "key 1, `a`, is malformed and used: its `{name}` lacks leading zeros, which RFC 7518, section 6.2.1.2, demands; they are added"
            )
        );
    }
}

/// A key whose private half is in the set verifies nothing: everybody can sign with it (RFC 7517, section 9.3).
#[test]
fn a_key_that_is_published_with_its_private_part_is_not_used() {
    for (algorithm, name, member) in [
        (Algorithm::Rs256, "rsa", "d"),
        (Algorithm::Rs256, "rsa", "p"),
        (Algorithm::Rs256, "rsa", "oth"),
        (Algorithm::Es256, "p256", "d"),
        (Algorithm::EdDsa, "ed25519", "d"),
        (Algorithm::EdDsa, "ed25519", "k"),
    ] {
        let key = public(algorithm, name);
        for value in [json!("AQAB"), json!(7), json!({})] {
            let mut leaked = key.clone();
            leaked[member] = value;
            let keys = json!({ "keys": [leaked, changed(key.clone(), json!({ "kid": "b" }))] });
            let set = KeySet::from_jwks(keys.to_string().as_bytes(), &ALL).unwrap();
            let ids: Vec<&str> = set.keys().iter().map(VerifyingKey::id).collect();
            assert_eq!(ids, ["b"]);
            let message = format!(
                "key 1, `a`, is not used: its private part `{member}` is published, so everybody can sign with it (RFC 7517, section 9.3)"
            );
            assert_eq!(set.flaws()[0].to_string(), message);
        }
    }
}

/// However many algorithms each is used with.
#[test]
fn keys_are_counted_once() {
    let rsa = changed(public(Algorithm::Rs256, "rsa"), json!({ "alg": null }));
    let other = changed(rsa.clone(), json!({ "kid": "b" }));
    let nameless = changed(public(Algorithm::Es256, "p256"), json!({ "kid": null }));
    let set = |keys: Value| {
        KeySet::from_jwks(json!({ "keys": keys }).to_string().as_bytes(), &ALL).unwrap()
    };
    let all = set(json!([rsa, other, nameless]));
    assert_eq!((all.keys().len(), all.count()), (5, 3));
    let one = set(json!([rsa]));
    assert!(all.has_more_than(&one) && !one.has_more_than(&all));
    assert!(!one.has_more_than(&one) && one.has_more_than(&KeySet::default()));
}

/// Keys that would accept what they should not, or break what verifies with them.
#[test]
fn weak_and_broken_keys_are_passed_over() {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD as B64;
    let rsa = public(Algorithm::Rs256, "rsa");
    let modulus = B64.decode(rsa["n"].as_str().unwrap()).unwrap();
    let padded = [&[0], modulus.as_slice()].concat();
    check(
        changed(rsa.clone(), json!({ "n": B64.encode(padded) })),
        &ALL,
        &[Algorithm::Rs256],
    );
    let even = [&modulus[..255], &[0]].concat();
    for changes in [
        json!({ "n": B64.encode(&modulus[..128]) }),
        json!({ "n": B64.encode(vec![0xff; 1025]) }),
        json!({ "n": B64.encode(even) }),
        json!({ "n": "" }),
        json!({ "n": null }),
        json!({ "n": rsa["n"].as_str().unwrap().to_owned() + "=" }),
        json!({ "e": "AQ" }),
        json!({ "e": "Ag" }),
        json!({ "e": "AA" }),
        json!({ "e": "" }),
        json!({ "e": B64.encode([0xff; 9]) }),
        json!({ "kty": "oct", "k": "c2VjcmV0" }),
    ] {
        check(changed(rsa.clone(), changes), &ALL, &[]);
    }
    let point = public(Algorithm::Es256, "p256");
    for changes in [
        json!({ "x": B64.encode([0; 32]), "y": B64.encode([0; 32]) }),
        json!({ "x": point["y"], "y": point["x"] }),
        json!({ "x": B64.encode([1; 31]) }),
        json!({ "x": B64.encode([0xff; 32]) }),
    ] {
        check(changed(point.clone(), changes), &ALL, &[]);
    }
    let point = public(Algorithm::Es512, "p521");
    for changes in [
        json!({ "x": point["y"], "y": point["x"] }),
        json!({ "crv": "P-256" }),
        json!({ "x": B64.encode([0; 66]), "y": B64.encode([0; 66]) }),
        json!({ "x": B64.encode([0; 65]) }),
    ] {
        check(changed(point.clone(), changes), &ALL, &[]);
    }
    let edwards = public(Algorithm::EdDsa, "ed25519");
    let mut no_point = [0; 32];
    no_point[0] = 2;
    for x in [no_point, [0; 32], [0xff; 32]] {
        check(
            changed(edwards.clone(), json!({ "x": B64.encode(x) })),
            &ALL,
            &[],
        );
    }
    check(
        changed(edwards.clone(), json!({ "x": B64.encode([1; 31]) })),
        &ALL,
        &[],
    );
    check(changed(edwards, json!({ "crv": "X25519" })), &ALL, &[]);
}

#[test]
fn what_is_no_set_is_refused() {
    let parse = |text: &str| KeySet::from_jwks(text.as_bytes(), &ALL).map(|set| set.keys().len());
    for text in ["", "[]", "{}", r#"{"keys":{}}"#, "<html>", r#"{"keys":[]"#] {
        assert_eq!(parse(text), Err(JwksError::Malformed), "{text}");
    }
    assert_eq!(parse(r#"{"keys":[]}"#), Ok(0));
    assert_eq!(parse(r#"{"keys":[1,"a",null,{}]}"#), Ok(0));
    assert_eq!(
        parse(&format!("{{\"keys\":[{}1]}}", "1,".repeat(100))),
        Err(JwksError::TooMany)
    );
}
