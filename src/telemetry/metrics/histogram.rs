//! How long requests took, in fixed buckets.

use std::time::Duration;

use super::cell::Counter;

/// The number of buckets, the last of which has no upper bound.
pub(super) const BUCKETS: usize = 15;

/// Upper bounds of all buckets but the last, in nanoseconds; each belongs to its bucket.
const BOUNDS: [u64; BUCKETS - 1] = [
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
    250_000_000,
    500_000_000,
    1_000_000_000,
    2_500_000_000,
    10_000_000_000,
    30_000_000_000,
];

const NANOS_PER_SECOND: f64 = 1e9;

/// One worker's part of a histogram.
#[derive(Debug, Default)]
pub(super) struct Histogram {
    buckets: [Counter; BUCKETS],
    /// In nanoseconds; wraps after 584 years of waiting.
    sum: Counter,
}

/// Several parts added up.
#[derive(Clone, Debug, Default)]
pub(super) struct Distribution {
    counts: [u64; BUCKETS],
    nanos: u64,
}

impl Histogram {
    pub(super) fn record(&self, duration: Duration) {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        let bucket = BOUNDS
            .iter()
            .position(|bound| nanos <= *bound)
            .unwrap_or(BOUNDS.len());
        self.buckets[bucket].add(1);
        self.sum.add(nanos);
    }
}

impl Distribution {
    pub(super) fn add(&mut self, part: &Histogram) {
        for (count, bucket) in self.counts.iter_mut().zip(&part.buckets) {
            *count += bucket.read();
        }
        self.nanos = self.nanos.wrapping_add(part.sum.read());
    }

    /// The own (not cumulative) count of each bucket.
    pub(super) fn counts(&self) -> [u64; BUCKETS] {
        self.counts
    }

    pub(super) fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    pub(super) fn seconds(&self) -> f64 {
        self.nanos as f64 / NANOS_PER_SECOND
    }

    /// Upper bound in seconds and own (not cumulative) count of each bucket.
    pub(super) fn buckets(&self) -> [(f64, u64); BUCKETS] {
        std::array::from_fn(|index| {
            let bound = BOUNDS
                .get(index)
                .map_or(f64::INFINITY, |nanos| *nanos as f64 / NANOS_PER_SECOND);
            (bound, self.counts[index])
        })
    }
}

/// The time in seconds below which a share of the requests ended, such as 0.99; `None` without requests. Within a bucket
/// they count as spread evenly, and beyond the last bound as if they had taken just so long: what Prometheus'
/// `histogram_quantile` says.
pub fn quantile(share: f64, counts: &[u64; BUCKETS]) -> Option<f64> {
    let total: u64 = counts.iter().sum();
    let wanted = share * total as f64;
    let mut below = 0;
    for (index, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
        if (below + count) as f64 >= wanted {
            let start = index.checked_sub(1).map_or(0, |before| BOUNDS[before]) as f64;
            let end = BOUNDS.get(index).map_or(start, |bound| *bound as f64);
            let part = (wanted - below as f64) / *count as f64;
            return Some((start + (end - start) * part) / NANOS_PER_SECOND);
        }
        below += count;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_lie_where_the_buckets_say() {
        let mut counts = [0; BUCKETS];
        assert_eq!(quantile(0.5, &counts), None);
        counts[0] = 100;
        assert_eq!(quantile(0.5, &counts), Some(0.00025));
        counts[4] = 100;
        assert_eq!(quantile(0.5, &counts), Some(0.0005));
        assert_eq!(quantile(0.75, &counts), Some(0.0075));
        counts = [0; BUCKETS];
        counts[BUCKETS - 1] = 1;
        assert_eq!(
            quantile(0.99, &counts),
            Some(30.0),
            "nobody knows how much longer"
        );
    }

    #[test]
    fn a_bound_belongs_to_its_bucket() {
        let histogram = Histogram::default();
        for nanos in [0, 500_000, 500_001, 30_000_000_000, 30_000_000_001] {
            histogram.record(Duration::from_nanos(nanos));
        }
        let mut distribution = Distribution::default();
        distribution.add(&histogram);
        let filled: Vec<_> = distribution
            .buckets()
            .into_iter()
            .filter(|(_, count)| *count > 0)
            .collect();
        assert_eq!(
            filled,
            [(0.0005, 2), (0.001, 1), (30.0, 1), (f64::INFINITY, 1)]
        );
        assert_eq!(distribution.count(), 5);
        assert!((distribution.seconds() - 60.001_000_002).abs() < 1e-9);
    }
}
