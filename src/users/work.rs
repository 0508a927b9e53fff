//! What checking a password costs.

use std::fmt;

/// The work of one check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Work {
    /// bcrypt.
    Bcrypt {
        /// It doubles with each step; 10 is the least that is recommended.
        cost: u32,
    },
    /// argon2id (RFC 9106).
    Argon2id {
        /// In KiB.
        memory: u32,
        /// Over the whole memory.
        passes: u32,
        /// They run one after the other here.
        lanes: u32,
    },
}

impl Work {
    /// What an argon2id hash may take: no hash of a users file eats the machine.
    pub const ARGON2_LIMITS: &str =
        "m up to 262144 (256 MiB), t up to 32, p up to 16, and m times t up to 1048576";

    /// Whether a stolen hash of this work is quick to try: below bcrypt's cost 10, or below m=7168, t=5 and the like,
    /// which is what OWASP asks for.
    pub fn is_weak(self) -> bool {
        match self {
            Self::Bcrypt { cost } => cost < 10,
            Self::Argon2id { memory, passes, .. } => {
                u64::from(memory) * u64::from(passes) < 7168 * 5
            }
        }
    }
}

/// The work of a refused login: that of the costliest hash of a list, of each kind that the list has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct RefusalWork {
    /// The highest bcrypt cost.
    bcrypt: Option<u32>,
    /// Of the argon2id hash with the most memory times passes: both numbers.
    argon2id: Option<(u32, u32)>,
}

impl RefusalWork {
    /// Takes a hash of the list into account.
    pub(super) fn include(&mut self, work: Work) {
        let product = |(memory, passes)| (u64::from(memory) * u64::from(passes), memory);
        match work {
            Work::Bcrypt { cost } => self.bcrypt = self.bcrypt.max(Some(cost)),
            Work::Argon2id { memory, passes, .. } => {
                let other = Some((memory, passes));
                self.argon2id = self
                    .argon2id
                    .into_iter()
                    .chain(other)
                    .max_by_key(|work| product(*work));
            }
        }
    }

    /// What remains to be done after a check of this work, or where nothing was checked. bcrypt doubles with each step
    /// of the cost, so one run of each cost from the checked one up to the highest, exclusively, is exactly the rest.
    /// For argon2id, memory times passes is the measure.
    pub(super) fn missing(self, done: Option<Work>) -> Vec<Work> {
        let mut missing = Vec::new();
        match (self.bcrypt, done) {
            (Some(highest), Some(Work::Bcrypt { cost })) => {
                missing.extend((cost..highest).map(|cost| Work::Bcrypt { cost }));
            }
            (Some(cost), Some(Work::Argon2id { .. }) | None) => missing.push(Work::Bcrypt { cost }),
            (None, _) => {}
        }
        if let Some((most, passes)) = self.argon2id {
            let before = match done {
                Some(Work::Argon2id { memory, passes, .. }) => {
                    u64::from(memory) * u64::from(passes)
                }
                Some(Work::Bcrypt { .. }) | None => 0,
            };
            let rest = (u64::from(most) * u64::from(passes)).saturating_sub(before);
            let most = u64::from(most.max(1));
            missing.extend(argon2id(most, rest / most));
            missing.extend(argon2id(rest % most, 1));
        }
        missing
    }
}

/// A run of one lane, where it is large enough to be one.
fn argon2id(memory: u64, passes: u64) -> Option<Work> {
    let (memory, passes) = (u32::try_from(memory).ok()?, u32::try_from(passes).ok()?);
    (memory >= LEAST_MEMORY && passes > 0).then_some(Work::Argon2id {
        memory,
        passes,
        lanes: 1,
    })
}

/// The least memory of an argon2id run with one lane, in KiB (RFC 9106, section 3.1).
const LEAST_MEMORY: u32 = 8;

/// As the hash writes it.
impl fmt::Display for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bcrypt { cost } => write!(f, "cost {cost}"),
            Self::Argon2id {
                memory,
                passes,
                lanes,
            } => write!(f, "m={memory},t={passes},p={lanes}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bcrypt(cost: u32) -> Work {
        Work::Bcrypt { cost }
    }

    fn argon(memory: u32, passes: u32) -> Work {
        Work::Argon2id {
            memory,
            passes,
            lanes: 1,
        }
    }

    /// bcrypt's rounds, and argon2id's memory times passes.
    fn sum(works: &[Work]) -> (u64, u64) {
        works
            .iter()
            .fold((0, 0), |(rounds, blocks), work| match *work {
                Work::Bcrypt { cost } => (rounds + (1 << cost), blocks),
                Work::Argon2id { memory, passes, .. } => {
                    (rounds, blocks + u64::from(memory) * u64::from(passes))
                }
            })
    }

    #[test]
    fn what_was_checked_and_what_is_missing_add_up_to_the_same() {
        for list in [
            vec![bcrypt(4)],
            vec![bcrypt(15), bcrypt(4), bcrypt(10)],
            vec![argon(65_536, 3)],
            vec![argon(65_536, 3), argon(19_456, 2), argon(262_144, 1)],
            vec![argon(8, 1), argon(65_536, 3), bcrypt(12), bcrypt(5)],
        ] {
            let mut refusal = RefusalWork::default();
            list.iter().for_each(|work| refusal.include(*work));
            let expected = sum(&refusal.missing(None));
            let costliest = |one: fn((u64, u64)) -> u64| {
                list.iter().map(|work| one(sum(&[*work]))).max().unwrap()
            };
            assert_eq!(
                expected,
                (costliest(|sum| sum.0), costliest(|sum| sum.1)),
                "{list:?}"
            );
            for work in &list {
                let mut done = refusal.missing(Some(*work));
                done.push(*work);
                assert_eq!(sum(&done), expected, "{work:?} of {list:?}");
            }
        }
    }

    #[test]
    fn every_missing_work_is_one_that_a_hash_may_have() {
        let mut refusal = RefusalWork::default();
        for work in [bcrypt(4), bcrypt(15), argon(262_144, 4), argon(8, 1)] {
            refusal.include(work);
        }
        for done in [
            None,
            Some(bcrypt(4)),
            Some(argon(8, 1)),
            Some(argon(65_539, 3)),
        ] {
            for work in refusal.missing(done) {
                match work {
                    Work::Bcrypt { cost } => assert!((4..=15).contains(&cost)),
                    Work::Argon2id { memory, passes, .. } => {
                        assert!((8..=262_144).contains(&memory) && (1..=32).contains(&passes));
                    }
                }
            }
        }
    }
}
