//! `/api/history`: the last minutes as columns, ready to be drawn.

use serde_json::{Map, Value, json};

use crate::admin::AdminState;
use crate::admin::query::Query;
use crate::telemetry::history::{KEPT, STEP, Sample, Stretch};
use crate::telemetry::metrics::{LoginOutcome, RequestOutcome, quantile};

const QUANTILES: [(&str, f64); 3] = [("p50", 0.5), ("p95", 0.95), ("p99", 0.99)];

pub(super) fn read(state: &AdminState, query: &Query) -> Result<Value, String> {
    let Stretch { first, samples } = state.history.since(query.number("after", 0)?);
    let rate =
        |count: fn(&Sample) -> u64| column(&samples, |sample| per_second(count(sample), sample));
    let decisions = RequestOutcome::EVERY
        .iter()
        .enumerate()
        .map(|(index, outcome)| {
            (
                outcome.label().to_owned(),
                column(&samples, |sample| {
                    per_second(sample.outcomes[index], sample)
                }),
            )
        });
    let logins = LoginOutcome::EVERY
        .iter()
        .enumerate()
        .map(|(index, outcome)| {
            (
                outcome.label().to_owned(),
                column(&samples, |sample| sample.logins[index].into()),
            )
        });
    let latency = QUANTILES.map(|(name, share)| {
        let milliseconds = |seconds: f64| rounded(seconds * 1000.0);
        (
            name.to_owned(),
            column(&samples, |sample| {
                quantile(share, &sample.latency).map(milliseconds).into()
            }),
        )
    });
    Ok(json!({
        "started": state.metrics.started(),
        "step_seconds": STEP.as_secs(),
        "kept": KEPT,
        "first": first,
        "next": first + samples.len() as u64,
        "at": column(&samples, |sample| sample.at.into()),
        "requests_per_second": decisions.collect::<Map<_, _>>(),
        "server_errors_per_second": rate(|sample| sample.server_errors),
        "upstream_errors_per_second": rate(|sample| sample.upstream_errors),
        "latency_milliseconds": latency.into_iter().collect::<Map<_, _>>(),
        "logins": logins.collect::<Map<_, _>>(),
        "connections": column(&samples, |sample| sample.connections.into()),
    }))
}

fn column(samples: &[Sample], value: impl Fn(&Sample) -> Value) -> Value {
    samples.iter().map(value).collect()
}

fn per_second(count: u64, sample: &Sample) -> Value {
    if sample.span > 0.0 {
        rounded(count as f64 / sample.span).into()
    } else {
        0.into()
    }
}

/// Three digits behind the point are more than a plot shows.
fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}
