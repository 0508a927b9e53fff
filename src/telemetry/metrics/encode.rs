//! Totals as OpenMetrics text.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Registry, Unit};

use super::ServerLevel;
use super::labels::Label;
use super::totals::{ByLabel, Totals};

/// The media type of what [`super::Metrics::encode`] returns.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Writes every family, those without a series too, so that a dashboard finds them before the first request.
pub(super) fn encode(totals: Totals) -> String {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(totals));
    let mut text = String::new();
    text::encode(&mut text, &registry).expect("writing to a string cannot fail");
    text
}

impl Collector for Totals {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        self.encode_process(&mut encoder)?;
        self.encode_requests(&mut encoder)?;
        self.encode_durations(&mut encoder)?;
        self.encode_upstreams(&mut encoder)?;
        self.encode_servers(&mut encoder)?;
        self.encode_connections(&mut encoder)?;
        self.encode_sign_in(&mut encoder)?;
        self.encode_configuration(&mut encoder)
    }
}

impl Totals {
    fn encode_process(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        encoder
            .encode_descriptor("gatelatch_build", "What is running", None, MetricType::Info)?
            .encode_info(&[("version", env!("CARGO_PKG_VERSION"))])?;
        gauge(
            encoder,
            "process_start_time",
            "When the process started, since 1970",
            Some(&Unit::Seconds),
        )?
        .encode_gauge(&self.process_start)
    }

    fn encode_requests(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let help = "Requests that are over; service and rule are empty where none was found";
        let mut family = counter(encoder, "gatelatch_requests", help)?;
        for (service, totals) in &self.services {
            for (rule, counts) in &totals.requests {
                for ((decision, status), count) in counts {
                    let labels = [
                        ("service", &**service),
                        ("rule", rule),
                        ("decision", decision),
                        ("status", status),
                    ];
                    family
                        .encode_family(&labels)?
                        .encode_counter::<NoLabelSet, _, u64>(count, None)?;
                }
            }
        }
        Ok(())
    }

    fn encode_durations(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let help = "From the end of the request head to the end of the answer";
        let (name, unit) = ("gatelatch_request_duration", Some(&Unit::Seconds));
        let mut family = encoder.encode_descriptor(name, help, unit, MetricType::Histogram)?;
        for (service, totals) in &self.services {
            let (sum, count) = (totals.durations.seconds(), totals.durations.count());
            family
                .encode_family(&[("service", &**service)])?
                .encode_histogram::<NoLabelSet>(sum, count, &totals.durations.buckets(), None)?;
        }
        Ok(())
    }

    fn encode_upstreams(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let help = "Attempts to reach an upstream that failed";
        let mut family = counter(encoder, "gatelatch_upstream_errors", help)?;
        for (service, totals) in self
            .services
            .iter()
            .filter(|(_, totals)| totals.has_upstream_errors())
        {
            for (kind, count) in &totals.upstream_errors {
                let labels = [("service", &**service), ("kind", kind.text())];
                family
                    .encode_family(&labels)?
                    .encode_counter::<NoLabelSet, _, u64>(count, None)?;
            }
        }
        let mut family = gauge(
            encoder,
            "gatelatch_upstream_connections",
            "Open connections to upstreams",
            None,
        )?;
        for (state, level) in &self.upstream_connections {
            family
                .encode_family(&[("state", state.text())])?
                .encode_gauge(level)?;
        }
        Ok(())
    }

    fn encode_servers(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let help = "Requests sent to a server of an upstream; one that is tried again counts again";
        let mut family = counter(encoder, "gatelatch_upstream_requests", help)?;
        for (service, totals) in &self.services {
            for (server, count) in &totals.servers {
                let labels = [("service", &**service), ("server", server)];
                family
                    .encode_family(&labels)?
                    .encode_counter::<NoLabelSet, _, u64>(count, None)?;
            }
        }
        let labels = |level: &ServerLevel| {
            [
                ("service", level.service.clone()),
                ("server", level.server.clone()),
            ]
        };
        let help = "1 where a server of an upstream gets requests, 0 where it is out";
        let mut family = gauge(encoder, "gatelatch_upstream_server_up", help, None)?;
        for level in &self.servers {
            family
                .encode_family(&labels(level))?
                .encode_gauge(&i64::from(level.share > 0.0))?;
        }
        let help = "What a server of an upstream gets of its share: below 1 while it returns";
        let mut family = gauge(encoder, "gatelatch_upstream_server_share", help, None)?;
        for level in &self.servers {
            family
                .encode_family(&labels(level))?
                .encode_gauge(&level.share)?;
        }
        Ok(())
    }

    fn encode_connections(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        gauge(
            encoder,
            "gatelatch_client_connections",
            "Open connections of clients",
            None,
        )?
        .encode_gauge(&self.client_connections)?;
        let help =
            "Open connections of clients that rest between two requests, and hold no buffers";
        gauge(encoder, "gatelatch_parked_connections", help, None)?
            .encode_gauge(&self.parked_connections)?;
        gauge(
            encoder,
            "gatelatch_tunnels",
            "Open upgraded connections, such as WebSockets",
            None,
        )?
        .encode_gauge(&self.tunnels)?;
        let help = "Client connections closed without an answer of a service";
        by_label(
            encoder,
            "gatelatch_rejected_connections",
            help,
            "reason",
            &self.rejections,
        )?;
        counter(
            encoder,
            "gatelatch_access_log_dropped_lines",
            "Access log lines that were not written",
        )?
        .encode_counter::<NoLabelSet, _, u64>(&self.dropped_lines, None)?;
        self.encode_traces(encoder)
    }

    fn encode_traces(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        counter(
            encoder,
            "gatelatch_trace_spans_exported",
            "Spans that a collector has taken",
        )?
        .encode_counter::<NoLabelSet, _, u64>(&self.exported_spans, None)?;
        let help = "Spans that were not sent: the collector was away, slow, or refused them";
        counter(encoder, "gatelatch_trace_spans_dropped", help)?
            .encode_counter::<NoLabelSet, _, u64>(&self.dropped_spans, None)?;
        self.encode_audit(encoder)
    }

    fn encode_audit(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let [records, errors, queued] = self.audit;
        counter(
            encoder,
            "gatelatch_audit_records",
            "Records of the audit stream",
        )?
        .encode_counter::<NoLabelSet, _, u64>(&records, None)?;
        counter(
            encoder,
            "gatelatch_audit_write_errors",
            "Failed attempts to write the audit stream",
        )?
        .encode_counter::<NoLabelSet, _, u64>(&errors, None)?;
        let help = "Records of the audit stream that are not yet written; at 8192 requests wait";
        gauge(encoder, "gatelatch_audit_queued_records", help, None)?
            .encode_gauge(&i64::try_from(queued).unwrap_or(i64::MAX))
    }

    fn encode_sign_in(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        by_label(
            encoder,
            "gatelatch_logins",
            "Logins by how they ended",
            "outcome",
            &self.logins,
        )?;
        by_label(
            encoder,
            "gatelatch_refreshes",
            "Refreshes by how they ended",
            "outcome",
            &self.refreshes,
        )?;
        let help = "1 where the state store can be used, 0 where logins, refreshes and logouts are refused";
        gauge(encoder, "gatelatch_state_up", help, None)?
            .encode_gauge(&i64::from(self.state_up))?;
        by_label(
            encoder,
            "gatelatch_token_refusals",
            "Tokens that were refused",
            "reason",
            &self.token_refusals,
        )?;
        let help = "Fetches of the keys of other issuers by how they ended";
        let mut family = counter(encoder, "gatelatch_jwks_fetches", help)?;
        for (issuer, counts) in &self.fetches {
            for (outcome, count) in counts {
                let labels = [("issuer", &**issuer), ("outcome", outcome.text())];
                family
                    .encode_family(&labels)?
                    .encode_counter::<NoLabelSet, _, u64>(count, None)?;
            }
        }
        Ok(())
    }

    fn encode_configuration(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let help = "Reloads of the configuration by how they ended";
        by_label(encoder, "gatelatch_reloads", help, "outcome", &self.reloads)?;
        let help = "1 where the configuration in force is the one in the files, 0 where the files have problems";
        gauge(
            encoder,
            "gatelatch_config_last_reload_successful",
            help,
            None,
        )?
        .encode_gauge(&i64::from(self.last_reload_successful))?;
        let name = "gatelatch_config_last_reload_success_timestamp";
        gauge(
            encoder,
            name,
            "When the configuration was last loaded, since 1970",
            Some(&Unit::Seconds),
        )?
        .encode_gauge(&self.last_success)
    }
}

fn counter<'a>(
    encoder: &'a mut DescriptorEncoder<'_>,
    name: &'a str,
    help: &str,
) -> Result<MetricEncoder<'a>, fmt::Error> {
    encoder.encode_descriptor(name, help, None, MetricType::Counter)
}

fn gauge<'a>(
    encoder: &'a mut DescriptorEncoder<'_>,
    name: &'a str,
    help: &str,
    unit: Option<&'a Unit>,
) -> Result<MetricEncoder<'a>, fmt::Error> {
    encoder.encode_descriptor(name, help, unit, MetricType::Gauge)
}

fn by_label<L: Label>(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    key: &str,
    counts: &ByLabel<L>,
) -> fmt::Result {
    let mut family = counter(encoder, name, help)?;
    for (label, count) in counts {
        family
            .encode_family(&[(key, label.text())])?
            .encode_counter::<NoLabelSet, _, u64>(count, None)?;
    }
    Ok(())
}
