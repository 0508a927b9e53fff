//! The table against the promise of a bucket: in any window no more than it holds and what it gains in the window.

use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::ambient;
use crate::rates::{CountedBy, Rate};

fn bucket(requests: u32, seconds: u64, burst: u32) -> Bucket {
    let per = Duration::from_secs(seconds);
    Bucket::of(Rate::new(requests, per, burst, CountedBy::User).expect("it is in range"))
}

fn table(levels: &[usize]) -> RateTable {
    let table = RateTable::with_levels(ambient::now(), ambient::hash_state(), levels);
    table.open();
    table
}

/// How many of `tries` pass at one moment.
fn passes(table: &RateTable, bucket: Bucket, key: Key, tries: u32, now: u64) -> u32 {
    let passed = (0..tries).filter(|_| table.charge(bucket, key, now).is_ok());
    u32::try_from(passed.count()).expect("it is at most `tries`")
}

#[test]
fn a_bucket_gives_what_it_holds_and_then_what_comes_back() {
    let (table, bucket) = (table(&[4]), bucket(10, 10, 5));
    let (key, other) = (table.key("a"), table.key("b"));
    let second = 1_000_000_000;
    assert_eq!(passes(&table, bucket, key, 100, second), 15);
    assert_eq!(
        passes(&table, bucket, other, 3, second),
        3,
        "nobody else is held"
    );
    assert_eq!(passes(&table, bucket, key, 100, 2 * second - 1), 0);
    assert_eq!(passes(&table, bucket, key, 100, 2 * second), 1);
    assert_eq!(passes(&table, bucket, key, 100, 5 * second), 3);
    assert_eq!(passes(&table, bucket, key, 100, 1000 * second), 15);
    table.give_back(bucket, key, 1000 * second);
    assert_eq!(passes(&table, bucket, key, 100, 1000 * second), 1);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    #[test]
    fn no_window_has_more_than_the_bucket_and_what_comes_back_in_it(
        requests in 1u32..20, per in 1u64..30, burst in 0u32..20,
        pauses in prop::collection::vec(0u64..3_000_000_000, 1..300),
    ) {
        let (table, bucket) = (table(&[1]), bucket(requests, per, burst));
        let key = table.key("a");
        let mut now = 7;
        let mut passed = Vec::new();
        for pause in pauses {
            now += pause;
            match table.charge(bucket, key, now) {
                Ok(_) => passed.push(now),
                // who waits as long as is said gets through, and who does not wait so long does not
                Err(taken) => {
                    let wait = bucket.wait(taken);
                    prop_assert!(table.charge(bucket, key, now + wait - 1).is_err());
                    now += wait;
                    prop_assert!(table.charge(bucket, key, now).is_ok());
                    passed.push(now);
                }
            }
        }
        for (at, first) in passed.iter().enumerate() {
            for (count, last) in (1u64..).zip(&passed[at..]) {
                let holds = u64::from(requests + burst);
                prop_assert!(count <= holds + (last - first) / bucket.interval);
            }
        }
    }
}

/// Tries of many threads at the same new key at once, at moments between which places become free.
fn race(table: &RateTable, bucket: Bucket, moments: [u64; 2], rounds: u32) -> Vec<u32> {
    let barrier = Barrier::new(4);
    let counts: Vec<Vec<u32>> = thread::scope(|scope| {
        let run = |thread: usize| {
            let barrier = &barrier;
            scope.spawn(move || {
                let round = |round: u32| {
                    barrier.wait();
                    let step = u64::from(round) * 10_000_000_000;
                    let key = table.key(("race", round));
                    passes(table, bucket, key, 5, moments[thread % 2] + step)
                };
                (0..rounds).map(round).collect()
            })
        };
        let threads: Vec<_> = (0..4).map(run).collect();
        let joined = threads
            .into_iter()
            .map(|thread| thread.join().expect("no thread panics"));
        joined.collect()
    });
    (0..rounds as usize)
        .map(|round| counts.iter().map(|of| of[round]).sum())
        .collect()
}

#[test]
fn threads_together_get_exactly_what_a_bucket_holds() {
    let bucket = bucket(7, 1000, 0);
    let sums = race(&table(&[4096]), bucket, [5, 5], 500);
    assert!(sums.iter().all(|sum| *sum == 7), "{sums:?}");
}

/// Where each thread finds another place free, two of them may give a place to one key: it is not two buckets.
#[test]
fn a_key_with_two_places_has_one_bucket() {
    let long = bucket(2, 3600, 0);
    for rounds in 0..200 {
        let table = table(&[1]);
        let now = 1_000_000_000;
        // places that become free one after the other, between the moments of the threads
        for (index, at) in (1..).zip([10, 3, 6]) {
            let until = Word {
                key: index,
                full_at: now + at,
            };
            let place = &table.levels[0].set(Key(0)).expect("it is made")[index as usize - 1];
            assert!(replace(place, Word::EMPTY, until));
        }
        let sums = race(&table, long, [now, now + 20], 1);
        assert!(sums[0] <= 2, "round {rounds}: {sums:?}");
    }
}

#[test]
fn what_was_taken_from_two_places_is_added_up() {
    let (table, bucket) = (table(&[1]), bucket(2, 20, 0));
    let (key, now) = (table.key("a"), 1_000_000_000_000);
    let places = table.levels[0].set(key).expect("it is made");
    let taken = |times: u64| Word {
        key: key.0,
        full_at: now + times * bucket.interval,
    };
    assert!(
        replace(&places[1], Word::EMPTY, taken(1)) && replace(&places[3], Word::EMPTY, taken(1))
    );
    assert_eq!(
        table.settle(bucket, key, bucket.interval, now),
        Ok(2 * bucket.interval)
    );
    assert!(Word::load(&places[3]) == Word::EMPTY && Word::load(&places[1]) == taken(2));
    assert!(replace(&places[2], Word::EMPTY, taken(1)));
    let refused = Err(2 * bucket.interval);
    assert_eq!(
        table.settle(bucket, key, bucket.interval, now),
        refused,
        "one too many"
    );
    assert!(Word::load(&places[1]) == taken(2), "which is given back");
}

#[test]
fn a_flood_of_keys_frees_nobody() {
    let (table, bucket) = (table(&[2, 2]), bucket(3, 30, 0));
    let (key, now) = (table.key("a"), 1_000_000_000);
    assert_eq!(passes(&table, bucket, key, 10, now), 3);
    for other in 0..10_000 {
        let _ = table.charge(bucket, table.key(("flood", other)), now);
        assert!(table.charge(bucket, key, now).is_err());
    }
    let usage = |now| {
        let moment = table.started + Duration::from_nanos(now);
        table.usage(moment)
    };
    assert_eq!((usage(now).buckets, usage(now).places), (16, 16));
    assert!(usage(now).shared > 0, "it is counted");
    let later = now + bucket.capacity;
    assert_eq!(usage(later).buckets, 0, "and nothing stays of it");
    assert_eq!(passes(&table, bucket, key, 10, later), 3);
}

#[test]
fn a_million_addresses_have_buckets_of_their_own_in_less_than_64_megabytes() {
    let table = RateTable::new(ambient::now(), ambient::hash_state());
    table.open();
    let (bucket, now) = (bucket(1, 3600, 0), 1_000_000_000);
    let addresses = 0u32..1_000_000;
    let passed = addresses.filter(|address| table.charge(bucket, table.key(address), now).is_ok());
    let passed = passed.count();
    assert!(passed > 999_900, "{} share a bucket", 1_000_000 - passed);
    let usage = table.usage(table.started + Duration::from_nanos(now));
    assert_eq!(usage.buckets, passed as u64);
    assert!(usage.places * 16 < 64_000_000, "{usage:?}");
}

#[test]
fn a_rate_that_is_changed_holds_nobody_longer_than_it_says() {
    let table = table(&[4]);
    let (slow, fast) = (bucket(2, 3600, 0), bucket(10, 10, 0));
    let (key, now) = (table.key("a"), 1_000_000_000);
    assert_eq!(passes(&table, slow, key, 9, now), 2);
    let Err(taken) = table.charge(fast, key, now) else {
        panic!("an empty bucket stays empty");
    };
    assert_eq!(fast.wait(taken), 1_000_000_000);
    assert_eq!(passes(&table, fast, key, 9, now + 3_000_000_000), 3);
    // and what was taken at the faster one is little of the slower one
    assert_eq!(passes(&table, slow, key, 9, now + 3_000_000_000), 1);
}

/// Between the look at the clock and the bucket a worker may have to wait for the processor.
#[test]
fn a_worker_that_comes_late_gives_nothing_back() {
    let (table, bucket) = (table(&[4]), bucket(10, 10, 0));
    let (key, now, late) = (table.key("a"), 1_000_000_000, 800_000_000);
    assert_eq!(passes(&table, bucket, key, 20, now + late), 10);
    let Err(taken) = table.charge(bucket, key, now) else {
        panic!("the bucket is empty");
    };
    assert_eq!(bucket.wait(taken), late + bucket.interval);
    let next = now + late + bucket.interval;
    assert_eq!(passes(&table, bucket, key, 20, next - 1), 0);
    assert_eq!(passes(&table, bucket, key, 20, next), 1);
}
