//! People's access tokens: short-lived, each of one session, refreshed by the session's refresh token.

use crate::jwt::{ISSUER, JwtError, JwtKey, token_id};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use wardroom_core::{Rng, SessionId, Timestamp, UserId};

const AUDIENCE: &str = "wardroom-api";

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Jwt {
    iss: String,
    aud: String,
    sub: UserId,
    sid: SessionId,
    iat: i64,
    nbf: i64,
    exp: i64,
    jti: String,
}

/// What a valid access token says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccessClaims {
    /// Whose it is.
    pub user: UserId,
    /// Of which session.
    pub session: SessionId,
    /// Until when.
    pub expires_at: Timestamp,
}

/// Why a token is not acceptable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AccessTokenError {
    /// It is not one of ours, or was altered.
    #[error("the access token is not valid")]
    Unknown,
    /// It is one, but its time is over, as every one's is after minutes.
    #[error("the access token has ended")]
    Ended,
}

/// Issues and checks access tokens.
#[derive(Debug)]
pub struct AccessTokens {
    key: JwtKey,
    ttl: Duration,
}

impl AccessTokens {
    /// With this key's seed. `ttl` is brought within a minute and an hour.
    pub fn new(seed: &[u8; 32], ttl: Duration) -> Result<Self, JwtError> {
        let ttl = ttl.clamp(Duration::from_secs(60), Duration::from_secs(3600));
        Ok(Self { key: JwtKey::new(seed)?, ttl })
    }

    /// A token of `session`, which is `user`'s and ends at `until`; and when the token ends.
    pub fn issue(
        &self,
        user: UserId,
        session: SessionId,
        until: Timestamp,
        now: Timestamp,
        rng: &dyn Rng,
    ) -> Result<(String, Timestamp), JwtError> {
        let expires_at = now.plus(self.ttl).min(until);
        let claims = Jwt {
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            sub: user,
            sid: session,
            iat: now.as_seconds(),
            nbf: now.as_seconds(),
            exp: expires_at.as_seconds(),
            jti: token_id(rng),
        };
        Ok((self.key.sign(&claims)?, expires_at))
    }

    /// Checks a token at `now`.
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<AccessClaims, AccessTokenError> {
        let claims: Jwt = self.key.open(token, AUDIENCE).map_err(|_| AccessTokenError::Unknown)?;
        if now.as_seconds() >= claims.exp || now.as_seconds() < claims.nbf {
            return Err(AccessTokenError::Ended);
        }
        let expires_at = Timestamp::from_micros(claims.exp.saturating_mul(1_000_000));
        Ok(AccessClaims { user: claims.sub, session: claims.sid, expires_at })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::{ambient::SystemRng, node_token::NodeTokens};
    use wardroom_core::NodeId;

    #[test]
    fn tokens_end_with_their_time_or_session_and_are_of_their_kind() {
        let tokens = AccessTokens::new(&[1; 32], Duration::from_secs(900)).unwrap();
        let (start, rng) = (Timestamp::from_micros(0), &SystemRng);
        let (user, session) = (UserId::new(start, rng), SessionId::new(start, rng));
        let late = start.plus(Duration::from_secs(86_400));
        let (token, ends) = tokens.issue(user, session, late, start, rng).unwrap();
        assert_eq!(ends, start.plus(Duration::from_secs(900)));
        assert_eq!(tokens.verify(&token, start).unwrap().session, session);
        assert_eq!(tokens.verify(&token, ends), Err(AccessTokenError::Ended));
        let soon = start.plus(Duration::from_secs(60));
        assert_eq!(tokens.issue(user, session, soon, start, rng).unwrap().1, soon);
        let other = AccessTokens::new(&[2; 32], Duration::from_secs(900)).unwrap();
        assert_eq!(other.verify(&token, start), Err(AccessTokenError::Unknown), "another key");
        // The same seed, another audience: a node's token opens no session.
        let nodes = NodeTokens::new(&[1; 32], Duration::from_secs(900)).unwrap();
        let of_node = nodes.issue(NodeId::new(start, rng), start, rng).unwrap();
        assert_eq!(tokens.verify(&of_node, start), Err(AccessTokenError::Unknown));
        assert!(nodes.verify(&token, start).is_err());
    }
}
