//! `oathtool` in the place of an authenticator app.

use std::path::PathBuf;
use std::process::Command;

use super::programs::program;

/// The program of OATH Toolkit.
pub struct Oathtool(PathBuf);

/// The program, where it is installed.
pub fn oathtool() -> Option<Oathtool> {
    program("oathtool").map(Oathtool)
}

impl Oathtool {
    /// The code that an app shows now.
    pub fn code(&self, secret: &str) -> String {
        self.run(&[secret])
    }

    /// The code that it shows so many seconds from now.
    pub fn code_in(&self, secret: &str, seconds: i64) -> String {
        self.run(&["--now", &format!("{seconds} seconds"), secret])
    }

    fn run(&self, arguments: &[&str]) -> String {
        let output = Command::new(&self.0)
            .args(["--totp", "--base32"])
            .args(arguments)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }
}
