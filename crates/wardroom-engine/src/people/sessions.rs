//! Sessions: opening them within a bound, using them, handing their secret on.

use crate::{Engine, EngineError};
use std::time::Duration;
use wardroom_core::{
    Timestamp,
    audit::AuditDraft,
    change::{Change, Write},
    identity::{ApiToken, SecretHash, Session, SessionAbout, User},
    store::StoreError,
};

/// Use of a session or token is written down once in so long: not every request is a write.
pub const SESSION_TOUCH: Duration = Duration::from_secs(60);

/// What is known of a session's place is sealed for this.
pub(crate) const ABOUT: &str = "session";

/// Ends the oldest of `open`, which are newest first, so that with one more they are at most `most`.
pub(crate) fn beyond(open: &[Session], most: usize) -> impl Iterator<Item = Write> + '_ {
    open.iter().skip(most.saturating_sub(1)).map(|oldest| Write::RemoveSession(oldest.id))
}

impl Engine {
    /// Opens a session; the oldest of the account's end when it would be one more than `most`. Gives whether
    /// no session of the account was opened from this address before, as far as is known.
    pub async fn open_session(
        &self,
        user: &User,
        mut session: Session,
        about: &SessionAbout,
        most: usize,
        audit: AuditDraft,
    ) -> Result<bool, EngineError> {
        session.about = self.seal_about(user, about).await?;
        let mut open = self.store.list_sessions(user.id, self.now()).await?;
        // What others' programs were granted says nothing of where its owner is, and has a bound of its own.
        open.retain(|session| session.grant.is_none());
        let mut known = open.is_empty();
        for other in &open {
            known |= self.session_about(other).await?.address == about.address;
        }
        let mut change = Change::recorded(audit.on(user.id).detail("session", session.id));
        if !known && let Some(audit) = change.audit.first_mut() {
            audit.record.detail.insert("new_address".to_owned(), "true".to_owned());
        }
        change.writes.push(Write::AddSession(session));
        if !known {
            let text = format!(
                "Somebody signed in to your Wardroom account from {}, with {}, where you were not seen before.\n\nIf that was you, there is nothing to do. If not: end the session on your account's page, set another password, and tell an administrator.\n",
                about.address,
                if about.user_agent.is_empty() { "an unnamed program" } else { &about.user_agent },
            );
            self.write_to(user.id, None, "A sign-in from a new address", text, &mut change).await?;
        }
        change.writes.extend(beyond(&open, most));
        match self.commit(change.clone()).await {
            // One of them ended by itself in this moment: what is left is within the bound.
            Err(StoreError::Conflict(_)) => {
                change.writes.retain(|write| !matches!(write, Write::RemoveSession(_)));
                self.commit(change).await?;
            }
            other => other?,
        }
        Ok(!known)
    }

    /// Where a session was opened from, sealed for its owner.
    pub(crate) async fn seal_about(
        &self,
        user: &User,
        about: &SessionAbout,
    ) -> Result<Vec<u8>, EngineError> {
        let cipher = self.vault.cipher(user.id.into()).await?;
        cipher.seal_json(ABOUT, about, &*self.rng).map_err(EngineError::seal)
    }

    /// Where a session was opened from.
    pub async fn session_about(&self, session: &Session) -> Result<SessionAbout, EngineError> {
        let cipher = self.vault.cipher(session.user.into()).await?;
        cipher.open_json(ABOUT, &session.about).map_err(EngineError::seal)
    }

    /// Notes that a session is used.
    pub async fn touch_session(
        &self,
        session: &Session,
        idle: Duration,
    ) -> Result<(), EngineError> {
        let at = self.now();
        if at.since(session.seen_at) < SESSION_TOUCH {
            return Ok(());
        }
        let idle_until = at.plus(idle).min(session.expires_at);
        let touch = Write::TouchSession { id: session.id, at, idle_until };
        Ok(self.commit(Change::default().write(touch)).await?)
    }

    /// Notes that a token is used.
    pub async fn touch_api_token(&self, token: &ApiToken) -> Result<(), EngineError> {
        let at = self.now();
        if token.used_at.is_some_and(|used| at.since(used) < SESSION_TOUCH) {
            return Ok(());
        }
        Ok(self.commit(Change::default().write(Write::TouchApiToken { id: token.id, at })).await?)
    }

    /// Hands a session's secret on: `to` is good from now on, the one before is known as spent.
    pub async fn rotate_session(
        &self,
        session: &Session,
        to: SecretHash,
        idle: Duration,
        audit: Option<AuditDraft>,
    ) -> Result<(), EngineError> {
        let at = self.now();
        let idle_until = at.plus(idle).min(session.expires_at);
        let rotate =
            Write::RotateSession { id: session.id, from: session.secret_hash, to, at, idle_until };
        let mut change = Change::default().write(rotate);
        change.audit.extend(audit);
        match self.commit(change).await {
            Err(StoreError::Conflict(_)) => Err(EngineError::Conflict),
            other => Ok(other?),
        }
    }

    /// When a session ends that opens now.
    pub fn session_times(
        &self,
        ttl: Duration,
        idle: Duration,
    ) -> (Timestamp, Timestamp, Timestamp) {
        let now = self.now();
        let expires_at = now.plus(ttl);
        (now, expires_at, now.plus(idle).min(expires_at))
    }
}
