//! Setting passwords. They come hashed: hashing is slow on purpose and bounded at the doors.

use super::settled;
use crate::{Engine, EngineError};
use wardroom_core::{
    SessionId,
    audit::AuditDraft,
    change::{Change, Write},
    hint::Hint,
    identity::{Pass, User, UserState},
};

impl Engine {
    /// Sets an account's password and ends all of its sessions but `but`. `pass` is the link by which it is
    /// set, and is used up with it; the last `kept` hashes are remembered.
    pub async fn set_password(
        &self,
        user: &User,
        hash: String,
        pass: Option<&Pass>,
        kept: u32,
        but: Option<SessionId>,
        audit: AuditDraft,
    ) -> Result<User, EngineError> {
        let now = self.now();
        let changed = User {
            version: user.version + 1,
            password_hash: hash.clone(),
            password_temporary: false,
            password_changed_at: now,
            state: if pass.is_some() { UserState::Active } else { user.state },
            ..user.clone()
        };
        let mut change = Change::recorded(audit.on(user.id));
        if let Some(pass) = pass {
            change.writes.push(Write::UsePass { id: pass.id, at: now });
        }
        let change = change
            .write(Write::UpdateUser(changed.clone()))
            .write(Write::KeepPassword { user: user.id, hash, at: now, kept })
            .write(Write::RemovePassesOf(user.id))
            .write(Write::RemoveSessionsOf { user: user.id, but })
            .hint(Hint::Person(user.id.into()));
        settled(self.commit(change).await)?;
        Ok(changed)
    }
}
