//! Chooses one of several servers for a request. Pure but for its own counters: the state of the servers is an argument.

use std::cell::Cell;
use std::net::IpAddr;

use super::settings::Balance;

/// How one worker chooses.
pub(super) enum Balancer {
    RoundRobin(Turns),
    LeastConnections(SearchStart),
    HashClient(Box<[u64]>),
}

/// Smooth weighted round robin: whoever was passed over the most, by its share, is next.
pub(super) struct Turns(Box<[Cell<f64>]>);

/// Where the search for the least loaded server starts, so that equal servers take turns.
pub(super) struct SearchStart {
    first: Cell<usize>,
    count: usize,
}

impl Balancer {
    /// For servers of these names. `start` is where this worker begins, so that not all begin with the same server.
    pub(super) fn new<'n>(
        balance: Balance,
        names: impl ExactSizeIterator<Item = &'n str>,
        start: usize,
    ) -> Self {
        match balance {
            Balance::RoundRobin => {
                let count = names.len();
                // less than a whole turn apart
                let credit = |index| {
                    ((index + count - start % count) % count) as f64 / -(2.0 * count as f64)
                };
                Self::RoundRobin(Turns(
                    (0..count).map(|index| Cell::new(credit(index))).collect(),
                ))
            }
            Balance::LeastConnections => Self::LeastConnections(SearchStart {
                first: Cell::new(start),
                count: names.len(),
            }),
            Balance::HashClient => {
                Self::HashClient(names.map(|name| fnv(name.as_bytes())).collect())
            }
        }
    }

    /// The server to ask, of those with a share above 0; `None` where there is none.
    pub(super) fn pick(
        &self,
        client: IpAddr,
        share: impl Fn(usize) -> f64,
        load: impl Fn(usize) -> usize,
    ) -> Option<usize> {
        match self {
            Self::RoundRobin(turns) => turns.pick(share),
            Self::LeastConnections(next) => next.pick(share, load),
            Self::HashClient(seeds) => rendezvous(seeds, number_of(client), share),
        }
    }
}

impl Turns {
    fn pick(&self, share: impl Fn(usize) -> f64) -> Option<usize> {
        let (mut total, mut best) = (0.0, None);
        for (index, credit) in self.0.iter().enumerate() {
            let share = share(index);
            if share <= 0.0 {
                continue;
            }
            total += share;
            let earned = credit.get() + share;
            credit.set(earned);
            if best.is_none_or(|(_, most)| earned > most) {
                best = Some((index, earned));
            }
        }
        let (index, earned) = best?;
        self.0[index].set(earned - total);
        Some(index)
    }
}

impl SearchStart {
    fn pick(&self, share: impl Fn(usize) -> f64, load: impl Fn(usize) -> usize) -> Option<usize> {
        // a server that returns counts as fuller than it is
        let fullness = |index| (load(index) + 1) as f64 / share(index);
        let first = self.first.replace(self.first.get().wrapping_add(1));
        let turned = (0..self.count).map(|step| first.wrapping_add(step) % self.count);
        let candidates = turned.filter(|index| share(*index) > 0.0);
        candidates.min_by(|one, other| fullness(*one).total_cmp(&fullness(*other)))
    }
}

/// Rendezvous hashing: each server draws a number for the client, and the highest wins. Where a server goes, only its own
/// clients move. Of one that returns, a part of the clients as large as its share is back.
fn rendezvous(seeds: &[u64], client: u64, share: impl Fn(usize) -> f64) -> Option<usize> {
    let candidates = || (0..seeds.len()).filter(|index| share(*index) > 0.0);
    let draw = |index: &usize| mix(seeds[*index] ^ client);
    let back = |index: &usize| fraction(mix(draw(index))) < share(*index);
    candidates()
        .filter(back)
        .max_by_key(draw)
        .or_else(|| candidates().max_by_key(draw))
}

/// A number for an address that all workers and replicas agree on.
fn number_of(address: IpAddr) -> u64 {
    match address.to_canonical() {
        IpAddr::V4(address) => fnv(&address.octets()),
        IpAddr::V6(address) => fnv(&address.octets()),
    }
}

/// FNV-1a.
fn fnv(bytes: &[u8]) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, step)
}

/// The end of SplitMix64: every bit of the number counts for every bit of the result.
fn mix(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

/// From 0 to 1, 1 left out.
fn fraction(number: u64) -> f64 {
    (number >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests;
