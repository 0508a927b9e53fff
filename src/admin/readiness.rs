//! Whether the process should be sent requests.

use std::collections::BTreeMap;

use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::telemetry::metrics::ServerLevel;

/// What `/readyz` answers: whether all is well, and how each server of each upstream is.
pub(super) struct Report {
    pub(super) readiness: Readiness,
    pub(super) servers: Vec<ServerLevel>,
}

/// What `/readyz` decides by. The health of upstreams is no part of it: a gateway whose upstream is away still gives the
/// right answers, and taking it out of rotation would not help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Readiness {
    /// A configuration is in force.
    pub configuration: ReadinessCheck,
    /// Every listener accepts.
    pub listening: ReadinessCheck,
    /// The state store can be reached.
    pub state: ReadinessCheck,
    /// The audit stream is off, or can be written.
    pub audit: ReadinessCheck,
    /// The process was not signalled to end.
    pub running: ReadinessCheck,
}

/// The result of one readiness check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadinessCheck {
    /// Passed.
    Ok,
    /// Failed, for this reason.
    Failed(&'static str),
}

impl Readiness {
    /// Nothing is the matter.
    pub const READY: Self = Self {
        configuration: ReadinessCheck::Ok,
        listening: ReadinessCheck::Ok,
        state: ReadinessCheck::Ok,
        audit: ReadinessCheck::Ok,
        running: ReadinessCheck::Ok,
    };

    /// Whether all checks pass.
    pub fn is_ready(&self) -> bool {
        self.checks()
            .iter()
            .all(|(_, check)| *check == ReadinessCheck::Ok)
    }

    pub(super) fn checks(&self) -> [(&'static str, ReadinessCheck); 5] {
        [
            ("configuration", self.configuration),
            ("listening", self.listening),
            ("state", self.state),
            ("audit", self.audit),
            ("running", self.running),
        ]
    }
}

/// `{"ready":…,"checks":{"configuration":"ok",…},"upstreams":{"app":{"127.0.0.1:9000":"up"},…}}`; a check that failed
/// says why.
impl Serialize for Report {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut services: BTreeMap<&str, BTreeMap<&str, &str>> = BTreeMap::new();
        for level in &self.servers {
            services
                .entry(&level.service)
                .or_default()
                .insert(&level.server, level.state);
        }
        let mut report = serializer.serialize_map(Some(3))?;
        report.serialize_entry("ready", &self.readiness.is_ready())?;
        report.serialize_entry("checks", &ReadinessChecks(self.readiness.checks()))?;
        report.serialize_entry("upstreams", &services)?;
        report.end()
    }
}

struct ReadinessChecks([(&'static str, ReadinessCheck); 5]);

impl Serialize for ReadinessChecks {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.map(|(name, check)| (name, check.text())))
    }
}

impl ReadinessCheck {
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed(why) => why,
        }
    }
}
