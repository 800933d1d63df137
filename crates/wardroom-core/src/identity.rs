//! Accounts and what proves them. Only hashes of secrets are ever held here.

use crate::{
    ApiTokenId, CustomerId, FactorId, JoinTokenId, NodeId, PassId, Role, SessionId, Timestamp,
    UserId, named::named, node::Labels, oauth::Grant, person::BlindIndex,
};
use serde::{Deserialize, Serialize};

/// SHA-256 of a secret that has at least 256 bits of its own (so that a plain hash is enough).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SecretHash(pub [u8; 32]);

impl std::fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretHash(…)")
    }
}

named! {
    /// Whether an account counts.
    UserState = "invited, active, disabled, erased" {
        /// Was asked in and has not come yet.
        Invited = "invited",
        /// May sign in.
        Active = "active",
        /// Can't sign in, and its sessions and tokens don't count.
        Disabled = "disabled",
        /// Its person's key was destroyed. Only its id is left, so that what it did stays attributed.
        Erased = "erased",
    }
}

/// A person's account.
#[derive(Clone, PartialEq, Eq)]
pub struct User {
    /// The account.
    pub id: UserId,
    /// Counts changes; an update names the version that it was made from.
    pub version: i64,
    /// The [`Profile`](crate::person::Profile), sealed under the person's key; empty when erased.
    pub profile: Vec<u8>,
    /// By what the sign-in name is found; unique.
    pub name_index: BlindIndex,
    /// By what the e-mail address is found; unique.
    pub email_index: Option<BlindIndex>,
    /// What the account may do, by policy.
    pub role: Role,
    /// The groups that it is in, for policy; sorted.
    pub groups: Vec<String>,
    /// The customer that it belongs to.
    pub customer: Option<CustomerId>,
    /// Whether it counts.
    pub state: UserState,
    /// The Argon2id hash in PHC string form, parameters included; empty where there is no password.
    pub password_hash: String,
    /// Somebody else knows the password: its owner must set an own one before anything else.
    pub password_temporary: bool,
    /// When the password was last set.
    pub password_changed_at: Timestamp,
    /// It has a second factor, which every sign-in then asks for.
    pub second_factor: bool,
    /// When it was made.
    pub created_at: Timestamp,
}

impl std::fmt::Debug for User {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("User")
            .field("id", &self.id)
            .field("role", &self.role)
            .finish_non_exhaustive()
    }
}

named! {
    /// Who holds a session.
    SessionKind = "browser, client" {
        /// A browser, by a cookie that stays the same.
        Browser = "browser",
        /// A program, by a refresh token that changes with each use.
        Client = "client",
    }
}

/// A browser's or a program's session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// The session.
    pub id: SessionId,
    /// Hash of the cookie's secret, or of the refresh token that is good now.
    pub secret_hash: SecretHash,
    /// Whose it is.
    pub user: UserId,
    /// Who holds it.
    pub kind: SessionKind,
    /// When it began.
    pub created_at: Timestamp,
    /// When it ends whatever happens.
    pub expires_at: Timestamp,
    /// When it ends unless it is used.
    pub idle_until: Timestamp,
    /// When it was last used, within a minute.
    pub seen_at: Timestamp,
    /// When its owner last proved who they are.
    pub proved_at: Timestamp,
    /// Whether a second factor was among the proofs.
    pub second_factor: bool,
    /// The session at the issuer by which it was opened, if it was.
    pub outside: Option<BlindIndex>,
    /// What a program of others was granted, where the session is its.
    pub grant: Option<Grant>,
    /// [`SessionAbout`], sealed under the person's key.
    pub about: Vec<u8>,
}

/// Where a session was opened from. It is stored sealed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionAbout {
    /// The address.
    pub address: String,
    /// The browser's or program's own description of itself, cut to 200 characters.
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
    /// The actions that it is good for; empty for all that need no fresh proof of its owner.
    pub scopes: Vec<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// When it was last used, within a minute.
    pub used_at: Option<Timestamp>,
}

named! {
    /// What a single-use link is for.
    PassPurpose = "invite, reset" {
        /// Somebody new sets a first password.
        Invite = "invite",
        /// Somebody sets a new password.
        Reset = "reset",
    }
}

/// A single-use link that lets whoever has it set an account's password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pass {
    /// The link.
    pub id: PassId,
    /// Hash of its secret.
    pub secret_hash: SecretHash,
    /// Whose password it sets.
    pub user: UserId,
    /// What for.
    pub purpose: PassPurpose,
    /// Who made it.
    pub created_by: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
}

named! {
    /// What a second factor is.
    FactorKind = "totp, passkey, recovery" {
        /// Codes that follow the time (RFC 6238).
        Totp = "totp",
        /// A key that signs challenges (`WebAuthn`).
        Passkey = "passkey",
        /// A code that is good once.
        Recovery = "recovery",
    }
}

/// A second factor of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Factor {
    /// The factor.
    pub id: FactorId,
    /// Whose it is.
    pub user: UserId,
    /// What it is.
    pub kind: FactorKind,
    /// Its name and its secret or public key, sealed under the person's key.
    pub sealed: Vec<u8>,
    /// By what a passkey's credential or a recovery code is found; unique.
    pub handle: Option<SecretHash>,
    /// The last time step or signature count that was accepted: nothing up to it is accepted again.
    pub counter: i64,
    /// Whether its owner has shown that it works.
    pub confirmed: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last used.
    pub used_at: Option<Timestamp>,
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
