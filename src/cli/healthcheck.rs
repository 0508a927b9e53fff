//! `gatelatch healthcheck`: asks the admin listener whether the gateway is ready.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use bytes::Bytes;
use http::{Response, StatusCode};

use super::printing::print;
use super::words::duration;
use crate::net::{BoundedRequest, HttpUrl, get};

/// The longest answer that is read; a report of readiness is far shorter.
const LONGEST_ANSWER: usize = 16 << 10;

/// Nobody waits longer for a probe.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(3600);

/// Ask a running gateway whether it is ready, for a container's HEALTHCHECK
///
/// It asks `/readyz` of the admin listener. Exit code 0 is ready, 1 is not ready or not there. Of the configuration
/// only `admin.listen` is read: no secret needs to be set, and nothing else needs to be right.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  gatelatch healthcheck --config /etc/gatelatch/gateway.yaml
  gatelatch healthcheck --admin 127.0.0.1:9900 --timeout 1s")]
pub struct HealthcheckArgs {
    /// The admin listener; default: `admin.listen` of the configuration
    #[arg(long, value_name = "ADDR")]
    admin: Option<SocketAddr>,

    /// How long the answer may take
    #[arg(long, default_value = "3s", value_name = "DURATION", value_parser = duration)]
    timeout: Duration,
}

/// Asks and prints one short line. `configured` gives the admin listener of the configuration, which is only read
/// where the command line names none; it gives `None` where the listener is off.
///
/// # Errors
/// Where the gateway is not there, not ready, or cannot be asked.
pub fn run(
    args: &HealthcheckArgs,
    configured: impl FnOnce() -> anyhow::Result<Option<SocketAddr>>,
) -> anyhow::Result<ExitCode> {
    probe(args, configured)?;
    print("ready\n")?;
    Ok(ExitCode::SUCCESS)
}

fn probe(
    args: &HealthcheckArgs,
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
pub(in crate::cli) fn reachable(address: SocketAddr) -> SocketAddr {
    let host = match address.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
        IpAddr::V4(_) | IpAddr::V6(_) => address.ip(),
    };
    SocketAddr::new(host, address.port())
}

/// The whole answer, within `timeout`.
fn ask(address: SocketAddr, timeout: Duration) -> anyhow::Result<Response<Bytes>> {
    let request = BoundedRequest {
        url: &HttpUrl::parse(&format!("http://{address}/readyz"))?,
        accept: "application/json",
        authorization: None,
        tls: None,
        largest: LONGEST_ANSWER,
        deadline: timeout.min(LONGEST_TIMEOUT),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    Ok(runtime.block_on(get(request))?)
}

fn judge(answer: &Response<Bytes>) -> anyhow::Result<()> {
    match answer.status() {
        StatusCode::OK => Ok(()),
        StatusCode::SERVICE_UNAVAILABLE => {
            let body = String::from_utf8_lossy(answer.body());
            bail!("not ready: {}", body.trim_end())
        }
        other => bail!(
            "`/readyz` answered {}; is this the admin listener?",
            other.as_u16()
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
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
        let args = HealthcheckArgs {
            admin: None,
            timeout: Duration::from_secs(20),
        };
        let outcome = probe(&args, || Ok(Some(address)));
        let request = server.join().unwrap();
        let expected = format!("GET /readyz HTTP/1.1\r\nhost: {address}\r\n");
        assert!(request.starts_with(&expected), "{request}");
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
        ] {
            assert_eq!(outcome(answer).unwrap_err(), expected);
        }
        for answer in ["SSH-2.0-OpenSSH_9.2\r\n", ""] {
            let error = outcome(answer).unwrap_err();
            assert!(error.contains(": no HTTP answer: "), "{error}");
        }
    }

    #[test]
    fn nobody_there_is_an_error() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let args = HealthcheckArgs {
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
        let args = HealthcheckArgs {
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
