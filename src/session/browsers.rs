//! What the rest of the house asks of the store about recorded sessions.
//!
//! Where the store is away: a sign-in is refused, what is good once is refused, nothing is listed and nothing is ended, and the
//! caller is told so. A session that was recorded goes on, and is not renewed at its provider meanwhile.

use super::browser::{
    BeginBrowser, BrowserJob, BrowserSession, EndSelected, EndedSessions, ListSessions, OnceKey,
    Renewal, Selection, SessionPage, SessionSelector, UpdateBrowser, UsedBrowser,
};
use super::job::Job;
use super::reply::{JobReply, StoreUnavailable};
use super::sessions::{Sessions, Times};
use crate::token::SessionId;

/// How many sessions one page looks at.
const PAGE: u64 = 500;

impl Sessions {
    /// Records a session of a browser that begins.
    ///
    /// # Errors
    /// [`StoreUnavailable`]; then the session must not begin: nobody could end it.
    pub async fn begin_browser(
        &self,
        session: SessionId,
        record: BrowserSession,
        times: Times,
    ) -> Result<(), StoreUnavailable> {
        let begin = BeginBrowser {
            session,
            record,
            now: times.now,
            last_token: times.last_token,
        };
        self.browser(|reply| BrowserJob::Begin(begin, reply)).await
    }

    /// The record of a session; `None` where it has ended, or was never recorded.
    ///
    /// # Errors
    /// [`StoreUnavailable`]; then nothing is known of it.
    pub async fn find_browser(
        &self,
        session: SessionId,
    ) -> Result<Option<BrowserSession>, StoreUnavailable> {
        self.browser(|reply| BrowserJob::Find(session, reply)).await
    }

    /// Replaces the record of a session, if it is still in the state that it was made from; `false` where it is not, or the
    /// session has ended.
    ///
    /// # Errors
    /// [`StoreUnavailable`]; then it may have been replaced or not.
    pub(super) async fn update_browser(
        &self,
        session: SessionId,
        record: BrowserSession,
        expected_turn: u64,
        now: u64,
    ) -> Result<bool, StoreUnavailable> {
        let update = UpdateBrowser {
            session,
            record,
            expected_turn,
            now,
        };
        self.browser(|reply| BrowserJob::Update(update, reply))
            .await
    }

    /// Leaves word that the cookie of a session was renewed at `now`, which counts as its last use. It waits for nobody: a
    /// word that is lost is missing from a list. `last_second`: when the session ends at the latest.
    pub fn browser_used(&self, session: SessionId, last_second: u64, now: u64) {
        let used = UsedBrowser {
            session,
            now,
            last_second,
        };
        drop(self.place(|reply| Job::Browser(BrowserJob::Used(used, reply))));
    }

    /// Uses something that is good once, and would be refused from `until` on anyway. `false`: it was used before, by
    /// whichever replica.
    ///
    /// # Errors
    /// [`StoreUnavailable`]; then it must not count.
    pub async fn use_once(
        &self,
        key: OnceKey,
        until: u64,
        now: u64,
    ) -> Result<bool, StoreUnavailable> {
        self.browser(|reply| BrowserJob::UseOnce(key, until, now, reply))
            .await
    }

    /// Whether something that is good once was used, by whichever replica; it stays as it is.
    ///
    /// # Errors
    /// [`StoreUnavailable`]; then nobody knows.
    pub async fn was_used(&self, key: OnceKey) -> Result<bool, StoreUnavailable> {
        self.browser(|reply| BrowserJob::WasUsed(key, reply)).await
    }

    /// Takes the right to renew a session at its provider; `false` where another replica has it.
    pub(super) async fn lease(&self, renewal: Renewal) -> Result<bool, StoreUnavailable> {
        self.browser(|reply| BrowserJob::Lease(renewal, reply))
            .await
    }

    /// Gives the right back. Where that fails, it ends by itself.
    pub(super) async fn release(&self, renewal: Renewal) {
        let _ = self
            .browser(|reply| BrowserJob::Release(renewal, reply))
            .await;
    }

    /// A page of the sessions, of a user or of a provider's users where one is named. The first page is at 0.
    ///
    /// # Errors
    /// [`StoreUnavailable`].
    pub async fn list_sessions(
        &self,
        user: Option<&str>,
        provider: Option<&str>,
        from: u64,
        now: u64,
    ) -> Result<SessionPage, StoreUnavailable> {
        let selection = Selection {
            user: user.map(Into::into),
            provider: provider.map(Into::into),
        };
        let list = ListSessions {
            selection,
            from,
            count: PAGE,
            now,
        };
        self.browser(|reply| BrowserJob::List(list, reply)).await
    }

    /// Ends all sessions of a selection, over all replicas; says how many have ended that had not before.
    ///
    /// # Errors
    /// [`StoreUnavailable`]; then some of them may go on.
    pub async fn end_selected(
        &self,
        selector: &SessionSelector,
        times: Times,
    ) -> Result<usize, StoreUnavailable> {
        let mut all = 0;
        loop {
            let selector = selector.clone();
            let end = EndSelected {
                selector,
                now: times.now,
                last_token: times.last_token,
                last_refresh: times.last_refresh(),
            };
            let EndedSessions { ended, more } =
                self.browser(|reply| BrowserJob::End(end, reply)).await?;
            all += ended;
            if !more {
                return Ok(all);
            }
        }
    }

    async fn browser<T>(
        &self,
        job: impl FnOnce(JobReply<T>) -> BrowserJob,
    ) -> Result<T, StoreUnavailable> {
        self.order(|reply| Job::Browser(job(reply))).await
    }
}
