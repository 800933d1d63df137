//! How nodes prove themselves: signed challenges, and the short-lived access tokens they earn.

use crate::{
    jwt::{ISSUER, JwtError, token_id},
    token_key::{Kind, TTL_MAX, TokenKeys},
};
use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};
use std::{collections::HashMap, sync::Arc, time::Duration};
use wardroom_core::{NodeId, Rng, Timestamp};

/// How long an access token is good for where nobody says.
pub const TOKEN_TTL_DEFAULT: Duration = Duration::from_secs(900);
/// How long a challenge may be answered.
pub const CHALLENGE_TTL: Duration = Duration::from_secs(60);
/// The most challenges that one node may answer within [`CHALLENGE_TTL`].
const SPENT_MAX: usize = 32;
/// Nodes of which answers are remembered before those that are too old are looked for.
const NODES_MAX: usize = 16_384;
const AUDIENCE: &str = "wardroom-node-link";

/// Why a proof is not acceptable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NodeProofError {
    /// The token is not one of ours, or was altered.
    #[error("the access token is not valid")]
    Token,
    /// The token's time is over or has not come.
    #[error("the access token is not valid at this time")]
    Time,
    /// The challenge is not one of ours, is another node's or is too old.
    #[error("the challenge is not valid")]
    Challenge,
    /// The key can't be used.
    #[error("the signing key is not usable")]
    Key,
}

impl From<JwtError> for NodeProofError {
    fn from(error: JwtError) -> Self {
        match error {
            JwtError::Token => Self::Token,
            JwtError::Key => Self::Key,
        }
    }
}

/// Whether `signature` over `message` is by the holder of `public` (Ed25519, RFC 8032).
pub fn verify_ed25519(public: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
    UnparsedPublicKey::new(&ED25519, public).verify(message, signature).is_ok()
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Jwt {
    iss: String,
    aud: String,
    sub: NodeId,
    iat: i64,
    nbf: i64,
    exp: i64,
    jti: String,
}

/// What a valid access token says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claims {
    /// The node.
    pub node: NodeId,
    /// Until when.
    pub expires_at: Timestamp,
}

/// Issues and verifies nodes' access tokens.
#[derive(Debug)]
pub struct NodeTokens {
    keys: Arc<TokenKeys>,
    ttl: Duration,
}

impl NodeTokens {
    /// With these keys. `ttl` is brought within a minute and an hour.
    pub fn new(keys: Arc<TokenKeys>, ttl: Duration) -> Self {
        Self { keys, ttl: ttl.clamp(Duration::from_secs(60), TTL_MAX) }
    }

    /// How long a token is good for.
    pub fn ttl(&self) -> Duration {
        self.ttl
    }

    /// A token for `node`.
    pub fn issue(
        &self,
        node: NodeId,
        now: Timestamp,
        rng: &dyn Rng,
    ) -> Result<String, NodeProofError> {
        let claims = Jwt {
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            sub: node,
            iat: now.as_seconds(),
            nbf: now.as_seconds(),
            exp: now.plus(self.ttl).as_seconds(),
            jti: token_id(rng),
        };
        Ok(self.keys.sign(Kind::Node, &claims, now)?)
    }

    /// Checks a token at `now`.
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<Claims, NodeProofError> {
        let claims: Jwt = self.keys.open(Kind::Node, token, &[AUDIENCE])?;
        if now.as_seconds() >= claims.exp || now.as_seconds() < claims.nbf {
            return Err(NodeProofError::Time);
        }
        let expires_at = Timestamp::from_micros(claims.exp.saturating_mul(1_000_000));
        Ok(Claims { node: claims.sub, expires_at })
    }
}

/// Names one challenge.
pub type Nonce = [u8; 16];

/// Makes challenges that need no place in memory: each carries its node, its end and a MAC.
#[derive(Debug)]
pub struct Challenges(Arc<TokenKeys>);

impl Challenges {
    /// With these keys, which all orchestrators share.
    pub fn new(keys: Arc<TokenKeys>) -> Self {
        Self(keys)
    }

    /// A challenge for `node`.
    pub fn make(
        &self,
        node: NodeId,
        now: Timestamp,
        rng: &dyn Rng,
    ) -> Result<String, NodeProofError> {
        let mut nonce: Nonce = [0; 16];
        rng.fill(&mut nonce);
        let mut bytes = nonce.to_vec();
        bytes.extend_from_slice(&now.plus(CHALLENGE_TTL).as_micros().to_be_bytes());
        let mac = self.0.challenge(&[&bytes, node.uuid().as_bytes()], now)?;
        bytes.extend_from_slice(mac.as_ref());
        Ok(BASE64URL_NOPAD.encode(&bytes))
    }

    /// The nonce of a challenge that is ours, is `node`'s and can still be answered.
    pub fn check(&self, text: &str, node: NodeId, now: Timestamp) -> Result<Nonce, NodeProofError> {
        let bytes =
            if text.len() == 75 { BASE64URL_NOPAD.decode(text.as_bytes()).ok() } else { None };
        let bytes = bytes.ok_or(NodeProofError::Challenge)?;
        let (body, mac) = bytes.split_at_checked(24).ok_or(NodeProofError::Challenge)?;
        if !self.0.made(&[body, node.uuid().as_bytes()], mac) {
            return Err(NodeProofError::Challenge);
        }
        let (nonce, until) = body.split_first_chunk::<16>().ok_or(NodeProofError::Challenge)?;
        let until =
            until.try_into().map(i64::from_be_bytes).map_err(|_| NodeProofError::Challenge)?;
        if now.as_micros() >= until { Err(NodeProofError::Challenge) } else { Ok(*nonce) }
    }
}

/// Challenges that were answered; each is good once. Each node has its own share, so that none can use up
/// what the others need.
#[derive(Debug, Default)]
pub struct SpentChallenges(HashMap<NodeId, Vec<(Nonce, Timestamp)>>);

impl SpentChallenges {
    /// Spends one; `false` when it was spent before, or too many are remembered to be sure.
    pub fn spend(&mut self, node: NodeId, nonce: Nonce, now: Timestamp) -> bool {
        let fresh = |spent: &(Nonce, Timestamp)| now.since(spent.1) < CHALLENGE_TTL;
        if self.0.len() >= NODES_MAX && !self.0.contains_key(&node) {
            self.0.retain(|_, spent| spent.iter().any(fresh));
        }
        let spent = self.0.entry(node).or_default();
        spent.retain(fresh);
        // SECURITY: full of fresh ones, it refuses rather than forgets.
        if spent.len() >= SPENT_MAX || spent.iter().any(|(known, _)| *known == nonce) {
            return false;
        }
        spent.push((nonce, now));
        true
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::{ambient::SystemRng, token_key::tests::keys};
    use proptest::prelude::*;

    fn start() -> Timestamp {
        Timestamp::from_micros(1_800_000_000_000_000)
    }

    #[test]
    fn tokens_end_and_are_bound_to_their_key() {
        let tokens = NodeTokens::new(keys(1), TOKEN_TTL_DEFAULT);
        let node = NodeId::new(start(), &SystemRng);
        let token = tokens.issue(node, start(), &SystemRng).unwrap();
        assert_eq!(tokens.verify(&token, start()).unwrap().node, node);
        let end = start().plus(TOKEN_TTL_DEFAULT);
        assert_eq!(tokens.verify(&token, end), Err(NodeProofError::Time));
        assert_eq!(
            tokens.verify(&token, start().minus(Duration::from_secs(1))),
            Err(NodeProofError::Time)
        );
        let other = NodeTokens::new(keys(2), TOKEN_TTL_DEFAULT);
        assert_eq!(other.verify(&token, start()), Err(NodeProofError::Token));
        assert_eq!(tokens.verify(&format!("{token}x"), start()), Err(NodeProofError::Token));
    }

    #[test]
    fn a_token_of_another_algorithm_or_audience_is_refused() {
        let tokens = NodeTokens::new(keys(1), TOKEN_TTL_DEFAULT);
        let node = NodeId::new(start(), &SystemRng);
        let token = tokens.issue(node, start(), &SystemRng).unwrap();
        let body = token.split('.').nth(1).unwrap();
        let none = BASE64URL_NOPAD.encode(br#"{"alg":"none","typ":"JWT"}"#);
        assert!(tokens.verify(&format!("{none}.{body}."), start()).is_err());
        let hs = BASE64URL_NOPAD.encode(br#"{"alg":"HS256","typ":"JWT"}"#);
        assert!(tokens.verify(&format!("{hs}.{body}.AAAA"), start()).is_err());
    }

    #[test]
    fn a_challenge_is_one_nodes_ends_and_is_good_once() {
        let challenges = Challenges::new(keys(1));
        let (a, b) = (NodeId::new(start(), &SystemRng), NodeId::new(start(), &SystemRng));
        let text = challenges.make(a, start(), &SystemRng).unwrap();
        let nonce = challenges.check(&text, a, start()).unwrap();
        assert!(challenges.check(&text, b, start()).is_err());
        assert!(challenges.check(&text, a, start().plus(CHALLENGE_TTL)).is_err());
        assert!(Challenges::new(keys(2)).check(&text, a, start()).is_err());
        let mut spent = SpentChallenges::default();
        assert!(spent.spend(a, nonce, start()));
        assert!(!spent.spend(a, nonce, start()));
        let answers = (0..100).filter(|n| spent.spend(a, [*n; 16], start())).count();
        assert_eq!(answers, SPENT_MAX - 1);
        assert!(spent.spend(b, nonce, start()), "another node has its own share");
        assert!(spent.spend(a, [9; 16], start().plus(CHALLENGE_TTL)));
    }

    proptest! {
        #[test]
        fn no_text_breaks_a_parser(text in ".{0,200}") {
            let tokens = NodeTokens::new(keys(1), TOKEN_TTL_DEFAULT);
            prop_assert!(tokens.verify(&text, start()).is_err());
            let node = NodeId::new(start(), &SystemRng);
            prop_assert!(Challenges::new(keys(2)).check(&text, node, start()).is_err());
        }
    }
}
