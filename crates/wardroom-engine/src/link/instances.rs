//! Processes of tool servers on a node, and what is said to them and by them over its link.

use super::{Link, ToNode, open::lock};
use crate::Engine;
use async_trait::async_trait;
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::sync::{Semaphore, mpsc, watch};
use wardroom_core::{
    InstanceId, Origin, Principal, audit::AuditDraft, change::Change, tool::hosted::INSTANCES_MAX,
};
use wardroom_gateway::upstream::{Ended, Hosts, Process, Start};

/// Pieces of one instance that may be on their way at once, each way.
pub const PIECES_MAX: u32 = 16;
/// The largest piece, in bytes.
pub const PIECE_BYTES_MAX: usize = 32 * 1024;
/// Pieces between an instance's tunnel and whoever talks to it.
const WAITING_MAX: usize = 1;
/// The time in which a node must have started an instance.
const START_TIME: Duration = Duration::from_secs(20);
/// The time in which it must have stopped one.
const STOP_TIME: Duration = Duration::from_secs(20);

/// Where an instance stands.
#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    Starting,
    Started,
    /// A code, and words for people.
    Ended(String, String),
}

/// One instance.
struct Tunnel {
    output: mpsc::Sender<Vec<u8>>,
    /// Pieces of input that may still be sent.
    room: Arc<Semaphore>,
    state: watch::Sender<State>,
    /// Whether the node said that it was started.
    ran: Arc<AtomicBool>,
}

/// The instances of a link.
#[derive(Default)]
pub(super) struct Instances(Mutex<HashMap<InstanceId, Tunnel>>);

impl Instances {
    /// All of them are over: the link is.
    pub(super) fn end_all(&self) {
        for (_, tunnel) in lock(&self.0).drain() {
            let why = "the link to its node ended".to_owned();
            tunnel.state.send_replace(State::Ended("unlinked".to_owned(), why));
        }
    }
}

/// Something that is no fault of the process.
fn elsewhere(why: &str) -> Ended {
    Ended { by_itself: false, message: why.to_owned() }
}

fn how_ended(code: &str, message: &str) -> Ended {
    let elsewhere = [
        "unlinked",
        "stopped",
        "busy",
        "digest_changed",
        "unknown_server",
        "bad_environment",
        "not_recorded",
        "silent",
    ];
    let by_itself = !elsewhere.contains(&code);
    Ended { by_itself, message: message.to_owned() }
}

/// What one instance has on this side.
struct Ends {
    id: InstanceId,
    printed: mpsc::Receiver<Vec<u8>>,
    room: Arc<Semaphore>,
    state: watch::Receiver<State>,
    ran: Arc<AtomicBool>,
}

#[async_trait]
impl Hosts for Engine {
    async fn start(&self, start: Start) -> Result<Process, Ended> {
        let Some(link) = self.links.get(start.node) else {
            return Err(elsewhere("its node is not linked to this orchestrator"));
        };
        link.start_instance(start).await
    }
}

impl Link {
    async fn start_instance(self: &Arc<Self>, start: Start) -> Result<Process, Ended> {
        let id = InstanceId::new(self.engine.now(), &*self.engine.rng);
        let ends = self.dig(id)?;
        let (input, given) = mpsc::channel(WAITING_MAX);
        let (taken, output) = mpsc::channel(WAITING_MAX);
        let (told, how) = watch::channel(None);
        let mut state = ends.state.clone();
        // Beside whoever waits: however that ends, the instance does, with its record.
        tokio::spawn(Arc::clone(self).keep(start, ends, (given, taken), told));
        let begun = state.wait_for(|state| *state != State::Starting);
        let Ok(Ok(state)) = tokio::time::timeout(START_TIME, begun).await else {
            let why = format!("its node did not start it within {START_TIME:?}: look at its log");
            return Err(elsewhere(&why));
        };
        if let State::Ended(code, message) = &*state {
            return Err(how_ended(code, message));
        }
        drop(state);
        Ok(Process { id, input, output, ended: how })
    }

    /// Has an instance started, and records its end.
    async fn keep(
        self: Arc<Self>,
        start: Start,
        mut ends: Ends,
        (given, taken): (mpsc::Receiver<Vec<u8>>, mpsc::Sender<Vec<u8>>),
        told: watch::Sender<Option<Ended>>,
    ) {
        let (id, node) = (ends.id, self.node());
        let about = |name: &str| {
            let by = &Principal::System;
            let audit = AuditDraft::event(name, by, &Origin::INTERNAL, self.engine.now());
            audit.on(&start.server).detail("instance", id).detail("node", node)
        };
        let record = about("tool_server.start")
            .detail("entry", &start.entry)
            .detail("digest", &start.digest);
        if let Err(error) = self.engine.commit(Change::recorded(record)).await {
            tracing::error!(%error, "a tool server's start could not be recorded, so it was not started");
            let why = "its start could not be recorded, so it was not started".to_owned();
            return self.instance_ended(id, "not_recorded".to_owned(), why);
        }
        self.send(ToNode::StartInstance {
            instance: id,
            server: start.entry.clone(),
            digest: start.digest.clone(),
            environment: start.environment.clone(),
        });
        self.pump(&mut ends, given, taken).await;
        let (code, message) = match &*ends.state.borrow() {
            State::Ended(code, message) => (code.clone(), message.clone()),
            _ => ("silent".to_owned(), "its node does not say what became of it".to_owned()),
        };
        lock(&self.instances.0).remove(&id);
        told.send_replace(Some(how_ended(&code, &message)));
        let record = about("tool_server.end").detail("code", code).detail("message", message);
        let record = record.detail("ran", ends.ran.load(Ordering::Acquire));
        if let Err(error) = self.engine.commit(Change::recorded(record)).await {
            tracing::error!(%error, instance = %id, "the end of a tool server could not be recorded");
        }
    }

    /// Makes room for an instance.
    fn dig(&self, id: InstanceId) -> Result<Ends, Ended> {
        let (output, printed) = mpsc::channel(PIECES_MAX as usize);
        let (state, states) = watch::channel(State::Starting);
        let room = Arc::new(Semaphore::new(PIECES_MAX as usize));
        let ran = Arc::<AtomicBool>::default();
        let mut tunnels = lock(&self.instances.0);
        if !self.is_ready() {
            return Err(elsewhere("its node is just being linked: try again"));
        }
        if tunnels.len() >= INSTANCES_MAX as usize {
            let why = format!("its node runs {INSTANCES_MAX} instances of tool servers already");
            return Err(elsewhere(&why));
        }
        let (to, told) = (Arc::clone(&room), Arc::clone(&ran));
        tunnels.insert(id, Tunnel { output, room: to, state, ran: told });
        Ok(Ends { id, printed, room, state: states, ran })
    }

    /// Passes pieces on, both ways, until the instance is over.
    async fn pump(
        &self,
        ends: &mut Ends,
        mut given: mpsc::Receiver<Vec<u8>>,
        taken: mpsc::Sender<Vec<u8>>,
    ) {
        let Ends { id, printed, room, state, .. } = ends;
        let instance = *id;
        let giving = async {
            while let Some(bytes) = given.recv().await {
                for piece in bytes.chunks(PIECE_BYTES_MAX) {
                    let Ok(place) = room.acquire().await else { return };
                    place.forget();
                    self.send(ToNode::InstanceInput { instance, bytes: piece.to_vec() });
                }
            }
        };
        let taking = async {
            while let Some(bytes) = printed.recv().await {
                if taken.send(bytes).await.is_err() {
                    return;
                }
                self.send(ToNode::InstanceTook { instance, pieces: 1 });
            }
        };
        tokio::select! {
            () = giving => {}
            () = taking => {}
        }
        if !matches!(*state.borrow(), State::Ended(..)) {
            // Nobody wants it any more.
            self.send(ToNode::StopInstance { instance });
            printed.close();
            let over = state.wait_for(|state| matches!(state, State::Ended(..)));
            if tokio::time::timeout(STOP_TIME, over).await.is_err() {
                tracing::warn!(node = %self.node(), %instance, "a node does not stop an instance of a tool server");
            }
        }
    }

    /// The node started it.
    pub fn instance_started(&self, instance: InstanceId) {
        if let Some(tunnel) = lock(&self.instances.0).get(&instance) {
            tunnel.ran.store(true, Ordering::Release);
            tunnel.state.send_replace(State::Started);
        }
    }

    /// The node passes on what it printed. An error is more than may be on its way.
    pub fn instance_output(
        &self,
        instance: InstanceId,
        bytes: Vec<u8>,
    ) -> Result<(), &'static str> {
        let tunnels = lock(&self.instances.0);
        // What comes after its end is of no use to anybody.
        let Some(tunnel) = tunnels.get(&instance) else { return Ok(()) };
        match tunnel.output.try_send(bytes) {
            Err(mpsc::error::TrySendError::Full(_)) => {
                Err("there is more output of a tool server than there may be")
            }
            _ => Ok(()),
        }
    }

    /// It took pieces of its input.
    pub fn instance_took(&self, instance: InstanceId, pieces: u32) -> Result<(), &'static str> {
        let tunnels = lock(&self.instances.0);
        let Some(tunnel) = tunnels.get(&instance) else { return Ok(()) };
        let sent = (PIECES_MAX as usize).saturating_sub(tunnel.room.available_permits());
        if pieces as usize > sent {
            return Err("a tool server took more input than it was given");
        }
        tunnel.room.add_permits(pieces as usize);
        Ok(())
    }

    /// It is over, or was never started.
    pub fn instance_ended(&self, instance: InstanceId, code: String, message: String) {
        if let Some(tunnel) = lock(&self.instances.0).remove(&instance) {
            tunnel.state.send_replace(State::Ended(code, message));
        }
    }
}
