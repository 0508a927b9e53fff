//! Second factors as the store keeps them, and values that are read once.

mod job;
mod kept;
mod record;
mod shelf;
mod stored;

pub(super) use job::{FactorJob, KeepOnce, SwapFactors};
pub(super) use kept::{KEPT_FOR, KEPT_SIZE, KeptValues};
pub use record::{FactorRecord, StoredPasskey, TotpFactor, UserHandle};
pub(super) use shelf::FactorShelf;
pub(super) use stored::{FactorName, StoredFactors};
pub use stored::{FactorPage, FactorSummary, FactorSwap};
