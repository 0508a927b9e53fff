//! Whether the process should be sent requests.

use serde::ser::{Serialize, SerializeMap, Serializer};

/// What `/readyz` reports. The health of upstreams is no part of it: a gateway whose upstream is away still gives the
/// right answers, and taking it out of rotation would not help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Readiness {
    /// A configuration is in force.
    pub configuration: Check,
    /// Every listener accepts.
    pub listening: Check,
    /// The state store can be reached.
    pub state: Check,
    /// The process was not asked to end.
    pub running: Check,
}

/// How one check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// As it should be.
    Ok,
    /// Not as it should be; the text says what is the matter.
    Failed(&'static str),
}

impl Readiness {
    /// Nothing is the matter.
    pub const READY: Self =
        Self { configuration: Check::Ok, listening: Check::Ok, state: Check::Ok, running: Check::Ok };

    /// Whether all checks hold.
    pub fn is_ready(&self) -> bool {
        self.checks().iter().all(|(_, check)| *check == Check::Ok)
    }

    fn checks(&self) -> [(&'static str, Check); 4] {
        [
            ("configuration", self.configuration),
            ("listening", self.listening),
            ("state", self.state),
            ("running", self.running),
        ]
    }
}

/// `{"ready":…,"checks":{"configuration":"ok",…}}`; a check that failed says why.
impl Serialize for Readiness {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut report = serializer.serialize_map(Some(2))?;
        report.serialize_entry("ready", &self.is_ready())?;
        report.serialize_entry("checks", &Checks(self.checks()))?;
        report.end()
    }
}

struct Checks([(&'static str, Check); 4]);

impl Serialize for Checks {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.map(|(name, check)| (name, check.text())))
    }
}

impl Check {
    fn text(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed(why) => why,
        }
    }
}
