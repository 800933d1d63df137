//! One open link: opening, sending, closing.

use super::{
    FRAMES_WAITING_MAX, Goodbye, HELD_MAX, Held, REPORTS_WAITING_MAX, Report, ToNode,
    allowance::{Allowance, OPENINGS_MAX, RECORDS_MAX},
    held::{HeldRun, HeldRuns},
    instances::Instances,
    slots::Slots,
};
use crate::{Engine, EngineError, Values};
use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use wardroom_core::{
    LinkId, NodeId, Origin, Principal, RunId,
    audit::{AuditDraft, AuditOutcome},
    change::{Change, Write},
    hint::Hint,
    node::Catalogue,
    run::Run,
    store::Extent,
};

/// An open link to a node. The door feeds it what the node says and sends what comes out of the
/// receiver that it was opened with.
pub struct Link {
    pub(crate) engine: Arc<Engine>,
    id: LinkId,
    node: NodeId,
    origin: Origin,
    out: mpsc::Sender<Box<ToNode>>,
    pub(super) slots: Slots,
    /// Goes off when what the node holds has been agreed on; before that, nothing is given to it and
    /// nothing of what it says is recorded.
    ready: CancellationToken,
    /// Something may wait for the node.
    pub(super) backlog: AtomicBool,
    pub(super) dispatching: AtomicBool,
    pub(super) held: Mutex<HeldRuns>,
    pub(super) waiting: Mutex<HashMap<RunId, Vec<Report>>>,
    pub(super) permits: Arc<Semaphore>,
    /// The stale leases that the node was told to forget: each is recorded once.
    pub(super) discarded: Mutex<HashSet<Held>>,
    pub(super) instances: Instances,
    allowance: Mutex<Allowance>,
    goodbye: OnceLock<Goodbye>,
    closed: CancellationToken,
}

impl Engine {
    /// Opens a link for an authenticated node. `holding` is what the node says it has in its journal,
    /// `runs_max` how many it takes at once. The frames to send come out of the receiver.
    pub async fn open_link(
        self: &Arc<Self>,
        id: NodeId,
        origin: Origin,
        holding: Vec<Held>,
        runs_max: u32,
    ) -> Result<(Arc<Link>, mpsc::Receiver<Box<ToNode>>), EngineError> {
        self.check_node(id).await?;
        let opened = lock(&self.openings).entry(id).or_default().take(OPENINGS_MAX, self.now());
        if !opened {
            return Err(EngineError::TooOften);
        }
        let (out, frames) = mpsc::channel(FRAMES_WAITING_MAX);
        let link = Arc::new(Link {
            engine: Arc::clone(self),
            id: LinkId::new(self.now(), &*self.rng),
            node: id,
            origin,
            out,
            slots: Slots::new(runs_max.clamp(1, HELD_MAX)),
            ready: CancellationToken::new(),
            backlog: AtomicBool::new(false),
            dispatching: AtomicBool::new(false),
            held: Mutex::default(),
            waiting: Mutex::default(),
            permits: Arc::new(Semaphore::new(REPORTS_WAITING_MAX as usize)),
            discarded: Mutex::default(),
            instances: Instances::default(),
            allowance: Mutex::default(),
            goodbye: OnceLock::new(),
            closed: CancellationToken::new(),
        });
        if let Some(former) = self.links.put(Arc::clone(&link)) {
            former.say_goodbye(Goodbye::Replaced);
        }
        let change = Change::recorded(link.record("node.connected").on(id).detail("link", link.id))
            .write(Write::MarkLinked { id, link: link.id, at: self.now() })
            .hint(Hint::Node(id));
        if let Err(error) = self.commit(change).await {
            self.links.take(&link);
            return Err(error.into());
        }
        // A node that was turned away while its link opened must not slip through.
        if let Err(error) = self.check_node(id).await {
            link.close("the node was turned away").await;
            return Err(error);
        }
        let opened = Arc::clone(&link);
        // Beside the caller, who has yet to send what this says to the node.
        tokio::spawn(async move {
            if let Err(error) = opened.reconcile(&holding).await {
                tracing::warn!(node = %opened.node, %error, "a link could not be reconciled");
                return opened.say_goodbye(Goodbye::Store);
            }
            opened.ready.cancel();
            opened.wake();
        });
        Ok((link, frames))
    }

    async fn check_node(&self, id: NodeId) -> Result<(), EngineError> {
        match self.store.lookup_node(id).await? {
            None => Err(EngineError::NotFound("node")),
            Some(node) if node.disabled => Err(EngineError::NodeDisabled),
            Some(_) => Ok(()),
        }
    }

    /// Tells the link of a node, if it is here, that it closes now.
    pub(crate) fn sever(&self, node: NodeId, why: Goodbye) {
        if let Some(link) = self.links.get(node) {
            link.say_goodbye(why);
        }
    }

    /// Closes all links because the orchestrator goes down.
    pub fn close_links(&self) {
        for link in self.links.all() {
            link.say_goodbye(Goodbye::Shutdown);
        }
    }
}

impl Link {
    /// The node.
    pub fn node(&self) -> NodeId {
        self.node
    }

    /// Waits until the link is to be closed from this side, and says why.
    pub async fn goodbye(&self) -> Goodbye {
        self.closed.cancelled().await;
        self.goodbye.get().copied().unwrap_or(Goodbye::Shutdown)
    }

    /// The node offers these commands.
    pub async fn publish(&self, catalogue: Catalogue) -> Result<(), EngineError> {
        let known = self.engine.store.lookup_node(self.node).await?;
        if known.is_some_and(|node| node.catalogue == catalogue) || !self.may_record() {
            return Ok(());
        }
        let audit = self
            .record("node.catalogue_published")
            .on(self.node)
            .detail("digest", &catalogue.digest)
            .detail("commands", catalogue.commands.len())
            .detail("tool_servers", catalogue.tool_servers.len());
        let change = Change::recorded(audit)
            .write(Write::PublishCatalogue { id: self.node, catalogue })
            .hint(Hint::Node(self.node));
        Ok(self.engine.commit(change).await?)
    }

    /// The node's catalogue is not acceptable: the old one stays, and people hear of it.
    pub async fn catalogue_refused(&self, reason: &str) -> Result<(), EngineError> {
        if !self.may_record() {
            return Ok(());
        }
        let audit = self
            .record("node.catalogue_refused")
            .on(self.node)
            .outcome(AuditOutcome::Refused, reason);
        Ok(self.engine.record(audit).await?)
    }

    /// The link is gone.
    pub async fn close(self: &Arc<Self>, why: &str) {
        self.closed.cancel();
        self.instances.end_all();
        if !self.engine.links.take(self) {
            return;
        }
        let id = self.node;
        let audit = self.record("node.disconnected").on(id).detail("link", self.id);
        let change = Change::recorded(audit.detail("why", why))
            .write(Write::MarkUnlinked { id, link: self.id, at: self.engine.now() })
            .hint(Hint::Node(id));
        if let Err(error) = self.engine.commit(change).await {
            tracing::warn!(node = %id, %error, "a closed link could not be recorded");
        }
    }

    /// Closes the link from this side: nothing is given to the node any more, and the door says why
    /// before it closes the connection. The first reason counts.
    pub fn say_goodbye(&self, why: Goodbye) {
        let _ = self.goodbye.set(why);
        self.closed.cancel();
    }

    /// Whether one more record may be made that only the node causes. A node that wants too many loses
    /// its link.
    pub(super) fn may_record(&self) -> bool {
        let may = lock(&self.allowance).take(RECORDS_MAX, self.engine.now());
        if !may {
            self.say_goodbye(Goodbye::Protocol("too much was said that has to be recorded"));
        }
        may
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.is_cancelled()
    }

    /// Waits until what the node holds has been agreed on; `false` when the link closes before.
    pub(super) async fn agreed(&self) -> bool {
        tokio::select! {
            () = self.ready.cancelled() => true,
            () = self.closed.cancelled() => false,
        }
    }

    /// Whether runs may be given to the node.
    pub(super) fn is_ready(&self) -> bool {
        self.ready.is_cancelled() && !self.is_closed()
    }

    /// Sends a frame. Never waits: one slow node must not hold up the others. A node that takes its
    /// frames more slowly than they come loses its link, and hears all of it again on its next one,
    /// because the database has what they were about.
    pub(super) fn send(&self, frame: ToNode) {
        if let Err(mpsc::error::TrySendError::Full(_)) = self.out.try_send(Box::new(frame)) {
            self.say_goodbye(Goodbye::Slow);
        }
    }

    /// Takes one of the node's slots, if it has one and nobody waits for it.
    pub(crate) fn take_slot(&self) -> bool {
        self.is_ready() && !self.backlog.load(Ordering::SeqCst) && self.slots.take()
    }

    pub(crate) fn give_slot_back(&self) {
        self.slots.give_back(1);
    }

    /// Sends a leased run to the node.
    pub(crate) fn offer(&self, run: Run, values: &Values) {
        let (id, fence) = (run.id, run.fence);
        if let Some(other) = self.successor() {
            // Leased while this link was replaced, perhaps too late for the other to have found it.
            if lock(&other.held).get(id).is_none() {
                other.slots.take_more();
                other.offer(run, values);
            }
            return;
        }
        let frame = ToNode::Offer {
            run: id,
            fence,
            command: run.command.clone(),
            digest: run.command_digest.clone(),
            salt: values.salt.clone(),
            parameters: values.all(),
            deadline: run.deadline,
        };
        // Under the lock, so that no stop overtakes its offer.
        let mut held = lock(&self.held);
        let stop = held.insert(HeldRun { run, output: Extent::default() });
        self.send(frame);
        if stop {
            self.send(ToNode::Cancel { run: id, fence });
        }
    }

    /// Takes in that the node has a run.
    pub(super) fn hold(&self, run: HeldRun) {
        let (id, fence) = (run.run.id, run.run.fence);
        if lock(&self.held).insert(run) {
            self.send(ToNode::Cancel { run: id, fence });
        }
    }

    /// The link that has replaced this one.
    fn successor(&self) -> Option<Arc<Self>> {
        let other = self.is_closed().then(|| self.engine.links.get(self.node)).flatten()?;
        (other.id != self.id && !other.is_closed()).then_some(other)
    }

    /// Tells the node to stop a run, as soon as it has it.
    pub(crate) fn stop(&self, run: &Run) {
        let mut held = lock(&self.held);
        if held.stop(run.id) {
            self.send(ToNode::Cancel { run: run.id, fence: run.fence });
        }
    }

    pub(super) fn record(&self, name: &str) -> AuditDraft {
        AuditDraft::event(name, &Principal::Node(self.node), &self.origin, self.engine.now())
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
