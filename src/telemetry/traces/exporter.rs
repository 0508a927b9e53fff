//! The thread that sends spans, with a small runtime of its own.

use std::error::Error;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use opentelemetry::KeyValue;
use opentelemetry_otlp::tonic_types::metadata::MetadataMap;
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _, WithTonicConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SpanData, SpanExporter as _};
use tokio::runtime::{Builder, Runtime};

use super::connect;
use super::queue::SpanQueue;
use super::settings::TraceSettings;
use crate::ambient;

/// How often a collector that stays away is worth an event.
const SILENCE: Duration = Duration::from_secs(60);

/// Starts the thread. What is returned ends when the thread has ended.
pub(super) fn start(
    settings: &TraceSettings,
    queue: &Arc<SpanQueue>,
) -> Result<Receiver<()>, Box<dyn Error>> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let exporter = runtime.block_on(async { exporter(settings) })?;
    let (alive, ended) = channel();
    let sending = Sending {
        queue: Arc::clone(queue),
        runtime,
        exporter,
        timeout: settings.timeout,
        health: Health::Sending,
    };
    let run = move || {
        sending.run();
        drop(alive);
    };
    thread::Builder::new()
        .name("traces".to_owned())
        .spawn(run)?;
    Ok(ended)
}

fn exporter(settings: &TraceSettings) -> Result<SpanExporter, Box<dyn Error>> {
    let headers = settings.headers.iter().cloned().collect();
    let mut exporter = SpanExporter::builder()
        .with_tonic()
        .with_channel(connect::channel(settings)?)
        .with_metadata(MetadataMap::from_headers(headers))
        .with_timeout(settings.timeout)
        .build()?;
    exporter.set_resource(&resource(settings));
    Ok(exporter)
}

/// Who traces: the configuration, then the standard variables `OTEL_RESOURCE_ATTRIBUTES` and `OTEL_SERVICE_NAME`.
fn resource(settings: &TraceSettings) -> Resource {
    let found = Resource::builder().build();
    let name = opentelemetry::Key::from_static_str("service.name");
    let unnamed = found
        .get(&name)
        .is_none_or(|name| name.as_str().starts_with("unknown_service"));
    let default = unnamed.then(|| env!("CARGO_PKG_NAME").to_owned());
    let instance = u64::from_be_bytes(ambient::random_bytes());
    let mut builder = Resource::builder()
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .with_attribute(KeyValue::new(
            "service.instance.id",
            format!("{instance:016x}"),
        ));
    if let Some(name) = settings.service_name.clone().or(default) {
        builder = builder.with_service_name(name);
    }
    builder.build()
}

struct Sending {
    queue: Arc<SpanQueue>,
    runtime: Runtime,
    exporter: SpanExporter,
    timeout: Duration,
    health: Health,
}

/// Whether the last export went well, so that a collector that stays away is not one event an export.
#[derive(Clone, Copy)]
enum Health {
    Sending,
    /// When this was last logged.
    Failing(Instant),
}

impl Sending {
    fn run(mut self) {
        while let Some(batch) = self.queue.take() {
            self.send(batch);
        }
    }

    fn send(&mut self, batch: Vec<SpanData>) {
        let count = batch.len();
        let Self {
            exporter, timeout, ..
        } = self;
        // the exporter has a limit of its own, and a second one costs nothing
        let sent = self
            .runtime
            .block_on(async { tokio::time::timeout(*timeout, exporter.export(batch)).await });
        match sent {
            Ok(Ok(())) => self.succeed(count),
            Ok(Err(error)) => self.fail(count, &error.to_string()),
            Err(_) => self.fail(count, "no answer in time"),
        }
    }

    fn succeed(&mut self, count: usize) {
        self.queue.counts.export(count);
        if let Health::Failing(_) = self.health {
            tracing::info!(
                event = "trace_export_recovered",
                "spans are taken by the collector again"
            );
        }
        self.health = Health::Sending;
    }

    fn fail(&mut self, count: usize, error: &str) {
        self.queue.counts.drop(count);
        let now = ambient::now();
        if let Health::Failing(told) = self.health
            && now.duration_since(told) < SILENCE
        {
            return;
        }
        self.health = Health::Failing(now);
        let dropped = self.queue.counts.dropped();
        tracing::warn!(
            event = "trace_export_failed",
            error,
            dropped,
            "spans are dropped: the collector does not take them"
        );
    }
}
