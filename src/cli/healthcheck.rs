//! `gatelatch healthcheck`: asks the admin listener whether the gateway is ready.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail};

use crate::ambient;

/// The longest answer that is read; a report of readiness is far shorter.
const LONGEST_ANSWER: usize = 16 << 10;

/// Nobody waits longer for a probe.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(3600);

/// Ask a running gateway whether it is ready, for a container's HEALTHCHECK.
///
/// It asks `/readyz` of the admin listener. Exit code 0 is ready, 1 is not ready or not there.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  gatelatch healthcheck --config /etc/gatelatch/gateway.yaml
  gatelatch healthcheck --admin 127.0.0.1:9900 --timeout 1s")]
pub struct Args {
    /// The admin listener; default: `admin.listen` of the configuration
    #[arg(long, value_name = "ADDR")]
    admin: Option<SocketAddr>,

    /// How long the answer may take
    #[arg(long, default_value = "3s", value_name = "DURATION", value_parser = humantime::parse_duration)]
    timeout: Duration,
}

/// Asks and prints one short line. `configured` gives the admin listener of the configuration, which is only read
/// where the command line names none; it gives `None` where the listener is off.
///
/// # Errors
/// Where the gateway is not there, not ready, or cannot be asked.
pub fn run(
    args: &Args,
    configured: impl FnOnce() -> anyhow::Result<Option<SocketAddr>>,
) -> anyhow::Result<ExitCode> {
    probe(args, configured)?;
    writeln!(anstream::stdout().lock(), "ready").context("cannot write to standard output")?;
    Ok(ExitCode::SUCCESS)
}

fn probe(
    args: &Args,
    configured: impl FnOnce() -> anyhow::Result<Option<SocketAddr>>,
) -> anyhow::Result<()> {
    let address = match args.admin {
        Some(address) => address,
        None => configured()?.context(
            "`admin.listen` is `off`, so there is nobody to ask; set it to `127.0.0.1:9900`",
        )?,
    };
    let address = reachable(address);
    let answer = ask(address, args.timeout)
        .with_context(|| format!("cannot ask the admin listener at `{address}`"))?;
    judge(&answer)
}

/// An address that listens everywhere is asked on the loopback interface.
fn reachable(address: SocketAddr) -> SocketAddr {
    let host = match address.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
        IpAddr::V4(_) | IpAddr::V6(_) => address.ip(),
    };
    SocketAddr::new(host, address.port())
}

/// The whole answer, within `timeout`.
fn ask(address: SocketAddr, timeout: Duration) -> anyhow::Result<String> {
    exchange(address, ambient::now() + timeout.min(LONGEST_TIMEOUT)).map_err(|error| {
        // a socket calls its own timeout either
        if matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::WouldBlock) {
            anyhow!("no answer within {}", humantime::format_duration(timeout))
        } else if error.kind() == ErrorKind::InvalidData {
            anyhow!("the answer is not that of an admin listener")
        } else {
            error.into()
        }
    })
}

fn exchange(address: SocketAddr, deadline: Instant) -> io::Result<String> {
    let left = || {
        let left = deadline.saturating_duration_since(ambient::now());
        if left.is_zero() {
            Err(io::Error::from(ErrorKind::TimedOut))
        } else {
            Ok(left)
        }
    };
    let mut stream = TcpStream::connect_timeout(&address, left()?)?;
    stream.set_write_timeout(Some(left()?))?;
    let request = format!("GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let (mut answer, mut piece) = (Vec::new(), [0; 4096]);
    while answer.len() <= LONGEST_ANSWER {
        stream.set_read_timeout(Some(left()?))?;
        match stream.read(&mut piece)? {
            0 => return String::from_utf8(answer).map_err(|_| ErrorKind::InvalidData.into()),
            count => answer.extend_from_slice(&piece[..count]),
        }
    }
    Err(ErrorKind::InvalidData.into())
}

fn judge(answer: &str) -> anyhow::Result<()> {
    let (head, body) = answer
        .split_once("\r\n\r\n")
        .context("the answer is not HTTP")?;
    let status = head
        .strip_prefix("HTTP/1.1 ")
        .and_then(|rest| rest.get(..3));
    match status.context("the answer is not HTTP")? {
        "200" => Ok(()),
        "503" => bail!("not ready: {}", body.trim_end()),
        other => bail!("`/readyz` answered {other}; is this the admin listener?"),
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    /// The outcome where a listener gives `answer` to the first request.
    fn outcome(answer: &'static str) -> Result<(), String> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 512];
            let count = stream.read(&mut request).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
            String::from_utf8(request[..count].to_vec()).unwrap()
        });
        let args = Args {
            admin: None,
            timeout: Duration::from_secs(20),
        };
        let outcome = probe(&args, || Ok(Some(address)));
        let request = server.join().unwrap();
        assert_eq!(
            request,
            format!("GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")
        );
        outcome.map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn the_answer_decides() {
        assert_eq!(outcome("HTTP/1.1 200 OK\r\n\r\n{}"), Ok(()));
        for (answer, expected) in [
            (
                "HTTP/1.1 503 Service Unavailable\r\n\r\n{\"ready\":false}\n",
                "not ready: {\"ready\":false}",
            ),
            (
                "HTTP/1.1 404 Not Found\r\n\r\n",
                "`/readyz` answered 404; is this the admin listener?",
            ),
            ("SSH-2.0-OpenSSH_9.2\r\n", "the answer is not HTTP"),
            ("", "the answer is not HTTP"),
        ] {
            assert_eq!(outcome(answer).unwrap_err(), expected);
        }
    }

    #[test]
    fn nobody_there_is_an_error() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let args = Args {
            admin: Some(address),
            timeout: Duration::from_secs(20),
        };
        let error = probe(&args, || {
            unreachable!("the command line names the listener")
        })
        .unwrap_err();
        assert!(
            format!("{error:#}")
                .starts_with(&format!("cannot ask the admin listener at `{address}`: ")),
            "{error:#}"
        );
    }

    #[test]
    fn a_listener_that_says_nothing_is_late() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let error = ask(listener.local_addr().unwrap(), Duration::from_millis(20)).unwrap_err();
        assert_eq!(error.to_string(), "no answer within 20ms");
    }

    #[test]
    fn an_admin_listener_that_is_off_cannot_be_asked() {
        let args = Args {
            admin: None,
            timeout: Duration::from_secs(1),
        };
        let error = probe(&args, || Ok(None)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`admin.listen` is `off`, so there is nobody to ask; set it to `127.0.0.1:9900`"
        );
    }

    #[test]
    fn an_address_that_listens_everywhere_is_asked_on_the_loopback() {
        for (configured, asked) in [
            ("0.0.0.0:9900", "127.0.0.1:9900"),
            ("[::]:9900", "[::1]:9900"),
            ("10.1.2.3:1", "10.1.2.3:1"),
        ] {
            assert_eq!(
                reachable(configured.parse().unwrap()),
                asked.parse().unwrap()
            );
        }
    }
}
