//! Tokens that settings give the doors for WebSocket and TCP. Each is an API token of an account, with the scopes of a
//! client of the gateway, that is good at its door alone.

use crate::{App, oauth::metadata::MCP_SCOPES};
use secrecy::{ExposeSecret as _, SecretString};
use std::{collections::BTreeSet, time::Duration};
use subtle::ConstantTimeEq as _;
use wardroom_core::{
    ApiTokenId, Door, Origin, Principal, UserId,
    audit::AuditDraft,
    change::{Change, Write},
    digest::sha256,
    identity::{ApiToken, SecretHash, UserState},
    store::StoreError,
};

/// The fewest random bytes of one.
const BYTES_MIN: usize = 32;
/// The fewest different characters: a word that is repeated has fewer.
const DIFFERENT_MIN: usize = 12;
/// How long one is good; each start of the orchestrator makes it good anew.
const GOOD_FOR: Duration = Duration::from_secs(365 * 86_400);

/// What a setting gives a door.
pub struct StaticToken {
    door: Door,
    secret: SecretString,
}

/// Why a token can't be taken.
#[derive(Debug, thiserror::Error)]
pub enum StaticTokenError {
    /// It is too weak.
    #[error(
        "it must be at least {BYTES_MIN} random bytes, in base64 (43 characters) or hexadecimal (64 characters): `openssl rand -base64 32` makes one"
    )]
    Weak,
    /// No account stands behind it.
    #[error(
        "mcp_static_token_user must name an active account, in whose name whoever shows it acts"
    )]
    NoAccount,
    /// It can't be kept.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl StaticToken {
    /// One for WebSockets.
    pub fn websocket(secret: SecretString) -> Result<Self, StaticTokenError> {
        Self::new(Door::McpWebsocket, secret)
    }

    /// One for TCP.
    pub fn tcp(secret: SecretString) -> Result<Self, StaticTokenError> {
        Self::new(Door::McpTcp, secret)
    }

    fn new(door: Door, secret: SecretString) -> Result<Self, StaticTokenError> {
        let text = secret.expose_secret();
        let different: BTreeSet<char> = text.chars().collect();
        let hex = text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let plain = text.bytes().all(|byte| byte.is_ascii_graphic());
        let characters = if hex { BYTES_MIN * 2 } else { (BYTES_MIN * 8).div_ceil(6) };
        if plain && text.len() >= characters && different.len() >= DIFFERENT_MIN {
            Ok(Self { door, secret })
        } else {
            Err(StaticTokenError::Weak)
        }
    }

    fn hash(&self) -> SecretHash {
        hash(self.door, self.secret.expose_secret())
    }
}

/// SECURITY: with the door, so that the same text at two doors is two tokens, and none is an API token's secret.
fn hash(door: Door, text: &str) -> SecretHash {
    SecretHash(sha256(&[door.as_str().as_bytes(), b"\0", text.as_bytes()]))
}

/// What is accepted, by door.
#[derive(Debug, Default)]
pub struct StaticTokens(Vec<(Door, SecretHash)>);

impl StaticTokens {
    /// Out of what settings give.
    pub fn new(tokens: &[StaticToken]) -> Self {
        Self(tokens.iter().map(|token| (token.door, token.hash())).collect())
    }

    /// The API token that `text` stands for at a door.
    pub(crate) fn find(&self, door: Door, text: &str) -> Option<SecretHash> {
        let (_, own) = self.0.iter().find(|(of, _)| *of == door)?;
        let shown = hash(door, text);
        bool::from(shown.0.ct_eq(&own.0)).then_some(shown)
    }
}

impl App {
    /// Keeps the tokens that settings give, as tokens of the account `name`.
    pub async fn keep_static_tokens(
        &self,
        tokens: &[StaticToken],
        name: &str,
    ) -> Result<(), StaticTokenError> {
        if tokens.is_empty() {
            return Ok(());
        }
        let user = self.engine.user_by_name(name).await.map_err(|error| match error {
            wardroom_engine::EngineError::Store(error) => StaticTokenError::Store(error),
            _ => StaticTokenError::NoAccount,
        })?;
        let user = user.filter(|user| user.state == UserState::Active);
        let user = user.ok_or(StaticTokenError::NoAccount)?.id;
        for token in tokens {
            match self.keep(token, user).await {
                // Another orchestrator was faster.
                Ok(()) | Err(StoreError::Duplicate(_) | StoreError::Conflict(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    async fn keep(&self, token: &StaticToken, user: UserId) -> Result<(), StoreError> {
        let (now, hash) = (self.engine.now(), token.hash());
        let made = ApiToken {
            id: ApiTokenId::new(now, self.engine.rng()),
            secret_hash: hash,
            user,
            name: format!("{} (settings)", token.door.as_str()),
            scopes: MCP_SCOPES.map(str::to_owned).to_vec(),
            created_at: now,
            expires_at: now.plus(GOOD_FOR),
            used_at: None,
        };
        let audit = AuditDraft::event("token.create", &Principal::System, &Origin::CONSOLE, now)
            .on(made.id)
            .by(user)
            .detail("door", token.door.as_str());
        let mut change = Change::recorded(audit);
        if let Some((old, _)) = self.engine.store().lookup_api_token(hash).await? {
            // What is good for long yet stays the same token: others may have it in hand.
            if old.user == user && now.plus(GOOD_FOR / 2) < old.expires_at {
                return Ok(());
            }
            change.writes.push(Write::RemoveApiToken(old.id));
        }
        change.writes.push(Write::AddApiToken(made));
        self.engine.commit(change).await
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_weak_token_is_refused_and_a_strong_one_is_good_at_its_door() {
        let strong = "q2Vn7fXo0t1yB8eKzR4uWm9sJc5hLd3pGa6iTxYvNbE=";
        for weak in [
            "",
            "changeme",
            &"a".repeat(64),
            &"0123456789".repeat(7),
            &strong[..42],
            "with a space in it, and rather long, longer than it",
        ] {
            let made = StaticToken::tcp(SecretString::from(weak));
            assert!(matches!(made, Err(StaticTokenError::Weak)), "{weak}");
        }
        let token = StaticToken::tcp(SecretString::from(strong)).unwrap();
        let known = StaticTokens::new(&[token]);
        assert!(known.find(Door::McpTcp, strong).is_some());
        assert!(known.find(Door::McpWebsocket, strong).is_none());
        assert!(known.find(Door::Api, strong).is_none());
        assert!(known.find(Door::McpTcp, &strong[1..]).is_none());
    }
}
