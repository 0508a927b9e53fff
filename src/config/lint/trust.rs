//! Who is believed, and who is let near.

use std::net::{IpAddr, SocketAddr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::config::code::Code;
use crate::config::finding::Finding;
use crate::config::settings::{Listen, Server};
use crate::config::span::Span;

/// A network of proxies that is wider than anybody's proxies are.
pub(in crate::config) fn wide_proxies(network: &IpNet, span: Span) -> Option<Finding> {
    let help = "name the networks of your proxies, such as `10.0.0.0/24`";
    if network.prefix_len() == 0 {
        let message = "every client may say what its address is";
        return Some(Finding::warning(Code::TrustsEveryone, span, message).help(help));
    }
    // Content delivery networks have public blocks of /12 and up.
    let widest = match network {
        IpNet::V4(v4) if is_private_v4(v4) => 8,
        IpNet::V4(_) => 12,
        IpNet::V6(v6) if is_private_v6(v6) => 7,
        IpNet::V6(_) => 20,
    };
    (network.prefix_len() < widest).then(|| {
        let message = format!("every machine of `{network}` may say what a client's address is");
        Finding::warning(Code::WideProxies, span, message).help(help)
    })
}

fn is_private_v4(network: &Ipv4Net) -> bool {
    let address = network.network();
    address.is_private() || address.is_loopback() || address.is_link_local()
}

fn is_private_v6(network: &Ipv6Net) -> bool {
    let address = network.network();
    address.is_unique_local() || address.is_loopback() || address.is_unicast_link_local()
}

/// An admin listener that others than this machine and its private networks may reach.
pub(in crate::config) fn open_admin(address: SocketAddr, span: Span) -> Option<Finding> {
    let port = address.port();
    let open = match address.ip() {
        IpAddr::V4(v4) => !(v4.is_private() || v4.is_loopback() || v4.is_link_local()),
        IpAddr::V6(v6) => !(v6.is_unique_local() || v6.is_loopback() || v6.is_unicast_link_local()),
    };
    open.then(|| {
        let message =
            format!("the admin listener at `{address}` answers whoever reaches this machine");
        Finding::warning(Code::OpenAdmin, span, message).help(format!(
            "write `127.0.0.1:{port}` or the address of an internal network; it knows no login"
        ))
    })
}

/// Passwords with each request that other machines send in the clear: the listener has no TLS, and no proxy in front that is
/// trusted, which would have it.
pub(in crate::config) fn clear_passwords(server: &Server, span: Span) -> Option<Finding> {
    let is_open = |listen: &Listen| match listen {
        Listen::Tcp(address) => !address.ip().to_canonical().is_loopback(),
        // nobody knows which ones
        Listen::Unix(_) | Listen::Systemd => false,
    };
    let listen = server.listen.iter().find(|listen| is_open(listen))?;
    (server.tls.is_none() && server.trusted_proxies.is_empty()).then(|| {
        let message =
            format!("`{listen}` has no TLS, and `basic` lets clients send passwords in the clear");
        Finding::warning(Code::ClearPasswords, span, message)
            .help("set `server.tls`, or name the proxy that has TLS in `server.trusted_proxies`")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::span::File;

    fn here() -> Span {
        Span::at(File::Config, 1, 1)
    }

    #[test]
    fn what_is_wide_depends_on_whose_it_is() {
        for (network, expected) in [
            ("0.0.0.0/0", Some(Code::TrustsEveryone)),
            ("::/0", Some(Code::TrustsEveryone)),
            ("0.0.0.0/1", Some(Code::WideProxies)),
            ("10.0.0.0/8", None),
            ("172.16.0.0/12", None),
            ("127.0.0.0/8", None),
            ("104.16.0.0/13", None),
            ("8.0.0.0/9", Some(Code::WideProxies)),
            ("fc00::/7", None),
            ("2400:cb00::/32", None),
            ("2000::/3", Some(Code::WideProxies)),
        ] {
            let found = wide_proxies(&network.parse().unwrap(), here()).map(|finding| finding.code);
            assert_eq!(found, expected, "{network}");
        }
    }

    #[test]
    fn admin_listeners_of_private_networks_are_not_open() {
        for (address, expected) in [
            ("127.0.0.1:9900", false),
            ("[::1]:9900", false),
            ("10.1.2.3:9900", false),
            ("192.168.0.1:9900", false),
            ("[fd00::1]:9900", false),
            ("0.0.0.0:9900", true),
            ("[::]:9900", true),
            ("192.0.2.1:9900", true),
        ] {
            assert_eq!(
                open_admin(address.parse().unwrap(), here()).is_some(),
                expected,
                "{address}"
            );
        }
    }
}
