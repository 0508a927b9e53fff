//! Every bucket of the process, in places of a bounded number. Any worker charges any bucket, without a lock.
//!
//! A place holds the hash of a key and the moment when its bucket is full again, in one atomic word. A bucket that is
//! full equals one that was never used, so its place may be given to another key, and no other place ever is: however
//! many keys come, none of them frees a caller who is at the limit. Where all places of a key hold buckets that are
//! not full, the key shares the last one, and has less room than its own.

#[cfg(test)]
mod tests;

use std::hash::Hash;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed, Ordering::SeqCst};
use std::time::Instant;

use ahash::RandomState;
use portable_atomic::AtomicU128;

use super::bucket::Bucket;

/// Sets of each level. A key has places in a level where all its places below are taken: 1 MiB at first, 31 MiB at most.
const LEVELS: [usize; 5] = [1 << 14, 1 << 15, 1 << 16, 1 << 17, 1 << 18];

/// Sets that are made at once, in some microseconds: 64 KiB. Nobody waits for all of a level.
const CHUNK: usize = 1 << 10;

/// Places that a key may have in a level: one cache line.
const PLACES: usize = 4;

/// How much later than another a worker may come to a bucket, after both have looked at the clock at once: 5 s, however
/// busy the machine is.
const LATEST: u64 = 5_000_000_000;

/// All buckets of the process.
#[derive(Debug)]
pub struct RateTable {
    started: Instant,
    /// Made at the start of the process, so that nobody can aim at a place.
    hash: RandomState,
    levels: Box<[Level]>,
    shared: AtomicU64,
}

/// How much of a table is in use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TableUse {
    /// Buckets that are not full.
    pub buckets: u64,
    /// Places for buckets that there are now.
    pub places: u64,
    /// Requests that were counted in another's bucket, for want of a place.
    pub shared: u64,
}

/// The hash of a rate and of whom it counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key(u64);

#[derive(Debug)]
struct Level {
    /// A power of two.
    sets: usize,
    /// Which bits of a key name its set.
    turn: u32,
    chunks: Box<[Chunk]>,
}

#[derive(Debug, Default)]
struct Chunk {
    made: OnceLock<Box<[BucketSet]>>,
    /// Whether a worker is making it: the others do not wait.
    growing: AtomicBool,
}

#[derive(Debug, Default)]
#[repr(align(64))]
struct BucketSet([AtomicU128; PLACES]);

/// A place as it was read.
#[derive(Clone, Copy)]
struct Found<'t> {
    place: &'t AtomicU128,
    word: Word,
    holder: Holder,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Holder {
    /// The key itself.
    Own,
    /// Nobody who would miss it.
    Free,
    /// Another key: there is no place left.
    Other,
}

/// What a place holds: whose bucket, and when it is full again, in nanoseconds since the table was made.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Word {
    key: u64,
    full_at: u64,
}

impl RateTable {
    /// A table without a bucket. It takes no room before it is used.
    pub fn new(started: Instant, hash: RandomState) -> Self {
        Self::with_levels(started, hash, &LEVELS)
    }

    fn with_levels(started: Instant, hash: RandomState, levels: &[usize]) -> Self {
        let level = |(turn, sets): (u32, &usize)| Level {
            sets: *sets,
            turn: turn * 13,
            chunks: (0..sets.div_ceil(CHUNK))
                .map(|_| Chunk::default())
                .collect(),
        };
        Self {
            started,
            hash,
            levels: (0..).zip(levels).map(level).collect(),
            shared: AtomicU64::new(0),
        }
    }

    /// How much of it is in use now. It looks at every place.
    pub fn usage(&self, now: Instant) -> TableUse {
        let now = self.moment(now);
        let mut usage = TableUse {
            shared: self.shared.load(Relaxed),
            ..TableUse::default()
        };
        let chunks = self.levels.iter().flat_map(|level| &level.chunks);
        let made = chunks.filter_map(|chunk| chunk.made.get());
        for place in made.flat_map(|sets| sets.iter().flat_map(|set| &set.0)) {
            usage.places += 1;
            usage.buckets += u64::from(Word::load(place).full_at > now);
        }
        usage
    }

    /// Makes room for the first buckets.
    pub(super) fn open(&self) {
        if let Some(first) = self.levels.first() {
            first.chunks.iter().for_each(|chunk| chunk.make(first.sets));
        }
    }

    pub(super) fn key(&self, of: impl Hash) -> Key {
        Key(self.hash.hash_one(of))
    }

    pub(super) fn moment(&self, now: Instant) -> u64 {
        let passed = now.saturating_duration_since(self.started);
        u64::try_from(passed.as_nanos()).unwrap_or(u64::MAX)
    }

    /// What is taken from a bucket, in nanoseconds.
    pub(super) fn taken(&self, bucket: Bucket, key: Key, now: u64) -> u64 {
        let found = self.find(key, now);
        found.empty_at_most(bucket, now);
        found.taken(bucket, now)
    }

    /// Takes one request from a bucket, and gives what is taken then.
    ///
    /// # Errors
    /// Where there is no room: what is taken.
    pub(super) fn charge(&self, bucket: Bucket, key: Key, now: u64) -> Result<u64, u64> {
        loop {
            let found = self.find(key, now);
            let before = found.taken(bucket, now);
            let Some(taken) = bucket.take(before) else {
                found.empty_at_most(bucket, now);
                return Err(before);
            };
            let word = found.word_with(key, now + taken);
            if !found.replace(word) {
                continue;
            }
            match found.holder {
                Holder::Own => {}
                Holder::Free => return self.settle(bucket, key, taken, now),
                Holder::Other => drop(self.shared.fetch_add(1, Relaxed)),
            }
            return Ok(taken);
        }
    }

    /// Gives back one request that was taken, unless it was taken from another's bucket.
    pub(super) fn give_back(&self, bucket: Bucket, key: Key, now: u64) {
        loop {
            let found = self.find(key, now);
            let full_at = found.word.full_at.saturating_sub(bucket.interval);
            if found.holder != Holder::Own || found.replace(found.word_with(key, full_at)) {
                return;
            }
        }
    }

    /// Two workers may give a place to the same new key at once, each another one. Whoever sees both moves what was
    /// taken from the later place to the earlier one, where everybody looks first, and is held to the sum: of two
    /// workers that take places one after the other, the second one sees the first.
    fn settle(&self, bucket: Bucket, key: Key, taken: u64, now: u64) -> Result<u64, u64> {
        let mut sum = taken;
        while let Some((first, second, word)) = self.twice(key) {
            if replace(second, word, Word::EMPTY) {
                sum = add(first, key, word.full_at.saturating_sub(now), now);
            }
        }
        if sum <= bucket.capacity {
            return Ok(sum);
        }
        self.give_back(bucket, key, now);
        Err(sum - bucket.interval)
    }

    /// The first place of a key, and a later one with what it holds.
    fn twice(&self, key: Key) -> Option<(&AtomicU128, &AtomicU128, Word)> {
        let mut own = self.places(key).filter_map(|place| {
            let word = Word::load(place);
            (word.key == key.0).then_some((place, word))
        });
        let (first, _) = own.next()?;
        own.next().map(|(second, word)| (first, second, word))
    }

    /// The place of a key; else one that is free; else the last one.
    fn find(&self, key: Key, now: u64) -> Found<'_> {
        let (mut free, mut last, mut seen) = (None, None, 0);
        for place in self.places(key) {
            let found = Found::read(place, key, now);
            match found.holder {
                Holder::Own => return found,
                Holder::Free => free = free.or(Some(found)),
                Holder::Other => {}
            }
            last = Some(found);
            seen += 1;
        }
        let further = || {
            let place = self.levels.get(seen / PLACES)?.make(key)?;
            Some(Found::read(place, key, now))
        };
        free.or_else(further)
            .or(last)
            .expect("the first level is made with the first rate")
    }

    /// Every place that a key may have, in the order in which all look.
    fn places(&self, key: Key) -> impl Iterator<Item = &AtomicU128> {
        let sets = self.levels.iter().map_while(move |level| level.set(key));
        sets.flatten()
    }
}

impl Level {
    /// The places of a key; each level has them elsewhere. `None` where they are not made.
    fn set(&self, key: Key) -> Option<&[AtomicU128; PLACES]> {
        let (chunk, set) = self.place_of(key);
        let sets = self.chunks[chunk].made.get()?;
        sets.get(set).map(|set| &set.0)
    }

    /// Makes the places of a key, and gives the first of them; `None` where another worker is making them.
    fn make(&self, key: Key) -> Option<&AtomicU128> {
        let (chunk, _) = self.place_of(key);
        self.chunks[chunk].make(self.sets);
        self.set(key).map(|places| &places[0])
    }

    /// The chunk, and the set in it.
    fn place_of(&self, key: Key) -> (usize, usize) {
        let set = key.0.rotate_right(self.turn) as usize & (self.sets - 1);
        (set / CHUNK, set % CHUNK)
    }
}

impl Chunk {
    /// Makes it, unless another worker does.
    fn make(&self, sets_of_level: usize) {
        if self.made.get().is_none() && !self.growing.swap(true, SeqCst) {
            let sets = 0..sets_of_level.min(CHUNK);
            // nobody else makes it
            let _ = self.made.set(sets.map(|_| BucketSet::default()).collect());
        }
    }
}

impl<'t> Found<'t> {
    fn read(place: &'t AtomicU128, key: Key, now: u64) -> Self {
        let word = Word::load(place);
        let holder = if word.key == key.0 {
            Holder::Own
        } else if word.full_at <= now {
            Holder::Free
        } else {
            Holder::Other
        };
        Self {
            place,
            word,
            holder,
        }
    }

    /// What is taken from the bucket.
    fn taken(self, bucket: Bucket, now: u64) -> u64 {
        match self.holder {
            Holder::Own if self.is_of_another_rate(bucket, now) => bucket.capacity,
            Holder::Own | Holder::Other => self.word.full_at.saturating_sub(now),
            Holder::Free => 0,
        }
    }

    /// Whether more was taken than there ever was room for, or will be soon: by the rate as it was before a reload.
    fn is_of_another_rate(self, bucket: Bucket, now: u64) -> bool {
        let most = bucket.capacity.saturating_add(LATEST);
        self.holder == Holder::Own && self.word.full_at.saturating_sub(now) > most
    }

    /// Lets time fill a bucket from now on that a former rate has emptied.
    fn empty_at_most(self, bucket: Bucket, now: u64) {
        if self.is_of_another_rate(bucket, now) {
            let full_at = now.saturating_add(bucket.capacity);
            let emptied = Word {
                full_at,
                ..self.word
            };
            // whoever was faster has done the same
            let _ = self.replace(emptied);
        }
    }

    fn word_with(self, key: Key, full_at: u64) -> Word {
        let key = match self.holder {
            Holder::Own | Holder::Free => key.0,
            Holder::Other => self.word.key,
        };
        Word { key, full_at }
    }

    /// Whether nobody was faster.
    fn replace(self, word: Word) -> bool {
        replace(self.place, self.word, word)
    }
}

impl Word {
    const EMPTY: Self = Self { key: 0, full_at: 0 };

    fn load(place: &AtomicU128) -> Self {
        let bits = place.load(SeqCst);
        Self {
            key: (bits >> 64) as u64,
            full_at: bits as u64,
        }
    }

    fn bits(self) -> u128 {
        u128::from(self.key) << 64 | u128::from(self.full_at)
    }
}

fn replace(place: &AtomicU128, from: Word, to: Word) -> bool {
    place
        .compare_exchange(from.bits(), to.bits(), SeqCst, SeqCst)
        .is_ok()
}

/// Adds to what a key has taken, and gives the sum. A place that is another's by now was of a bucket that had filled.
fn add(place: &AtomicU128, key: Key, more: u64, now: u64) -> u64 {
    loop {
        let word = Word::load(place);
        let sum = word.full_at.saturating_sub(now) + more;
        let full_at = now + sum;
        if word.key != key.0 || replace(place, word, Word { full_at, ..word }) {
            return sum;
        }
    }
}
