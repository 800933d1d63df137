//! Access tokens: short-lived, each of one session, refreshed by the session's refresh token. Those of programs of
//! others name where they are good (RFC 8707) and what for.

use crate::{
    jwt::{ISSUER, JwtError, token_id},
    token_key::{Kind, TTL_MAX, TokenKeys},
};
use serde::{Deserialize, Serialize};
use std::{sync::Arc, time::Duration};
use wardroom_core::{Rng, SessionId, Timestamp, UserId, identity::Session};

/// Where tokens of people's own programs are good.
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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
}

/// What a valid access token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessClaims {
    /// Whose it is.
    pub user: UserId,
    /// Of which session.
    pub session: SessionId,
    /// Until when.
    pub expires_at: Timestamp,
    audience: String,
    scope: Option<String>,
}

impl AccessClaims {
    /// The session with no more than what the token is good for; none where the token is another session's or is
    /// meant for another place.
    pub fn narrow(&self, mut session: Session) -> Option<Session> {
        if session.id != self.session || session.user != self.user {
            return None;
        }
        match &mut session.grant {
            Some(grant) if grant.resource == self.audience => {
                let scopes: Vec<&str> =
                    self.scope.as_deref().unwrap_or_default().split(' ').collect();
                grant.scopes.retain(|scope| scopes.contains(&scope.as_str()));
                Some(session)
            }
            None if self.audience == AUDIENCE => Some(session),
            _ => None,
        }
    }
}

/// For which place a token says that it is.
#[derive(Clone, Deserialize)]
struct Said {
    aud: String,
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
    keys: Arc<TokenKeys>,
    ttl: Duration,
}

impl AccessTokens {
    /// With these keys. `ttl` is brought within a minute and an hour.
    pub fn new(keys: Arc<TokenKeys>, ttl: Duration) -> Self {
        Self { keys, ttl: ttl.clamp(Duration::from_secs(60), TTL_MAX) }
    }

    /// How long a token is good.
    pub fn ttl(&self) -> Duration {
        self.ttl
    }

    /// A token of `session` for all that it was granted; and when the token ends.
    pub fn issue(
        &self,
        session: &Session,
        now: Timestamp,
        rng: &dyn Rng,
    ) -> Result<(String, Timestamp), JwtError> {
        let expires_at = now.plus(self.ttl).min(session.expires_at);
        let grant = session.grant.as_ref();
        let claims = Jwt {
            iss: ISSUER.to_owned(),
            aud: grant.map_or(AUDIENCE, |grant| &grant.resource).to_owned(),
            sub: session.user,
            sid: session.id,
            iat: now.as_seconds(),
            nbf: now.as_seconds(),
            exp: expires_at.as_seconds(),
            jti: token_id(rng),
            scope: grant.map(|grant| grant.scopes.join(" ")),
        };
        Ok((self.keys.sign(Kind::Access, &claims, now)?, expires_at))
    }

    /// Checks a token at `now`. `is_here` knows the resources for which a grant's token may be.
    pub fn verify(
        &self,
        token: &str,
        is_here: impl Fn(&str) -> bool,
        now: Timestamp,
    ) -> Result<AccessClaims, AccessTokenError> {
        // SECURITY: what it says before its signature is checked only chooses among places that are here.
        let said = jsonwebtoken::dangerous::insecure_decode::<Said>(token).ok();
        let said = said.map(|said| said.claims.aud).filter(|aud| is_here(aud));
        let resource = said.as_deref().unwrap_or(AUDIENCE);
        let opened = self.keys.open(Kind::Access, token, &[AUDIENCE, resource]);
        let claims: Jwt = opened.map_err(|_| AccessTokenError::Unknown)?;
        if now.as_seconds() >= claims.exp || now.as_seconds() < claims.nbf {
            return Err(AccessTokenError::Ended);
        }
        let expires_at = Timestamp::from_micros(claims.exp.saturating_mul(1_000_000));
        Ok(AccessClaims {
            user: claims.sub,
            session: claims.sid,
            expires_at,
            audience: claims.aud,
            scope: claims.scope,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::{ambient::SystemRng, node_token::NodeTokens, token_key::tests::keys};
    use wardroom_core::{
        NodeId, OauthClientId,
        identity::{SecretHash, SessionKind},
        oauth::Grant,
    };

    fn here(audience: &str) -> bool {
        audience == HERE
    }

    const HERE: &str = "https://wardroom.example/api";

    fn session(until: Timestamp, grant: Option<Grant>) -> Session {
        let start = Timestamp::from_micros(0);
        Session {
            id: SessionId::new(start, &SystemRng),
            secret_hash: SecretHash([0; 32]),
            user: UserId::new(start, &SystemRng),
            kind: SessionKind::Client,
            created_at: start,
            expires_at: until,
            idle_until: until,
            seen_at: start,
            proved_at: start,
            second_factor: false,
            outside: None,
            grant,
            about: vec![],
        }
    }

    #[test]
    fn tokens_end_with_their_time_or_session_and_are_of_their_kind() {
        let tokens = AccessTokens::new(keys(1), Duration::from_secs(900));
        let (start, rng) = (Timestamp::from_micros(0), &SystemRng);
        let long = session(start.plus(Duration::from_secs(86_400)), None);
        let (token, ends) = tokens.issue(&long, start, rng).unwrap();
        assert_eq!(ends, start.plus(Duration::from_secs(900)));
        let claims = tokens.verify(&token, here, start).unwrap();
        assert_eq!(claims.narrow(long.clone()), Some(long.clone()));
        assert_eq!(tokens.verify(&token, here, ends), Err(AccessTokenError::Ended));
        let short = session(start.plus(Duration::from_secs(60)), None);
        assert_eq!(tokens.issue(&short, start, rng).unwrap().1, short.expires_at);
        assert_eq!(claims.narrow(short), None, "another session");
        let other = AccessTokens::new(keys(2), Duration::from_secs(900));
        assert_eq!(
            other.verify(&token, here, start),
            Err(AccessTokenError::Unknown),
            "another key"
        );
        // The same seed, another audience: a node's token opens no session.
        let nodes = NodeTokens::new(keys(1), Duration::from_secs(900));
        let of_node = nodes.issue(NodeId::new(start, rng), start, rng).unwrap();
        assert_eq!(tokens.verify(&of_node, here, start), Err(AccessTokenError::Unknown));
        assert!(nodes.verify(&token, start).is_err());
    }

    #[test]
    fn a_grants_token_is_good_in_its_place_for_what_it_names() {
        let tokens = AccessTokens::new(keys(1), Duration::from_secs(900));
        let (start, rng) = (Timestamp::from_micros(0), &SystemRng);
        let granted = |scopes: &[&str]| Grant {
            client: OauthClientId::from_uuid(uuid::Uuid::nil()),
            scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
            resource: HERE.to_owned(),
        };
        let whole = session(start.plus(Duration::from_secs(900)), Some(granted(&["a", "b"])));
        let part = Session { grant: Some(granted(&["a"])), ..whole.clone() };
        let (token, _) = tokens.issue(&part, start, rng).unwrap();
        let claims = tokens.verify(&token, here, start).unwrap();
        assert_eq!(claims.narrow(whole.clone()), Some(part), "no more than the token says");
        let ungranted = Session { grant: None, ..whole.clone() };
        assert_eq!(claims.narrow(ungranted.clone()), None);
        let elsewhere = "https://wardroom.example/mcp";
        assert_eq!(
            tokens.verify(&token, |aud: &str| aud == elsewhere, start),
            Err(AccessTokenError::Unknown)
        );
        let (own, _) = tokens.issue(&ungranted, start, rng).unwrap();
        let own = tokens.verify(&own, here, start).unwrap();
        assert_eq!(own.narrow(whole), None, "an own program's token is no grant's");
    }
}
