//! curl, a client that nobody here has written.

use std::process::Command;

use super::programs::program;

/// What curl says about one request.
#[derive(Debug)]
pub struct Curled {
    /// Its exit code; 0 where there was an answer.
    pub code: Option<i32>,
    /// The answer's head and body.
    pub text: String,
    /// `1.1`, `2`; `0` where there was no answer.
    pub version: String,
    /// 0 where there was no answer.
    pub status: u16,
}

/// Calls curl; `None` where there is none.
pub fn curl(arguments: &[&str]) -> Option<Curled> {
    const MARK: &str = "\n=curl=";
    let mut command = Command::new(program("curl")?);
    command.args([
        "--silent",
        "--show-error",
        "--include",
        "--max-time",
        "20",
        "--noproxy",
        "*",
    ]);
    command
        .args([
            "--write-out",
            &format!("{MARK}%{{http_version}} %{{http_code}}"),
        ])
        .args(arguments);
    let output = command.output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let (text, summary) = printed.rsplit_once(MARK).unwrap();
    let (version, status) = summary.split_once(' ').unwrap();
    let text = format!("{text}{}", String::from_utf8_lossy(&output.stderr));
    Some(Curled {
        code: output.status.code(),
        text,
        version: version.to_owned(),
        status: status.parse().unwrap(),
    })
}
