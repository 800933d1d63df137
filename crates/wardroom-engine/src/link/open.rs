//! One open link: opening, slots, closing.

use super::{FRAMES_WAITING_MAX, Goodbye, HELD_MAX, Held, REPORTS_WAITING_MAX, Report, ToNode};
use crate::{Engine, EngineError};
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
};
use tokio::sync::{Semaphore, mpsc};
use wardroom_core::{
    NodeId, Origin, Principal, RunId,
    audit::AuditDraft,
    change::{Change, Write},
    command::Parameters,
    hint::Hint,
    node::{Catalogue, Labels, NodeReport, Selector},
    run::{self, Event, Run},
    store::StoreError,
};

/// A run that the node holds, as last written.
pub(crate) struct HeldRun {
    pub(crate) run: Run,
    /// The number behind the last stored chunk.
    pub(crate) chunks: u32,
    /// Output bytes stored.
    pub(crate) bytes: u64,
}

/// An open link to a node. The door feeds it what the node says and sends what comes out of the
/// receiver that it was opened with.
pub struct Link {
    pub(crate) engine: Arc<Engine>,
    node: NodeId,
    origin: Origin,
    labels: Mutex<Labels>,
    out: mpsc::Sender<Box<ToNode>>,
    slots_max: u32,
    slots_taken: AtomicU32,
    pub(crate) backlog: AtomicBool,
    pub(crate) dispatching: AtomicBool,
    pub(crate) held: Mutex<HashMap<RunId, HeldRun>>,
    pub(crate) waiting: Mutex<HashMap<RunId, Vec<Report>>>,
    pub(crate) permits: Arc<Semaphore>,
    closed: AtomicBool,
}

impl Engine {
    /// Opens a link for an authenticated node. `holding` is what the node says it has in its journal,
    /// `runs_max` how many it takes at once. The frames to send come out of the receiver.
    pub async fn open_link(
        self: &Arc<Self>,
        id: NodeId,
        origin: Origin,
        holding: &[Held],
        runs_max: u32,
    ) -> Result<(Arc<Link>, mpsc::Receiver<Box<ToNode>>), EngineError> {
        let node = self.store.lookup_node(id).await?.ok_or(EngineError::NotFound("node"))?;
        if node.disabled {
            return Err(EngineError::NodeDisabled);
        }
        let (out, frames) = mpsc::channel(FRAMES_WAITING_MAX);
        let link = Arc::new(Link {
            engine: Arc::clone(self),
            node: id,
            origin,
            labels: Mutex::new(node.labels),
            out,
            slots_max: runs_max.clamp(1, HELD_MAX),
            slots_taken: AtomicU32::new(0),
            backlog: AtomicBool::new(false),
            dispatching: AtomicBool::new(false),
            held: Mutex::default(),
            waiting: Mutex::default(),
            permits: Arc::new(Semaphore::new(REPORTS_WAITING_MAX as usize)),
            closed: AtomicBool::new(false),
        });
        if let Some(former) = self.links.put(Arc::clone(&link)) {
            former.say_goodbye(Goodbye::Replaced);
        }
        let change = Change::recorded(link.record("node.connected").on(id))
            .write(Write::MarkNode { id, connected: true, at: self.now() })
            .hint(Hint::Node(id));
        self.store.commit(change).await?;
        // A node that was turned away while its link opened must not slip through.
        match self.store.lookup_node(id).await? {
            Some(node) if !node.disabled => {}
            _ => {
                self.links.take(&link);
                return Err(EngineError::NodeDisabled);
            }
        }
        let opened = Arc::clone(&link);
        let holding = holding.to_vec();
        // The frames that this sends are read by the caller only once it has the receiver.
        tokio::spawn(async move {
            if let Err(error) = opened.reconcile(&holding).await {
                tracing::warn!(node = %opened.node, %error, "a link could not be reconciled");
                opened.say_goodbye(Goodbye::Store);
            }
        });
        Ok((link, frames))
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

    /// Whether a goodbye was said.
    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// The node offers other commands.
    pub async fn publish(&self, catalogue: Catalogue) -> Result<(), EngineError> {
        let audit = self
            .record("node.catalogue_published")
            .on(self.node)
            .detail("digest", &catalogue.digest)
            .detail("commands", catalogue.commands.len());
        let change = Change::recorded(audit)
            .write(Write::PublishCatalogue { id: self.node, catalogue })
            .hint(Hint::Node(self.node));
        Ok(self.engine.store.commit(change).await?)
    }

    /// The node's catalogue is not acceptable: the old one stays, and people hear of it.
    pub async fn catalogue_refused(&self, reason: &str) -> Result<(), EngineError> {
        let audit = self
            .record("node.catalogue_refused")
            .on(self.node)
            .outcome(wardroom_core::audit::AuditOutcome::Refused, reason);
        Ok(self.engine.record(audit).await?)
    }

    /// The node is still there: its report is kept and its leases are renewed.
    pub async fn heartbeat(&self, report: NodeReport) -> Result<(), EngineError> {
        let at = self.engine.now();
        let mut change = Change::default()
            .write(Write::ReportNode { id: self.node, report, at })
            .hint(Hint::Node(self.node));
        change.writes.extend(self.due_renewals());
        match self.engine.store.commit(change).await {
            Ok(()) => Ok(()),
            // A run changed under a renewal: the next heartbeat comes soon enough.
            Err(StoreError::Conflict(_)) => {
                self.forget_stale().await?;
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Renewals for leases of which more than half is over.
    fn due_renewals(&self) -> Vec<Write> {
        let now = self.engine.now();
        let mut held = lock(&self.held);
        let mut writes = Vec::new();
        for entry in held.values_mut() {
            let due = entry.run.lease_until.is_some_and(|until| until.since(now) < run::LEASE / 2);
            if !due {
                continue;
            }
            let event = Event::Renew { fence: entry.run.fence, until: now.plus(run::LEASE) };
            if let Ok(transition) = run::apply(&entry.run, &event, now) {
                entry.run = transition.run.clone();
                writes.push(Write::UpdateRun(Box::new(transition.run)));
            }
        }
        writes
    }

    /// Reads the held runs again after a conflict.
    async fn forget_stale(&self) -> Result<(), EngineError> {
        let ids: Vec<RunId> = lock(&self.held).keys().copied().collect();
        for id in ids {
            let stored = self.engine.store.lookup_run(id).await?;
            let mut held = lock(&self.held);
            if let (Some(run), Some(entry)) = (stored, held.get_mut(&id))
                && run.version > entry.run.version
            {
                entry.run = run;
            }
        }
        Ok(())
    }

    /// The link is gone.
    pub async fn close(self: &Arc<Self>, why: &str) {
        self.closed.store(true, Ordering::Release);
        if !self.engine.links.take(self) {
            return;
        }
        let id = self.node;
        let change = Change::recorded(self.record("node.disconnected").on(id).detail("why", why))
            .write(Write::MarkNode { id, connected: false, at: self.engine.now() })
            .hint(Hint::Node(id));
        if let Err(error) = self.engine.store.commit(change).await {
            tracing::warn!(node = %id, %error, "a closed link could not be recorded");
        }
    }

    /// Closes the link from this side. The frame is sent if there is room for it; the door closes the
    /// connection either way as soon as it sees [`Link::is_closed`] or the frame.
    pub fn say_goodbye(&self, why: Goodbye) {
        self.closed.store(true, Ordering::Release);
        let _ = self.out.try_send(Box::new(ToNode::Goodbye(why)));
    }

    /// Sends a frame; waits while the node is slow. A frame for a closed link is dropped: the
    /// database still has what it was about.
    pub(crate) async fn send(&self, frame: ToNode) {
        let _ = self.out.send(Box::new(frame)).await;
    }

    pub(crate) fn has_backlog(&self) -> bool {
        self.backlog.load(Ordering::Acquire)
    }

    pub(crate) fn matches(&self, selector: &Selector) -> bool {
        selector.matches(&lock(&self.labels))
    }

    pub(crate) fn set_labels(&self, labels: Labels) {
        *lock(&self.labels) = labels;
    }

    /// Takes one of the node's slots, if it has one and nobody waits for it.
    pub(crate) fn take_slot(&self) -> bool {
        !self.is_closed()
            && !self.backlog.load(Ordering::Acquire)
            && self
                .slots_taken
                .fetch_update(Ordering::AcqRel, Ordering::Acquire, |taken| {
                    (taken < self.slots_max).then_some(taken + 1)
                })
                .is_ok()
    }

    /// Takes up to `most` slots, backlog or not.
    pub(crate) fn take_slots(&self) -> u32 {
        let taken = self.slots_taken.swap(self.slots_max, Ordering::AcqRel);
        self.slots_max.saturating_sub(taken)
    }

    pub(crate) fn give_slot_back(&self) {
        self.give_slots_back(1);
    }

    pub(crate) fn give_slots_back(&self, slots: u32) {
        let _ = self.slots_taken.fetch_update(Ordering::AcqRel, Ordering::Acquire, |taken| {
            Some(taken.saturating_sub(slots))
        });
    }

    /// Slots that runs of an earlier connection still take.
    pub(crate) fn occupy(&self, slots: u32) {
        self.slots_taken.store(slots.min(self.slots_max), Ordering::Release);
    }

    /// Sends a leased run to the node.
    pub(crate) async fn offer(&self, run: Run, parameters: &Parameters) {
        let frame = ToNode::Offer {
            run: run.id,
            fence: run.fence,
            command: run.command.clone(),
            digest: run.command_digest.clone(),
            parameters: parameters.clone(),
            deadline: run.deadline,
        };
        lock(&self.held).insert(run.id, HeldRun { run, chunks: 0, bytes: 0 });
        self.send(frame).await;
    }

    /// Tells the node to stop a run.
    pub(crate) async fn stop(&self, run: &Run) {
        self.send(ToNode::Cancel { run: run.id, fence: run.fence }).await;
    }

    pub(crate) fn record(&self, name: &str) -> AuditDraft {
        AuditDraft::event(name, &Principal::Node(self.node), &self.origin, self.engine.now())
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
