//! What a running gateway has counted, asked of its admin listener.

use std::net::SocketAddr;

use anyhow::Context as _;
use serde_json::{Map, Value};

use crate::cli::fetch;

/// The counters of a running gateway.
pub(super) struct Live {
    listener: SocketAddr,
    exposition: String,
}

/// How often a rule has decided, by what it decided, since the gateway started.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct RuleOutcomeCounts(Vec<(String, u64)>);

impl Live {
    /// Asks the admin listener at this address.
    pub(super) fn ask(listener: SocketAddr) -> anyhow::Result<Self> {
        let exposition = fetch::text(&format!("http://{listener}/metrics"))
            .with_context(|| format!("no running gateway answers at `admin.listen`, {listener}"))?;
        Ok(Self {
            listener,
            exposition,
        })
    }

    /// The hits of one rule; without a name, of the requests that no rule covers.
    pub(super) fn hits(&self, service: &str, rule: Option<&str>) -> RuleOutcomeCounts {
        RuleOutcomeCounts::read(&self.exposition, service, rule.unwrap_or_default())
    }

    /// One line for people.
    pub(super) fn in_words(&self, service: &str, rule: Option<&str>) -> String {
        let RuleOutcomeCounts(hits) = self.hits(service, rule);
        let what = rule.map_or_else(
            || "what no rule covers".to_owned(),
            |rule| format!("`{rule}`"),
        );
        let total: u64 = hits.iter().map(|(_, count)| count).sum();
        let parts: Vec<String> = hits
            .iter()
            .map(|(decision, count)| format!("{count} {decision}"))
            .collect();
        let parts = if parts.is_empty() {
            String::new()
        } else {
            format!(": {}", parts.join(", "))
        };
        format!(
            "live, at {}: {what} was asked {total} times since the start{parts}",
            self.listener
        )
    }
}

impl RuleOutcomeCounts {
    fn read(exposition: &str, service: &str, rule: &str) -> Self {
        let series = format!(
            "gatelatch_requests_total{{service=\"{}\",rule=\"{}\",decision=\"",
            escaped(service),
            escaped(rule)
        );
        let mut hits: Vec<(String, u64)> = Vec::new();
        for line in exposition.lines() {
            let Some((decision, rest)) = line
                .strip_prefix(&series)
                .and_then(|rest| rest.split_once('"'))
            else {
                continue;
            };
            let count = rest.rsplit(' ').next().unwrap_or_default();
            let count = count.parse().unwrap_or(0);
            match hits.iter_mut().find(|(known, _)| known == decision) {
                Some((_, sum)) => *sum += count,
                None => hits.push((decision.to_owned(), count)),
            }
        }
        hits.retain(|(_, count)| *count > 0);
        Self(hits)
    }

    /// An object, for programs.
    pub(super) fn json(self) -> Value {
        Value::Object(
            self.0
                .into_iter()
                .map(|(decision, count)| (decision, count.into()))
                .collect::<Map<_, _>>(),
        )
    }
}

/// A label as the exposition format writes it.
fn escaped(label: &str) -> String {
    label
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hits_are_added_up_over_status_classes() {
        let exposition = "\
# TYPE gatelatch_requests counter
gatelatch_requests_total{service=\"a\",rule=\"say \\\"hi\\\"\",decision=\"allowed\",status=\"2xx\"} 3
gatelatch_requests_total{service=\"a\",rule=\"say \\\"hi\\\"\",decision=\"allowed\",status=\"5xx\"} 2
gatelatch_requests_total{service=\"a\",rule=\"say \\\"hi\\\"\",decision=\"reported\",status=\"2xx\"} 1
gatelatch_requests_total{service=\"a\",rule=\"say \\\"hi\\\"\",decision=\"forbidden\",status=\"4xx\"} 0
gatelatch_requests_total{service=\"b\",rule=\"say \\\"hi\\\"\",decision=\"allowed\",status=\"2xx\"} 9
";
        let expected = vec![("allowed".to_owned(), 5), ("reported".to_owned(), 1)];
        assert_eq!(
            RuleOutcomeCounts::read(exposition, "a", "say \"hi\""),
            RuleOutcomeCounts(expected)
        );
        assert_eq!(
            RuleOutcomeCounts::read(exposition, "a", "other"),
            RuleOutcomeCounts(Vec::new())
        );
    }
}
