//! Sealing values at rest: AES-256-GCM (NIST SP 800-38D) under a key of their own, derived from the
//! key ring by HKDF-SHA256 (RFC 5869).
//!
//! A sealed value is `version 1 ‖ key id (4, big-endian) ‖ salt (16) ‖ nonce (12) ‖ ciphertext ‖ tag (16)`.
//! Its key is derived from the ring's key, the salt and the purpose, so no two values share one and a
//! value that is copied to a column of another purpose does not open.

use crate::keyring::KeyRing;
use arc_swap::ArcSwap;
use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey},
    hkdf::{HKDF_SHA256, KeyType, Salt},
};
use std::sync::Arc;
use wardroom_core::Rng;
use zeroize::Zeroizing;

const VERSION: u8 = 1;
const KEY_ID_BYTES: usize = 4;
const SALT_BYTES: usize = 16;
const NONCE_BYTES: usize = 12;
const HEAD_BYTES: usize = 1 + KEY_ID_BYTES + SALT_BYTES + NONCE_BYTES;
const TAG_BYTES: usize = 16;

/// Why a value can't be sealed or opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The bytes are not a sealed value.
    #[error("the value is not a sealed one")]
    Form,
    /// The ring does not have its key.
    #[error("the key ring has no key {0}, under which the value is sealed")]
    UnknownKey(u32),
    /// It was altered, or sealed for another purpose.
    #[error("the value was altered or belongs elsewhere")]
    Altered,
}

/// Seals and opens values.
#[derive(Debug)]
pub struct Sealer {
    ring: ArcSwap<KeyRing>,
}

struct Length;

impl KeyType for Length {
    fn len(&self) -> usize {
        32
    }
}

impl Sealer {
    /// A sealer with this ring.
    pub fn new(ring: KeyRing) -> Self {
        Self { ring: ArcSwap::from_pointee(ring) }
    }

    /// The generation that keys of people are to have.
    pub fn people(&self) -> u32 {
        self.ring.load().people()
    }

    /// The generation of keys that sign tokens which is to be there.
    pub fn tokens(&self) -> u32 {
        self.ring.load().tokens()
    }

    /// Whether what the present ring sealed is opened by `ring` where that has its keys.
    pub fn agrees_with(&self, ring: &KeyRing) -> bool {
        self.ring.load().agrees_with(ring)
    }

    /// Goes on with another ring, such as one that got a new key.
    pub fn replace(&self, ring: KeyRing) {
        self.ring.store(Arc::new(ring));
    }

    /// The id of the key that seals.
    pub fn current(&self) -> u32 {
        self.ring.load().current()
    }

    /// The ids of all keys that open.
    pub fn key_ids(&self) -> Vec<u32> {
        self.ring.load().ids()
    }

    /// The same value under the key that seals now.
    pub fn reseal(
        &self,
        purpose: &str,
        sealed: &[u8],
        rng: &dyn Rng,
    ) -> Result<Vec<u8>, SealError> {
        self.seal(purpose, &self.open(purpose, sealed)?, rng)
    }

    /// Seals `plain` for `purpose` under the current key.
    pub fn seal(&self, purpose: &str, plain: &[u8], rng: &dyn Rng) -> Result<Vec<u8>, SealError> {
        let ring = self.ring.load();
        let id = ring.current();
        let mut sealed = Vec::with_capacity(HEAD_BYTES + plain.len() + TAG_BYTES);
        sealed.push(VERSION);
        sealed.extend_from_slice(&id.to_be_bytes());
        let mut random = [0_u8; SALT_BYTES + NONCE_BYTES];
        rng.fill(&mut random);
        sealed.extend_from_slice(&random);
        let head = Head::parse(&sealed)?;
        let key = key_of(&ring, &head, purpose)?;
        let mut body = plain.to_vec();
        key.seal_in_place_append_tag(head.nonce(), Aad::from(aad(id, purpose)), &mut body)
            .map_err(|_| SealError::Form)?;
        sealed.extend_from_slice(&body);
        Ok(sealed)
    }

    /// Opens what was sealed for `purpose`, under whichever key of the ring.
    pub fn open(&self, purpose: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let head = Head::parse(sealed)?;
        let key = key_of(&self.ring.load(), &head, purpose)?;
        let mut body = Zeroizing::new(sealed.get(HEAD_BYTES..).ok_or(SealError::Form)?.to_vec());
        let length = key
            .open_in_place(head.nonce(), Aad::from(aad(head.key_id, purpose)), &mut body)
            .map_err(|_| SealError::Altered)?
            .len();
        body.truncate(length);
        Ok(body)
    }
}

fn key_of(ring: &KeyRing, head: &Head, purpose: &str) -> Result<LessSafeKey, SealError> {
    let ring_key = ring.key(head.key_id).ok_or(SealError::UnknownKey(head.key_id))?;
    let mut derived = Zeroizing::new([0_u8; 32]);
    Salt::new(HKDF_SHA256, &head.salt)
        .extract(ring_key)
        .expand(&[b"wardroom seal v1 ", purpose.as_bytes()], Length)
        .and_then(|okm| okm.fill(&mut *derived))
        .map_err(|_| SealError::Form)?;
    UnboundKey::new(&AES_256_GCM, &*derived).map(LessSafeKey::new).map_err(|_| SealError::Form)
}

/// What a version of a named secret is sealed for.
pub fn purpose_of_secret(name: &str, number: i64) -> String {
    format!("secret.{name}.{number}")
}

/// What a key of the installation is sealed for.
pub fn purpose_of_key(name: &str) -> String {
    format!("key.{name}")
}

fn aad(key_id: u32, purpose: &str) -> Vec<u8> {
    let mut aad = vec![VERSION];
    aad.extend_from_slice(&key_id.to_be_bytes());
    aad.extend_from_slice(purpose.as_bytes());
    aad
}

struct Head {
    key_id: u32,
    salt: [u8; SALT_BYTES],
    nonce: [u8; NONCE_BYTES],
}

impl Head {
    fn parse(sealed: &[u8]) -> Result<Self, SealError> {
        let (version, rest) = sealed.split_first().ok_or(SealError::Form)?;
        let (key_id, rest) = rest.split_first_chunk::<KEY_ID_BYTES>().ok_or(SealError::Form)?;
        let (salt, rest) = rest.split_first_chunk::<SALT_BYTES>().ok_or(SealError::Form)?;
        let (nonce, _) = rest.split_first_chunk::<NONCE_BYTES>().ok_or(SealError::Form)?;
        if *version != VERSION {
            return Err(SealError::Form);
        }
        Ok(Self { key_id: u32::from_be_bytes(*key_id), salt: *salt, nonce: *nonce })
    }

    fn nonce(&self) -> Nonce {
        Nonce::assume_unique_for_key(self.nonce)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;
    use crate::ambient::SystemRng;

    #[test]
    fn a_new_key_seals_and_the_old_one_opens_until_it_is_gone() {
        let first = KeyRing::generate(&SystemRng);
        let (second, only) =
            (first.with_new_key(&SystemRng).unwrap(), first.with_new_key(&SystemRng).unwrap());
        let sealer = Sealer::new(first);
        let old = sealer.seal("a", b"plain text", &SystemRng).unwrap();
        let gone = second.without(1).unwrap();
        sealer.replace(second);
        assert_eq!(sealer.open("a", &old).unwrap().as_slice(), b"plain text");
        let new = sealer.reseal("a", &old, &SystemRng).unwrap();
        assert_eq!((&old[1..5], &new[1..5]), (&[0, 0, 0, 1][..], &[0, 0, 0, 2][..]));
        sealer.replace(gone);
        assert_eq!(sealer.open("a", &new).unwrap().as_slice(), b"plain text");
        assert_eq!(sealer.open("a", &old), Err(SealError::UnknownKey(1)));
        sealer.replace(only.without(1).unwrap());
        assert!(sealer.open("a", &new).is_err(), "another second key");
    }

    #[test]
    fn a_value_opens_only_whole_and_for_its_purpose() {
        let sealer = Sealer::new(KeyRing::generate(&SystemRng));
        let sealed = sealer.seal("a", b"plain text", &SystemRng).unwrap();
        assert!(!sealed.windows(5).any(|window| window == b"plain"));
        assert_eq!(sealer.open("a", &sealed).unwrap().as_slice(), b"plain text");
        assert_eq!(sealer.open("b", &sealed), Err(SealError::Altered));
        for at in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[at] ^= 1;
            assert!(sealer.open("a", &altered).is_err(), "byte {at}");
            assert!(sealer.open("a", &sealed[..at]).is_err(), "cut at {at}");
        }
        let other = Sealer::new(KeyRing::generate(&SystemRng));
        assert_eq!(other.open("a", &sealed), Err(SealError::Altered));
    }
}
