//! What providers of identities were asked, and whether they answer.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use super::cell::SharedCounters;
use super::labels::ProviderResult;
use super::totals::{self, ByLabel};

/// By provider and operation: both come from the configuration and the source, and are few.
#[derive(Default)]
pub(super) struct ProviderCounters(Mutex<BTreeMap<Box<str>, ProviderCells>>);

#[derive(Default)]
struct ProviderCells {
    is_up: bool,
    requests: BTreeMap<&'static str, SharedCounters<ProviderResult>>,
}

/// What one provider was asked.
#[derive(Clone, Debug, Default)]
pub(super) struct ProviderTotals {
    /// Whether the last question was answered.
    pub(super) is_up: bool,
    pub(super) requests: BTreeMap<&'static str, ByLabel<ProviderResult>>,
}

impl ProviderCounters {
    pub(super) fn count(&self, provider: &str, operation: &'static str, result: ProviderResult) {
        let mut providers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !providers.contains_key(provider) {
            providers.insert(provider.into(), ProviderCells::default());
        }
        let Some(cells) = providers.get_mut(provider) else {
            return;
        };
        cells.is_up = result != ProviderResult::Unavailable;
        let counters = cells.requests.entry(operation);
        counters
            .or_insert_with(SharedCounters::new)
            .increment(result);
    }

    pub(super) fn totals(&self) -> BTreeMap<Box<str>, ProviderTotals> {
        let providers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let read = |counters: &SharedCounters<ProviderResult>| {
            totals::read_all(|result| counters.read(result))
        };
        let totals = |cells: &ProviderCells| ProviderTotals {
            is_up: cells.is_up,
            requests: cells
                .requests
                .iter()
                .map(|(operation, counters)| (*operation, read(counters)))
                .collect(),
        };
        providers
            .iter()
            .map(|(provider, cells)| (provider.clone(), totals(cells)))
            .collect()
    }
}
