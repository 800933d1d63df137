//! One person's keys, and what is sealed under them.

use crate::seal::SealError;
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use std::sync::{Arc, PoisonError, RwLock};
use uuid::Uuid;
use wardroom_core::{PersonId, Rng};
use zeroize::Zeroizing;

const VERSION: u8 = 2;
const HEAD_BYTES: usize = 1 + 16 + 4;
const NONCE_BYTES: usize = 12;
const TAG_BYTES: usize = 16;
/// By how much a sealed value is longer.
pub const SEALED_BYTES_MORE: usize = HEAD_BYTES + NONCE_BYTES + TAG_BYTES;

/// One person's keys, unwrapped.
pub struct PersonCipher {
    person: PersonId,
    /// By generation, the newest last. Who holds the cipher while another one is made has it as well.
    keys: RwLock<Vec<Generation>>,
}

impl std::fmt::Debug for PersonCipher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PersonCipher").field("person", &self.person).finish_non_exhaustive()
    }
}

type Generation = (u32, Arc<LessSafeKey>);

impl PersonCipher {
    /// With these keys by generation, the newest last; none where there is no key.
    pub(super) fn new(
        person: PersonId,
        keys: &[(u32, Zeroizing<Vec<u8>>)],
    ) -> Result<Option<Self>, SealError> {
        let key = |(generation, plain): &(u32, Zeroizing<Vec<u8>>)| {
            let key = UnboundKey::new(&AES_256_GCM, plain).map_err(|_| SealError::Form)?;
            Ok((*generation, Arc::new(LessSafeKey::new(key))))
        };
        let keys = keys.iter().map(key).collect::<Result<Vec<_>, SealError>>()?;
        Ok((!keys.is_empty()).then_some(Self { person, keys: RwLock::new(keys) }))
    }

    /// Takes over the keys of a cipher of the same person that was made later.
    pub(super) fn follow(&self, later: &Self) {
        let keys = later.keys.read().unwrap_or_else(PoisonError::into_inner).clone();
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = keys;
    }

    fn key(&self, pick: impl Fn(&[Generation]) -> Option<Generation>) -> Option<Generation> {
        pick(&self.keys.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Seals `plain` for `purpose`.
    pub fn seal(&self, purpose: &str, plain: &[u8], rng: &dyn Rng) -> Result<Vec<u8>, SealError> {
        let (generation, key) = self.key(|keys| keys.last().cloned()).ok_or(SealError::Form)?;
        let mut sealed = Vec::with_capacity(HEAD_BYTES + NONCE_BYTES + plain.len() + TAG_BYTES);
        sealed.push(VERSION);
        sealed.extend_from_slice(self.person.uuid().as_bytes());
        sealed.extend_from_slice(&generation.to_be_bytes());
        let mut nonce = [0_u8; NONCE_BYTES];
        rng.fill(&mut nonce);
        let aad = aad(&sealed, purpose);
        sealed.extend_from_slice(&nonce);
        let mut body = plain.to_vec();
        key.seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(aad),
            &mut body,
        )
        .map_err(|_| SealError::Form)?;
        sealed.extend_from_slice(&body);
        Ok(sealed)
    }

    /// Opens what was sealed for this person and `purpose`.
    pub fn open(&self, purpose: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let (person, generation) = head(sealed)?;
        if person != self.person {
            return Err(SealError::Altered);
        }
        let found = self.key(|keys| keys.iter().find(|(number, _)| *number == generation).cloned());
        let (_, key) = found.ok_or(SealError::UnknownKey(generation))?;
        let (head, rest) = sealed.split_at_checked(HEAD_BYTES).ok_or(SealError::Form)?;
        let (nonce, body) = rest.split_first_chunk::<NONCE_BYTES>().ok_or(SealError::Form)?;
        let mut body = Zeroizing::new(body.to_vec());
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let length = key
            .open_in_place(nonce, Aad::from(aad(head, purpose)), &mut body)
            .map_err(|_| SealError::Altered)?
            .len();
        body.truncate(length);
        Ok(body)
    }

    /// Seals a value as JSON.
    pub fn seal_json<T: serde::Serialize>(
        &self,
        purpose: &str,
        value: &T,
        rng: &dyn Rng,
    ) -> Result<Vec<u8>, SealError> {
        let plain = Zeroizing::new(serde_json::to_vec(value).map_err(|_| SealError::Form)?);
        self.seal(purpose, &plain, rng)
    }

    /// Opens a value that was sealed as JSON.
    pub fn open_json<T: serde::de::DeserializeOwned>(
        &self,
        purpose: &str,
        sealed: &[u8],
    ) -> Result<T, SealError> {
        serde_json::from_slice(&self.open(purpose, sealed)?).map_err(|_| SealError::Form)
    }
}

fn aad(head: &[u8], purpose: &str) -> Vec<u8> {
    [head, purpose.as_bytes()].concat()
}

/// Whose a sealed value is, and under which generation of their key.
pub(super) fn head(sealed: &[u8]) -> Result<(PersonId, u32), SealError> {
    let (version, rest) = sealed.split_first().ok_or(SealError::Form)?;
    let (person, rest) = rest.split_first_chunk::<16>().ok_or(SealError::Form)?;
    let (generation, _) = rest.split_first_chunk::<4>().ok_or(SealError::Form)?;
    if *version != VERSION {
        return Err(SealError::Form);
    }
    Ok((PersonId::from_uuid(Uuid::from_bytes(*person)), u32::from_be_bytes(*generation)))
}
