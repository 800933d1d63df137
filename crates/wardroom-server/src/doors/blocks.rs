//! Networks that are turned away: after too many failures, each time for longer, or by an operator. What is
//! held here is what the store says, so that a restart lifts nothing and every orchestrator knows.

use super::{DoorRules, within};
use crate::{App, error::ApiError, places::network, tries::Tries};
use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::Duration,
};
use wardroom_core::{
    Origin, Principal, Timestamp,
    audit::{AuditDraft, AuditOutcome},
    block::Block,
    change::{Change, Write},
    hint::Hint,
    store::StoreError,
};

/// Blocks that are known at the same time.
const BLOCKS_MAX: u32 = 10_000;

/// Networks that are turned away.
pub(crate) struct Blocks {
    known: Mutex<HashMap<IpAddr, Block>>,
    failures: Option<Tries<IpAddr>>,
    exempt: Vec<ipnet::IpNet>,
    ttl: Duration,
}

impl Blocks {
    pub(crate) fn new(rules: &DoorRules) -> Self {
        let failures = rules.failed_attempts_max.map(|most| Tries::new(most, rules.failure_window));
        let (exempt, ttl) = (rules.block_exempt.clone(), rules.block_ttl);
        Self { known: Mutex::default(), failures, exempt, ttl }
    }

    /// Until when an address is turned away.
    pub(crate) fn until(&self, address: IpAddr, now: Timestamp) -> Option<Timestamp> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        // SECURITY: who is exempt gets in whatever was stored, so that nobody locks the operators out.
        let block = known.get(&network(address)).filter(|block| now < block.until)?;
        (!within(&self.exempt, address)).then_some(block.until)
    }

    /// What the store says is what holds.
    pub(crate) async fn reload(&self, app: &App) -> Result<(), StoreError> {
        let now = app.engine.now();
        let stored = app.engine.store().list_blocks(now, BLOCKS_MAX).await?;
        let by_network = stored
            .into_iter()
            .filter_map(|block| Some((block.network.parse().ok()?, block)))
            .collect();
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = by_network;
        Ok(())
    }

    /// Whether an address's network failed lately, or was blocked within a day: others go before it.
    pub(crate) fn failed_lately(&self, address: IpAddr, now: Timestamp) -> bool {
        let network = network(address);
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let failed = |failures: &Tries<IpAddr>| failures.has(&network, now);
        known.contains_key(&network) || self.failures.as_ref().is_some_and(failed)
    }

    /// Counts a failed attempt and turns its network away when it is one too many.
    pub(crate) async fn failed(&self, app: &App, address: IpAddr) -> Result<(), ApiError> {
        let (network, now) = (network(address), app.engine.now());
        let Some(failures) = &self.failures else { return Ok(()) };
        if within(&self.exempt, address) || failures.take(network, now).is_some() {
            return Ok(());
        }
        if self.until(address, now).is_some() {
            return Ok(());
        }
        failures.forget(network);
        let audit =
            AuditDraft::event("address.blocked", &Principal::System, &Origin::INTERNAL, now)
                .outcome(AuditOutcome::Refused, "too many attempts failed");
        self.block(app, network, "too many attempts failed".to_owned(), None, audit).await?;
        tracing::warn!(%network, "BLOCKED: too many attempts failed");
        Ok(())
    }

    /// Turns a network away; for how long is up to how often it was, unless somebody says.
    pub(crate) async fn block(
        &self,
        app: &App,
        network: IpAddr,
        reason: String,
        ttl: Option<Duration>,
        audit: AuditDraft,
    ) -> Result<Block, ApiError> {
        let now = app.engine.now();
        let before = {
            let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            known.get(&network).map_or(0, |block| block.times)
        };
        let times = before.saturating_add(1);
        let ttl = ttl.unwrap_or_else(|| Block::backoff(self.ttl, times));
        let block = Block {
            network: network.to_string(),
            reason,
            times,
            created_at: now,
            until: now.plus(ttl),
        };
        let audit = audit
            .on(format!("network:{network}"))
            .detail("until", block.until)
            .detail("times", times);
        let change = Change::recorded(audit).write(Write::PutBlock(block.clone()));
        app.engine.commit(change.hint(Hint::Blocks)).await?;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(network, block.clone());
        Ok(block)
    }

    /// Lets a network in again, and forgets how often it was blocked.
    pub(crate) async fn lift(
        &self,
        app: &App,
        network: IpAddr,
        audit: AuditDraft,
    ) -> Result<(), StoreError> {
        let change = Change::recorded(audit.on(format!("network:{network}")))
            .write(Write::RemoveBlock(network.to_string()))
            .hint(Hint::Blocks);
        app.engine.commit(change).await?;
        self.known.lock().unwrap_or_else(PoisonError::into_inner).remove(&network);
        if let Some(failures) = &self.failures {
            failures.forget(network);
        }
        Ok(())
    }
}
