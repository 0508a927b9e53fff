//! Somebody's own sessions: which there are, and their end.

use std::cmp::Reverse;

use crate::access::Identity;
use crate::pages::PageItem;
use crate::portal::Portal;
use crate::portal::words::ago;
use crate::session::{ListedSession, SessionKind, SessionSelector, StoreUnavailable};
use crate::token::SessionId;

/// The most sessions that are shown; all of them can be ended.
const SHOWN: usize = 50;

const AWAY: &str = "Your sessions cannot be listed right now. Please try again in a moment.";

/// Somebody's sessions on their page.
#[derive(Default)]
pub(super) struct OwnSessions {
    pub(super) shown: Vec<PageItem>,
    /// Whether there are others than the one of the request.
    pub(super) has_others: bool,
    /// Why they cannot be listed; else empty.
    pub(super) error: &'static str,
}

impl Portal {
    /// The sessions that are this person's. A name that the user list has is one person, however they sign in, and whoever had it
    /// before is another; without the list two providers may use one name for two.
    async fn own_sessions(
        &self,
        identity: &Identity,
        now: u64,
    ) -> Result<Vec<ListedSession>, StoreUnavailable> {
        let user = self.directory.find(&identity.subject);
        let is_own = |session: &ListedSession| match user {
            Some(user) => user.admit(Some(session.begun_at)).is_ok(),
            None => session.provider == identity.provider,
        };
        let (mut all, mut from) = (Vec::new(), Some(0));
        while let Some(start) = from {
            let page = self
                .sessions
                .list_sessions(Some(&identity.subject), None, start, now);
            let page = page.await?;
            all.extend(page.list.into_iter().filter(is_own));
            from = page.next;
        }
        Ok(all)
    }

    /// The same for the page, the one of the request first, then as they were used last.
    pub(super) async fn show_sessions(
        &self,
        identity: &Identity,
        current: Option<SessionId>,
        now: u64,
    ) -> OwnSessions {
        let Ok(mut all) = self.own_sessions(identity, now).await else {
            return OwnSessions {
                error: AWAY,
                ..OwnSessions::default()
            };
        };
        let is_current = |session: &ListedSession| Some(session.id) == current;
        all.sort_by_key(|session| {
            let used = session.used_at.unwrap_or(session.begun_at);
            (!is_current(session), Reverse(used), session.id)
        });
        let item = |session: &ListedSession| self.item(session, is_current(session), now);
        OwnSessions {
            shown: all.iter().take(SHOWN).map(item).collect(),
            has_others: all.iter().any(|session| !is_current(session)),
            error: "",
        }
    }

    fn item(&self, session: &ListedSession, is_current: bool, now: u64) -> PageItem {
        let place = session.place.as_ref();
        let client = place.map_or("", |place| &place.client);
        let title = match (client, session.kind) {
            ("", SessionKind::Browser) => "A browser",
            ("", SessionKind::Tokens) => "A program",
            (client, _) => client,
        };
        let provider = session.provider.as_deref();
        let provider = provider.and_then(|name| self.provider(name));
        let used = match session.used_at.filter(|used| *used > session.begun_at) {
            Some(used) if !is_current => Some(format!("last used {}", ago(used, now))),
            Some(_) | None => None,
        };
        let details = [
            place.map(|place| place.network.to_string()),
            provider.map(|provider| format!("with {}", provider.settings().title)),
            Some(format!("signed in {}", ago(session.begun_at, now))),
            used,
        ];
        let details: Vec<_> = details.into_iter().flatten().collect();
        let current = match session.kind {
            _ if !is_current => "",
            SessionKind::Browser => "this browser",
            SessionKind::Tokens => "this program",
        };
        PageItem::new([
            ("id", session.id.to_string()),
            ("title", title.to_owned()),
            ("detail", details.join(" · ")),
            ("current", current.to_owned()),
        ])
    }

    /// Ends a session of this person; `false` where there is none of this name.
    pub(super) async fn end_own(
        &self,
        identity: &Identity,
        session: SessionId,
        now: u64,
    ) -> Result<bool, StoreUnavailable> {
        let own = self.own_sessions(identity, now).await?;
        if !own.iter().any(|other| other.id == session) {
            return Ok(false);
        }
        self.sessions.end(session, self.times(now)).await?;
        Ok(true)
    }

    /// Ends every session of this person but one.
    pub(super) async fn end_others(
        &self,
        identity: &Identity,
        kept: SessionId,
        now: u64,
    ) -> Result<(), StoreUnavailable> {
        let times = self.times(now);
        if self.directory.find(&identity.subject).is_some() {
            let others = SessionSelector::UserExcept(identity.subject.clone(), kept);
            return self.sessions.end_selected(&others, times).await.map(drop);
        }
        let own = self.own_sessions(identity, now).await?;
        let others = own.iter().map(|session| session.id);
        let others: Vec<_> = others.filter(|session| *session != kept).collect();
        self.sessions.end_all(&others, times).await
    }
}
