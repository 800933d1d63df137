//! Accounts and what proves them. Only hashes of secrets are ever held here.

use crate::{ApiTokenId, JoinTokenId, NodeId, Role, SessionId, Timestamp, UserId, node::Labels};
use serde::{Deserialize, Serialize};

/// SHA-256 of a secret that has at least 256 bits of its own (so that a plain hash is enough).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SecretHash(pub [u8; 32]);

impl std::fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretHash(…)")
    }
}

/// A person's account.
#[derive(Clone, PartialEq, Eq)]
pub struct User {
    /// The account.
    pub id: UserId,
    /// Counts changes; an update names the version that it was made from.
    pub version: i64,
    /// The name to sign in with: 1 to 64 of `a-z 0-9 . _ -`, unique.
    pub name: String,
    /// What the account may do, by policy.
    pub role: Role,
    /// The Argon2id hash in PHC string form, parameters included.
    pub password_hash: String,
    /// A disabled account can't sign in and its sessions and tokens don't count.
    pub disabled: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When the password was last set.
    pub password_changed_at: Timestamp,
}

impl std::fmt::Debug for User {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("User")
            .field("id", &self.id)
            .field("role", &self.role)
            .finish_non_exhaustive()
    }
}

/// A browser session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// The session.
    pub id: SessionId,
    /// Hash of the cookie's secret.
    pub secret_hash: SecretHash,
    /// Whose it is.
    pub user: UserId,
    /// When it began.
    pub created_at: Timestamp,
    /// When it ends whatever happens.
    pub expires_at: Timestamp,
    /// The address it was opened from.
    pub address: String,
    /// The browser's own description of itself, cut to 200 characters.
    pub user_agent: String,
}

/// A token for the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiToken {
    /// The token.
    pub id: ApiTokenId,
    /// Hash of its secret.
    pub secret_hash: SecretHash,
    /// Whose rights it carries.
    pub user: UserId,
    /// What its owner calls it, 1 to 64 characters.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// A single-use permission to enrol a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinToken {
    /// The token.
    pub id: JoinTokenId,
    /// Hash of its secret.
    pub secret_hash: SecretHash,
    /// Labels that the node will carry.
    pub labels: Labels,
    /// Who made it.
    pub created_by: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// When it was withdrawn.
    pub revoked_at: Option<Timestamp>,
    /// When it was used.
    pub used_at: Option<Timestamp>,
    /// The node that used it.
    pub used_by: Option<NodeId>,
}

/// What a join token is good for now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JoinTokenState {
    /// May be used once.
    Open,
    /// Was used.
    Used,
    /// Was withdrawn.
    Revoked,
    /// Its time is over.
    Expired,
}

impl JoinTokenState {
    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Used => "used",
            Self::Revoked => "revoked",
            Self::Expired => "expired",
        }
    }
}

impl JoinToken {
    /// What the token is good for at `now`.
    pub fn state(&self, now: Timestamp) -> JoinTokenState {
        if self.used_at.is_some() {
            JoinTokenState::Used
        } else if self.revoked_at.is_some() {
            JoinTokenState::Revoked
        } else if now >= self.expires_at {
            JoinTokenState::Expired
        } else {
            JoinTokenState::Open
        }
    }
}

/// A key of the installation, sealed under the key ring.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedKey {
    /// What the key is for, with its number: `authority/1`, `audit/1`, `node_tokens/1`.
    pub name: String,
    /// The sealed bytes; the key id is inside.
    pub sealed: Vec<u8>,
    /// When it was made.
    pub created_at: Timestamp,
}
