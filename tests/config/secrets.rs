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
