//! Ports in addresses and URLs.

/// The port of an address or a URL that is no port, for it is beyond 65535.
pub fn port_beyond(text: &str) -> Option<&str> {
    if !text.contains(':') {
        return None;
    }
    let text = text.rsplit(' ').next()?;
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next()?;
    let hosts = authority.rsplit('@').next()?;
    hosts.split(',').find_map(|host| {
        let (host, port) = host.rsplit_once(':')?;
        // `fd00::12345` is an address without a port
        let is_host = !host.contains(':') || host.ends_with(']');
        let is_number = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
        let beyond = port.parse().map_or(true, |port: u32| port > 65_535);
        (is_host && is_number && beyond).then_some(port)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_ends_at_65535() {
        for (text, expected) in [
            ("http://127.0.0.1:90000", Some("90000")),
            (
                "https://user:12345@idp.example.com:65536/keys?a=:1",
                Some("65536"),
            ),
            ("0.0.0.0:99999999999999999999", Some("99999999999999999999")),
            (":80800", Some("80800")),
            ("[::]:80800", Some("80800")),
            ("redis-sentinel://a:1,b:70000/0", Some("70000")),
            ("GET http://localhost:70000/jobs", Some("70000")),
            ("http://127.0.0.1:65535", None),
            ("http://127.0.0.1/a:90000", None),
            ("fd00::90000", None),
            ("[fd00::90000]", None),
            ("unix:/run/a:90000", None),
            ("memory", None),
            ("a:b", None),
            ("", None),
        ] {
            assert_eq!(port_beyond(text), expected, "{text}");
        }
    }
}
