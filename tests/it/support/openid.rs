//! A real OpenID provider: npm's `oidc-provider`.

use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::Value;

use super::{node, openid_packages};

/// A provider on loopback, which ends when it is dropped.
pub struct OpenIdProvider {
    process: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
    /// Its name and URL.
    pub issuer: String,
}

impl OpenIdProvider {
    /// Starts it; `None` where the test is skipped.
    pub fn start() -> Option<Self> {
        let (packages, node) = (openid_packages()?, node()?);
        let script = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/apps/openid/provider.mjs"
        );
        let mut process = Command::new(node)
            .arg(script)
            .arg(packages)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let input = process.stdin.take().unwrap();
        let output = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut provider = Self {
            process,
            input,
            output,
            issuer: String::new(),
        };
        provider.issuer = provider.said("issuer").as_str().unwrap().to_owned();
        Some(provider)
    }

    /// What it says next under this name. Its library prints notices in between.
    fn said(&mut self, name: &str) -> Value {
        let mut lines = self.output.by_ref().map(Result::unwrap);
        let line = lines.find_map(|line| {
            let value: Value = serde_json::from_str(&line).ok()?;
            value.get(name).cloned()
        });
        line.expect("the provider ended")
    }

    /// Lets people sign in for this client (RFC 7591, section 2) from now on, with any name and password. The groups of
    /// `ann+staff` are `staff`.
    pub fn register(&mut self, client: &Value) {
        writeln!(self.input, "client {client}").unwrap();
        assert_eq!(self.said("client"), client["client_id"]);
    }

    /// Signs with a new key from now on; `alone`: the former one is not published any more. Gives the names of the keys.
    pub fn rotate(&mut self, alone: bool) -> Value {
        let line = if alone { "rotate alone" } else { "rotate" };
        writeln!(self.input, "{line}").unwrap();
        self.said("keys")
    }
}

impl Drop for OpenIdProvider {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
