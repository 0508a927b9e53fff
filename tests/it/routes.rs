//! `gatelatch routes`.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use crate::support::commands::{folder, gatelatch, json, text};
use crate::support::{output, program};

const CONFIG: &str = r#"auth: { token: { secret: 0123456789abcdef0123456789abcdef } }
services:
  jobs:
    hosts: [jobs.example.com]
    upstream: http://127.0.0.1:9
    rules:
      - { path: /public/**, allow: anyone }
      - { path: /jobs, methods: [GET], allow: authenticated }
      - { path: /jobs, methods: [POST], allow: { roles: [recruiter] } }
      - { path: "/users/{id}/**", allow: [ { roles: [admin] }, { user: "{id}" } ] }
      - { path: /metrics, allow: { networks: [10.0.0.0/8] } }
      - { path: /internal/**, allow: nobody }
  "<b>":
    path: /b
    upstream: http://127.0.0.1:9
    rules: []
"#;

const USERS: &str = "users: { carl: { roles: [candidate] } }\n";

fn files() -> tempfile::TempDir {
    folder(&[
        ("gateway.yaml", &CONFIG.replace("\"<b>\"", "b")),
        ("users.yaml", USERS),
    ])
}

#[test]
fn the_table_says_who_can_do_what() {
    let printed = gatelatch(files().path(), &["routes"]);
    assert!(printed.status.success(), "{}", text(&printed.stderr));
    let expected = "jobs (jobs.example.com, /)

methods     path            anonymous  signed in  admin  candidate  recruiter
any method  /public/**      yes        yes        yes    yes        yes
GET         /jobs           -          yes        yes    yes        yes
POST        /jobs           -          -          -      -          yes
any method  /users/{id}/**  -          if 1       yes    if 1       if 1
any method  /metrics        if 2       if 2       if 2   if 2       if 2
any method  /internal/**    -          -          -      -          -

   1  user = {id}
   2  from 10.0.0.0/8

b (any host, /b)
no rules: every request is refused

";
    let text = text(&printed.stdout);
    assert!(text.starts_with(expected), "{text}");
    assert!(!text.contains('\x1b'), "no colours in a pipe");
}

#[test]
fn one_service_and_some_roles_can_be_chosen() {
    let folder = files();
    let printed = gatelatch(
        folder.path(),
        &["routes", "--service", "jobs", "--roles", "admin"],
    );
    let printed = text(&printed.stdout);
    assert!(
        printed.contains("path            anonymous  signed in  admin\n")
            && !printed.contains("/b)"),
        "{printed}"
    );
    for (arguments, said) in [
        (
            ["routes", "--service", "job"],
            "error: there is no service `job`; known: `jobs`, `b`",
        ),
        (
            ["routes", "--roles", "adm"],
            "error: no rule names the role `adm`, and no user has it",
        ),
    ] {
        let failed = gatelatch(folder.path(), &arguments);
        assert_eq!(
            (failed.status.code(), text(&failed.stderr).trim()),
            (Some(1), said)
        );
    }
}

#[test]
fn programs_get_json() {
    let answer = json(&gatelatch(files().path(), &["routes", "--format", "json"]));
    assert_eq!(
        answer["roles"],
        serde_json::json!(["admin", "candidate", "recruiter"])
    );
    let rules = &answer["services"][0]["rules"];
    assert_eq!(rules[0]["access"]["anonymous"], true);
    assert_eq!(rules[2]["methods"], serde_json::json!(["POST"]));
    assert_eq!(
        (&rules[2]["line"], &rules[2]["access"]["signed_in"]),
        (&9.into(), &false.into())
    );
    assert_eq!(rules[3]["access"]["roles"]["admin"], true);
    assert_eq!(
        rules[3]["access"]["roles"]["candidate"],
        serde_json::json!(["user = {id}"])
    );
    assert_eq!(answer["services"][1]["rules"], serde_json::json!([]));
}

#[test]
fn a_wiki_gets_markdown() {
    let printed = text(&gatelatch(files().path(), &["routes", "--format", "markdown"]).stdout);
    for line in [
        "## jobs\n",
        "| methods | path | anonymous | signed in | admin | candidate | recruiter |\n| --- | ---",
        "| any method | `/users/{id}/**` | - | if user = \\{id\\} | yes | if user = \\{id\\} | if user = \\{id\\} |\n",
    ] {
        assert!(printed.contains(line), "{printed}");
    }
}

#[test]
fn a_page_stands_for_itself_and_escapes_everything() {
    let hostile = "auth: { token: { secret: 0123456789abcdef0123456789abcdef } }
services:
  jobs:
    upstream: http://127.0.0.1:9
    rules:
      - { path: \"/a&b/{id}\", allow: { roles: [\"<script>alert(1)</script>\", \"{{tables}}\"] } }
";
    let folder = folder(&[("gateway.yaml", hostile), ("users.yaml", USERS)]);
    // braces are no role in a rule; a user may have such a one all the same
    let hostile = hostile.replace(", \"{{tables}}\"", "");
    std::fs::write(folder.path().join("gateway.yaml"), hostile).unwrap();
    std::fs::write(
        folder.path().join("users.yaml"),
        "users: { eve: { roles: [\"{{tables}}'\\\"\"] } }\n",
    )
    .unwrap();
    let printed = gatelatch(folder.path(), &["routes", "--format", "html"]);
    let page = text(&printed.stdout);
    assert!(
        page.starts_with("<!DOCTYPE html>"),
        "{page}{}",
        text(&printed.stderr)
    );
    assert!(page.contains("<code>/a&amp;b/&#123;id}</code>"), "{page}");
    assert!(
        page.contains("&lt;script&gt;alert(1)&lt;/script&gt;") && !page.contains("<script>alert"),
        "{page}"
    );
    assert!(page.contains("&#123;&#123;tables}}&#39;&quot;"), "{page}");
    for foreign in ["http://", "https://", "src=", "@import", "url("] {
        assert!(!page.contains(foreign), "`{foreign}` comes from elsewhere");
    }
    for part in [
        "position: sticky",
        "prefers-color-scheme: dark",
        "id=\"search\"",
        "default-src 'none'",
    ] {
        assert!(page.contains(part), "`{part}` is missing");
    }
}

#[test]
fn a_narrow_terminal_gets_several_tables() {
    let Some(python) = program("python3") else {
        return;
    };
    let folder = files();
    // a terminal of 60 columns, with the binary at its other end
    let script = "import fcntl, os, pty, struct, sys, termios\n\
        pid, fd = pty.fork()\n\
        if pid == 0:\n    os.read(0, 1); os.execv(sys.argv[1], sys.argv[1:])\n\
        fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack('HHHH', 40, 60, 0, 0))\n\
        os.write(fd, b'\\n')\n\
        out = b''\n\
        while True:\n\
        \x20   try: piece = os.read(fd, 65536)\n\
        \x20   except OSError: break\n\
        \x20   if not piece: break\n\
        \x20   out += piece\n\
        sys.stdout.buffer.write(out)\n";
    let mut command = Command::new(python);
    command.args(["-c", script, env!("CARGO_BIN_EXE_gatelatch"), "routes"]);
    let printed = output(
        command
            .current_dir(folder.path())
            .env_remove("GATELATCH_CONFIG")
            .env("TERM", "xterm"),
    );
    assert!(
        printed.contains("\x1b[32myes"),
        "a terminal gets colours: {printed:?}"
    );
    let plain = strip(&printed);
    assert!(
        plain.lines().all(|line| line.chars().count() <= 60),
        "{plain}"
    );
    assert_eq!(plain.matches("methods     path").count(), 2, "{plain}");
}

/// Without escape sequences and carriage returns.
fn strip(text: &str) -> String {
    let mut pieces = text.split('\x1b');
    let first = pieces.next().unwrap_or_default().to_owned();
    let rest = pieces.map(|piece| piece.split_once('m').map_or("", |(_, rest)| rest));
    rest.fold(first, |all, piece| all + piece).replace('\r', "")
}

#[test]
fn a_closed_pipe_ends_it_without_a_word() {
    let rules: String = (0..5000)
        .map(|at| format!("      - {{ path: /p{at}, allow: authenticated }}\n"))
        .collect();
    let config = CONFIG
        .replace("\"<b>\"", "b")
        .replace("      - { path: /public/**, allow: anyone }\n", &rules);
    let folder = folder(&[("gateway.yaml", &config), ("users.yaml", USERS)]);
    for format in ["text", "markdown", "json", "html"] {
        let mut process = Command::new(env!("CARGO_BIN_EXE_gatelatch"))
            .args(["routes", "--format", format])
            .current_dir(folder.path())
            .env_remove("GATELATCH_CONFIG")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut first = String::new();
        BufReader::with_capacity(16, process.stdout.take().unwrap())
            .read_line(&mut first)
            .unwrap();
        let ended = process.wait_with_output().unwrap();
        assert_eq!(
            (ended.status.code(), text(&ended.stderr).as_str()),
            (Some(141), ""),
            "{format}"
        );
    }
}
