//! `gatelatch demo`: the gateway in front of a sample service, with nothing to set up.

mod files;
mod upstream;

use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use tracing::Level;

use super::{load, load_request};
use crate::ambient;
use crate::config;
use crate::server::{self, Bound, GatewaySettings};
use crate::telemetry::access_log::AccessLog;
use crate::telemetry::{LineFormat, events};

/// Run a sample service with the gateway in front of it, and print requests to try
///
/// Everything lives in a temporary folder that is removed at the end. While it runs, edit the configuration there: it
/// is reloaded as you save it, and stderr says so. Access-log lines appear on stdout.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  gatelatch demo
  gatelatch demo --listen 127.0.0.1:9000")]
pub(super) struct DemoArgs {
    /// Where the gateway listens; another port where this one is taken
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080", value_parser = listen_address)]
    listen: SocketAddr,
}

fn listen_address(text: &str) -> Result<SocketAddr, String> {
    config::listen_address(text, Ipv4Addr::LOCALHOST.into())
}

pub(super) fn run(args: &DemoArgs) -> anyhow::Result<ExitCode> {
    let upstream = upstream::start().context("the sample service cannot start")?;
    let folder = files::Folder::create(ambient::random_bytes())
        .context("there is no temporary folder to write to")?;
    let listen = free_or_any(args.listen);
    let admin = free_or_any(SocketAddr::from(([127, 0, 0, 1], 9900)));
    folder
        .write(&files::Setup {
            listen,
            admin,
            upstream,
        })
        .context("the temporary folder cannot be written to")?;
    let request = load_request(&folder.config());
    let loaded = load::load_with(&request)?;
    let access_log = AccessLog::start(LineFormat::of(&io::stdout()), Box::new(io::stdout()));
    let settings = GatewaySettings {
        loaded,
        request,
        access_log,
        events: None,
    };
    // what is said at the start is printed below; a reload is told where its file is edited
    let events = events::init(LineFormat::of(&io::stderr()), Level::WARN);
    let events = events.context("events cannot be written")?;
    server::run(settings, |bound| {
        events.set_level(Level::INFO);
        // a closed stdout ends nothing: the gateway can still be tried
        let _ = introduce(bound, upstream, &folder.config());
    })?;
    writeln!(anstream::stdout().lock(), "\nThe demo has ended.")?;
    Ok(ExitCode::SUCCESS)
}

/// The address, or any other port of it where somebody has it already.
fn free_or_any(address: SocketAddr) -> SocketAddr {
    match std::net::TcpListener::bind(address) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => SocketAddr::new(address.ip(), 0),
        // another error is said by whoever listens
        Ok(_) | Err(_) => address,
    }
}

fn introduce(bound: &Bound, upstream: SocketAddr, config: &Path) -> io::Result<()> {
    let gateway = bound
        .clients
        .first()
        .map(|address| format!("http://{address}"))
        .unwrap_or_default();
    let admin = bound
        .admin
        .map(|address| format!("http://{address}"))
        .unwrap_or_default();
    let mut out = anstream::stdout().lock();
    writeln!(
        out,
        "Gatelatch stands at {gateway} in front of a sample service that knows nothing of users (http://{upstream}).

Users: rita (recruiter), carl (candidate), both with the password `demo-password`.
Configuration, reloaded when you change it: {}
Dashboard: {admin}/
Health and metrics: {admin}/readyz {admin}/metrics

Try in a browser: {gateway}/ leads to the sign-in page ({gateway}/auth/login).

Or in another terminal:

  # a public page
  curl -i {gateway}/public/hello

  # 401: nobody is logged in
  curl -i {gateway}/jobs

  # log in and keep the token
  TOKEN=$(curl -s {gateway}/auth/login -d username=rita -d password=demo-password | sed 's/.*\"access_token\":\"\\([^\"]*\\)\".*/\\1/')

  # 200: the service is told who it is
  curl -i {gateway}/jobs -H \"Authorization: Bearer $TOKEN\"
  curl -i -X POST {gateway}/jobs -H \"Authorization: Bearer $TOKEN\" -d title=Engineer

  # 403: a candidate may not post jobs
  TOKEN=$(curl -s {gateway}/auth/login -d username=carl -d password=demo-password | sed 's/.*\"access_token\":\"\\([^\"]*\\)\".*/\\1/')
  curl -i -X POST {gateway}/jobs -H \"Authorization: Bearer $TOKEN\" -d title=Engineer

Ctrl-C ends the demo.
",
        config.display()
    )
}
