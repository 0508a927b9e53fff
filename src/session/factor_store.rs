//! What the rest of the house asks of the store about second factors, and about values that are read once.
//!
//! Where the store is away, or a record cannot be opened, nobody is taken for somebody without a second factor.

use std::fmt;

use super::browser::OnceKey;
use super::factors::{
    FactorJob, FactorName, FactorPage, FactorRecord, FactorSummary, FactorSwap, KEPT_FOR,
    KEPT_SIZE, KeepOnce, StoredFactors, SwapFactors, UserHandle,
};
use super::job::Job;
use super::reply::{JobReply, StoreUnavailable};
use super::sessions::Sessions;
use crate::ambient;
use crate::token::Sealer;

/// How many people one page holds.
const PAGE: u64 = 500;

/// Why it is not known which factors somebody has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FactorError {
    /// The store is away.
    Unavailable(StoreUnavailable),
    /// No configured key opens the record, or it was changed by somebody else: `auth.token` has another key, without the former
    /// one in `previous`.
    Unreadable,
}

impl Sessions {
    /// The second factors of a person who has the name since that second; a record without any where nothing is kept. What a
    /// former key has sealed is sealed anew, and what was added before is of somebody else, and forgotten.
    ///
    /// # Errors
    /// [`FactorError`]; then it is not known which the person has.
    pub async fn find_factors(
        &self,
        subject: &str,
        since: Option<u64>,
        sealer: &Sealer,
    ) -> Result<FactorRecord, FactorError> {
        loop {
            let found = self.factors(|reply| FactorJob::Find(subject.into(), reply));
            let Some(found) = found.await? else {
                return Ok(FactorRecord::new(ambient::random_bytes()));
            };
            let mut record = found.open(sealer).ok_or(FactorError::Unreadable)?;
            if since.is_some_and(|since| record.is_older_than(since)) {
                record = FactorRecord {
                    turn: record.turn,
                    ..FactorRecord::new(ambient::random_bytes())
                };
            } else if found.is_current(sealer) {
                return Ok(record);
            }
            // who replaces it meanwhile does the same
            if self.swap_factors(subject, &record, sealer).await? == FactorSwap::Done {
                record.turn += 1;
                return Ok(record);
            }
        }
    }

    /// Replaces the second factors of a person, if they are in the state that the new ones were made from (its `turn`), and no
    /// credential id is another person's.
    ///
    /// # Errors
    /// [`StoreUnavailable`]; then they may have been replaced or not.
    pub async fn swap_factors(
        &self,
        subject: &str,
        record: &FactorRecord,
        sealer: &Sealer,
    ) -> Result<FactorSwap, StoreUnavailable> {
        let factors = StoredFactors::seal(subject, record, sealer);
        let swap = SwapFactors { factors };
        self.factors(|reply| FactorJob::Swap(swap, reply)).await
    }

    /// What a person has added, without opening it; `None` where nothing is kept.
    ///
    /// # Errors
    /// [`StoreUnavailable`].
    pub async fn factor_summary(
        &self,
        subject: &str,
    ) -> Result<Option<FactorSummary>, StoreUnavailable> {
        let found = self.factors(|reply| FactorJob::Find(subject.into(), reply));
        Ok(found.await?.map(|found| found.summary))
    }

    /// Forgets everything that is kept of a person's second factors, whether or not it can be read; says whether there was
    /// anything.
    ///
    /// # Errors
    /// [`StoreUnavailable`]; then it may have been forgotten or not.
    pub async fn remove_factors(&self, subject: &str) -> Result<bool, StoreUnavailable> {
        self.factors(|reply| FactorJob::Remove(subject.into(), reply))
            .await
    }

    /// The person who has a credential, with all factors; `None` where nobody has it.
    ///
    /// # Errors
    /// [`FactorError`].
    pub async fn find_credential(
        &self,
        id: &[u8],
        sealer: &Sealer,
    ) -> Result<Option<(Box<str>, FactorRecord)>, FactorError> {
        let name = FactorName::of_credential(id);
        let found = self.find_named(name, sealer).await?;
        Ok(found.filter(|(_, record)| record.keys().any(|key| key.id == id)))
    }

    /// The person who is called so towards authenticators, with all factors; `None` where nobody is.
    ///
    /// # Errors
    /// [`FactorError`].
    pub async fn find_handle(
        &self,
        handle: &UserHandle,
        sealer: &Sealer,
    ) -> Result<Option<(Box<str>, FactorRecord)>, FactorError> {
        let name = FactorName::of_handle(handle);
        let found = self.find_named(name, sealer).await?;
        Ok(found.filter(|(_, record)| record.user_handle == *handle))
    }

    /// A page of the people of whom factors are kept. The first is at 0.
    ///
    /// # Errors
    /// [`StoreUnavailable`].
    pub async fn list_factors(&self, from: u64) -> Result<FactorPage, StoreUnavailable> {
        self.factors(|reply| FactorJob::List(from, PAGE, reply))
            .await
    }

    /// Seals with the gateway's key what a former one has sealed, of everybody. Says how many people's factors cannot be read.
    ///
    /// # Errors
    /// [`StoreUnavailable`]; then some of them are sealed as before.
    pub async fn seal_factors_anew(&self, sealer: &Sealer) -> Result<usize, StoreUnavailable> {
        let (mut from, mut unreadable) = (Some(0), 0);
        while let Some(place) = from {
            let page = self.list_factors(place).await?;
            for (subject, _) in &page.list {
                match self.find_factors(subject, None, sealer).await {
                    Ok(_) => {}
                    Err(FactorError::Unreadable) => unreadable += 1,
                    Err(FactorError::Unavailable(error)) => return Err(error),
                }
            }
            from = page.next;
        }
        Ok(unreadable)
    }

    /// Keeps a value of up to 8 KiB that is read at most once, by whichever replica, until `until`, and for five minutes at the most.
    /// `false`: there is no room, or the key has a value. The store can read the value, but not the key.
    ///
    /// # Errors
    /// [`StoreUnavailable`]; then it may be kept or not.
    pub async fn keep_once(
        &self,
        key: OnceKey,
        value: Vec<u8>,
        until: u64,
        now: u64,
    ) -> Result<bool, StoreUnavailable> {
        if value.len() > KEPT_SIZE {
            return Ok(false);
        }
        let until = until.min(now.saturating_add(KEPT_FOR));
        let keep = KeepOnce {
            key,
            value,
            until,
            now,
        };
        self.factors(|reply| FactorJob::Keep(keep, reply)).await
    }

    /// Takes a value that was kept; `None` where somebody has taken it, its time is over, or it never was.
    ///
    /// # Errors
    /// [`StoreUnavailable`]; then it is gone or not.
    pub async fn take_once(
        &self,
        key: OnceKey,
        now: u64,
    ) -> Result<Option<Vec<u8>>, StoreUnavailable> {
        self.factors(|reply| FactorJob::Take(key, now, reply)).await
    }

    async fn find_named(
        &self,
        name: FactorName,
        sealer: &Sealer,
    ) -> Result<Option<(Box<str>, FactorRecord)>, FactorError> {
        let found = self.factors(|reply| FactorJob::FindNamed(name, reply));
        let Some(found) = found.await? else {
            return Ok(None);
        };
        let record = found.open(sealer).ok_or(FactorError::Unreadable)?;
        Ok(Some((found.subject, record)))
    }

    async fn factors<T>(
        &self,
        job: impl FnOnce(JobReply<T>) -> FactorJob,
    ) -> Result<T, StoreUnavailable> {
        self.order(|reply| Job::Factors(job(reply))).await
    }
}

impl From<StoreUnavailable> for FactorError {
    fn from(error: StoreUnavailable) -> Self {
        Self::Unavailable(error)
    }
}

impl fmt::Display for FactorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unavailable(error) => error.fmt(f),
            Self::Unreadable => f.write_str(
                "the second factors cannot be read: they were sealed with a key that `auth.token` does not have any more",
            ),
        }
    }
}

impl std::error::Error for FactorError {}
