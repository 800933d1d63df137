//! Second factors: adding, confirming, using and removing them.

use super::settled;
use crate::{Engine, EngineError};
use serde::{Deserialize, Serialize};
use wardroom_core::{
    FactorId, SessionId, UserId,
    audit::AuditDraft,
    change::{Change, Write},
    identity::{Factor, FactorKind, SecretHash, User},
    store::StoreError,
};

/// How many recovery codes an account gets.
pub const RECOVERY_CODES: usize = 10;
/// What a factor is sealed for.
pub(crate) const FACTOR: &str = "factor";

/// What is kept of a second factor, sealed under its person's key.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FactorSecret {
    /// What its owner calls it.
    pub name: String,
    /// A TOTP's secret in base32, or a passkey as JSON; nothing for a recovery code.
    pub secret: String,
}

impl std::fmt::Debug for FactorSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FactorSecret").field("name", &self.name).finish_non_exhaustive()
    }
}

/// A second factor that is to be added.
#[derive(Debug)]
pub struct NewFactor {
    /// What it is.
    pub kind: FactorKind,
    /// What is kept of it.
    pub secret: FactorSecret,
    /// By what it is found.
    pub handle: Option<SecretHash>,
    /// Its first counter.
    pub counter: i64,
    /// Whether its owner has shown already that it works.
    pub confirmed: bool,
}

impl Engine {
    /// Adds second factors to an account, in place of all that it had of kind `replaced`.
    pub async fn add_factors(
        &self,
        user: UserId,
        new: Vec<NewFactor>,
        replaced: Option<FactorKind>,
        audit: AuditDraft,
    ) -> Result<Vec<Factor>, EngineError> {
        let cipher = self.vault.cipher(user.into()).await?;
        let mut change = Change::recorded(audit.on(user));
        if let Some(kind) = replaced {
            change.writes.push(Write::RemoveFactorsOf { user, kind: Some(kind) });
        }
        let mut added = Vec::with_capacity(new.len());
        for new in new {
            let now = self.now();
            let sealed =
                cipher.seal_json(FACTOR, &new.secret, &*self.rng).map_err(EngineError::seal)?;
            let factor = Factor {
                id: FactorId::new(now, &*self.rng),
                user,
                kind: new.kind,
                sealed,
                handle: new.handle,
                counter: new.counter,
                confirmed: new.confirmed,
                created_at: now,
                used_at: None,
            };
            change.writes.push(Write::AddFactor(factor.clone()));
            added.push(factor);
        }
        settled(self.commit(change).await)?;
        Ok(added)
    }

    /// What is kept of a second factor.
    pub async fn factor_secret(&self, factor: &Factor) -> Result<FactorSecret, EngineError> {
        let cipher = self.vault.cipher(factor.user.into()).await?;
        cipher.open_json(FACTOR, &factor.sealed).map_err(EngineError::seal)
    }

    /// Uses a second factor up to `counter`; `false` when somebody used it up to there already.
    pub async fn use_factor(
        &self,
        factor: &Factor,
        counter: i64,
        change: Change,
    ) -> Result<bool, EngineError> {
        let write = match factor.kind {
            FactorKind::Recovery => Write::RemoveFactor(factor.id),
            _ => Write::UseFactor { id: factor.id, counter, at: self.now(), sealed: None },
        };
        match self.commit(change.write(write)).await {
            Ok(()) => Ok(true),
            Err(StoreError::Conflict(_)) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// From now on, sign-ins of the account ask for a second factor: its owner has just shown that they have
    /// one. Sessions that were opened without it end, but for `session`, which counts as proved with it.
    pub async fn require_second_factor(
        &self,
        user: &User,
        session: Option<SessionId>,
        mut change: Change,
    ) -> Result<(), EngineError> {
        let at = self.now();
        if !user.second_factor {
            let changed = User { version: user.version + 1, second_factor: true, ..user.clone() };
            change.writes.push(Write::UpdateUser(changed));
            change.writes.push(Write::RemoveSessionsOf { user: user.id, but: session });
        }
        if let Some(id) = session {
            change.writes.push(Write::ProveSession { id, at, second_factor: true });
        }
        settled(self.commit(change).await)
    }

    /// Removes second factors of an account: one, or all of them. Without any left but recovery codes, these
    /// go as well and nothing asks for a second factor any more.
    pub async fn remove_factors(
        &self,
        user: &User,
        one: Option<FactorId>,
        audit: AuditDraft,
    ) -> Result<(), EngineError> {
        let factors = self.store.list_factors(user.id).await?;
        let stays = |factor: &&Factor| {
            one.is_some_and(|id| id != factor.id)
                && factor.confirmed
                && factor.kind != FactorKind::Recovery
        };
        let mut change = Change::recorded(audit.on(user.id));
        match one {
            Some(id) if factors.iter().any(|factor| factor.id == id) => {
                change.audit =
                    change.audit.into_iter().map(|audit| audit.detail("factor", id)).collect();
                change.writes.push(Write::RemoveFactor(id));
            }
            Some(_) => return Err(EngineError::NotFound("second factor")),
            None => {}
        }
        if !factors.iter().any(|factor| stays(&factor)) {
            change.writes.push(Write::RemoveFactorsOf { user: user.id, kind: None });
            let changed = User { version: user.version + 1, second_factor: false, ..user.clone() };
            change.writes.push(Write::UpdateUser(changed));
            if one.is_none() {
                change.writes.push(Write::RemoveSessionsOf { user: user.id, but: None });
            }
        }
        settled(self.commit(change).await)
    }
}
