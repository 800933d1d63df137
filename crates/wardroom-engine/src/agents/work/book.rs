//! A run's journal while it is carried on: read once, then written by one.

use super::SEAL_STEP;
use crate::{Engine, EngineError};
use std::sync::Arc;
use wardroom_core::{
    Clock, Rng, RunId, StepId,
    agent::Limits,
    change::Write,
    page::Page,
    run::Run,
    steps::{ENTRY_BYTES_MAX, Entry, JournalWrite, KeptEntry, Misplaced, Steps},
    store::{StoreError, StoreResult},
};
use wardroom_trust::vault::PersonCipher;

/// Entries that are read at a time.
pub(crate) const ENTRIES_TOGETHER_MAX: u32 = 64;

/// A journal that is written.
pub(in crate::agents) struct Book {
    pub(in crate::agents) steps: Steps,
    next: u32,
    run: RunId,
    fence: i64,
    cipher: Arc<PersonCipher>,
    clock: Arc<dyn Clock>,
    rng: Arc<dyn Rng>,
}

impl Book {
    /// One without entries.
    pub(super) fn new(
        engine: &Engine,
        run: &Run,
        limits: Limits,
        cipher: Arc<PersonCipher>,
    ) -> Self {
        Self {
            steps: Steps::new(limits),
            next: 0,
            run: run.id,
            fence: run.fence,
            cipher,
            clock: Arc::clone(&engine.clock),
            rng: Arc::clone(&engine.rng),
        }
    }

    /// That of a run as it is kept.
    pub(in crate::agents) async fn read(
        engine: &Engine,
        run: &Run,
        limits: Limits,
    ) -> Result<Self, EngineError> {
        let cipher = engine.vault.cipher(run.submitted_by.into()).await?;
        let mut book = Self::new(engine, run, limits, cipher);
        let mut next = Some(0);
        while let Some(from) = next {
            let kept = engine.store.list_journal(run.id, from, ENTRIES_TOGETHER_MAX).await?;
            for entry in &kept.items {
                let opened = book.open(entry)?;
                book.written(&[opened])?;
            }
            next = kept.next;
        }
        Ok(book)
    }

    fn open(&self, kept: &KeptEntry) -> Result<Entry, EngineError> {
        if kept.seq != self.next {
            return Err(EngineError::Journal("an entry of the journal is missing".to_owned()));
        }
        open(&self.cipher, kept)
    }

    /// What writes `entries` down behind those that are there. They count once [`Book::written`] says so.
    pub(super) fn write(&self, entries: &[Entry]) -> StoreResult<Write> {
        let at = self.clock.now();
        let kept = entries.iter().zip(self.next..).map(|(entry, seq)| {
            let sealed = self.cipher.seal_json(SEAL_STEP, entry, &*self.rng);
            let sealed = sealed.map_err(|error| StoreError::Other(error.to_string()))?;
            if sealed.len() > ENTRY_BYTES_MAX {
                let reason = format!("a step is longer than {ENTRY_BYTES_MAX} bytes");
                return Err(StoreError::Corrupt { what: "journal", reason });
            }
            Ok(KeptEntry { id: StepId::new(at, &*self.rng), seq, at, sealed })
        });
        let entries = kept.collect::<StoreResult<_>>()?;
        Ok(Write::Journal(JournalWrite::Append { run: self.run, fence: self.fence, entries }))
    }

    /// The number of the last entry.
    pub(super) const fn last(&self) -> u32 {
        self.next.saturating_sub(1)
    }

    /// They are durable.
    pub(super) fn written(&mut self, entries: &[Entry]) -> Result<(), Misplaced> {
        entries.iter().try_for_each(|entry| self.steps.apply(entry))?;
        self.next += u32::try_from(entries.len()).unwrap_or(u32::MAX);
        Ok(())
    }
}

/// What an entry says.
fn open(cipher: &PersonCipher, kept: &KeptEntry) -> Result<Entry, EngineError> {
    cipher.open_json(SEAL_STEP, &kept.sealed).map_err(EngineError::seal)
}

/// An entry of a journal, and when it was written down.
#[derive(Debug, Clone)]
pub struct Step {
    /// Its place.
    pub kept: KeptEntry,
    /// What happened.
    pub entry: Entry,
}

impl Engine {
    /// What happened in an agent's run from entry `from` on; at most `limit` entries, and where to go on. Nothing where
    /// whoever it works for was erased.
    pub async fn list_steps(
        &self,
        run: &Run,
        from: u32,
        limit: u32,
    ) -> Result<Page<Step, u32>, EngineError> {
        let cipher =
            match self.vault.cipher(run.submitted_by.into()).await.map_err(EngineError::from) {
                Err(EngineError::Erased) => return Ok(Page { items: vec![], next: None }),
                cipher => cipher?,
            };
        let kept = self.store.list_journal(run.id, from, limit).await?;
        let step = |kept: KeptEntry| Ok(Step { entry: open(&cipher, &kept)?, kept });
        let items = kept.items.into_iter().map(step).collect::<Result<_, EngineError>>()?;
        Ok(Page { items, next: kept.next })
    }
}
