//! Tokens that were verified a moment ago. A signature costs microseconds, finding a token here a tenth of one.

use std::borrow::Cow;
use std::fmt;

use ahash::RandomState;
use sha2::{Digest, Sha256};

/// The longest token that is kept as it is, in bytes. Of a longer one its digest is kept: otherwise the size of a request's
/// head, times the number of places, would be the memory of each worker.
const LONGEST_KEPT: usize = 2048;

/// How many tokens share a place before one has to go.
const WAYS: usize = 4;

/// A bounded memory of tokens whose signature and claims held, for one worker. Only tokens that held are in it, so a
/// flood of bad ones changes nothing; it belongs to one load of the configuration and goes with it.
///
/// `T` is what a token said, and what follows from it for as long as the configuration is the same, such as its user. What
/// changes with time is not remembered: the caller looks at the dates of the token and at its session again.
pub struct TokenCache<T> {
    hasher: RandomState,
    /// Made for the first token: hundreds of kilobytes that many a worker never needs.
    sets: Box<[[Option<Entry<T>>; WAYS]]>,
    /// How many sets there are then: a power of two.
    room: usize,
    /// Which way of a full set goes next.
    turn: usize,
}

struct Entry<T> {
    hash: u64,
    /// In bytes: no short token passes for the digest of a long one.
    length: usize,
    token: Box<[u8]>,
    claims: T,
}

/// What a token is compared by.
fn kept(token: &str) -> Cow<'_, [u8]> {
    if token.len() <= LONGEST_KEPT {
        Cow::Borrowed(token.as_bytes())
    } else {
        Cow::Owned(Sha256::digest(token).to_vec())
    }
}

impl<T> TokenCache<T> {
    /// Room for about `tokens` tokens. The hasher's seed is random: nobody can aim at a place.
    pub fn new(tokens: usize, hasher: RandomState) -> Self {
        Self {
            hasher,
            sets: Box::default(),
            room: tokens.div_ceil(WAYS).next_power_of_two(),
            turn: 0,
        }
    }

    /// What this very token said when it was verified.
    pub fn find(&self, token: &str) -> Option<&T> {
        let hash = self.hasher.hash_one(token);
        let entries = self.sets.get(self.place(hash))?.iter().flatten();
        // the seeded hash is compared first, so that the time taken says nothing about the tokens of others
        entries
            .filter(|entry| entry.hash == hash && entry.length == token.len())
            .find(|entry| *entry.token == *kept(token))
            .map(|entry| &entry.claims)
    }

    /// Remembers a token that held, in place of what it said before, or of another where its place is full.
    pub fn keep(&mut self, token: &str, claims: T) {
        if self.sets.is_empty() {
            self.sets = (0..self.room).map(|_| [const { None }; WAYS]).collect();
        }
        let hash = self.hasher.hash_one(token);
        let place = self.place(hash);
        let set = &mut self.sets[place];
        let (length, token) = (token.len(), kept(token));
        let is_it = |entry: &Option<Entry<T>>| {
            let same = |entry: &Entry<T>| entry.length == length && *entry.token == *token;
            entry.as_ref().is_some_and(same)
        };
        let known = set.iter().position(is_it);
        let free = known.or_else(|| set.iter().position(Option::is_none));
        let way = free.unwrap_or_else(|| {
            self.turn = (self.turn + 1) % WAYS;
            self.turn
        });
        set[way] = Some(Entry {
            hash,
            length,
            token: token.into(),
            claims,
        });
    }

    fn place(&self, hash: u64) -> usize {
        // the number of sets is a power of two
        usize::try_from(hash & (self.room as u64 - 1))
            .expect("a place in the cache is a small number")
    }
}

impl<T> fmt::Debug for TokenCache<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenCache").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::dates::Dates;
    use crate::token::{SessionId, SignIn, VerifiedClaims};

    fn claims(subject: &str) -> VerifiedClaims {
        let session = SessionId::from_bytes([0; 16]);
        VerifiedClaims {
            api_key: None,
            subject: subject.into(),
            issued_at: None,
            expires_at: 1,
            signed_in_at: None,
            sign_in: SignIn::default(),
            session,
            provider: None,
            dates: Dates::default(),
        }
    }

    #[test]
    fn only_the_very_token_is_found() {
        let mut cache = TokenCache::new(8, RandomState::with_seeds(1, 2, 3, 4));
        assert_eq!(cache.find("a.b.c"), None);
        cache.keep("a.b.c", claims("alice"));
        assert_eq!(cache.find("a.b.c"), Some(&claims("alice")));
        for other in ["a.b.d", "a.b.c.", "a.b", ""] {
            assert_eq!(cache.find(other), None);
        }
    }

    #[test]
    fn a_long_token_is_found_and_does_not_take_its_length() {
        let mut cache = TokenCache::new(8, RandomState::with_seeds(1, 2, 3, 4));
        let long = "x".repeat(LONGEST_KEPT + 1);
        cache.keep(&long, claims("alice"));
        assert_eq!(cache.find(&long), Some(&claims("alice")));
        assert_eq!(cache.find(&long[1..]), None);
        assert_eq!(cache.find(&format!("{}y", &long[1..])), None);
        let kept = cache.sets.iter().flatten().flatten();
        assert_eq!(kept.map(|entry| entry.token.len()).sum::<usize>(), 32);
    }

    #[test]
    fn it_never_holds_more_than_it_has_room_for() {
        let mut cache = TokenCache::new(16, RandomState::with_seeds(1, 2, 3, 4));
        for number in 0..1000 {
            cache.keep(&number.to_string(), claims("alice"));
        }
        assert_eq!(cache.sets.len() * WAYS, 16);
        assert_eq!(
            cache.find("999"),
            Some(&claims("alice")),
            "the newest is there"
        );
    }

    #[test]
    fn it_is_never_printed() {
        let mut cache = TokenCache::new(8, RandomState::with_seeds(1, 2, 3, 4));
        cache.keep("hush", claims("alice"));
        assert!(!format!("{cache:?}").contains("hush"));
    }
}
