//! The one script of the pages: what only a script can do, the ceremonies of passkeys (WebAuthn level 3).
//!
//! It stands in the page itself, and the policy names its digest: no other script runs. Pages that do not need it have
//! none, and without it every page works as before.

use std::fmt::Write as _;
use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use sha2::{Digest, Sha256};

use super::theme::RenderedPage;

const SCRIPT: &str = include_str!("../../assets/pages/passkey.js");

/// What a page's policy adds for the script: itself, and requests to where the page is from.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    let digest = STANDARD.encode(Sha256::digest(SCRIPT));
    format!("; script-src 'sha256-{digest}'; connect-src 'self'")
});

/// What the script does on a page. All values are shown to whoever sees the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PasskeyScript<'a> {
    /// Where the endpoints are: a path, without a slash at its end.
    pub action: &'a str,
    /// Which ceremony the page offers.
    pub step: PasskeyStep<'a>,
    /// Where the browser goes afterwards: a path; empty where it did not say.
    pub next: &'a str,
}

/// Which ceremony a page offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasskeyStep<'a> {
    /// Signing in without a name and a password.
    SignIn,
    /// The second factor, after the password.
    SecondFactor {
        /// What the password was exchanged for.
        continuation: &'a str,
        /// Which kinds of keys the person has: `passkey`, `security_key`, with a blank between them.
        kinds: &'a str,
    },
    /// A new key.
    Registration,
}

impl RenderedPage {
    /// The same page with the script, behind everything else; one without an end gets it there.
    #[must_use]
    pub fn with_passkeys(mut self, script: &PasskeyScript<'_>) -> Self {
        let (name, continuation, kinds) = match script.step {
            PasskeyStep::SignIn => ("sign-in", "", ""),
            PasskeyStep::SecondFactor {
                continuation,
                kinds,
            } => ("second-factor", continuation, kinds),
            PasskeyStep::Registration => ("registration", "", ""),
        };
        let mut element = "<script".to_owned();
        for (attribute, value) in [
            ("action", script.action),
            ("step", name),
            ("next", script.next),
            ("continuation", continuation),
            ("kinds", kinds),
        ] {
            let _ = write!(element, " data-{attribute}=\"{}\"", Escaped(value));
        }
        let _ = writeln!(element, ">{SCRIPT}</script>");
        let end = self.html.rfind("</body>").unwrap_or(self.html.len());
        self.html.insert_str(end, &element);
        let policy = [self.policy.as_bytes(), POLICY.as_bytes()].concat();
        self.policy = HeaderValue::from_bytes(&policy).expect("base64 is visible ASCII");
        self.asks_for_keys = true;
        self
    }
}

/// A value in a quoted attribute.
struct Escaped<'a>(&'a str);

impl std::fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for character in self.0.chars() {
            match character {
                '&' => f.write_str("&amp;")?,
                '"' => f.write_str("&quot;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                other => f.write_char(other)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::{SignInPage, Theme};

    fn page(next: &str) -> RenderedPage {
        let script = PasskeyScript {
            action: "/auth/passkey",
            step: PasskeyStep::SignIn,
            next,
        };
        let page = Theme::builtin("T").show(&SignInPage::default());
        page.with_passkeys(&script)
    }

    #[test]
    fn the_policy_names_the_script_as_it_stands_in_the_page() {
        let page = page("/jobs");
        let (_, behind) = page.html.split_once("<script").unwrap();
        let (attributes, behind) = behind.split_once('>').unwrap();
        let (script, end) = behind.split_once("</script>").unwrap();
        assert!(
            attributes.contains(r#"data-step="sign-in" data-next="/jobs""#),
            "{attributes}"
        );
        assert_eq!(end, "\n</body>\n</html>\n");
        let digest = STANDARD.encode(Sha256::digest(script));
        let policy = page.policy.to_str().unwrap();
        assert!(
            policy.contains(&format!(
                "; script-src 'sha256-{digest}'; connect-src 'self'"
            )),
            "{policy}"
        );
        assert!(
            policy.starts_with("default-src 'none'; ") && policy.contains("frame-ancestors 'none'")
        );
    }

    /// Browsers read `\r\n` as `\n` before they look at the digest, and an end tag inside of a script ends it.
    #[test]
    fn the_script_is_read_as_it_is_written() {
        assert!(!SCRIPT.contains('\r'));
        let script = SCRIPT.to_ascii_lowercase();
        assert!(
            !script.contains("</script") && !script.contains("<!--") && !script.contains("<script")
        );
    }

    #[test]
    fn values_stay_in_their_attributes() {
        let page = page("/a\"><script>alert(1)</script>&");
        assert!(
            page.html
                .contains("data-next=\"/a&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;&amp;\"")
        );
        assert_eq!(page.html.matches("<script").count(), 1);
    }
}
