//! The commands that change the user list, and those that make keys and tokens, as an operator types them.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::Path;

use serde_json::Value;

use crate::support::commands::gatelatch_with;
use crate::support::{PASSWORD, Upstream, gateway};

const CONFIG: &str = "auth: { users_file: users.yaml, token: { secret: 0123456789abcdef0123456789abcdef } }
services: { app: { upstream: http://127.0.0.1:9, rules: [ { path: /, allow: { roles: [admin] } } ] } }
";

const USERS: &str = "# people
users:
  # the boss
  ann:   # in place
    roles: [admin]
    disabled: true
  bob: { roles: [user] }
# end
";

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("gateway.yaml"), CONFIG).unwrap();
    fs::write(folder.path().join("users.yaml"), USERS).unwrap();
    folder
}

/// Runs a command that succeeds; what it prints on stdout and stderr.
#[track_caller]
fn run(folder: &Path, arguments: &[&str], input: &str) -> (String, String) {
    let output = gatelatch_with(folder, arguments, input);
    let [out, err] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    assert!(output.status.success(), "{arguments:?}: {out}{err}");
    (out, err)
}

/// Runs a command that fails; what it says.
#[track_caller]
fn fail(folder: &Path, arguments: &[&str], input: &str) -> String {
    let output = gatelatch_with(folder, arguments, input);
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {output:?}");
    assert!(output.stdout.is_empty(), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

/// The list, with one word in place of the moments at which users were added.
fn users(folder: &Path) -> String {
    let text = fs::read_to_string(folder.join("users.yaml")).unwrap();
    let line = |line: &str| match line.split_once("created: ") {
        Some((before, moment)) => {
            assert!(
                humantime::parse_rfc3339(moment.trim_matches('"')).is_ok(),
                "{line}"
            );
            format!("{before}created: NOW\n")
        }
        None => format!("{line}\n"),
    };
    text.lines().map(line).collect()
}

fn entries(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

#[test]
fn users_come_and_go_and_everything_else_stays() {
    let folder = folder();
    let at = folder.path();
    fs::set_permissions(at.join("users.yaml"), fs::Permissions::from_mode(0o640)).unwrap();
    let before = fs::metadata(at.join("users.yaml")).unwrap();
    let (out, err) = run(
        at,
        &[
            "user",
            "add",
            "carl",
            "--roles",
            "user , admin",
            "--name",
            "Carl: C",
            "--cost",
            "4",
        ],
        "pass word\n",
    );
    assert_eq!(
        (out.as_str(), err.as_str()),
        (
            "",
            "added user `carl` in users.yaml\n\
             note: no rule asks for the role `user`; `gatelatch routes` shows those that they ask for\n"
        )
    );
    let text = users(at);
    let hash = text
        .lines()
        .find_map(|line| line.trim().strip_prefix("password: "))
        .unwrap()
        .to_owned();
    assert!(bcrypt::verify("pass word", &hash).unwrap());
    let carl = format!(
        "  carl:\n    password: {hash}\n    roles: [user, admin]\n    name: \"Carl: C\"\n    created: NOW\n"
    );
    assert_eq!(text, USERS.replace("# end\n", &format!("{carl}# end\n")));
    run(at, &["user", "enable", "ann"], "");
    run(at, &["user", "disable", "carl"], "");
    let (_, said) = run(at, &["user", "remove", "bob"], "");
    for next in [
        "`gatelatch user remove-totp bob --all`",
        "`gatelatch session end --user bob`",
    ] {
        assert!(said.contains(next), "what stays in `state`: {said}");
    }
    let carl = carl.replace("NOW\n", "NOW\n    disabled: true\n");
    let expected = USERS
        .replace("true", "false")
        .replace("  bob: { roles: [user] }\n", &carl);
    assert_eq!(users(at), expected);
    let (out, _) = run(
        at,
        &["user", "set-password", "carl", "--random", "--cost", "4"],
        "",
    );
    let hash = users(at)
        .lines()
        .find_map(|line| line.trim().strip_prefix("password: "))
        .unwrap()
        .to_owned();
    assert!(out.trim().len() >= 20 && bcrypt::verify(out.trim(), &hash).unwrap());
    let after = fs::metadata(at.join("users.yaml")).unwrap();
    assert_eq!(
        (after.mode(), after.uid(), after.gid()),
        (before.mode(), before.uid(), before.gid())
    );
    assert_eq!(
        entries(at),
        ["gateway.yaml", "users.yaml"],
        "nothing is left behind"
    );
}

#[test]
fn the_list_is_shown_to_people_and_programs() {
    let folder = folder();
    let at = folder.path();
    let (key, _) = run(
        at,
        &[
            "user",
            "add-key",
            "bob",
            "--name",
            "ci",
            "--roles",
            "admin",
            "--expires",
            "2999-01-01",
        ],
        "",
    );
    let (text, _) = run(at, &["explain", "GET", "/", "--token", key.trim()], "");
    assert!(
        text.contains("the API key `ci` of `bob` with the role admin"),
        "{text}"
    );
    let (text, _) = run(at, &["user", "list"], "");
    let expected = "USER  ROLES  STATE     PASSWORD  TOTP  KEYS\nann   admin  disabled  -         -     -\nbob   user   enabled   -         -     ci\n";
    assert_eq!(text, expected);
    let (json, _) = run(at, &["user", "list", "--format", "json"], "");
    let list: Value = serde_json::from_str(&json).unwrap();
    let bob = serde_json::json!({
        "user": "bob", "roles": ["user"], "name": null, "email": null, "disabled": false, "password": null, "totp": false,
        "api_keys": [ { "name": "ci", "roles": ["admin"], "expires_at": 32_472_144_000_u64 } ],
    });
    assert_eq!(list[1], bob);
}

#[test]
fn what_cannot_be_done_changes_nothing() {
    let folder = folder();
    let at = folder.path();
    for (arguments, input, expected) in [
        (
            vec!["user", "add", "ann"],
            "x",
            "there is a user `ann` already",
        ),
        (
            vec!["user", "add", "zoe", "--roles", "x,x", "--cost", "4"],
            "x",
            "`--roles` has `x` twice",
        ),
        (vec!["user", "add", "zoe"], "", "the password is empty"),
        (
            vec!["user", "add", "zoe"],
            "a\nb\n",
            "standard input has more than one line",
        ),
        (
            vec!["user", "set-password", "zoe"],
            "x",
            "there is no user `zoe`; `gatelatch user list` shows all",
        ),
        (vec!["user", "remove", "zoe"], "", "there is no user `zoe`"),
        (
            vec!["user", "disable", "ann"],
            "",
            "the user is disabled already",
        ),
    ] {
        let said = fail(at, &arguments, input);
        assert!(said.contains(expected), "{arguments:?}: {said}");
        assert_eq!(users(at), USERS, "{arguments:?}");
    }
    fs::write(at.join("users.yaml"), "users:\n  ann: { role: [admin] }\n").unwrap();
    assert!(fail(at, &["user", "remove", "ann"], "").contains("unknown key `role`"));
    fs::write(
        at.join("users.yaml"),
        "users:\n  ann: { password: |\n x }\n",
    )
    .unwrap();
    assert!(fail(at, &["user", "enable", "ann"], "").contains("error"));
    assert_eq!(entries(at), ["gateway.yaml", "users.yaml"]);
}

#[test]
fn a_list_that_is_not_there_is_made_and_a_link_is_followed() {
    let folder = folder();
    let at = folder.path();
    fs::remove_file(at.join("users.yaml")).unwrap();
    run(
        at,
        &["user", "add", "ann", "--no-password", "--roles", "admin"],
        "",
    );
    assert_eq!(
        users(at),
        "users:\n  ann:\n    roles: [admin]\n    created: NOW\n"
    );
    assert_eq!(
        fs::metadata(at.join("users.yaml")).unwrap().mode() & 0o777,
        0o600
    );
    fs::create_dir(at.join("real")).unwrap();
    fs::rename(at.join("users.yaml"), at.join("real/list.yaml")).unwrap();
    symlink("real/list.yaml", at.join("users.yaml")).unwrap();
    run(at, &["user", "disable", "ann"], "");
    assert!(at.join("users.yaml").is_symlink());
    assert_eq!(
        users(at),
        "users:\n  ann:\n    roles: [admin]\n    created: NOW\n    disabled: true\n"
    );
    assert_eq!(entries(&at.join("real")), ["list.yaml"]);
}

/// Each command reads what the one before has written.
#[test]
fn commands_at_once_do_not_lose_each_others_changes() {
    let folder = folder();
    let at = folder.path();
    std::thread::scope(|scope| {
        for number in 0..8 {
            let name = format!("user-{number}");
            scope.spawn(move || run(at, &["user", "add", &name, "--no-password"], ""));
        }
    });
    let text = users(at);
    for number in 0..8 {
        assert!(text.contains(&format!("  user-{number}:\n")), "{text}");
    }
    assert!(
        text.starts_with(&USERS[..USERS.len() - "# end\n".len()]),
        "{text}"
    );
}

#[test]
fn a_running_gateway_takes_the_change() {
    let upstream = Upstream::saying("hi");
    let services = "
  app:
    upstream: http://UPSTREAM
    rules: [ { path: /deploy, allow: { roles: [deployer] } }, { path: /jobs, allow: { roles: [recruiter] } } ]
";
    let gateway = gateway(services).upstream(upstream.address).start();
    let at = gateway.folder();
    let (key, err) = run(
        at,
        &[
            "user", "add-key", "carl", "--name", "ci", "--roles", "deployer",
        ],
        "",
    );
    assert!(key.starts_with("glk_") && !err.contains("glk_"), "{err}");
    assert!(!gateway.read("users.yaml").contains(key.trim()));
    gateway.event("configuration reloaded");
    assert_eq!(
        gateway
            .get(
                "/deploy",
                &format!("X-Api-Key: {key}\r\n").replace("\n\r", "\r")
            )
            .status,
        200
    );
    let bearer = gateway.bearer("rita");
    assert_eq!(gateway.get("/jobs", &bearer).status, 200);
    run(at, &["user", "disable", "rita"], "");
    gateway.event("configuration reloaded");
    assert_eq!(gateway.get("/jobs", &bearer).status, 401);
    run(
        at,
        &["user", "add", "new", "--roles", "recruiter", "--cost", "4"],
        PASSWORD,
    );
    gateway.event("configuration reloaded");
    assert_eq!(gateway.get("/jobs", &gateway.bearer("new")).status, 200);
    let (token, _) = run(at, &["token", "issue", "--user", "carl", "--ttl", "1m"], "");
    let me = gateway.get(
        "/auth/me",
        &format!("Authorization: Bearer {}\r\n", token.trim()),
    );
    assert_eq!(me.json()["sub"], "carl");
}

#[test]
fn tokens_are_made_and_looked_at() {
    let folder = folder();
    let at = folder.path();
    let (token, _) = run(at, &["token", "issue", "--user", "bob", "--roles", "x"], "");
    for (arguments, input) in [
        (vec!["token", "inspect", token.trim()], ""),
        (vec!["token", "inspect", "-"], &*token),
        (vec!["token", "inspect"], &*token),
    ] {
        let (text, _) = run(at, &arguments, input);
        assert!(
            text.contains("\"sub\": \"bob\"") && text.contains("ok      signature\n"),
            "{text}"
        );
        assert!(text.ends_with("ok      lifetime\nok      user\n"), "{text}");
        assert!(
            !text.contains(token.trim().rsplit('.').next().unwrap()),
            "the token is not printed again"
        );
    }
    let forged = format!("{}x", &token.trim()[..token.trim().len() - 1]);
    let output = gatelatch_with(at, &["token", "inspect", &forged], "");
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.contains("FAILED  signature: the signature of the token is invalid\nok      claims\n"),
        "{text}"
    );
    let output = gatelatch_with(at, &["token", "inspect", "abc"], "");
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        "FAILED  form: the token is malformed\n"
    );
    assert!(fail(at, &["token", "issue", "--user", "ann"], "").contains("user `ann` is disabled"));
    assert!(fail(at, &["token", "issue", "--user", "zoe"], "").contains("there is no user `zoe`"));
    assert!(
        fail(at, &["token", "issue", "--user", "bob", "--ttl", "25h"], "")
            .contains("`auth.token.max_lifetime` is 1d")
    );
    fs::write(
        at.join("gateway.yaml"),
        CONFIG.replace(", token: { secret: 0123456789abcdef0123456789abcdef }", ""),
    )
    .unwrap();
    assert!(fail(at, &["token", "issue", "--user", "bob"], "").contains("no key is configured"));
}

#[test]
fn keys_are_made_for_their_owner_only_and_never_overwrite() {
    let folder = folder();
    let at = folder.path();
    for algorithm in [
        "EdDSA", "Ed25519", "ES256", "ES384", "ES512", "RS256", "RS384", "RS512", "PS256", "PS384",
        "PS512",
    ] {
        let file = format!("{algorithm}.pem");
        let (out, err) = run(
            at,
            &["key", "generate", "--algorithm", algorithm, "--out", &file],
            "",
        );
        assert!(
            out.is_empty() && err.starts_with(&format!("wrote {file}\nkid: ")),
            "{err}"
        );
        assert_eq!(fs::metadata(at.join(&file)).unwrap().mode() & 0o777, 0o600);
        let token = format!("token: {{ algorithm: {algorithm}, private_key_file: {file} }}");
        fs::write(
            at.join("gateway.yaml"),
            CONFIG.replace(
                "token: { secret: 0123456789abcdef0123456789abcdef }",
                &token,
            ),
        )
        .unwrap();
        let (token, _) = run(at, &["token", "issue", "--user", "bob"], "");
        run(at, &["token", "inspect"], &token);
    }
    let before = fs::read(at.join("EdDSA.pem")).unwrap();
    let said = fail(
        at,
        &[
            "key",
            "generate",
            "--algorithm",
            "EdDSA",
            "--out",
            "EdDSA.pem",
        ],
        "",
    );
    assert!(
        said.contains("`EdDSA.pem` exists and is not overwritten"),
        "{said}"
    );
    assert_eq!(fs::read(at.join("EdDSA.pem")).unwrap(), before);
    let (secret, _) = run(at, &["key", "generate", "--secret"], "");
    assert_eq!(secret.trim().len(), 64);
    assert_eq!(
        gatelatch_with(at, &["key", "generate", "--algorithm", "HS256"], "")
            .status
            .code(),
        Some(2)
    );
    assert_eq!(
        gatelatch_with(at, &["key", "generate"], "").status.code(),
        Some(2)
    );
}

/// Of `htpasswd -B`, of `htpasswd` as it is by default (apr1), of crypt(3), of `htpasswd -s`.
const HTPASSWD: &str = "# staff
carl:$2y$05$Ek8YDPhVmbUhO7xNJ4hPJOZjKSI8YiQ6ZFfAfgCbV8B7sOTRmCOX2

dora:$apr1$eGK4Yc2a$Wy9tcn1GGlyCgqWFpOCe20
emil:rqXexS6ZhobKA
fred:{SHA}qUqP5cyxm6YcTAhz05Hph5gvu9M=
bob:$2y$05$Ek8YDPhVmbUhO7xNJ4hPJOZjKSI8YiQ6ZFfAfgCbV8B7sOTRmCOX2
gina:$2y$05$Ek8YDPhVmbUhO7xNJ4hPJOZjKSI8YiQ6ZFfAfgCbV8B7sOTRmCOX2:a comment
carl:$2y$05$Ek8YDPhVmbUhO7xNJ4hPJOZjKSI8YiQ6ZFfAfgCbV8B7sOTRmCOX2
hana
";

#[test]
fn users_of_an_htpasswd_file_are_taken_over_and_none_is_overwritten() {
    let folder = folder();
    fs::write(folder.path().join("htpasswd"), HTPASSWD).unwrap();
    let refused = "\
htpasswd:4: user `dora`: a hash of a kind that is not accepted: apr1, from htpasswd without `-B`; bcrypt and argon2id are accepted, and no hash can be turned into another: `gatelatch user add dora` gives the user a new password
htpasswd:5: user `emil`: a hash of a kind that is not accepted: DES, from crypt(3) and `htpasswd -d`; bcrypt and argon2id are accepted, and no hash can be turned into another: `gatelatch user add emil` gives the user a new password
htpasswd:6: user `fred`: a hash of a kind that is not accepted: SHA-1 without a salt, from `htpasswd -s` and OpenLDAP; bcrypt and argon2id are accepted, and no hash can be turned into another: `gatelatch user add fred` gives the user a new password
htpasswd:7: user `bob` is on the list already and stays as it is
htpasswd:9: user `carl` stands here twice
htpasswd:10: not a line `NAME:HASH`
";
    let said = fail(
        folder.path(),
        &["user", "import", "htpasswd", "--roles", "staff"],
        "",
    );
    let nothing = "error: nothing was written; leave these lines out with `--skip`, or give their users new passwords\n";
    assert_eq!(said, format!("{refused}{nothing}"));
    assert_eq!(users(folder.path()), USERS);

    let (out, err) = run(
        folder.path(),
        &["user", "import", "htpasswd", "--roles", "staff", "--skip"],
        "",
    );
    assert_eq!(
        (out.as_str(), err),
        (
            "",
            format!(
                "{refused}note: no rule asks for the role `staff`; `gatelatch routes` shows those that they ask for\nadded 2 users to users.yaml, left 6 lines out\n"
            )
        )
    );
    let written = users(folder.path());
    assert!(
        written.starts_with(USERS.strip_suffix("# end\n").unwrap()),
        "what stood there stays: {written}"
    );
    assert!(
        written.contains("carl") && written.contains("gina") && !written.contains("a comment"),
        "{written}"
    );
    let (list, _) = run(folder.path(), &["user", "list", "--format", "json"], "");
    let list: Value = serde_json::from_str(&list).unwrap();
    assert!(list.to_string().contains("staff"), "{list}");
    let (_, again) = run(folder.path(), &["user", "import", "htpasswd", "--skip"], "");
    assert!(
        again.ends_with("added 0 users to users.yaml, left 8 lines out\n"),
        "{again}"
    );
    assert_eq!(users(folder.path()), written);
}

#[test]
fn a_line_that_cannot_be_taken_is_left_out_of_standard_input_too() {
    let folder = folder();
    let hash = "$2y$05$Ek8YDPhVmbUhO7xNJ4hPJOZjKSI8YiQ6ZFfAfgCbV8B7sOTRmCOX2";
    let input = format!(
        "\u{feff}carl:{hash}\r\nRita Roe:{hash}\ndora:{{BLF-CRYPT}}{hash}\ndaemon:*:19000:0:99999:7:::\n"
    );
    let named = "standard input:2: `Rita Roe` is not a user name: visible characters without spaces, at most 255 bytes\n\
        standard input:4: user `daemon`: the mark of a locked account, as in shadow(5), and no hash; `disabled: true` locks a user, and `password` may be left out; `gatelatch user add daemon` gives the user a password\n";
    let said = fail(folder.path(), &["user", "import", "-"], &input);
    assert!(said.starts_with(named), "{said}");
    assert_eq!(users(folder.path()), USERS);
    let (_, said) = run(folder.path(), &["user", "import", "-", "--skip"], &input);
    assert_eq!(
        said,
        format!("{named}added 2 users to users.yaml, left 2 lines out\n")
    );
    let written = users(folder.path());
    assert_eq!(written.matches(hash).count(), 2, "{written}");
    assert!(!written.contains("BLF"), "without the wrapper: {written}");
}

#[test]
fn each_import_names_the_other_one() {
    let folder = folder();
    let at = folder.path();
    fs::write(at.join("openapi.json"), "{\n  \"openapi\": \"3.1.0\" }").unwrap();
    fs::write(at.join("openapi.yaml"), "openapi: 3.1.0\npaths: {}\n").unwrap();
    for document in ["openapi.json", "openapi.yaml"] {
        let said = fail(at, &["user", "import", document], "");
        let other = format!("`gatelatch import --openapi {document}`");
        assert!(said.contains(&other), "{said}");
    }
    let said = fail(at, &["user", "import", "users.yaml"], "");
    assert!(said.contains("is a users file already"), "{said}");
    fs::write(at.join("htpasswd"), HTPASSWD).unwrap();
    let said = fail(at, &["import", "--openapi", "htpasswd"], "");
    assert!(
        said.contains("`gatelatch user import htpasswd` adds its users"),
        "{said}"
    );
}

#[test]
fn a_role_that_no_rule_names_and_a_short_password_are_warned_of() {
    let folder = folder();
    let add = [
        "user",
        "add",
        "hans",
        "--roles",
        "admni,admin",
        "--cost",
        "4",
    ];
    let (_, said) = run(folder.path(), &add, "secret");
    assert_eq!(
        said,
        "warning: the password has 6 characters; NIST SP 800-63B asks for at least 8\n\
         added user `hans` in users.yaml\n\
         note: no rule asks for the role `admni`; did you mean `admin`?\n"
    );
}
