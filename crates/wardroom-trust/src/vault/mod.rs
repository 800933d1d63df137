//! People's data at rest: each person has a key of their own, wrapped under the key ring and kept apart from
//! the data. Destroying it makes everything that was sealed for the person unreadable, in every copy.
//!
//! A value is `version 2 ‖ person (16) ‖ generation (4, big-endian) ‖ nonce (12) ‖ ciphertext ‖ tag (16)`:
//! AES-256-GCM (NIST SP 800-38D) under the person's key of that generation, bound to the head and to a purpose.
//! Where a value must be found again, a keyed hash of it (HMAC-SHA256, RFC 2104) stands beside it.

mod cache;
mod cipher;

pub use cipher::{PersonCipher, SEALED_BYTES_MORE};

use crate::seal::{SealError, Sealer};
use aws_lc_rs::hmac;
use cache::Cache;
use cipher::head;
use data_encoding::BASE64URL_NOPAD;
use std::sync::{Arc, Mutex, PoisonError};
use wardroom_core::{
    PersonId, Rng, Timestamp,
    audit::{AuditDraft, SEALED_PREFIX},
    person::{BlindIndex, PersonKey},
    store::{PersonKeys, StoreError},
};
use zeroize::Zeroizing;

/// What a wrapped key is sealed for.
const WRAP: &str = "person.key";
/// What stands in the place of a personal text whose key was destroyed.
pub const ERASED: &str = "[erased]";
/// What stands in place of a personal text that is sealed for somebody else.
pub const OF_SOMEBODY_ELSE: &str = "[of somebody else]";

/// Why personal data can't be sealed or opened.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The keys can't be read or written.
    #[error("people's keys can't be used: {0}")]
    Store(#[from] StoreError),
    /// A key or a value can't be opened.
    #[error("personal data can't be opened: {0}")]
    Seal(#[from] SealError),
    /// The person's key was destroyed.
    #[error("the person was erased")]
    Erased,
}

/// Seals and opens what is known of people.
pub struct Vault {
    sealer: Arc<Sealer>,
    keys: Arc<dyn PersonKeys>,
    rng: Arc<dyn Rng>,
    index: hmac::Key,
    cache: Mutex<Cache>,
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Vault")
    }
}

impl Vault {
    /// A vault over these keys. `index` keys the blind indexes.
    pub fn new(
        sealer: Arc<Sealer>,
        keys: Arc<dyn PersonKeys>,
        rng: Arc<dyn Rng>,
        index: &[u8; 32],
    ) -> Self {
        let index = hmac::Key::new(hmac::HMAC_SHA256, index);
        Self { sealer, keys, rng, index, cache: Mutex::default() }
    }

    /// Makes a key for somebody new. It is durable before anything is sealed under it: one that is then not
    /// used harms nobody, one that is missing would.
    pub async fn admit(
        &self,
        person: PersonId,
        now: Timestamp,
    ) -> Result<Arc<PersonCipher>, VaultError> {
        self.admit_all(&[person], now).await?;
        self.cipher(person).await
    }

    /// A new key for each of these people.
    fn new_keys(&self, people: &[PersonId], now: Timestamp) -> Result<Vec<PersonKey>, SealError> {
        let generation = self.sealer.people();
        let key = |person: &PersonId| {
            let mut plain = Zeroizing::new([0_u8; 32]);
            self.rng.fill(&mut *plain);
            let wrapped = self.sealer.seal(&wrap(*person, generation), &*plain, &*self.rng)?;
            Ok(PersonKey { person: *person, generation, wrapped, created_at: now })
        };
        people.iter().map(key).collect()
    }

    /// Makes keys for many at once.
    pub async fn admit_all(&self, people: &[PersonId], now: Timestamp) -> Result<(), VaultError> {
        let keys = self.new_keys(people, now)?;
        Ok(self.keys.add_person_keys(&keys).await?)
    }

    /// A person's cipher.
    pub async fn cipher(&self, person: PersonId) -> Result<Arc<PersonCipher>, VaultError> {
        let age = {
            let cache = self.locked();
            if let Some(cipher) = cache.get(person) {
                return Ok(cipher);
            }
            cache.age()
        };
        let mut keys = Vec::new();
        for key in self.keys.list_person_keys(person).await? {
            let plain = self.sealer.open(&wrap(person, key.generation), &key.wrapped)?;
            keys.push((key.generation, plain));
        }
        let cipher = Arc::new(PersonCipher::new(person, &keys)?.ok_or(VaultError::Erased)?);
        self.locked().keep(person, &cipher, age);
        Ok(cipher)
    }

    /// Makes a key of the generation that is wanted for each of these people, who have only older ones. Those stay:
    /// the audit log keeps what was sealed under them. Who was erased meanwhile gets none.
    pub async fn renew(&self, people: &[PersonId], now: Timestamp) -> Result<(), VaultError> {
        self.keys.renew_person_keys(&self.new_keys(people, now)?).await?;
        // All of them at once, and also whose cipher is only about to be kept: it was read before.
        let held: Vec<(PersonId, Arc<PersonCipher>)> = {
            let mut cache = self.locked();
            let held = people.iter().filter_map(|person| Some((*person, cache.get(*person)?)));
            let held = held.collect();
            people.iter().for_each(|person| cache.forget(*person));
            held
        };
        for (person, held) in held {
            match self.cipher(person).await {
                Ok(later) => held.follow(&later),
                Err(VaultError::Erased) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// A value under its person's newest key; empty where the person was erased, and nobody reads it any more.
    pub async fn resealed(&self, purpose: &str, sealed: &[u8]) -> Result<Vec<u8>, VaultError> {
        let (person, _) = head(sealed)?;
        match self.cipher(person).await {
            Ok(cipher) => Ok(cipher.seal(purpose, &cipher.open(purpose, sealed)?, &*self.rng)?),
            Err(VaultError::Erased) => Ok(vec![]),
            Err(error) => Err(error),
        }
    }

    /// A person's key under the wrapping of today.
    pub fn rewrapped(&self, key: &PersonKey) -> Result<PersonKey, VaultError> {
        let purpose = wrap(key.person, key.generation);
        let wrapped = self.sealer.reseal(&purpose, &key.wrapped, &*self.rng)?;
        Ok(PersonKey { wrapped, ..key.clone() })
    }

    /// Destroys a person's keys: nothing that was sealed for them can be read any more.
    pub async fn destroy(&self, person: PersonId) -> Result<(), VaultError> {
        self.keys.destroy_person_keys(person).await?;
        self.forget(person);
        Ok(())
    }

    /// Forgets what is kept in memory of a person's keys, which changed elsewhere.
    pub fn forget(&self, person: PersonId) {
        self.locked().forget(person);
    }

    /// The same of everybody's.
    pub fn forget_all(&self) {
        self.locked().clear();
    }

    /// By what a value of this kind is found again.
    pub fn index(&self, kind: &str, value: &str) -> BlindIndex {
        let mut context = hmac::Context::with_key(&self.index);
        for part in [kind.as_bytes(), b"\0", value.as_bytes()] {
            context.update(part);
        }
        let tag = context.sign();
        let mut index = [0; 32];
        for (to, from) in index.iter_mut().zip(tag.as_ref()) {
            *to = *from;
        }
        BlindIndex(index)
    }

    /// Seals what is personal in records and puts it in its place. What belongs to somebody who was erased
    /// is left out.
    pub async fn seal_records(&self, records: &mut [AuditDraft]) -> Result<(), VaultError> {
        for draft in records {
            for detail in std::mem::take(&mut draft.personal) {
                let text = match self.cipher(detail.person).await {
                    Ok(cipher) => {
                        let plain = detail.value.as_bytes();
                        let sealed = cipher.seal(&of_record(&detail.key), plain, &*self.rng)?;
                        format!("{SEALED_PREFIX}{}", BASE64URL_NOPAD.encode(&sealed))
                    }
                    Err(VaultError::Erased) => ERASED.to_owned(),
                    Err(error) => return Err(error),
                };
                if detail.key == "address" {
                    draft.record.address = Some(text);
                } else {
                    draft.record.detail.insert(detail.key, text);
                }
            }
        }
        Ok(())
    }

    /// What a record's text says where it was sealed; [`ERASED`] where its person's key is gone.
    pub async fn open_text(&self, key: &str, text: &str) -> Result<String, VaultError> {
        let Some(coded) = text.strip_prefix(SEALED_PREFIX) else { return Ok(text.to_owned()) };
        let sealed = BASE64URL_NOPAD.decode(coded.as_bytes()).map_err(|_| SealError::Form)?;
        let (person, _) = head(&sealed)?;
        match self.cipher(person).await {
            Ok(cipher) => {
                let plain = cipher.open(&of_record(key), &sealed)?;
                Ok(String::from_utf8_lossy(&plain).into_owned())
            }
            Err(VaultError::Erased) => Ok(ERASED.to_owned()),
            Err(error) => Err(error),
        }
    }

    /// The same for one person only: what is sealed for others stays so.
    pub async fn open_text_of(
        &self,
        person: PersonId,
        key: &str,
        text: &str,
    ) -> Result<String, VaultError> {
        let coded = text.strip_prefix(SEALED_PREFIX).map(|coded| coded.as_bytes());
        let sealed = coded.and_then(|coded| BASE64URL_NOPAD.decode(coded).ok());
        match sealed.map(|sealed| head(&sealed)) {
            Some(Ok((whose, _))) if whose != person => Ok(OF_SOMEBODY_ELSE.to_owned()),
            _ => self.open_text(key, text).await,
        }
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A wrapped key can't be put in another person's place.
fn wrap(person: PersonId, generation: u32) -> String {
    format!("{WRAP} {person} {generation}")
}

fn of_record(key: &str) -> String {
    format!("audit {key}")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;
    use crate::{ambient::SystemRng, keyring::KeyRing};
    use wardroom_core::{Origin, Principal, store::StoreResult};

    #[derive(Default)]
    struct Kept {
        keys: Mutex<Vec<PersonKey>>,
        /// Who reads is held up until this is told of.
        slow: Mutex<Option<tokio::sync::oneshot::Receiver<()>>>,
    }

    #[async_trait::async_trait]
    impl PersonKeys for Kept {
        async fn add_person_keys(&self, keys: &[PersonKey]) -> StoreResult<()> {
            self.keys.lock().unwrap().extend_from_slice(keys);
            Ok(())
        }
        async fn list_wrapped_otherwise(&self, _: u32, _: u32) -> StoreResult<Vec<PersonKey>> {
            Ok(vec![])
        }
        async fn count_wrapped_otherwise(&self, _: u32) -> StoreResult<u64> {
            Ok(0)
        }
        async fn list_person_keys(&self, person: PersonId) -> StoreResult<Vec<PersonKey>> {
            let found: Vec<PersonKey> = self
                .keys
                .lock()
                .unwrap()
                .iter()
                .filter(|key| key.person == person)
                .cloned()
                .collect();
            let slow = self.slow.lock().unwrap().take();
            if let Some(told) = slow {
                told.await.unwrap();
            }
            Ok(found)
        }
        async fn walk_person_keys(
            &self,
            _: Option<(PersonId, u32)>,
            _: u32,
        ) -> StoreResult<Vec<PersonKey>> {
            Ok(vec![])
        }
        async fn renew_person_keys(&self, keys: &[PersonKey]) -> StoreResult<()> {
            for key in keys {
                let mut kept = self.keys.lock().unwrap();
                if kept.iter().any(|one| one.person == key.person) {
                    kept.push(key.clone());
                }
            }
            Ok(())
        }
        async fn list_people_before(&self, _: u32, _: u32) -> StoreResult<Vec<PersonId>> {
            Ok(vec![])
        }
        async fn count_people_before(&self, _: u32) -> StoreResult<u64> {
            Ok(0)
        }
        async fn rewrap_person_key(&self, _: &PersonKey) -> StoreResult<()> {
            Ok(())
        }
        async fn destroy_person_keys(&self, person: PersonId) -> StoreResult<()> {
            self.keys.lock().unwrap().retain(|key| key.person != person);
            Ok(())
        }
    }

    fn vault() -> (Arc<Kept>, Vault) {
        let kept = Arc::new(Kept::default());
        let sealer = Arc::new(Sealer::new(KeyRing::generate(&SystemRng)));
        (kept.clone(), Vault::new(sealer, kept, Arc::new(SystemRng), &[7; 32]))
    }

    fn person() -> PersonId {
        PersonId::new(Timestamp::default(), &SystemRng)
    }

    #[tokio::test]
    async fn another_key_seals_and_who_held_the_cipher_before_opens_it() {
        let kept = Arc::new(Kept::default());
        let ring = KeyRing::generate(&SystemRng);
        let (newer, sealer) = (ring.with_new_people().unwrap(), Arc::new(Sealer::new(ring)));
        let vault = Vault::new(sealer.clone(), kept.clone(), Arc::new(SystemRng), &[7; 32]);
        let ada = person();
        let held = vault.admit(ada, Timestamp::default()).await.unwrap();
        let old = held.seal("profile", b"plain text", &SystemRng).unwrap();
        sealer.replace(newer);
        vault.renew(&[ada], Timestamp::default()).await.unwrap();
        let new = vault.resealed("profile", &old).await.unwrap();
        assert_eq!((head(&old).unwrap().1, head(&new).unwrap().1), (1, 2));
        for value in [&old, &new] {
            assert_eq!(held.open("profile", value).unwrap().as_slice(), b"plain text");
        }
        assert!(vault.resealed("notes", &old).await.is_err(), "another purpose");
        let bob = person();
        let of_bob = vault.admit(bob, Timestamp::default()).await.unwrap();
        assert_eq!(head(&of_bob.seal("p", b"x", &SystemRng).unwrap()).unwrap().1, 2);
        vault.destroy(ada).await.unwrap();
        assert!(
            kept.keys.lock().unwrap().iter().all(|key| key.person == bob),
            "all generations go"
        );
        assert!(vault.resealed("profile", &old).await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn who_was_erased_while_keys_were_read_stays_erased() {
        let (kept, vault) = vault();
        let ada = person();
        let sealed = vault.admit(ada, Timestamp::default()).await.unwrap();
        let sealed = sealed.seal("profile", b"plain text", &SystemRng).unwrap();
        vault.forget(ada);
        let (tell, told) = tokio::sync::oneshot::channel();
        *kept.slow.lock().unwrap() = Some(told);
        let (_, ()) = tokio::join!(vault.cipher(ada), async {
            vault.destroy(ada).await.unwrap();
            vault.renew(&[ada], Timestamp::default()).await.unwrap();
            tell.send(()).unwrap();
        });
        assert!(matches!(vault.cipher(ada).await, Err(VaultError::Erased)));
        assert!(vault.resealed("profile", &sealed).await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn keys_that_were_read_before_a_renewal_are_not_kept() {
        let kept = Arc::new(Kept::default());
        let ring = KeyRing::generate(&SystemRng);
        let (newer, sealer) = (ring.with_new_people().unwrap(), Arc::new(Sealer::new(ring)));
        let vault = Vault::new(sealer.clone(), kept.clone(), Arc::new(SystemRng), &[7; 32]);
        let ada = person();
        vault.admit(ada, Timestamp::default()).await.unwrap();
        vault.forget_all();
        sealer.replace(newer);
        let (tell, told) = tokio::sync::oneshot::channel();
        *kept.slow.lock().unwrap() = Some(told);
        let (_, ()) = tokio::join!(vault.cipher(ada), async {
            vault.renew(&[ada], Timestamp::default()).await.unwrap();
            tell.send(()).unwrap();
        });
        let cipher = vault.cipher(ada).await.unwrap();
        let sealed = cipher.seal("p", b"x", &SystemRng).unwrap();
        assert_eq!(head(&sealed).unwrap().1, 2, "by the newest key");
    }

    #[tokio::test]
    async fn a_value_opens_only_whole_for_its_person_and_purpose() {
        let (_, vault) = vault();
        let (ada, bob) = (person(), person());
        let cipher = vault.admit(ada, Timestamp::default()).await.unwrap();
        let other = vault.admit(bob, Timestamp::default()).await.unwrap();
        let sealed = cipher.seal("profile", b"plain text", &SystemRng).unwrap();
        assert!(!sealed.windows(5).any(|window| window == b"plain"));
        assert_eq!(cipher.open("profile", &sealed).unwrap().as_slice(), b"plain text");
        assert_eq!(cipher.open("notes", &sealed), Err(SealError::Altered));
        assert_eq!(other.open("profile", &sealed), Err(SealError::Altered));
        for at in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[at] ^= 1;
            assert!(cipher.open("profile", &altered).is_err(), "byte {at}");
            assert!(cipher.open("profile", &sealed[..at]).is_err(), "cut at {at}");
        }
    }

    #[tokio::test]
    async fn a_wrapped_key_is_good_in_its_own_place_only() {
        let (kept, vault) = vault();
        let (ada, eve) = (person(), person());
        vault.admit(ada, Timestamp::default()).await.unwrap();
        let stolen = PersonKey { person: eve, ..kept.keys.lock().unwrap()[0].clone() };
        kept.keys.lock().unwrap().push(stolen);
        assert!(matches!(vault.cipher(eve).await, Err(VaultError::Seal(SealError::Altered))));
    }

    #[tokio::test]
    async fn erasure_leaves_the_record_and_takes_what_it_says() {
        let (_, vault) = vault();
        let ada = person();
        vault.admit(ada, Timestamp::default()).await.unwrap();
        let mut records =
            [AuditDraft::event("x", &Principal::System, &Origin::INTERNAL, Timestamp::default())
                .personal(ada, "name", "Ada")];
        vault.seal_records(&mut records).await.unwrap();
        let text = records[0].record.detail["name"].clone();
        assert!(text.starts_with(SEALED_PREFIX) && !text.contains("Ada"));
        assert_eq!(vault.open_text("name", &text).await.unwrap(), "Ada");
        let other = PersonId::from_uuid(uuid::Uuid::from_u128(77));
        assert_eq!(vault.open_text_of(other, "name", &text).await.unwrap(), OF_SOMEBODY_ELSE);
        assert!(vault.open_text("address", &text).await.is_err(), "bound to its key");
        vault.destroy(ada).await.unwrap();
        assert!(matches!(vault.cipher(ada).await, Err(VaultError::Erased)));
        assert_eq!(vault.open_text("name", &text).await.unwrap(), ERASED);
        assert_eq!(vault.open_text("name", "plain").await.unwrap(), "plain");
    }

    #[test]
    fn indexes_are_keyed_and_of_their_kind() {
        let (_, vault) = vault();
        assert_eq!(vault.index("name", "ada"), vault.index("name", "ada"));
        assert_ne!(vault.index("name", "ada"), vault.index("email", "ada"));
        assert_ne!(vault.index("name", "ada"), vault.index("name", "bob"));
    }
}
