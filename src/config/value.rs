//! Small values that are written as text: durations, sizes, addresses, paths.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ipnet::IpNet;

use crate::access::ShortDuration;

/// How a duration is written.
pub(super) const DURATION_FORMS: [&str; 5] = ["500ms", "10s", "15m", "8h", "7d"];

/// Parses a whole number with one unit: several units or fractions have no place in a timeout.
pub fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = number_and_unit(text)?;
    let millis = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60 * 1000,
        "h" => 3600 * 1000,
        "d" => 24 * 3600 * 1000,
        _ => return None,
    };
    number.checked_mul(millis).map(Duration::from_millis)
}

/// A duration as it is written, in the largest unit that fits.
pub fn show_duration(duration: Duration) -> String {
    ShortDuration(duration).to_string()
}

/// Parses bytes, with or without a binary unit.
pub(super) fn size(text: &str) -> Option<u64> {
    let (number, unit) = number_and_unit(text)?;
    let factor = match unit {
        "" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    number.checked_mul(factor)
}

/// A size as it is written, in the largest unit that fits.
pub(super) fn show_size(bytes: u64) -> String {
    let units = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    match units
        .iter()
        .find(|(_, size)| bytes > 0 && bytes.is_multiple_of(*size))
    {
        Some((unit, size)) => format!("{}{unit}", bytes / size),
        None => bytes.to_string(),
    }
}

fn number_and_unit(text: &str) -> Option<(u64, &str)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    Some((number.parse().ok()?, unit))
}

/// Parses an address to listen on; on failure, says what to write instead: for a port alone, this address.
pub fn listen_address(text: &str, alone: IpAddr) -> Result<SocketAddr, String> {
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let port = text
        .rsplit(':')
        .next()
        .and_then(|port| port.parse::<u16>().ok());
    match (text.rsplit_once(':').map(|(host, _)| host), port) {
        (None | Some("" | "*"), Some(port)) if alone.is_unspecified() => {
            Err(format!("write `{alone}:{port}` for every address"))
        }
        (None | Some("" | "*"), Some(port)) => Err(format!("write `{alone}:{port}`")),
        (Some("localhost"), Some(port)) => Err(format!("write `127.0.0.1:{port}`")),
        (None | Some(_), None | Some(_)) if alone.is_unspecified() => {
            Err("write an IP address and a port: `0.0.0.0:8080`, `[::]:8080`".to_owned())
        }
        (None | Some(_), None | Some(_)) => {
            Err(format!("write an IP address and a port: `{alone}:9900`"))
        }
    }
}

/// Parses a network in CIDR form, or a single address; on failure, says what to write instead.
pub(super) fn network(text: &str) -> Result<IpNet, String> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(IpNet::from(address));
    }
    let network: IpNet = text
        .parse()
        .map_err(|_| "write a network such as `10.0.0.0/8` or `fd00::/8`".to_owned())?;
    // `10.1.2.3/8` is a slip more often than a way to say `10.0.0.0/8`, and it would admit more than it seems to.
    if network.trunc() == network {
        Ok(network)
    } else {
        Err(format!("write `{}`", network.trunc()))
    }
}

/// What to write where a text is not the name of a service.
pub const SERVICE_NAME_FORM: &str = "write up to 64 letters, digits, `-`, `_` and `.`";

/// Whether a service may have this name.
pub fn is_service_name(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    (1..=64).contains(&text.len()) && text.chars().all(fits)
}

/// Seconds since 1970: of a date its first moment, or of a time in RFC 3339.
pub fn moment(text: &str) -> Option<u64> {
    let midnight = humantime::parse_rfc3339(&format!("{text}T00:00:00Z"));
    let time = midnight.or_else(|_| humantime::parse_rfc3339(text)).ok()?;
    since_1970(time)
}

/// A part of a second counts as the whole: what was issued within it is refused.
pub(super) fn since_1970(time: SystemTime) -> Option<u64> {
    let elapsed = time.duration_since(UNIX_EPOCH).ok()?;
    Some(elapsed.as_secs() + u64::from(elapsed.subsec_nanos() > 0))
}

/// Whether this is an absolute path in its one spelling: no parameters, no escapes, no trailing slash.
pub(super) fn is_plain_path(text: &str) -> bool {
    let plain =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
    let segment = |text: &str| !matches!(text, "" | "." | "..") && text.bytes().all(plain);
    text.strip_prefix('/')
        .is_some_and(|rest| rest.split('/').all(segment))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_sizes_have_one_unit() {
        for (text, millis) in [
            ("500ms", Some(500)),
            ("10s", Some(10_000)),
            ("15m", Some(900_000)),
            ("8h", Some(28_800_000)),
            ("7d", Some(604_800_000)),
            ("0s", Some(0)),
            ("10", None),
            ("1.5s", None),
            ("1h30m", None),
            ("-1s", None),
            ("10 s", None),
            ("s", None),
            ("99999999999999999d", None),
        ] {
            assert_eq!(duration(text), millis.map(Duration::from_millis), "{text}");
        }
        for (text, bytes) in [
            ("0", Some(0)),
            ("16KiB", Some(16_384)),
            ("10MiB", Some(10_485_760)),
            ("1GiB", Some(1 << 30)),
            ("10MB", None),
            ("10k", None),
            ("", None),
            ("99999999999999GiB", None),
        ] {
            assert_eq!(size(text), bytes, "{text}");
        }
    }

    #[test]
    fn what_is_shown_is_what_is_written() {
        for text in ["0s", "500ms", "90s", "1m", "36h", "7d"] {
            assert_eq!(duration(text).map(show_duration).as_deref(), Some(text));
        }
        for text in ["0", "1000", "16KiB", "10MiB"] {
            assert_eq!(size(text).map(show_size).as_deref(), Some(text));
        }
    }

    #[test]
    fn addresses_say_what_to_write() {
        for (text, expected) in [
            ("127.0.0.1:80", Ok("127.0.0.1:80")),
            ("[::]:80", Ok("[::]:80")),
            (":80", Err("write `0.0.0.0:80` for every address")),
            ("80", Err("write `0.0.0.0:80` for every address")),
            ("localhost:80", Err("write `127.0.0.1:80`")),
            (
                "0.0.0.0",
                Err("write an IP address and a port: `0.0.0.0:8080`, `[::]:8080`"),
            ),
            (
                "example.com:80",
                Err("write an IP address and a port: `0.0.0.0:8080`, `[::]:8080`"),
            ),
        ] {
            let every = IpAddr::from([0, 0, 0, 0]);
            let read = listen_address(text, every).map(|address| address.to_string());
            assert_eq!(read.as_deref().map_err(String::as_str), expected, "{text}");
        }
        // what is private is offered to the machine itself alone
        for text in [
            ":9900",
            "9900",
            "*:9900",
            "localhost:9900",
            "0.0.0.0",
            "a:1",
        ] {
            let help = listen_address(text, IpAddr::from([127, 0, 0, 1])).unwrap_err();
            assert!(help.contains("`127.0.0.1:"), "{text}: {help}");
        }
        assert_eq!(
            network("10.0.0.1")
                .map(|network| network.to_string())
                .as_deref(),
            Ok("10.0.0.1/32")
        );
        assert_eq!(
            network("10.1.2.3/8").err().as_deref(),
            Some("write `10.0.0.0/8`")
        );
    }

    #[test]
    fn plain_paths() {
        for (text, expected) in [
            ("/auth", true),
            ("/a/b-c.d", true),
            ("/", false),
            ("/auth/", false),
            ("auth", false),
            ("/a//b", false),
            ("/a/../b", false),
            ("/a/{id}", false),
            ("/a%20b", false),
            ("", false),
        ] {
            assert_eq!(is_plain_path(text), expected, "{text}");
        }
    }
}
