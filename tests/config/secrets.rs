//! No secret of any file comes out again.

use gatelatch::config::to_json;

use super::{Case, SECRET};

const HASH: &str = "$2b$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW";
const INLINE: &str = "inline-secret-hunter2-of-enough-bytes";

const GOOD: &str = "auth: { token: { secret: 'inline-secret-hunter2-of-enough-bytes' } }\n\
    state: redis://me:hunter2@localhost\n\
    services: { app: { upstream: 'http://127.0.0.1:9', rules: [{ path: /**, allow: authenticated }] } }\n";

/// Everything that a failed load can put on a screen or into a log.
fn output(case: &Case) -> String {
    let problems = case.load().expect_err("a broken configuration");
    format!(
        "{}{problems}{problems:?}{:?}",
        case.rendered(problems.as_slice()),
        to_json(problems.as_slice())
    )
}

fn assert_silent(output: &str, what: &str) {
    for secret in [HASH, "R9h/cIPz0gi", "hunter2", INLINE, SECRET] {
        assert!(!output.contains(secret), "{what}: `{secret}` in\n{output}");
    }
}

#[test]
fn a_loaded_configuration_prints_none() {
    let users = format!("users: {{ alice: {{ password: {HASH} }} }}");
    for secret in [INLINE, "${SECRET}"] {
        let loaded = Case::of(&GOOD.replace(INLINE, secret), &users)
            .load()
            .unwrap();
        assert_silent(&format!("{loaded:?}{:#?}", loaded.config), secret);
    }
}

#[test]
fn broken_users_files_show_none() {
    for users in [
        "users: { alice: { password: HASH, rolse: [a] } }",
        "users: { alice: { passwrod: HASH } }",
        "users: { alice: { pasword: hunter2 } }",
        "users: { alice: { pass: hunter2 } }",
        "users: { alice: { secret: hunter2 } }",
        "users: { alice: { key: hunter2 } }",
        "users: { alice: { password: hunter2 } }",
        "users: { alice: { password: [hunter2] } }",
        "users: { alice: { password: { hunter2: hunter2 } } }",
        "users: { alice: { password: HASH } } # hunter2\nroles: {}",
        "users: { alice: { password: hunter2, password: HASH } }",
        "users: { alice: { password: hunter2 }, alice: { password: HASH } }",
        "users: { alice: { password: HASH, disabled: HASH } }",
        "users: { alice: { name: HASH, roles: [HASH, HASH] } }",
        "users: { alice: { tokens_valid_after: HASH } }",
        "users: { alice: hunter2 }",
        "users: hunter2",
        "users: [hunter2]",
        "hunter2",
        "users:\n  alice:\n    password: |\n      hunter2\n     hunter2\n",
        "users:\n  alice:\n    password: 'hunter2\nhunter2'\n",
        "users:\n  alice:\n    password: HASH: x\n",
        "users:\n  alice:\n    password: HASH\n     roles: [a]\n",
        "users:\n  alice:\n    password HASH\n    roles: [a]\n",
        "users:\n  alice:\n\t password: hunter2\n",
        "users:\n  alice:\n    password: @hunter2\n",
        "users:\n  alice:\n    password: \"\\hunter2\"\n",
        "users:\n  alice: { password: hunter2\n  bob: {}\n",
        "users:\n  alice:\n    password: &hunter2 x\n    name: *hunter2\n",
        "users:\n  alice:\n    password: !hunter2 hunter2\n",
        "users:\n  alice:\n    password: ${hunter2 hunter2}\n",
        "users:\n  alice:\n    password_file: missing\n    password: hunter2\n",
        "users:\n  alice: { api_keys: [ { hash: hunter2 } ] }\n",
        "users:\n  alice: { claims: { password: hunter2, sub: x } }\n",
        "users:\n  alice: { api_key: hunter2 }\n",
    ] {
        let case = Case::of(GOOD, &users.replace("HASH", HASH));
        assert_silent(&output(&case), users);
    }
}

#[test]
fn broken_configurations_show_none() {
    for gateway in [
        "auth: { token: { secret: hunter2 } }",
        "auth: { token: { secret: hunter2, colour: red } }",
        "auth: { token: { secrt: hunter2 } }",
        "auth: { token: { secret: [hunter2] } }",
        "auth: { token: { secret: hunter2 hunter2 } }\nauth: {}",
        "auth:\n  token:\n    secret: hunter2: x\n",
        "auth:\n  token:\n    secret: \"hunter2\nhunter2\"\n",
        "auth:\n  token:\n    secret: |\n      hunter2\n     hunter2\n",
        "auth:\n  token:\n    secret:\n      hunter2\n      hunter2: x: y\n",
        "auth: { token: { previous: [ { kid: a, secret: hunter2 } ] } }",
        "auth: { token: { private_key: hunter2 } }",
        "auth: { secret: hunter2 }",
        "admin: { token: hunter2 }",
        "admin: { token: hunter2, colour: red }",
        "admin: { token: [hunter2] }",
        "admin: { tokn: hunter2-hunter2-hunter2 }",
        "state: redis://:hunter2@localhost",
        "state: rediss:hunter2",
        "state: redis://hunter2@localhost",
        "state: redis://:hunter2%@localhost",
        "state: redis://:hunter2@localhost/x",
        "state: [redis://:hunter2@localhost]",
        "state: redis://:hunter2@localhost\nstate: redis://:hunter2@localhost",
        "state: \"redis://:hunter2@localhost\n  x",
        "state: { url: redis://:hunter2@localhost/x }",
        "state: { url: redis://:hunter2@localhost, url_file: x, at_start: y, z: 1 }",
        "services: { app: { upstream: http://me:hunter2@127.0.0.1:9 } }",
        "services: { app: { upstream: http://me:hunter2@127.0.0.1:9, colour: red } }",
        "services: { app: { upstream: \"http://me:hunter2@127.0.0.1:9\n  x: [\" } }",
        "services:\n  app:\n    upstream: http://me:hunter2@127.0.0.1:9: x\n",
        "log: { level: '${SECRET}' }",
        "server: { listen: '${SECRET}', workers: '${SECRET}', timeouts: { body: '${SECRET}' } }",
        "services: { app: { upstream: '${SECRET}', path: /a, hosts: ['${SECRET} x'] } }",
        "auth: { token: { secret: '${MISSING:-hunter2}' } }",
        "tests: [{ request: 'GET http://me:hunter2@a/', expect: allowed }]",
        "tests: [{ request: 'GET ftp://me:hunter2@a/', expect: allowed }, { request: '${SECRET}', expect: '${SECRET}' }]",
        "allow_lints: ['${SECRET}']",
        "services: { app: { mode: '${SECRET}' } }",
    ] {
        let case = Case::of(gateway, "users: {}");
        assert_silent(&output(&case), gateway);
    }
}

#[test]
fn a_broken_dotenv_shows_none() {
    for dotenv in [
        "hunter2",
        "SECRET='hunter2",
        "SECRET=\"hunter2\" hunter2",
        "hunter2 hunter2=1",
        "SECRET=\"\\hunter2\"",
    ] {
        let case = Case::of(GOOD, "users: {}").file(".env", dotenv);
        assert_silent(&output(&case), dotenv);
    }
}

/// Everything that a load can put on a screen or into a log, whether it succeeds or not.
fn said(case: &Case) -> String {
    match case.load() {
        Err(_) => output(case),
        Ok(loaded) => format!(
            "{}{:?}{:?}",
            case.rendered(&loaded.warnings),
            to_json(&loaded.warnings),
            loaded
        ),
    }
}

/// Secrets as people and programs make them: hexadecimal, base64 (with `/`), base64url, and words.
const MADE: [&str; 5] = [
    "6f1d2a0c9be84573a1c04d9e7f3b2a58d0e1f2a3b4c5d6e7",
    "Zm9vYmFyYmF6cXV4Zm9vYmFyW1Ub3Ro/ZXJwYXJ0MTIz+QQ=",
    "Zm9vYmFyYmF6cXV4Zm9vYmFyW1Ub3Ro-ZXJwYXJ0MTIz_QQ",
    "the-old-secret-of-this-gateway-nobody-knows",
    "0123456789abcdef",
];

/// Where a secret belongs, or one that was meant for the place beside it; `V` stands for the value.
const PLACES: [&str; 24] = [
    "auth: { token: { secret: V } }",
    "auth: { token: { secret_file: V } }",
    "auth: { token: { secret: V, secret_file: V } }",
    "auth: { token: { algorithm: EdDSA, private_key: V } }",
    "auth: { token: { algorithm: EdDSA, private_key_file: V } }",
    "auth: { token: { secret: '${SECRET}', previous: V } }",
    "auth: { token: { secret: '${SECRET}', prevoius: V } }",
    "auth: { token: { secret: '${SECRET}', previous: [ { kid: a, V } ] } }",
    "auth: { token: { secret: '${SECRET}', previous: [ { algorithm: HS256, secret: V } ] } }",
    "auth: { token: { secret: '${SECRET}', previous: [ { algorithm: HS256, secret_file: V } ] } }",
    "auth: { token: { secret: '${SECRET}', previous: [ { algorithm: ES256, public_key_file: V } ] } }",
    "auth:\n  token:\n    secret: '${SECRET}'\n    previous:\n      - V\n",
    "auth:\n  token:\n    secret: '${SECRET}'\n    previous:\n      - V\n     - V\n",
    "auth:\n  token:\n    secret_file: V\n   previous: []\n",
    "auth: { trusted_issuers: [ V ] }",
    "auth: { trusted_issuers: [ { issuer: a, audience: b, algorithms: [HS256], secret: V } ] }",
    "auth: { trusted_issuers: [ { issuer: a, audience: b, algorithms: [HS256], secret_file: V } ] }",
    "admin: { token: V }",
    "admin: { token_file: V }",
    "state: 'redis://:V@localhost/x'",
    "state_file: V",
    "tracing: { otlp: 'http://c:4317', headers: V }",
    "tracing: { otlp: 'http://c:4317', headers: { authorization: V }, colour: red }",
    "services: { app: { upstream: { servers: ['https://a'], tls: { client_certificate: a.crt, client_key: V } } } }",
];

/// The place in a configuration that is complete but for it.
fn configuration(place: &str, value: &str) -> String {
    let services = "services: { app: { upstream: 'http://127.0.0.1:9', rules: [{ path: /**, allow: anyone }] } }";
    let place = place.replace('V', value);
    if place.starts_with("services") {
        place
    } else {
        format!("{place}\n{services}\n")
    }
}

/// How it is written there.
const SHAPES: [&str; 7] = [
    "S",
    "'S'",
    "\"S\"",
    "[S]",
    "[ 'S' ]",
    "{ S }",
    "{ secret: S }",
];

#[test]
fn no_secret_is_shown_wherever_it_was_written_by_mistake() {
    let mut shown = Vec::new();
    let shapes = || {
        SHAPES
            .iter()
            .flat_map(|shape| MADE.map(|secret| (*shape, secret)))
    };
    for (place, (shape, secret)) in PLACES
        .iter()
        .flat_map(|place| shapes().map(move |what| (*place, what)))
    {
        let value = shape.replace('S', secret);
        let case = Case::of(&configuration(place, &value), "users: {}");
        let said = said(&case);
        // a base64 secret with a slash looks like a path with a folder: no part of it may stay either
        if secret.split('/').any(|part| said.contains(part)) {
            shown.push(format!("{place} with {value}:\n{said}"));
        }
    }
    assert!(
        shown.is_empty(),
        "{} times\n{}",
        shown.len(),
        shown.join("\n")
    );
}

/// What a variable brings in may be the secret itself.
#[test]
fn no_variable_is_shown_that_should_name_a_file() {
    for place in PLACES {
        for secret in MADE.into_iter().chain(["hunter2"]) {
            let case =
                Case::of(&configuration(place, "'${MADE}'"), "users: {}").variable("MADE", secret);
            let said = said(&case);
            assert!(!said.contains(secret), "`{secret}` of {place}:\n{said}");
        }
    }
}

/// Secrets with braces, as generators of passwords make them: without quotes they are not YAML.
const BRACED: [&str; 7] = [
    "hunter2{abc}def-0123456789",
    "hunter2{abc}",
    "/hunter2{abc}def",
    "{hunter2}x",
    "{hunter2}",
    "x{hunter2}y{abc}",
    "a{b, hunter2}c",
];

/// Where such a secret may stand, in a flow, in a block, and beside one; `V` stands for it.
const BRACED_PLACES: [&str; 15] = [
    "auth: { token: { secret: V } }",
    "auth:\n  token:\n    secret: V\n",
    "auth:\n  token:\n    previous:\n      - V\n",
    "auth: { token: { secret: \"x\", issuer: V } }",
    "auth: { token: { path: V, secret: x } }",
    "auth: { token: { secret: '${SECRET}', previous: [ { kid: a, secret: V } ] } }",
    "auth: { token: { private_key: V } }",
    "auth:\n  token: { path: /a{b, secret: V }\n",
    "admin: { token: V }",
    "admin:\n  token: V\n",
    "admin: { path: /x/{id}, token: V }",
    "admin: { token: [V] }",
    "state: redis://:V@localhost",
    "state: { url: redis://:V@localhost }",
    "tracing: { headers: { authorization: V } }",
];

/// Where no rule tells a secret from a word, and nothing is shown because nothing belongs there, or something else.
const STRANGE: [&str; 24] = [
    "auth: { users: { alice: hunter2 } }",
    "auth: { users: 'alice:hunter2' }",
    "auth: { basic: 'alice:hunter2' }",
    "auth: { users_file: { rita: hunter2 } }",
    "auth: { users_file: [hunter2] }",
    "auth: { token: { issuer: { a: hunter2 } } }",
    "auth: { token: { issuer: [hunter2] } }",
    "accounts: { alice: hunter2 }",
    "users: ['alice:hunter2']",
    "users:\n  alice: hunter2\n",
    "apikeys: [hunter2]",
    "api-keys: [hunter2]",
    "htpasswd: |\n  alice:hunter2\n",
    "state_file: [hunter2]",
    "log: { level: { a: hunter2 } }",
    "log: [hunter2]",
    "services: [hunter2]",
    "services: { app: hunter2 }",
    "services: { app: { upstream: 'admin:hunter2@10.0.0.5:9000' } }",
    "services: { app: { upstream: admin:hunter2@10.0.0.5:9000, rules: [] } }",
    "services: { app: { upstream: '//u:hunter2@h:1' } }",
    "services: { app: { upstream: { servers: ['u:hunter2@h:1'] } } }",
    "services: { app: { request_headers: { X-Colour: hunter2 } } }",
    "services: { app: { response_headers: { Authorization: 'hunter2\\r', X-Api-Key: [hunter2] } } }",
];

#[test]
fn nothing_is_shown_where_nothing_belongs() {
    let mut shown = Vec::new();
    for place in STRANGE {
        let said = messages(&Case::of(&configuration(place, ""), "users: {}"));
        if said.contains("hunter2") {
            shown.push(format!("{place}:\n{said}"));
        }
    }
    assert!(shown.is_empty(), "{}", shown.join("\n"));
}

#[test]
fn no_secret_with_braces_is_shown() {
    let mut shown = Vec::new();
    for (place, secret) in BRACED_PLACES
        .iter()
        .flat_map(|place| BRACED.map(|secret| (place, secret)))
    {
        let gateway = configuration(place, secret);
        let said = messages(&Case::of(&gateway, "users: {}"));
        // a pattern under `path` is the one value that a help may quote
        let open = place.contains("path: V") && secret.starts_with('/');
        if said.contains("hunter2") && !open {
            shown.push(format!("{gateway}:\n{said}"));
        }
    }
    assert!(shown.is_empty(), "{}", shown.join("\n"));
}

/// Keys that are none of a user's, or not of this shape, and under which people write a secret all the same.
const MEANT: [&str; 15] = [
    "password",
    "pasword",
    "passwd",
    "pass",
    "pin",
    "hash",
    "secrets",
    "authorization",
    "autorization",
    "credentials",
    "token",
    "key",
    "api_key",
    "client_secret",
    "x-api-key",
];

/// Where nothing may be shown in a users file; `K` stands for each of [`MEANT`].
const USER_PLACES: [&str; 27] = [
    "V",
    "- V",
    "user: V",
    "K: V",
    "users: V",
    "users:\n  - V\n",
    "users:\n  - alice: V\n",
    "users:\n  - name: alice\n    K: V\n",
    "users: { alice: V }",
    "users:\n  alice:\n    - V\n",
    "users:\n  alice:\n    K:\n      - V\n",
    "users: { alice: { K: V } }",
    "users: { alice: { K: V, roles: [a, a] } }",
    "users: { alice: { K: V, rolse: [a] } }",
    "users: { alice: { K: V, disabled: maybe } }",
    "users: { alice: { colour: V, disabled: maybe } }",
    "users: { alice: { name: [V] } }",
    "users: { alice: { disabled: [V] } }",
    "users: { alice: { roles: [[V]] } }",
    "users: { alice: { roles: { admin: V } } }",
    "users: { alice: { claims: V } }",
    "users: { alice: { claims: { K: V }, roles: [a, a] } }",
    "users: { alice: { claims: { sub: V }, colour: V } }",
    "users: { alice: { api_keys: V } }",
    "users: { alice: { api_keys: [V] } }",
    "users: { alice: { api_keys: { ci: V } } }",
    "users: { alice: { api_keys: [{ name: ci, K: V }] } }",
];

/// Where nothing may be shown in a configuration, a word that could be anything included.
const MEANT_PLACES: [&str; 12] = [
    "K: V",
    "auth: { K: V }",
    "auth: [V]",
    "auth: { token: [V] }",
    "auth: { token: { secret: '${SECRET}', K: V } }",
    "auth: { token: { secret: '${SECRET}', secret: V } }",
    "auth:\n  token:\n    secret:\n      - V\n",
    "auth: { login: { K: V } }",
    "admin: [V]",
    "admin: { K: V, listen: nowhere }",
    "log: { K: V, level: loud }",
    "services: { app: { K: V, upstream: 'http://127.0.0.1:9', rules: [{ path: /**, allow: anybody }] } }",
];

/// Whether any part of a secret is in a text; `hunter2` stands for what no rule tells from a word.
fn shows(said: &str, secret: &str) -> bool {
    secret.split('/').any(|part| said.contains(part))
}

/// All that is said about files, whether they load or not.
fn messages(case: &Case) -> String {
    let problems = match case.load() {
        Ok(loaded) => loaded.warnings,
        Err(problems) => problems.as_slice().to_vec(),
    };
    let json = to_json(&problems);
    format!("{}{problems:?}{json:?}", case.rendered(&problems))
}

#[test]
fn no_misplaced_secret_is_shown_under_any_name() {
    let mut shown = Vec::new();
    let mut look = |case: &Case, secret: &str, what: &str| {
        let said = messages(case);
        if shows(&said, secret) {
            shown.push(format!("{what}:\n{said}"));
        }
    };
    let all = SHAPES
        .iter()
        .flat_map(|shape| [(*shape, MADE[0]), (*shape, MADE[1]), (*shape, "hunter2")]);
    let some = [
        ("S", "hunter2"),
        ("[S]", "hunter2"),
        ("{ secret: S }", "hunter2"),
    ];
    for (index, key) in MEANT.iter().enumerate() {
        let values: Vec<_> = if index == 0 {
            all.clone().collect()
        } else {
            some.into()
        };
        for (shape, secret) in values {
            let value = shape.replace('S', secret);
            let differs = |place: &&&str| index == 0 || place.contains('K');
            let fill = |place: &&str| place.replace('K', key).replace('V', &value);
            for users in USER_PLACES.iter().filter(differs).map(fill) {
                look(&Case::of(GOOD, &users), secret, &users);
            }
            for place in MEANT_PLACES.iter().filter(differs) {
                let gateway = configuration(&place.replace('K', key), &value);
                look(&Case::of(&gateway, "users: {}"), secret, &gateway);
            }
        }
    }
    assert!(
        shown.is_empty(),
        "{} times\n{}",
        shown.len(),
        shown.join("\n")
    );
}

/// The counterpart: a line without a secret is shown whole.
#[test]
fn nothing_is_hidden_that_is_no_secret() {
    let service = |upstream: &str| {
        format!(
            "services: {{ app: {{ upstream: {upstream}, rules: [{{ path: '/token/{{key}}', allow: authenticated, colour: [] }}] }} }}"
        )
    };
    let plain = "'http://127.0.0.1:9'";
    let gateway = |first: &str| format!("{first}\n{}\n", service(plain));
    let mut cases: Vec<Case> = [
        "server: { tls: { certificate: tls.crt, private_key: tls.key } }",
        "server: { lisen: 0.0.0.0:80, workers: many }",
        "server: { trusted-proxies: [10.0.0.0/8], timeuts: { body: soon } }",
        "auth: { user_file: people.yaml, sesion: { cookie: jobs } }",
        "auth: { users_file: people.yaml, colour: [] }",
        "auth: { session: { cookie: jobs, secure: maybe } }",
        "auth: { token: { secret_file: signing-key, colour: [] } }",
        "auth: { token: { algorithm: EdDSA, private_key_file: token.pem, kid: 7 } }",
        "auth: { trusted_issuers: [{ issuer: a, jwks: 'https://idp.example.com/keys', colour: [] }] }",
        "auth: { trusted_issuers: [{ issuer: a, public_key_file: idp.pem, colour: [] }] }",
        "admin: { token_file: admin-token, listen: nowhere }",
        "tracing: { otlp: 'http://c:4317', headers: { authorization_file: otlp-token }, colour: [] }",
        "state_file: state.txt",
        "log: { level: loud, format: text }",
        "colour: []",
    ]
    .map(|first| Case::of(&gateway(first), "users: {}"))
    .into();
    let tls = "{ servers: ['https://a'], tls: { client_certificate: a.crt, client_key: a.key, colour: [] } }";
    cases.extend([service(plain), service(tls)].map(|text| Case::of(&text, "users: {}")));
    cases.extend(
        [
            "users: { alice: { roles: [a, a], name: Alice Doe, email: alice@example.com } }",
            "users: { alice: { password_file: alice.hash, disabled: maybe } }",
            "users: { alice: { api_keys: [{ name: ci, roles: [a], expires: never }] } }",
            "users: { alice: { roles: admin, tokens_valid_after: yesterday } }",
            "users: { key@example.com: { groups: [password-admins, password-admins] } }",
        ]
        .map(|users| Case::of(GOOD, users)),
    );
    for case in cases {
        let problems = case.load().expect_err("a broken configuration");
        let rendered: Vec<_> = case
            .rendered(problems.as_slice())
            .split("\n\n")
            .map(str::to_owned)
            .collect();
        // the passwords of `GOOD` are not meant
        for problem in rendered
            .iter()
            .filter(|text| !text.contains("| state:") && !text.contains("inline-secret"))
        {
            assert!(!problem.contains("[redacted]"), "{problem}");
        }
    }
}
