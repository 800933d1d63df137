//! The keys that sign tokens, in generations: a new one is known for a while before it signs, so that every
//! orchestrator knows it by then, and an old one until all that it signed has ended.

use crate::jwt::{JwtError, JwtKey};
use arc_swap::ArcSwap;
use aws_lc_rs::hmac;
use serde::{Serialize, de::DeserializeOwned};
use std::time::Duration;
use wardroom_core::Timestamp;
use zeroize::Zeroizing;

/// How old the newest key becomes before there is another one.
pub const AGE_MAX: Duration = Duration::from_secs(180 * 86_400);
/// How long a token is good at most.
pub const TTL_MAX: Duration = Duration::from_secs(3600);
/// How long a key is known before it signs: many times as long as an orchestrator takes to see it.
const KNOWN_BEFORE: Duration = Duration::from_secs(300);
/// Generations that are kept at a time.
pub const KEPT_MAX: usize = 8;

/// Which tokens a key signs. SECURITY: each kind has keys of its own, so that none is good as another.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    Access,
    Node,
}

/// One generation's secret, from which its keys come.
pub struct TokenSeed {
    /// Its number.
    pub generation: u32,
    /// Since when it is known.
    pub created_at: Timestamp,
    /// 32 random bytes.
    pub seed: Zeroizing<[u8; 32]>,
}

struct Generation {
    number: u32,
    created_at: Timestamp,
    access: JwtKey,
    node: JwtKey,
    challenge: hmac::Key,
}

impl Generation {
    fn new(seed: &TokenSeed) -> Result<Self, JwtError> {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &*seed.seed);
        let of = |purpose: &str| -> Result<Zeroizing<[u8; 32]>, JwtError> {
            let tag = hmac::sign(&key, purpose.as_bytes());
            tag.as_ref().try_into().map(Zeroizing::new).map_err(|_| JwtError::Key)
        };
        Ok(Self {
            number: seed.generation,
            created_at: seed.created_at,
            access: JwtKey::new(&*of("token.access")?)?,
            node: JwtKey::new(&*of("token.node")?)?,
            challenge: hmac::Key::new(hmac::HMAC_SHA256, &*of("node.challenge")?),
        })
    }

    fn key(&self, kind: Kind) -> &JwtKey {
        match kind {
            Kind::Access => &self.access,
            Kind::Node => &self.node,
        }
    }
}

/// The keys of all generations, the newest first.
pub struct TokenKeys(ArcSwap<Vec<Generation>>);

impl std::fmt::Debug for TokenKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("TokenKeys").field(&self.newest()).finish()
    }
}

impl TokenKeys {
    /// From these seeds, of which there is at least one.
    pub fn new(seeds: &[TokenSeed]) -> Result<Self, JwtError> {
        Ok(Self(ArcSwap::from_pointee(generations(seeds)?)))
    }

    /// Goes on with these seeds instead.
    pub fn replace(&self, seeds: &[TokenSeed]) -> Result<(), JwtError> {
        self.0.store(generations(seeds)?.into());
        Ok(())
    }

    /// The numbers of all generations, the newest first.
    pub fn numbers(&self) -> Vec<u32> {
        self.0.load().iter().map(|one| one.number).collect()
    }

    /// The newest generation and since when it is known.
    pub fn newest(&self) -> (u32, Timestamp) {
        let all = self.0.load();
        all.first().map_or((0, Timestamp::default()), |one| (one.number, one.created_at))
    }

    /// A token that says `claims`, by the newest key that everybody knows by now.
    pub(crate) fn sign<C: Serialize>(
        &self,
        kind: Kind,
        claims: &C,
        now: Timestamp,
    ) -> Result<String, JwtError> {
        signing(&self.0.load(), now)?.key(kind).sign(claims)
    }

    /// What a token of this kind for one of `audiences` says.
    pub(crate) fn open<C: DeserializeOwned + Clone>(
        &self,
        kind: Kind,
        token: &str,
        audiences: &[&str],
    ) -> Result<C, JwtError> {
        let all = self.0.load();
        let opened = all.iter().find_map(|one| one.key(kind).open(token, audiences).ok());
        opened.ok_or(JwtError::Token)
    }

    /// The MAC of a challenge.
    pub(crate) fn challenge(&self, parts: &[&[u8]], now: Timestamp) -> Result<hmac::Tag, JwtError> {
        Ok(mac(&signing(&self.0.load(), now)?.challenge, parts))
    }

    /// Whether some generation made this MAC.
    pub(crate) fn made(&self, parts: &[&[u8]], tag: &[u8]) -> bool {
        let is = |one: &Generation| {
            let own = mac(&one.challenge, parts);
            aws_lc_rs::constant_time::verify_slices_are_equal(own.as_ref(), tag).is_ok()
        };
        self.0.load().iter().any(is)
    }
}

fn generations(seeds: &[TokenSeed]) -> Result<Vec<Generation>, JwtError> {
    let mut all = seeds.iter().map(Generation::new).collect::<Result<Vec<_>, _>>()?;
    all.sort_by_key(|one| std::cmp::Reverse(one.number));
    if all.is_empty() { Err(JwtError::Key) } else { Ok(all) }
}

/// The newest that is known for long enough; the oldest where there is none yet.
fn signing(all: &[Generation], now: Timestamp) -> Result<&Generation, JwtError> {
    let known = all.iter().find(|one| one.created_at.plus(KNOWN_BEFORE) <= now);
    known.or(all.last()).ok_or(JwtError::Key)
}

fn mac(key: &hmac::Key, parts: &[&[u8]]) -> hmac::Tag {
    let mut context = hmac::Context::with_key(key);
    parts.iter().for_each(|part| context.update(part));
    context.sign()
}

/// What is to be done about the generations that are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// The next one is to be made.
    pub add: Option<u32>,
    /// These have nothing any more that they signed.
    pub remove: Vec<u32>,
}

/// Looks at `kept` at `now`, where generation `wanted` is to be there.
pub fn due(kept: &[TokenSeed], wanted: u32, now: Timestamp) -> Due {
    let newest = kept.iter().max_by_key(|seed| seed.generation);
    let add = match newest {
        None => Some(1),
        Some(seed) => {
            let old = seed.generation < wanted || now.since(seed.created_at) >= AGE_MAX;
            let next = seed.generation.saturating_add(1).max(wanted);
            (old && next > seed.generation && kept.len() < KEPT_MAX).then_some(next)
        }
    };
    // What one signed ends at last when the next one has signed for as long as a token is good.
    let settled = |seed: &TokenSeed| seed.created_at.plus(KNOWN_BEFORE).plus(TTL_MAX) < now;
    let remove = kept
        .iter()
        .filter(|seed| kept.iter().any(|next| next.generation > seed.generation && settled(next)))
        .map(|seed| seed.generation)
        .collect();
    Due { add, remove }
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use std::sync::Arc;

    fn seed(generation: u32, byte: u8, at: u64) -> TokenSeed {
        let created_at = Timestamp::default().plus(Duration::from_secs(at));
        TokenSeed { generation, created_at, seed: Zeroizing::new([byte; 32]) }
    }

    /// Keys of one generation.
    pub(crate) fn keys(byte: u8) -> Arc<TokenKeys> {
        Arc::new(TokenKeys::new(&[seed(1, byte, 0)]).unwrap())
    }

    fn at(seconds: u64) -> Timestamp {
        Timestamp::default().plus(Duration::from_secs(seconds))
    }

    #[test]
    fn a_new_key_is_known_before_it_signs_and_the_old_one_until_its_tokens_end() {
        let keys = TokenKeys::new(&[seed(1, 1, 0)]).unwrap();
        let claims = serde_json::json!({
            "iss": crate::jwt::ISSUER, "aud": "here", "sub": "a", "exp": 9, "nbf": 0,
        });
        let sign = |keys: &TokenKeys, now| keys.sign(Kind::Access, &claims, at(now)).unwrap();
        let open = |keys: &TokenKeys, token: &str| {
            keys.open::<serde_json::Value>(Kind::Access, token, &["here"]).is_ok()
        };
        let first = sign(&keys, 100);
        let elsewhere = TokenKeys::new(&[seed(1, 1, 0)]).unwrap();
        keys.replace(&[seed(1, 1, 0), seed(2, 2, 100)]).unwrap();
        assert!(open(&elsewhere, &sign(&keys, 399)), "who has not heard of it yet is not left out");
        let second = sign(&keys, 400);
        assert!(!open(&elsewhere, &second) && open(&keys, &first) && open(&keys, &second));
        keys.replace(&[seed(2, 2, 100)]).unwrap();
        assert!(!open(&keys, &first) && open(&keys, &second));
        assert!(keys.replace(&[]).is_err());
        assert_eq!(keys.newest(), (2, at(100)));
        let node = keys.sign(Kind::Node, &claims, at(400)).unwrap();
        assert!(!open(&keys, &node), "each kind has keys of its own");
    }

    #[test]
    fn generations_come_when_they_are_wanted_or_old_and_go_when_nothing_is_left_of_them() {
        let nothing = Due { add: None, remove: vec![] };
        assert_eq!(due(&[], 1, at(0)).add, Some(1));
        assert_eq!(due(&[seed(1, 1, 0)], 1, at(9)), nothing);
        assert_eq!(due(&[seed(1, 1, 0)], 2, at(9)).add, Some(2));
        assert_eq!(due(&[seed(1, 1, 0)], u32::MAX, at(9)).add, Some(u32::MAX));
        assert_eq!(due(&[seed(u32::MAX, 1, 0)], 1, at(AGE_MAX.as_secs())), nothing);
        assert_eq!(due(&[seed(1, 1, 0)], 1, at(AGE_MAX.as_secs())).add, Some(2));
        let two = [seed(1, 1, 0), seed(2, 1, 50)];
        assert_eq!(due(&two, 2, at(50 + 300 + 3600)), nothing);
        assert_eq!(due(&two, 2, at(50 + 300 + 3601)), Due { add: None, remove: vec![1] });
        let many: Vec<TokenSeed> = (1..=8).map(|number| seed(number, 1, 0)).collect();
        assert_eq!(due(&many, 99, at(9)), nothing, "no more than that at a time");
    }
}
