//! The table of buckets that rates are kept in.

/// Gives the use of the table; it must not block.
pub type RateTableLevels = Box<dyn Fn() -> RateTableLevel + Send + Sync>;

/// The use of the table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RateTableLevel {
    /// Buckets that something was taken from and that are not full again.
    pub buckets: u64,
    /// Places for buckets.
    pub places: u64,
    /// Requests so far that were counted in another's bucket, for want of a place.
    pub shared: u64,
}
