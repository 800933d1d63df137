//! Renewing keys, of people and the one that everything is sealed under: what is sealed under an older one is sealed
//! anew, a part with each sweep, while everything goes on. Where it is cut short, what is left is found by the key's id
//! in each value.

use crate::{Engine, EngineError, approvals, desk, people, runs::SEAL_PARAMETERS, watch::LETTER};
use std::{sync::PoisonError, time::Duration};
use wardroom_core::{
    Timestamp,
    change::{Change, Write},
    hint::Hint,
    sealed::{Personal, Sealed},
};
use wardroom_trust::seal::{purpose_of_key, purpose_of_secret};

/// How long it is believed that nothing is left: who wrote back what they had read just before is found then.
const LOOK_AGAIN: Duration = Duration::from_secs(600);

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
    /// The generation that keys of people are to have.
    pub people_generation: u32,
    /// People who have none of it yet.
    pub people_before: u64,
    /// Values that are still sealed for people under an older one.
    pub personal_left: u64,
    /// The newest key that signs tokens.
    pub token_generation: u32,
    /// Since when there is that.
    pub token_key_since: Timestamp,
}

impl Engine {
    /// How far the renewal of the key is.
    pub async fn key_status(&self) -> Result<KeyStatus, EngineError> {
        let current = self.sealer.current();
        let (token_generation, token_key_since) = self.token_keys.newest();
        Ok(KeyStatus {
            current,
            keys: self.sealer.key_ids(),
            values_left: self.store.count_sealed_otherwise(current).await?,
            people_left: self.store.count_wrapped_otherwise(current).await?,
            people_generation: self.sealer.people(),
            people_before: self.store.count_people_before(self.sealer.people()).await?,
            personal_left: self.store.count_personal_before(self.sealer.people()).await?,
            token_generation,
            token_key_since,
        })
    }

    /// Gives people keys of the generation that is wanted, and seals a part of what is sealed under older ones anew.
    pub(crate) async fn renew_people(&self) -> Result<(), EngineError> {
        let (wanted, now) = (self.sealer.people(), self.now());
        if wanted == 1 {
            return Ok(());
        }
        let last = *self.people_renewed.lock().unwrap_or_else(PoisonError::into_inner);
        let people = self.store.list_people_before(wanted, RESEALED_MAX).await?;
        if !people.is_empty() {
            self.vault.renew(&people, now).await?;
            self.commit(Change::default().hint(Hint::People)).await?;
        } else if last.is_some_and(|at| now.since(at) < LOOK_AGAIN) {
            return Ok(());
        }
        let found = self.store.list_personal_before(wanted, RESEALED_MAX).await?;
        let clean = people.is_empty() && found.is_empty();
        *self.people_renewed.lock().unwrap_or_else(PoisonError::into_inner) = clean.then_some(now);
        let mut failed = Ok(());
        for (what, from) in found {
            // One by one: a file's content is large, and one that can't be opened must not keep the others.
            if let Err(error) = self.reseal_personal(what, from).await {
                tracing::warn!(?what, %error, "a value could not be sealed anew");
                failed = Err(error);
            }
        }
        failed
    }

    async fn reseal_personal(&self, what: Personal, from: Vec<u8>) -> Result<(), EngineError> {
        let to = self.vault.resealed(&purpose_of(what), &from).await?;
        let reseal = Write::ResealPersonal { what, from, to };
        Ok(self.commit(Change::default().write(reseal)).await?)
    }

    /// Seals a part of what is sealed under an older key anew.
    pub(crate) async fn reseal(&self) -> Result<(), EngineError> {
        // With one key there is nothing that another one sealed.
        if self.sealer.key_ids().len() < 2 {
            return Ok(());
        }
        let current = self.sealer.current();
        let mut change = Change::default();
        for (what, from) in self.store.list_sealed_otherwise(current, RESEALED_MAX).await? {
            let purpose = match &what {
                Sealed::Run(_) => SEAL_PARAMETERS.to_owned(),
                Sealed::Message(_) => LETTER.to_owned(),
                Sealed::Key(name) => purpose_of_key(name),
                Sealed::Secret(name, number) => purpose_of_secret(name, *number),
            };
            let to = self.sealer.reseal(&purpose, &from, &*self.rng).map_err(EngineError::seal)?;
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

/// What a value of a person's is sealed for.
fn purpose_of(what: Personal) -> String {
    match what {
        Personal::User(_) => people::PROFILE.to_owned(),
        Personal::Session(_) => people::ABOUT.to_owned(),
        Personal::Factor(_) => people::FACTOR.to_owned(),
        Personal::Message(_) => LETTER.to_owned(),
        Personal::Customer(_) => desk::PROFILE.to_owned(),
        Personal::Request(_) => desk::ORDER.to_owned(),
        Personal::Note(_) => desk::NOTE.to_owned(),
        Personal::Run(_) => SEAL_PARAMETERS.to_owned(),
        Personal::FileName(_) => desk::ATTACHMENT_NAME.to_owned(),
        Personal::File(id) => desk::purpose_of_file(id),
        Personal::ToolCall(_) => wardroom_gateway::door::SEAL_ARGUMENTS.to_owned(),
        Personal::ToolAccount(_) => wardroom_gateway::upstream::SEAL_TOKENS.to_owned(),
        Personal::Approval(_) => approvals::SEAL_ARGUMENTS.to_owned(),
        Personal::Reason(_) => approvals::SEAL_REASON.to_owned(),
        Personal::Step(_) => crate::agents::work::SEAL_STEP.to_owned(),
        Personal::Memory(_) => crate::agents::memory::SEAL_MEMORY.to_owned(),
        Personal::Thread(_) => crate::agents::threads::SEAL_TITLE.to_owned(),
    }
}
