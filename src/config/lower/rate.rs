//! `rate`: how many requests a caller may send.

use crate::config::blocks;
use crate::config::code::Code;
use crate::config::finding::Finding;
use crate::config::lint::PlacedRate;
use crate::config::reader::Reader;
use crate::config::section::Section;
use crate::rates::{Rate, RateError};

/// The `rate` of a service or a rule; `None` also where it was refused.
pub(super) fn rate(section: &mut Section, reader: &mut Reader<'_>) -> Option<PlacedRate> {
    let entry = section.take("rate")?;
    let span = entry.key_span;
    let mut section = reader.section(entry, &blocks::RATE)?;
    let requests = section.require(reader, "requests", "100");
    let range = || blocks::RATE.range("requests");
    let requests = requests.and_then(|entry| reader.integer(&entry, range()?));
    let per = section.require(reader, "per", "1m");
    let per = per.and_then(|entry| reader.duration(&entry, Rate::PER));
    let burst_span = section.place_of("burst").unwrap_or(span);
    let mut burst = 0;
    section.integer("burst", &mut burst, reader);
    let by = section.choice("by", blocks::COUNTED_BY, reader);
    section.finish(reader);
    let (requests, per) = (u32::try_from(requests?).ok()?, per?);
    match Rate::new(requests, per, burst, by.unwrap_or_default()) {
        Ok(rate) => Some(PlacedRate { rate, span }),
        Err(RateError::OutOfRange) => None,
        Err(RateError::FillsTooSlowly) => {
            let message = "a bucket of this rate takes longer than a year to fill";
            let finding = Finding::error(Code::OutOfRange, burst_span, message);
            reader.report(finding.help("write a smaller `burst`, or more `requests`"));
            None
        }
    }
}
