//! The gateway, put together with what the engine has.

use crate::Engine;
use async_trait::async_trait;
use std::{sync::Arc, time::Duration};
use wardroom_core::{
    change::Change,
    store::{Commit, StoreResult},
};
use wardroom_gateway::{
    door::{CallBook, Gateway, Parts},
    outbound::BreakerRules,
    outbound::Outbound,
    registry::Registry,
    trace::{Tracer, Traces},
    upstream::{Hosts, UpstreamParts},
};

#[async_trait]
impl Commit for Engine {
    async fn commit(&self, change: Change) -> StoreResult<()> {
        Self::commit(self, change).await
    }
}

impl Engine {
    /// A gateway that keeps what happens where the engine does.
    pub fn gateway(
        self: &Arc<Self>,
        outbound: Outbound,
        breaker: BreakerRules,
        calls_kept: Duration,
        public_url: String,
        traces: Option<Traces>,
    ) -> Arc<Gateway> {
        let (clock, rng) = (Arc::clone(&self.clock), Arc::clone(&self.rng));
        let tracer = |traces| Tracer { traces, clock: Arc::clone(&clock), rng: Arc::clone(&rng) };
        let tracer = traces.map(tracer).map(Arc::new);
        let ledger: Arc<dyn Commit> = Arc::clone(self) as Arc<dyn Commit>;
        let upstream = Arc::new(UpstreamParts {
            outbound,
            store: Arc::clone(&self.store),
            ledger: Arc::clone(&ledger),
            vault: Arc::clone(&self.vault),
            public_url: public_url.clone(),
            sealer: Arc::clone(&self.sealer),
            clock: Arc::clone(&clock),
            rng: Arc::clone(&rng),
            breaker,
            hosts: Arc::clone(self) as Arc<dyn Hosts>,
            tracer: tracer.clone(),
        });
        Gateway::new(Parts {
            registry: Arc::new(Registry::new(upstream, Arc::clone(&ledger))),
            calls: CallBook::new(
                ledger,
                Arc::clone(&self.vault),
                Arc::clone(&clock),
                Arc::clone(&rng),
            ),
            consents: Arc::clone(self) as Arc<dyn wardroom_core::approval::Consents>,
            store: Arc::clone(&self.store),
            sealer: Arc::clone(&self.sealer),
            clock,
            rng,
            calls_kept,
            public_url,
            tracer,
        })
    }
}
