//! Durations as people say them.

use std::fmt;

/// A duration in seconds that prints as `5 minutes`: in one unit, rounded up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DurationInWords(pub u64);

impl fmt::Display for DurationInWords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // rounding up must not double the time
        let (unit, seconds) = match self.0 {
            0..60 => ("second", 1),
            60..7200 => ("minute", 60),
            7200..172_800 => ("hour", 3600),
            _ => ("day", 86_400),
        };
        let count = self.0.div_ceil(seconds);
        let plural = if count == 1 { "" } else { "s" };
        write!(f, "{count} {unit}{plural}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_unit_is_said_and_never_too_little() {
        for (seconds, expected) in [
            (0, "0 seconds"),
            (1, "1 second"),
            (59, "59 seconds"),
            (60, "1 minute"),
            (61, "2 minutes"),
            (300, "5 minutes"),
            (301, "6 minutes"),
            (3600, "60 minutes"),
            (7200, "2 hours"),
            (7201, "3 hours"),
            (172_800, "2 days"),
            (u64::MAX, "213503982334602 days"),
        ] {
            assert_eq!(DurationInWords(seconds).to_string(), expected);
        }
    }
}
