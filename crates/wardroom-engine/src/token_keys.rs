//! Renewing the keys that sign tokens: another one when the newest is old or another is wanted, and none for longer
//! than what it signed is good.

use crate::{Engine, EngineError};
use wardroom_core::{
    Rng, Timestamp,
    change::{Change, Write},
    identity::SealedKey,
    store::{Store, StoreError},
};
use wardroom_trust::{
    seal::{Sealer, purpose_of_key},
    token_key::{self, Due, TokenSeed},
};
use zeroize::Zeroizing;

/// What their names begin with, before the generation.
const NAME: &str = "token_seed/";

fn name(generation: u32) -> String {
    format!("{NAME}{generation}")
}

/// Whether the key of this name is a generation's.
pub fn is_token_seed(name: &str) -> bool {
    name.starts_with(NAME)
}

/// The secrets of all generations that can be opened.
pub async fn token_seeds(
    store: &dyn Store,
    sealer: &Sealer,
) -> Result<Vec<TokenSeed>, EngineError> {
    let mut seeds = vec![];
    for key in store.list_sealed_keys().await? {
        let number = key.name.strip_prefix(NAME).and_then(|number| number.parse().ok());
        let Some(generation) = number else { continue };
        match open(sealer, &key) {
            Ok(seed) => seeds.push(TokenSeed { generation, created_at: key.created_at, seed }),
            // The others go on. Its key-encryption key may be on its way here.
            Err(error) => tracing::error!(name = key.name, %error, "a key can't be opened"),
        }
    }
    Ok(seeds)
}

fn open(sealer: &Sealer, key: &SealedKey) -> Result<Zeroizing<[u8; 32]>, EngineError> {
    let plain = sealer.open(&purpose_of_key(&key.name), &key.sealed).map_err(EngineError::seal)?;
    plain.as_slice().try_into().map(Zeroizing::new).map_err(EngineError::seal)
}

/// The secret of a new generation, sealed.
pub fn new_token_seed(
    sealer: &Sealer,
    rng: &dyn Rng,
    generation: u32,
    now: Timestamp,
) -> Result<SealedKey, EngineError> {
    let mut seed = Zeroizing::new([0_u8; 32]);
    rng.fill(&mut *seed);
    let name = name(generation);
    let sealed = sealer.seal(&purpose_of_key(&name), &*seed, rng).map_err(EngineError::seal)?;
    Ok(SealedKey { name, sealed, created_at: now })
}

impl Engine {
    /// Takes over what other orchestrators made, makes what is due and removes what is over.
    pub(crate) async fn renew_token_keys(&self) -> Result<(), EngineError> {
        let mut seeds = token_seeds(&*self.store, &self.sealer).await?;
        let Due { add, remove } = token_key::due(&seeds, self.sealer.tokens(), self.now());
        if add.is_some() || !remove.is_empty() {
            let mut change = Change::default();
            if let Some(generation) = add {
                let key = new_token_seed(&self.sealer, &*self.rng, generation, self.now())?;
                change
                    .audit
                    .push(self.own_record("token_key.add").detail("generation", generation));
                change.writes.push(Write::AddSealedKey(key));
            }
            for generation in &remove {
                let record = self.own_record("token_key.remove").detail("generation", generation);
                change.audit.push(record);
                change.writes.push(Write::RemoveSealedKey(name(*generation)));
            }
            match self.commit(change).await {
                // Another orchestrator did it at the same moment.
                Ok(()) | Err(StoreError::Duplicate(_) | StoreError::Conflict(_)) => {}
                Err(error) => return Err(error.into()),
            }
            seeds = token_seeds(&*self.store, &self.sealer).await?;
        }
        let mut numbers: Vec<u32> = seeds.iter().map(|seed| seed.generation).collect();
        numbers.sort_unstable_by(|one, other| other.cmp(one));
        if !numbers.is_empty() && numbers != self.token_keys.numbers() {
            self.token_keys.replace(&seeds).map_err(EngineError::seal)?;
        }
        Ok(())
    }
}
