//! Where a session was begun, as far as its owner needs it to recognise the session.

use std::net::{IpAddr, Ipv6Addr};

use serde::{Deserialize, Serialize};

/// The network and the program that a session was begun with. Of the address of an IPv6 client the first 64 bits are
/// kept, and of what a program says of itself (`User-Agent`) its family and its system, in words of the gateway's own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionPlace {
    /// An IPv4 address, or an IPv6 network such as `2001:db8::/64`.
    #[serde(rename = "n")]
    pub network: Box<str>,
    /// Such as `Firefox on Linux`; empty where the program is none of those that are known.
    #[serde(rename = "c", default, skip_serializing_if = "str::is_empty")]
    pub client: Box<str>,
}

/// What browsers say of themselves, and their names. The first that is found counts: most say that they are others too.
const FAMILIES: [(&str, &str); 14] = [
    ("Edg/", "Edge"),
    ("EdgA/", "Edge"),
    ("EdgiOS/", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Vivaldi/", "Vivaldi"),
    ("FxiOS/", "Firefox"),
    ("Firefox/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
    ("curl/", "curl"),
    ("Wget/", "Wget"),
    ("python-", "Python"),
];

/// The same of systems.
const SYSTEMS: [(&str, &str); 8] = [
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("CrOS", "ChromeOS"),
    ("Windows", "Windows"),
    ("Macintosh", "macOS"),
    ("Linux", "Linux"),
    ("BSD", "BSD"),
];

/// The most bytes of a `User-Agent` that are read.
const LONGEST: usize = 512;

impl SessionPlace {
    /// The place of a client at this address that says this of itself.
    pub fn of(address: IpAddr, user_agent: Option<&str>) -> Self {
        Self {
            network: network(address).into(),
            client: user_agent.map_or_else(Box::default, family),
        }
    }
}

fn network(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let network = Ipv6Addr::from_bits(address.to_bits() >> 64 << 64);
            format!("{network}/64")
        }
    }
}

fn family(user_agent: &str) -> Box<str> {
    let find = |names: &[(&str, &'static str)]| {
        let read = user_agent.as_bytes();
        let read = &read[..read.len().min(LONGEST)];
        let says = |sign: &str| read.windows(sign.len()).any(|part| part == sign.as_bytes());
        let found = names.iter().find(|(sign, _)| says(sign));
        found.map(|(_, name)| *name)
    };
    match (find(&FAMILIES), find(&SYSTEMS)) {
        (Some(family), Some(system)) => format!("{family} on {system}").into(),
        (Some(one), None) | (None, Some(one)) => one.into(),
        (None, None) => Box::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(user_agent: &str) -> Box<str> {
        SessionPlace::of(Ipv6Addr::LOCALHOST.into(), Some(user_agent)).client
    }

    #[test]
    fn browsers_are_named_by_family_and_system() {
        const LIKE: &str = "AppleWebKit/537.36 (KHTML, like Gecko)";
        let on = |system: &str, rest: &str| client(&format!("Mozilla/5.0 ({system}) {rest}"));
        let linux = "X11; Linux x86_64";
        for (system, rest, expected) in [
            (
                linux,
                "Gecko/20100101 Firefox/140.0".to_owned(),
                "Firefox on Linux",
            ),
            (
                linux,
                format!("{LIKE} Chrome/140.0.0.0 Safari/537.36"),
                "Chrome on Linux",
            ),
            (
                "Windows NT 10.0; Win64; x64",
                format!("{LIKE} Chrome/140.0.0.0 Safari/537.36 Edg/140.0"),
                "Edge on Windows",
            ),
            (
                "Linux; Android 10; K",
                format!("{LIKE} Chrome/140.0.0.0 Mobile Safari/537.36"),
                "Chrome on Android",
            ),
            (
                "iPhone; CPU iPhone OS 18_0 like Mac OS X",
                "AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1"
                    .to_owned(),
                "Safari on iPhone",
            ),
            (
                "Macintosh; Intel Mac OS X 10_15_7",
                "AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Safari/605.1.15".to_owned(),
                "Safari on macOS",
            ),
            (linux, "Gecko".to_owned(), "Linux"),
        ] {
            assert_eq!(&*on(system, &rest), expected, "{system} {rest}");
        }
        assert_eq!(&*client("curl/8.5.0"), "curl");
        for unknown in ["", "x", "<script>alert(1)</script>", "Edg"] {
            assert_eq!(&*client(unknown), "", "{unknown}");
        }
        let far = format!("{}Firefox/1 Linux", "x".repeat(LONGEST));
        assert_eq!(&*client(&far), "", "no more is read");
    }

    #[test]
    fn of_an_ipv6_address_the_network_is_kept() {
        for (address, expected) in [
            ("203.0.113.7", "203.0.113.7"),
            ("::ffff:203.0.113.7", "203.0.113.7"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ] {
            let place = SessionPlace::of(address.parse().unwrap(), None);
            assert_eq!((&*place.network, &*place.client), (expected, ""));
        }
    }
}
