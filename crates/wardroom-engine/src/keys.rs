//! Renewing the key that everything is sealed under: what is sealed under an older one is sealed anew, a part with each
//! sweep, while everything goes on. Where it is cut short, what is left is found by the key's id in each value.

use crate::{Engine, EngineError, engine::SEAL_PARAMETERS, watch::LETTER};
use wardroom_core::change::{Change, Sealed, Write};
use wardroom_trust::seal::{purpose_of_key, purpose_of_secret};

/// Values that one sweep seals anew.
const RESEALED_MAX: u32 = 500;

/// How far the renewal of the key is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyStatus {
    /// The key that seals.
    pub current: u32,
    /// All keys that open.
    pub keys: Vec<u32>,
    /// Values that are still sealed under another one.
    pub values_left: u64,
    /// Keys of people that are still wrapped by another one.
    pub people_left: u64,
}

impl Engine {
    /// How far the renewal of the key is.
    pub async fn key_status(&self) -> Result<KeyStatus, EngineError> {
        let current = self.sealer.current();
        Ok(KeyStatus {
            current,
            keys: self.sealer.key_ids(),
            values_left: self.store.count_sealed_otherwise(current).await?,
            people_left: self.store.count_wrapped_otherwise(current).await?,
        })
    }

    /// Seals a part of what is sealed under an older key anew.
    pub(crate) async fn reseal(&self) -> Result<(), EngineError> {
        // With one key there is nothing that another one sealed.
        if self.sealer.key_ids().len() < 2 {
            return Ok(());
        }
        let current = self.sealer.current();
        let seal = |error: wardroom_trust::seal::SealError| EngineError::Seal(error.to_string());
        let mut change = Change::default();
        for (what, from) in self.store.list_sealed_otherwise(current, RESEALED_MAX).await? {
            let purpose = match &what {
                Sealed::Run(_) => SEAL_PARAMETERS.to_owned(),
                Sealed::Message(_) => LETTER.to_owned(),
                Sealed::Key(name) => purpose_of_key(name),
                Sealed::Secret(name, number) => purpose_of_secret(name, *number),
            };
            let to = self.sealer.reseal(&purpose, &from, &*self.rng).map_err(seal)?;
            change.writes.push(Write::Reseal { what, from, to });
        }
        if !change.writes.is_empty() {
            self.commit(change).await?;
        }
        for key in self.store.list_wrapped_otherwise(current, RESEALED_MAX).await? {
            self.store.rewrap_person_key(&self.vault.rewrapped(&key)?).await?;
        }
        Ok(())
    }
}
