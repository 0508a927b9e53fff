//! `gatelatch demo`: what it prints works when it is pasted.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::support::{output, program};

/// Killed when it is dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn what_the_demo_prints_works_when_pasted() {
    let (Some(bash), Some(_curl)) = (program("bash"), program("curl")) else {
        return;
    };
    let mut demo = Running(
        Command::new(env!("CARGO_BIN_EXE_gatelatch"))
            .args(["demo", "--listen", "127.0.0.1:0"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap(),
    );
    let mut printed = BufReader::new(demo.0.stdout.take().unwrap())
        .lines()
        .map(Result::unwrap);
    let told: Vec<String> = printed
        .by_ref()
        .take_while(|line| !line.starts_with("Ctrl-C"))
        .collect();
    let pasted: Vec<&str> = told
        .iter()
        .map(|line| line.trim())
        .filter(|line| is_command(line))
        .collect();
    let answers = output(Command::new(bash).args(["-ec", &pasted.join("\n")]));
    let statuses: Vec<&str> = answers
        .split("HTTP/1.1 ")
        .skip(1)
        .map(|answer| answer.lines().next().unwrap())
        .collect();
    assert_eq!(
        statuses,
        [
            "200 OK",
            "401 Unauthorized",
            "200 OK",
            "200 OK",
            "403 Forbidden"
        ],
        "{told:#?}"
    );

    for (place, expected) in [
        ("Dashboard: ", "<!doctype html>"),
        ("Try in a browser: ", "Sign in"),
    ] {
        let line = told.iter().find_map(|line| line.strip_prefix(place));
        let url = line.unwrap().split(' ').next().unwrap();
        let curl = ["-sSL", "--cookie", "", "-H", "Accept: text/html"];
        let page = output(Command::new("curl").args(curl).arg(url));
        assert!(page.contains(expected), "{url}: {page}");
    }

    let config = told
        .iter()
        .find_map(|line| line.strip_prefix("Configuration, reloaded when you change it: "));
    let config = Path::new(config.unwrap());
    assert!(config.exists());
    output(
        Command::new("kill")
            .arg("-INT")
            .arg(demo.0.id().to_string()),
    );
    assert_eq!(printed.last().as_deref(), Some("The demo has ended."));
    assert!(demo.0.wait().unwrap().success());
    assert!(!config.exists(), "the demo leaves nothing behind");
}

#[test]
fn the_demo_says_what_becomes_of_an_edit() {
    let mut demo = Running(
        Command::new(env!("CARGO_BIN_EXE_gatelatch"))
            .args(["demo", "--listen", "127.0.0.1:0"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap(),
    );
    let mut printed = BufReader::new(demo.0.stdout.take().unwrap())
        .lines()
        .map(Result::unwrap);
    let mut told = BufReader::new(demo.0.stderr.take().unwrap())
        .lines()
        .map(Result::unwrap);
    let config = printed.find_map(|line| {
        line.strip_prefix("Configuration, reloaded when you change it: ")
            .map(str::to_owned)
    });
    let config = config.unwrap();
    assert!(printed.any(|line| line.starts_with("Ctrl-C")));
    let text = std::fs::read_to_string(&config).unwrap();
    for (text, expected) in [
        (format!("{text}# edited\n"), "configuration reloaded"),
        ("servces: {}\n".to_owned(), "configuration not reloaded"),
    ] {
        std::fs::write(&config, text).unwrap();
        assert!(told.any(|line| line.contains(expected)), "{expected}");
    }
    // it takes its folder away
    output(
        Command::new("kill")
            .arg("-INT")
            .arg(demo.0.id().to_string()),
    );
    assert!(demo.0.wait().unwrap().success());
}

#[test]
fn an_address_that_is_nobodys_is_named_as_it_was_written() {
    // of a network for documentation (RFC 5737)
    let output = Command::new(env!("CARGO_BIN_EXE_gatelatch"))
        .args(["demo", "--listen", "192.0.2.1:8080"])
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("192.0.2.1:8080"), "{said}");
    assert_eq!(output.status.code(), Some(1));
}

fn is_command(line: &str) -> bool {
    line.starts_with("curl ") || line.starts_with("TOKEN=")
}
