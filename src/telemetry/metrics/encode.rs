//! Totals as OpenMetrics 1.0 text.

use std::fmt::{self, Write};

use super::labels::{ByLabel, Label};
use super::totals::Totals;

/// The media type of what [`super::Metrics::encode`] returns.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Writes every family, those without a series too, so that a dashboard finds them before the first request.
pub(super) fn encode(totals: &Totals) -> String {
    let mut text = Exposition(String::with_capacity(16 * 1024));
    totals.encode_process(&mut text);
    totals.encode_requests(&mut text);
    totals.encode_durations(&mut text);
    totals.encode_rates(&mut text);
    totals.encode_upstreams(&mut text);
    totals.encode_servers(&mut text);
    totals.encode_connections(&mut text);
    totals.encode_traces(&mut text);
    totals.encode_audit(&mut text);
    totals.encode_sign_in(&mut text);
    totals.encode_configuration(&mut text);
    text.0.push_str("# EOF\n");
    text.0
}

/// The text so far. Names and help texts are the gateway's own: only values of labels are escaped.
struct Exposition(String);

/// A family whose head is written.
struct Family<'t> {
    text: &'t mut String,
    name: &'static str,
}

impl Exposition {
    fn counter(&mut self, name: &'static str, help: &str) -> Family<'_> {
        self.family(name, "counter", help)
    }

    fn gauge(&mut self, name: &'static str, help: &str) -> Family<'_> {
        self.family(name, "gauge", help)
    }

    /// A name that ends in `_seconds` has a unit.
    fn family(&mut self, name: &'static str, kind: &str, help: &str) -> Family<'_> {
        let text = &mut self.0;
        append(text, format_args!("# HELP {name} {help}\n"));
        append(text, format_args!("# TYPE {name} {kind}\n"));
        if name.ends_with("_seconds") {
            append(text, format_args!("# UNIT {name} seconds\n"));
        }
        Family { text, name }
    }

    fn by_label<L: Label>(
        &mut self,
        name: &'static str,
        help: &str,
        key: &str,
        counts: &ByLabel<L>,
    ) {
        let mut family = self.counter(name, help);
        for (label, count) in counts {
            family.count(&[(key, label.text())], *count);
        }
    }
}

impl Family<'_> {
    /// One series of a counter.
    fn count(&mut self, labels: &[(&str, &str)], count: u64) {
        self.sample("_total", labels, count);
    }

    /// One series of a gauge.
    fn level(&mut self, labels: &[(&str, &str)], level: impl fmt::Display) {
        self.sample("", labels, level);
    }

    fn sample(&mut self, suffix: &str, labels: &[(&str, &str)], value: impl fmt::Display) {
        append(self.text, format_args!("{}{suffix}", self.name));
        for (at, (key, text)) in labels.iter().enumerate() {
            let before = if at == 0 { '{' } else { ',' };
            append(
                self.text,
                format_args!("{before}{key}=\"{}\"", Escaped(text)),
            );
        }
        let after = if labels.is_empty() { "" } else { "}" };
        append(self.text, format_args!("{after} {value}\n"));
    }
}

fn append(text: &mut String, more: fmt::Arguments<'_>) {
    text.write_fmt(more)
        .expect("writing to a string cannot fail");
}

/// The value of a label, between its quotes.
struct Escaped<'t>(&'t str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|character| match character {
            '\\' => f.write_str("\\\\"),
            '"' => f.write_str("\\\""),
            '\n' => f.write_str("\\n"),
            other => f.write_char(other),
        })
    }
}

/// A number that shows that it need not be whole.
struct Real(f64);

impl fmt::Display for Real {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_infinite() {
            f.write_str(if self.0 > 0.0 { "+Inf" } else { "-Inf" })
        } else if self.0.fract() == 0.0 {
            write!(f, "{:.1}", self.0)
        } else {
            self.0.fmt(f)
        }
    }
}

impl Totals {
    fn encode_process(&self, text: &mut Exposition) {
        let version = [("version", env!("CARGO_PKG_VERSION"))];
        text.family("gatelatch_build", "info", "What is running")
            .sample("_info", &version, 1);
        let help = "When the process started, since 1970";
        text.gauge("process_start_time_seconds", help)
            .level(&[], Real(self.process_start));
    }

    fn encode_requests(&self, text: &mut Exposition) {
        let help = "Requests that are over; service and rule are empty where none was found";
        let mut family = text.counter("gatelatch_requests", help);
        for (service, totals) in &self.services {
            for (rule, counts) in &totals.requests {
                for ((decision, status), count) in counts {
                    let labels = [
                        ("service", &**service),
                        ("rule", rule),
                        ("decision", decision),
                        ("status", status),
                    ];
                    family.count(&labels, *count);
                }
            }
        }
    }

    fn encode_durations(&self, text: &mut Exposition) {
        let help = "From the end of the request head to the end of the answer";
        let mut family = text.family("gatelatch_request_duration_seconds", "histogram", help);
        for (service, totals) in &self.services {
            let (service, durations) = (("service", &**service), &totals.durations);
            family.sample("_sum", &[service], Real(durations.seconds()));
            family.sample("_count", &[service], durations.count());
            let mut below = 0;
            for (bound, count) in durations.buckets() {
                below += count;
                let bound = Real(bound).to_string();
                family.sample("_bucket", &[("le", &bound), service], below);
            }
        }
    }

    fn encode_rates(&self, text: &mut Exposition) {
        let help = "Requests over a rate; the rule is empty where it is that of the service";
        let mut family = text.counter("gatelatch_rate_limited", help);
        for (service, totals) in &self.services {
            for (rule, count) in &totals.rate_limited {
                family.count(&[("service", service), ("rule", rule)], *count);
            }
        }
        let help = "Buckets of rates that are not full, one for each caller of late";
        text.gauge("gatelatch_rate_buckets", help)
            .level(&[], self.rate_table.buckets);
        let help =
            "Places for buckets of rates; there are more when they are needed, up to 2031616";
        text.gauge("gatelatch_rate_bucket_places", help)
            .level(&[], self.rate_table.places);
        let help = "Requests that were counted in another's bucket, for want of a place";
        text.counter("gatelatch_rate_shared_buckets", help)
            .count(&[], self.rate_table.shared);
    }

    fn encode_upstreams(&self, text: &mut Exposition) {
        let help = "Attempts to reach an upstream that failed";
        let mut family = text.counter("gatelatch_upstream_errors", help);
        for (service, totals) in self
            .services
            .iter()
            .filter(|(_, totals)| totals.has_upstream_errors())
        {
            for (kind, count) in &totals.upstream_errors {
                family.count(&[("service", service), ("kind", kind.text())], *count);
            }
        }
        let help = "Open connections to upstreams";
        let mut family = text.gauge("gatelatch_upstream_connections", help);
        for (state, level) in &self.upstream_connections {
            family.level(&[("state", state.text())], level);
        }
    }

    fn encode_servers(&self, text: &mut Exposition) {
        let help = "Requests sent to a server of an upstream; one that is tried again counts again";
        let mut family = text.counter("gatelatch_upstream_requests", help);
        for (service, totals) in &self.services {
            for (server, count) in &totals.servers {
                family.count(&[("service", service), ("server", server)], *count);
            }
        }
        let help = "1 where a server of an upstream serves requests, 0 where it is out or failing";
        let mut family = text.gauge("gatelatch_upstream_server_up", help);
        for server in &self.servers {
            let labels = [("service", &*server.service), ("server", &*server.server)];
            family.level(&labels, u8::from(server.state == "up"));
        }
        let help = "What a server of an upstream gets of its share: below 1 while it returns";
        let mut family = text.gauge("gatelatch_upstream_server_share", help);
        for server in &self.servers {
            let labels = [("service", &*server.service), ("server", &*server.server)];
            family.level(&labels, Real(server.share));
        }
        let help = "TLS handshakes with a server of an upstream that failed";
        let mut family = text.counter("gatelatch_upstream_tls_failures", help);
        for server in &self.servers {
            for (reason, count) in server.tls_failures.iter().filter(|(_, count)| *count > 0) {
                let labels = [
                    ("service", &*server.service),
                    ("server", &*server.server),
                    ("reason", reason),
                ];
                family.count(&labels, *count);
            }
        }
    }

    fn encode_connections(&self, text: &mut Exposition) {
        let help = "Open connections of clients";
        text.gauge("gatelatch_client_connections", help)
            .level(&[], self.client_connections);
        let help = "Open connections of clients that rest between two requests or wait for an answer, and hold no buffers";
        text.gauge("gatelatch_parked_connections", help)
            .level(&[], self.parked_connections);
        let help = "Open upgraded connections, such as WebSockets";
        text.gauge("gatelatch_tunnels", help)
            .level(&[], self.tunnels);
        let (name, help) = (
            "gatelatch_rejected_connections",
            "Client connections closed without an answer of a service",
        );
        text.by_label(name, help, "reason", &self.rejections);
        let help = "Access log lines that were not written";
        text.counter("gatelatch_access_log_dropped_lines", help)
            .count(&[], self.dropped_lines);
    }

    fn encode_traces(&self, text: &mut Exposition) {
        let help = "Spans that a collector has taken";
        text.counter("gatelatch_trace_spans_exported", help)
            .count(&[], self.exported_spans);
        let help = "Spans that were not sent: the collector was away, slow, or refused them";
        text.counter("gatelatch_trace_spans_dropped", help)
            .count(&[], self.dropped_spans);
    }

    fn encode_audit(&self, text: &mut Exposition) {
        let [records, errors, queued] = self.audit;
        let help = "Records of the audit stream";
        text.counter("gatelatch_audit_records", help)
            .count(&[], records);
        let help = "Failed attempts to write the audit stream";
        text.counter("gatelatch_audit_write_errors", help)
            .count(&[], errors);
        let help = "Records of the audit stream that are not yet written; at 8192 requests wait";
        text.gauge("gatelatch_audit_queued_records", help)
            .level(&[], queued);
    }

    fn encode_sign_in(&self, text: &mut Exposition) {
        let help = "Logins by how they ended";
        text.by_label("gatelatch_logins", help, "outcome", &self.logins);
        let help = "Second factors that were shown after a password";
        text.by_label(
            "gatelatch_second_factors",
            help,
            "result",
            &self.second_factors,
        );
        let help = "Logins with OpenID providers by how they ended; among all logins too";
        let mut family = text.counter("gatelatch_provider_logins", help);
        for (provider, counts) in &self.provider_logins {
            for (outcome, count) in counts {
                family.count(
                    &[("provider", provider), ("outcome", outcome.text())],
                    *count,
                );
            }
        }
        let help = "Refreshes by how they ended";
        text.by_label("gatelatch_refreshes", help, "outcome", &self.refreshes);
        let help = "1 where the state store can be used, 0 where logins, refreshes and logouts are refused";
        text.gauge("gatelatch_state_up", help)
            .level(&[], u8::from(self.state_up));
        let (name, help) = ("gatelatch_token_refusals", "Tokens that were refused");
        text.by_label(name, help, "reason", &self.token_refusals);
        let help = "Fetches of the keys of other issuers by how they ended";
        let mut family = text.counter("gatelatch_jwks_fetches", help);
        for (issuer, counts) in &self.fetches {
            for (outcome, count) in counts {
                family.count(&[("issuer", issuer), ("outcome", outcome.text())], *count);
            }
        }
        self.encode_providers(text);
    }

    fn encode_providers(&self, text: &mut Exposition) {
        let help = "Questions to providers of identities by what came of them";
        let mut family = text.counter("gatelatch_provider_requests", help);
        for (provider, totals) in &self.providers {
            for (operation, counts) in &totals.requests {
                for (result, count) in counts {
                    let labels = [
                        ("provider", &**provider),
                        ("operation", operation),
                        ("result", result.text()),
                    ];
                    family.count(&labels, *count);
                }
            }
        }
        let help = "1 where the last question to the provider was answered";
        let mut family = text.gauge("gatelatch_provider_up", help);
        for (provider, totals) in &self.providers {
            family.level(&[("provider", provider)], u8::from(totals.is_up));
        }
    }

    fn encode_configuration(&self, text: &mut Exposition) {
        let help = "Reloads of the configuration by how they ended";
        text.by_label("gatelatch_reloads", help, "outcome", &self.reloads);
        let help = "1 where the configuration in force is the one in the files, 0 where the files have problems";
        text.gauge("gatelatch_config_last_reload_successful", help)
            .level(&[], u8::from(self.last_reload_successful));
        let name = "gatelatch_config_last_reload_success_timestamp_seconds";
        text.gauge(name, "When the configuration was last loaded, since 1970")
            .level(&[], self.last_success);
        let help = "The keys for tokens: the one that signs, and those that only verify";
        let mut family = text.gauge("gatelatch_token_key", help);
        for (at, kid) in self.keys.iter().enumerate() {
            let purpose = if at == 0 { "sign" } else { "verify" };
            family.level(&[("kid", kid), ("use", purpose)], 1);
        }
    }
}
