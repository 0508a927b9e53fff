//! Points in time as RFC 3339 text, in UTC, with milliseconds.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

const LENGTH: usize = "1970-01-01T00:00:00.000Z".len();
const SECONDS_PER_DAY: u64 = 86_400;

/// The last formatted time. Most lines differ from the one before in the milliseconds only.
#[derive(Debug)]
pub(in crate::telemetry) struct Stamp {
    second: u64,
    text: [u8; LENGTH],
}

impl Default for Stamp {
    fn default() -> Self {
        Self {
            second: 0,
            text: *b"1970-01-01T00:00:00.000Z",
        }
    }
}

impl Stamp {
    /// Formats `time`; years beyond 9999 and times before 1970 stop there.
    pub(in crate::telemetry) fn of(&mut self, time: SystemTime) -> &[u8] {
        const LAST: Duration = Duration::from_secs(253_402_300_799);
        let since = time
            .duration_since(UNIX_EPOCH)
            .unwrap_or(Duration::ZERO)
            .min(LAST);
        if since.as_secs() != self.second {
            self.second = since.as_secs();
            self.write_second();
        }
        put(&mut self.text[20..23], u64::from(since.subsec_millis()));
        &self.text
    }

    fn write_second(&mut self) {
        let (year, month, day) = date(self.second / SECONDS_PER_DAY);
        let second = self.second % SECONDS_PER_DAY;
        let fields = [
            (0..4, year),
            (5..7, month),
            (8..10, day),
            (11..13, second / 3600),
            (14..16, second / 60 % 60),
        ];
        for (place, value) in fields {
            put(&mut self.text[place], value);
        }
        put(&mut self.text[17..19], second % 60);
    }
}

/// Writes `value` in as many decimal digits as there is room for.
fn put(room: &mut [u8], mut value: u64) {
    for digit in room.iter_mut().rev() {
        *digit = b'0' + (value % 10) as u8;
        value /= 10;
    }
}

/// Year, month and day of a count of days since 1970.
///
/// Years are taken to begin in March, so that the leap day is the last of its year; 400 years have 146,097 days.
fn date(days: u64) -> (u64, u64, u64) {
    // from 0000-03-01 to 1970-01-01
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let (month, turn) = if march_month < 10 {
        (march_month + 3, 0)
    } else {
        (march_month - 9, 1)
    };
    (era * 400 + year_of_era + turn, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(millis: u64, expected: &str) {
        let mut stamp = Stamp::default();
        let text = stamp
            .of(UNIX_EPOCH + Duration::from_millis(millis))
            .to_vec();
        assert_eq!(String::from_utf8(text).unwrap(), expected);
    }

    #[test]
    fn known_times() {
        check(0, "1970-01-01T00:00:00.000Z");
        check(951_782_400_007, "2000-02-29T00:00:00.007Z");
        check(1_709_251_199_999, "2024-02-29T23:59:59.999Z");
        check(1_735_689_600_050, "2025-01-01T00:00:00.050Z");
        check(4_107_542_400_000, "2100-03-01T00:00:00.000Z");
        check(u64::MAX / 2, "9999-12-31T23:59:59.000Z");
    }

    #[test]
    fn the_same_second_changes_its_milliseconds_only() {
        let mut stamp = Stamp::default();
        let first = stamp
            .of(UNIX_EPOCH + Duration::from_millis(1_735_689_600_999))
            .to_vec();
        let next = stamp
            .of(UNIX_EPOCH + Duration::from_millis(1_735_689_600_001))
            .to_vec();
        assert_eq!(first, b"2025-01-01T00:00:00.999Z");
        assert_eq!(next, b"2025-01-01T00:00:00.001Z");
    }

    #[test]
    fn agrees_with_another_implementation_over_four_centuries() {
        for day in 0..146_097 {
            let time = UNIX_EPOCH + Duration::from_secs(day * SECONDS_PER_DAY);
            let expected = humantime::format_rfc3339_millis(time).to_string();
            assert_eq!(Stamp::default().of(time), expected.as_bytes());
        }
    }
}
