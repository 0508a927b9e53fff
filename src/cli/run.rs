//! `gatelatch run`: the gateway.

use std::io::IsTerminal;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;

use super::{load, load_request};
use crate::config::LogFormat;
use crate::server::{self, GatewaySettings};
use crate::telemetry::LineFormat;
use crate::telemetry::access_log::AccessLog;
use crate::telemetry::events;

/// Run the gateway until SIGTERM or Ctrl-C
///
/// Access-log lines go to stdout, events to stderr. Both files are read again when they change and on SIGHUP; a file
/// with problems is never applied. SIGTERM finishes the requests that run (`server.timeouts.drain`), a second one ends
/// at once. Exit code 0 after a signal, 1 where it cannot start or fails.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  gatelatch run
  gatelatch run --config /etc/gatelatch/gateway.yaml
  GATELATCH_CONFIG=/etc/gatelatch/gateway.yaml gatelatch run")]
pub(super) struct RunArgs {}

pub(super) fn run(_: &RunArgs, config: &Path) -> anyhow::Result<ExitCode> {
    let request = load_request(config);
    let loaded = load::load_with(&request)?;
    let format = loaded.config.log.format;
    let events = events::init(
        line_format(format, &std::io::stderr()),
        loaded.config.log.level,
    )
    .context("events cannot be written")?;
    let access_log = AccessLog::start(
        line_format(format, &std::io::stdout()),
        Box::new(std::io::stdout()),
    );
    server::run(
        GatewaySettings {
            loaded,
            request,
            access_log,
            events: Some(events),
        },
        |_| {},
    )?;
    Ok(ExitCode::SUCCESS)
}

fn line_format(format: LogFormat, stream: &impl IsTerminal) -> LineFormat {
    match format {
        LogFormat::Auto => LineFormat::of(stream),
        LogFormat::Text => LineFormat::text_on(stream),
        LogFormat::Json => LineFormat::Json,
    }
}
