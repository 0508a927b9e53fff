//! Recorded sessions in this process.

use super::{Deferred, Local, StoredChange, deferred};
use crate::session::browser::{
    BeginBrowser, BrowserJob, EndSelected, EndedSessions, IndexKey, ListSessions, ListedSession,
    SessionPage, SessionSelector, UpdateBrowser, UsedBrowser,
};
use crate::session::job::EndSession;
use crate::session::revocations::Revocations;
use crate::token::SessionId;

impl Local {
    pub(super) fn perform_browser(
        &mut self,
        job: BrowserJob,
        revocations: &Revocations,
    ) -> Deferred {
        match job {
            BrowserJob::Begin(begin, reply) => {
                self.begin_browser(begin);
                deferred(reply, ())
            }
            BrowserJob::Find(session, reply) => deferred(reply, self.browsers.find(&session)),
            BrowserJob::Update(update, reply) => deferred(reply, self.update_browser(update)),
            BrowserJob::Used(used, reply) => {
                self.used_browser(used);
                deferred(reply, ())
            }
            BrowserJob::UseOnce(key, until, now, reply) => {
                self.purge(now);
                let is_new = self.used.insert(key, until);
                if is_new {
                    self.changes.push(StoredChange::Use(key, until));
                }
                deferred(reply, is_new)
            }
            BrowserJob::WasUsed(key, reply) => deferred(reply, self.used.contains(&key)),
            // there is one process, which renews each session once at a time
            BrowserJob::Lease(_, reply) => deferred(reply, true),
            BrowserJob::Release(_, reply) => deferred(reply, ()),
            BrowserJob::List(list, reply) => deferred(reply, self.list_sessions(&list)),
            BrowserJob::End(end, reply) => deferred(reply, self.end_selected(&end, revocations)),
        }
    }

    fn begin_browser(&mut self, begin: BeginBrowser) {
        self.purge(begin.now);
        let BeginBrowser {
            session, record, ..
        } = begin;
        for leaving in self.browsers.put(session, &record) {
            self.changes.push(StoredChange::ForgetBrowser(leaving));
            // one that could not be ended any more must not go on
            let until = begin.last_token;
            self.changes.push(StoredChange::Revoke(leaving, until));
        }
        let kept = StoredChange::KeepBrowser(session, record);
        self.changes.push(kept);
    }

    /// A session that has ended has no record, and gets none.
    fn update_browser(&mut self, update: UpdateBrowser) -> bool {
        let before = self.browsers.find(&update.session);
        if before.is_none_or(|before| before.turn() != update.expected_turn) {
            return false;
        }
        // it takes the place of the former state: nobody has to make room
        self.browsers.put(update.session, &update.record);
        let kept = StoredChange::KeepBrowser(update.session, update.record);
        self.changes.push(kept);
        true
    }

    /// Of requests of the same second, the first is written down.
    fn used_browser(&mut self, used: UsedBrowser) {
        let Some(mut record) = self.browsers.find(&used.session) else {
            return;
        };
        let known = record.used_at.unwrap_or(record.begun_at);
        if used.now <= known {
            return;
        }
        record.used_at = Some(used.now);
        self.browsers.put(used.session, &record);
        let kept = StoredChange::KeepBrowser(used.session, record);
        self.changes.push(kept);
    }

    fn list_sessions(&self, list: &ListSessions) -> SessionPage {
        let number = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        let (from, count) = (number(list.from), number(list.count));
        let browsers = self.browsers.len();
        let records = match &list.selection.user {
            Some(user) => self.browsers.find_all(IndexKey::of_user(user)),
            None => self.browsers.page(from, count).collect(),
        };
        let records = records.into_iter();
        let browser = |(session, record)| ListedSession::of_browser(session, record);
        let mut found: Vec<_> = records.map(browser).collect();
        let families = match &list.selection.user {
            Some(user) => self.vault.of_subject(user),
            None => {
                let (skip, left) = (from.saturating_sub(browsers), count - found.len());
                self.vault.page(skip, left)
            }
        };
        let tokens = |(session, family): (SessionId, &_)| ListedSession::of_tokens(session, family);
        found.extend(families.into_iter().map(tokens));
        let next = list.from.saturating_add(list.count);
        let is_last = list.selection.user.is_some() || number(next) >= browsers + self.vault.len();
        found.retain(|session| session.expires_at > list.now && list.selection.admits(session));
        SessionPage {
            list: found,
            next: (!is_last).then_some(next),
        }
    }

    fn end_selected(&mut self, end: &EndSelected, revocations: &Revocations) -> EndedSessions {
        let mut sessions = match &end.selector {
            SessionSelector::Id(session) => {
                let is_recorded =
                    self.browsers.find(session).is_some() || self.vault.find(session).is_some();
                is_recorded.then_some(*session).into_iter().collect()
            }
            SessionSelector::User(name) | SessionSelector::UserExcept(name, _) => {
                let families = self.vault.of_subject(name).into_iter();
                families.map(|(session, _)| session).collect()
            }
            SessionSelector::ProviderSid(..)
            | SessionSelector::ProviderSub(..)
            | SessionSelector::ProviderSubWithoutSid(..) => Vec::new(),
        };
        if let Some(key) = IndexKey::of(&end.selector) {
            let browsers = self.browsers.find_all(key).into_iter();
            sessions.extend(browsers.map(|(session, _)| session));
        }
        sessions.retain(|session| end.selector.admits(session) && !revocations.contains(session));
        for session in &sessions {
            self.end(EndSession {
                session: *session,
                now: end.now,
                last_token: end.last_token,
                last_refresh: end.last_refresh,
            });
        }
        EndedSessions {
            ended: sessions.len(),
            more: false,
        }
    }
}
