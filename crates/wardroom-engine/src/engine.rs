//! The engine's parts and what all of it shares.

use crate::{
    agents::work::Here,
    desk::CustomerIndex,
    hub::Hub,
    link::{Allowance, Links},
    measure::Meter,
    models::{KnownSecrets, Models},
    watch::Outlets,
};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex, OnceLock},
    time::Duration,
};
use wardroom_core::{
    Clock, NodeId, OrchestratorId, Origin, PersonId, Principal, Rng, Timestamp,
    audit::AuditDraft,
    change::Change,
    store::{Reads, Store, StoreError, StoreResult},
    watch::alert::Rule,
};
use wardroom_trust::{
    checkpoint::CheckpointSigner,
    seal::Sealer,
    token_key::TokenKeys,
    vault::{Vault, VaultError},
};

/// How often a change is tried again when what it is based on changed meanwhile.
pub(crate) const CONFLICT_TRIES_MAX: u32 = 8;

/// What an engine is made of.
pub struct Parts {
    /// Where everything is kept.
    pub store: Arc<dyn Store>,
    /// Where hints go; the store publishes into the same.
    pub hub: Arc<Hub>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub rng: Arc<dyn Rng>,
    /// Seals what is secret at rest.
    pub sealer: Arc<Sealer>,
    /// Seals what is known of people.
    pub vault: Arc<Vault>,
    /// Signs audit checkpoints.
    pub signer: Arc<CheckpointSigner>,
    /// Signs tokens.
    pub token_keys: Arc<TokenKeys>,
    /// Which ways to the outside there are.
    pub outlets: Outlets,
    /// How long consent can be given, and used.
    pub approvals_open_for: Duration,
    /// Who runs language models.
    pub models: Arc<Models>,
    /// How long what questions to them took is kept.
    pub model_calls_kept: Duration,
}

/// Takes runs in and brings them to their end.
pub struct Engine {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) hub: Arc<Hub>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) rng: Arc<dyn Rng>,
    pub(crate) sealer: Arc<Sealer>,
    pub(crate) vault: Arc<Vault>,
    pub(crate) signer: Arc<CheckpointSigner>,
    pub(crate) token_keys: Arc<TokenKeys>,
    pub(crate) outlets: Outlets,
    pub(crate) approvals_open_for: Duration,
    pub(crate) models: Arc<Models>,
    pub(crate) model_calls_kept: Duration,
    pub(crate) known: KnownSecrets,
    meter: OnceLock<Arc<dyn Meter>>,
    pub(crate) links: Links,
    /// The runs of agents that this orchestrator carries on.
    pub(crate) here: Here,
    pub(crate) customers: CustomerIndex,
    /// How many alerts of each rule were told of lately, and since when.
    pub(crate) told: Mutex<BTreeMap<Rule, (Timestamp, u32)>>,
    /// People whose keys are still to be destroyed.
    pub(crate) erasing: Mutex<BTreeSet<PersonId>>,
    /// How often each enrolled node opened a link lately.
    pub(crate) openings: Mutex<HashMap<NodeId, Allowance>>,
    /// When everything that is sealed for people was last found under their newest keys.
    pub(crate) people_renewed: Mutex<Option<Timestamp>>,
    pub(crate) started_at: Timestamp,
}

impl Engine {
    /// An engine that has not begun to work; see [`Engine::work`].
    pub fn new(parts: Parts) -> Arc<Self> {
        let started_at = parts.clock.now();
        let here = Here::new(OrchestratorId::new(started_at, &*parts.rng));
        Arc::new(Self {
            store: parts.store,
            hub: parts.hub,
            clock: parts.clock,
            rng: parts.rng,
            sealer: parts.sealer,
            vault: parts.vault,
            signer: parts.signer,
            token_keys: parts.token_keys,
            outlets: parts.outlets,
            approvals_open_for: parts.approvals_open_for,
            models: parts.models,
            model_calls_kept: parts.model_calls_kept,
            known: KnownSecrets::default(),
            meter: OnceLock::new(),
            links: Links::default(),
            here,
            customers: CustomerIndex::default(),
            told: Mutex::default(),
            erasing: Mutex::default(),
            openings: Mutex::default(),
            people_renewed: Mutex::default(),
            started_at,
        })
    }

    /// Numbers are kept by `meter` from now on. Call once.
    pub fn measure_by(&self, meter: Arc<dyn Meter>) {
        if self.meter.set(meter).is_err() {
            tracing::error!("numbers are kept already");
        }
    }

    pub(crate) fn meter(&self) -> Option<&dyn Meter> {
        self.meter.get().map(AsRef::as_ref)
    }

    /// Where everything is kept, to be asked. What changes goes through [`Engine::commit`].
    pub fn store(&self) -> &dyn Reads {
        &*self.store
    }

    /// What seals and opens what is the installation's own.
    pub fn sealer(&self) -> &Sealer {
        &self.sealer
    }

    /// What seals and opens what is known of people.
    pub fn vault(&self) -> &Vault {
        &self.vault
    }

    /// Commits a change: the only way to the store, on which what records say of people is sealed.
    pub async fn commit(&self, mut change: Change) -> StoreResult<()> {
        self.vault.seal_records(&mut change.audit).await.map_err(|error| match error {
            VaultError::Store(error) => error,
            error => StoreError::Other(error.to_string()),
        })?;
        self.store.commit(change).await
    }

    /// Where hints go.
    pub fn hub(&self) -> &Arc<Hub> {
        &self.hub
    }

    /// The time now.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The random source.
    pub fn rng(&self) -> &dyn Rng {
        &*self.rng
    }

    /// A random number from 0 to 1.
    pub(crate) fn fraction(&self) -> f64 {
        let mut bytes = [0; 4];
        self.rng.fill(&mut bytes);
        f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX)
    }

    /// Who runs language models.
    pub fn models(&self) -> &Models {
        &self.models
    }

    /// The same, for work on other threads.
    pub fn rng_shared(&self) -> Arc<dyn Rng> {
        Arc::clone(&self.rng)
    }

    /// The clock.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// How long the engine has been up.
    pub fn uptime(&self) -> Duration {
        self.now().since(self.started_at)
    }

    /// How many node links are open here.
    pub fn links_open(&self) -> usize {
        self.links.len()
    }

    /// Writes a record of something that changed nothing.
    pub async fn record(&self, draft: AuditDraft) -> Result<(), StoreError> {
        self.commit(Change::recorded(draft)).await
    }

    /// A record of something that the orchestrator itself did.
    pub(crate) fn own_record(&self, name: &str) -> AuditDraft {
        AuditDraft::event(name, &Principal::System, &Origin::INTERNAL, self.now())
    }
}
