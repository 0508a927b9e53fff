//! `gatelatch user add-totp` and `remove-totp` as an operator uses them, with real programs in the place of the app.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::commands::{folder, gatelatch, gatelatch_with, text};
use crate::support::{oathtool, program};

const CONFIG: &str =
    "auth: { users_file: users.yaml, token: { secret: 0123456789abcdef0123456789abcdef } }
services: { app: { upstream: http://127.0.0.1:9, rules: [ { path: /, allow: authenticated } ] } }
";
const USERS: &str = "# people
users:
  # the boss
  ann:   # in place
    password: $2b$04$N9qo8uLOickgx2ZMRZoMye7lwnnKjdKULIb0Soe6BjJXxCPR1R3dC
    roles: [admin]   # all
  bob: { password: $2b$04$N9qo8uLOickgx2ZMRZoMye7lwnnKjdKULIb0Soe6BjJXxCPR1R3dC }
# end
";

fn people() -> tempfile::TempDir {
    folder(&[("gateway.yaml", CONFIG), ("users.yaml", USERS)])
}

fn users(folder: &Path) -> String {
    fs::read_to_string(folder.join("users.yaml")).unwrap()
}

fn said(output: &std::process::Output) -> String {
    text(&output.stdout) + &text(&output.stderr)
}

/// Adds an app to `user` whose codes `answer` gives for the address that was shown; what was printed, and whether it went well.
fn add_with(folder: &Path, user: &str, answer: impl Fn(&str) -> Vec<String>) -> (String, bool) {
    let mut process = Command::new(env!("CARGO_BIN_EXE_gatelatch"))
        .args(["user", "add-totp", user])
        .current_dir(folder)
        .env_remove("GATELATCH_CONFIG")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let mut shown = String::new();
    let uri = loop {
        let line = lines.next().unwrap().unwrap();
        if line.starts_with("otpauth:") {
            break line;
        }
        shown += &(line + "\n");
    };
    let mut input = process.stdin.take().unwrap();
    for code in answer(&uri) {
        writeln!(input, "{code}").unwrap();
    }
    drop(input);
    let mut errors = String::new();
    process
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut errors)
        .unwrap();
    (shown + &errors, process.wait().unwrap().success())
}

fn secret_of(uri: &str) -> String {
    let (_, rest) = uri.split_once("secret=").unwrap();
    rest.split('&').next().unwrap().to_owned()
}

#[test]
fn an_app_is_added_with_its_first_code_and_taken_away_and_comments_stay() {
    let Some(oathtool) = oathtool() else { return };
    let folder = people();
    let at = folder.path();
    let uri = std::cell::RefCell::new(String::new());
    let (shown, added) = add_with(at, "ann", |shown| {
        shown.clone_into(&mut uri.borrow_mut());
        vec!["123".to_owned(), oathtool.code(&secret_of(shown))]
    });
    let uri = uri.into_inner();
    assert!(
        added && shown.contains("added an authenticator app to user `ann` in users.yaml"),
        "{shown}"
    );
    assert!(shown.contains("that is no code"), "{shown}");
    let secret = secret_of(&uri);
    let line = format!("    totp: {secret}\n");
    let with = USERS.replace("# all\n", &format!("# all\n{line}"));
    assert_eq!(users(at), with);
    assert!(
        uri.starts_with("otpauth://totp/Gatelatch:ann?secret="),
        "{uri}"
    );
    assert_read_by_a_scanner(&shown, &uri);

    let again = gatelatch(at, &["user", "add-totp", "ann"]);
    assert!(said(&again).contains("`gatelatch user remove-totp ann` takes it away"));
    let removed = gatelatch(at, &["user", "remove-totp", "ann"]);
    assert!(removed.status.success(), "{}", said(&removed));
    assert_eq!(users(at), USERS);
    let again = gatelatch(at, &["user", "remove-totp", "ann"]);
    assert_eq!(again.status.code(), Some(1));
    assert!(said(&again).contains("no `totp`"), "{}", said(&again));
}

/// The picture on the terminal, as a scanner sees it on a dark screen.
fn assert_read_by_a_scanner(shown: &str, uri: &str) {
    let Some(zbarimg) = program("zbarimg") else {
        return;
    };
    let rows: Vec<Vec<char>> = shown
        .lines()
        .map(|line| line.chars().collect::<Vec<_>>())
        .filter(|line| line.len() > 20 && line.iter().all(|char| "█▀▄ ".contains(*char)))
        .collect();
    let (width, scale) = (rows[0].len(), 8);
    let mut pixels = Vec::new();
    for row in &rows {
        for upper in [true, false] {
            for _ in 0..scale {
                for char in row {
                    let light = matches!((char, upper), ('█', _) | ('▀', true) | ('▄', false));
                    pixels.extend(std::iter::repeat_n(if light { 255 } else { 0_u8 }, scale));
                }
            }
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("qr.pgm");
    let mut image = format!("P5 {} {} 255\n", width * scale, rows.len() * 2 * scale).into_bytes();
    image.extend(pixels);
    fs::write(&file, image).unwrap();
    let read = Command::new(zbarimg)
        .args(["-q", "--raw"])
        .arg(&file)
        .output()
        .unwrap();
    assert_eq!(text(&read.stdout).trim_end(), uri);
}

#[test]
fn without_a_right_code_nothing_changes() {
    let folder = people();
    let at = folder.path();
    let (shown, added) = add_with(at, "ann", |_| ["1", "000", "x"].map(str::to_owned).into());
    assert!(!added && shown.contains("nothing was changed"), "{shown}");
    let (shown, added) = add_with(at, "ann", |_| Vec::new());
    assert!(!added && shown.contains("nothing was changed"), "{shown}");
    let nobody = gatelatch(at, &["user", "add-totp", "eve", "--no-verify"]);
    assert!(
        !nobody.status.success() && nobody.stdout.is_empty(),
        "{}",
        said(&nobody)
    );
    assert_eq!(users(at), USERS);
}

#[test]
fn programs_get_the_secret_as_json_and_secrets_of_elsewhere_are_taken() {
    let folder = people();
    let at = folder.path();
    let arguments = [
        "user",
        "add-totp",
        "ann",
        "--no-verify",
        "--format",
        "json",
        "--issuer",
        "Example: Ltd",
    ];
    let output = gatelatch(at, &arguments);
    let shown: Value = serde_json::from_slice(&output.stdout).unwrap();
    let secret = shown["secret"].as_str().unwrap();
    assert!(users(at).contains(&format!("totp: {secret}\n")));
    let uri = shown["uri"].as_str().unwrap();
    assert!(
        uri.starts_with("otpauth://totp/Example-%20Ltd:ann?"),
        "{uri}"
    );
    let import = ["user", "add-totp", "bob", "--import"];
    let other = "otpauth://totp/Authelia:bob?algorithm=SHA1&digits=6&issuer=Authelia&period=30&secret=GEZDGNBVGY3TQOJQ\n";
    let output = gatelatch_with(at, &import, other);
    assert!(output.status.success(), "{}", said(&output));
    assert!(
        users(at).contains(", totp: GEZDGNBVGY3TQOJQ }"),
        "{}",
        users(at)
    );
    gatelatch(at, &["user", "remove-totp", "bob"]);
    let output = gatelatch_with(at, &import, &other.replace("SHA1", "SHA256"));
    assert!(
        said(&output).contains("only those by SHA1") && !said(&output).contains("GEZD"),
        "{}",
        said(&output)
    );
    let list = gatelatch(at, &["user", "list", "--format", "json"]);
    let list: Value = serde_json::from_slice(&list.stdout).unwrap();
    assert_eq!(
        (&list[0]["totp"], &list[1]["totp"]),
        (&true.into(), &false.into())
    );
}
