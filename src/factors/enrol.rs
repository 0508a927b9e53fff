//! How a secret comes into an authenticator app: an address that says all, and a picture of it.

use std::fmt::Write as _;

use qrcode::{Color, EcLevel, QrCode};
use zeroize::Zeroizing;

use super::secret::TotpSecret;
use crate::text::percent;

/// The light border that readers need, in modules (ISO/IEC 18004, section 5.3.8).
const QUIET: usize = 4;

/// The address of a secret (`otpauth:`, the Key Uri Format of Google Authenticator). Whoever sees it has the secret: it reaches no
/// log, no cache and no `Referer`.
pub struct TotpUri(Zeroizing<String>);

impl TotpUri {
    /// The address of a secret of an account, as an app shows it. A colon parts the two names, so that neither may have one: it
    /// becomes a hyphen.
    pub fn new(issuer: &str, account: &str, secret: &TotpSecret) -> Self {
        let part = |name: &str| {
            let mut part = String::new();
            percent::encode_into(&mut part, &name.replace(':', "-"), is_unreserved);
            part
        };
        let (issuer, account) = (part(issuer), part(account));
        let secret = secret.to_base32();
        let mut uri = Zeroizing::new(String::with_capacity(1024));
        // the defaults are written as well: some apps have others
        let _ = write!(
            uri,
            "otpauth://totp/{issuer}:{account}?secret={}&issuer={issuer}&algorithm=SHA1&digits=6&period=30",
            *secret
        );
        Self(uri)
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As a picture for a page: SVG without a script, a style or a text, dark on light whatever the colours around it. `None` where
    /// the names are too long for a QR code.
    pub fn to_svg(&self) -> Option<Zeroizing<String>> {
        let code = self.to_qr()?;
        let (width, size) = (code.width(), code.width() + 2 * QUIET);
        let mut svg = Zeroizing::new(String::with_capacity(32 << 10));
        let _ = write!(
            svg,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {size} {size}\" shape-rendering=\"crispEdges\" role=\"img\">\
             <path fill=\"#fff\" d=\"M0 0h{size}v{size}H0z\"/><path fill=\"#000\" d=\""
        );
        let colors = code.to_colors();
        for (y, row) in colors.chunks(width).enumerate() {
            for (x, length) in dark_runs(row) {
                let _ = write!(svg, "M{} {}h{length}v1h-{length}z", x + QUIET, y + QUIET);
            }
        }
        svg.push_str("\"/></svg>");
        Some(svg)
    }

    /// As a picture for a terminal, two modules in a character; it is read on a dark and on a light background. `None` where the names
    /// are too long.
    pub fn to_text(&self) -> Option<Zeroizing<String>> {
        let code = self.to_qr()?;
        let size = code.width() + 2 * QUIET;
        let is_light = |x: usize, y: usize| {
            let inside = |at: usize| (QUIET..size - QUIET).contains(&at);
            !(inside(x) && inside(y) && code[(x - QUIET, y - QUIET)] == Color::Dark)
        };
        let mut text = Zeroizing::new(String::with_capacity(size * size * 2));
        for y in (0..size).step_by(2) {
            for x in 0..size {
                text.push(
                    match (is_light(x, y), y + 1 >= size || is_light(x, y + 1)) {
                        (true, true) => '█',
                        (true, false) => '▀',
                        (false, true) => '▄',
                        (false, false) => ' ',
                    },
                );
            }
            text.push('\n');
        }
        Some(text)
    }

    fn to_qr(&self) -> Option<QrCode> {
        QrCode::with_error_correction_level(self.0.as_bytes(), EcLevel::M).ok()
    }
}

/// RFC 3986, section 2.3.
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

/// Where dark modules begin in a row, and how many there are.
fn dark_runs(row: &[Color]) -> Vec<(usize, usize)> {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for (x, _) in row
        .iter()
        .enumerate()
        .filter(|(_, color)| **color == Color::Dark)
    {
        match runs.last_mut() {
            Some((start, length)) if *start + *length == x => *length += 1,
            Some(_) | None => runs.push((x, 1)),
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(issuer: &str, account: &str) -> TotpUri {
        let secret = TotpSecret::parse("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ").unwrap();
        TotpUri::new(issuer, account, &secret)
    }

    #[test]
    fn the_address_says_everything_and_names_cannot_change_it() {
        assert_eq!(
            uri("gate.example.com", "alice@example.com").as_str(),
            "otpauth://totp/gate.example.com:alice%40example.com?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=gate.example.com&algorithm=SHA1&digits=6&period=30"
        );
        let odd = uri("a:b c", "zoë?secret=x&/#:");
        assert!(
            odd.as_str()
                .starts_with("otpauth://totp/a-b%20c:zo%C3%AB%3Fsecret%3Dx%26%2F%23-?secret=GEZ")
        );
    }

    #[test]
    fn both_pictures_have_every_module() {
        let uri = uri("gate.example.com", "alice");
        let code = uri.to_qr().unwrap();
        let dark = code
            .to_colors()
            .iter()
            .filter(|color| **color == Color::Dark)
            .count();
        let svg = uri.to_svg().unwrap();
        let (_, path) = svg.rsplit_once("d=\"").unwrap();
        let lengths = path.split('M').filter_map(|run| {
            run.split_once('h')?
                .1
                .split_once('v')?
                .0
                .parse::<usize>()
                .ok()
        });
        assert_eq!(lengths.sum::<usize>(), dark);
        assert!(
            !svg.contains("<?xml") && !svg.contains("style") && svg.len() < 20_000,
            "{}",
            svg.len()
        );
        let text = uri.to_text().unwrap();
        let size = code.width() + 2 * QUIET;
        assert!(text.lines().all(|line| line.chars().count() == size));
        let halves = |line: &str| -> usize {
            line.chars()
                .map(|char| match char {
                    ' ' => 2,
                    '▀' | '▄' => 1,
                    _ => 0,
                })
                .sum()
        };
        assert_eq!(text.lines().map(halves).sum::<usize>(), dark);
        assert!(super::tests::uri(&"x".repeat(3000), "y").to_svg().is_none());
    }
}
