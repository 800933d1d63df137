//! Processes of tool servers on a node, and what is said to them and by them over its link.

use super::{Link, ToNode, open::lock};
use crate::Engine;
use async_trait::async_trait;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
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
    let by_itself = !matches!(code, "unlinked" | "stopped" | "busy" | "digest_changed");
    Ended { by_itself, message: message.to_owned() }
}

/// What one instance has on this side.
struct Ends {
    id: InstanceId,
    printed: mpsc::Receiver<Vec<u8>>,
    room: Arc<Semaphore>,
    state: watch::Receiver<State>,
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
        let about = |name: &str| {
            let by = &Principal::System;
            let audit = AuditDraft::event(name, by, &Origin::INTERNAL, self.engine.now());
            audit.on(&start.server).detail("instance", id).detail("node", start.node)
        };
        let (started, ended) = (about("tool_server.started"), about("tool_server.ended"));
        let record = started.detail("entry", &start.entry).detail("digest", &start.digest);
        if let Err(error) = self.engine.commit(Change::recorded(record)).await {
            tracing::error!(%error, "a tool server's start could not be recorded, so it was not started");
            return Err(elsewhere("its start could not be recorded, so it was not started"));
        }
        let closed = || elsewhere("its node is not linked now, or runs too many");
        let mut ends = self.dig(id).ok_or_else(closed)?;
        self.send(ToNode::StartInstance {
            instance: id,
            server: start.entry,
            digest: start.digest,
            environment: start.environment,
        });
        let (input, given) = mpsc::channel(1);
        let (taken, output) = mpsc::channel(1);
        let (told, how) = watch::channel(None);
        let mut state = ends.state.clone();
        let link = Arc::clone(self);
        // Beside whoever waits: however that ends, the instance does, with its record.
        tokio::spawn(async move {
            link.pump(&mut ends, given, taken).await;
            let (code, message) = match &*ends.state.borrow() {
                State::Ended(code, message) => (code.clone(), message.clone()),
                _ => ("lost".to_owned(), "its node does not say what became of it".to_owned()),
            };
            lock(&link.instances.0).remove(&id);
            told.send_replace(Some(how_ended(&code, &message)));
            let record = ended.detail("code", code).detail("message", message);
            if let Err(error) = link.engine.commit(Change::recorded(record)).await {
                tracing::error!(%error, instance = %id, "the end of a tool server could not be recorded");
            }
        });
        let begun = state.wait_for(|state| *state != State::Starting);
        match tokio::time::timeout(START_TIME, begun).await {
            Ok(Ok(state)) => match &*state {
                State::Ended(code, message) => Err(how_ended(code, message)),
                _ => Ok(()),
            },
            _ => Err(elsewhere("its node did not start it in time")),
        }?;
        Ok(Process { id, input, output, ended: how })
    }

    /// Makes room for an instance; nothing where the link is closed.
    fn dig(&self, id: InstanceId) -> Option<Ends> {
        let (output, printed) = mpsc::channel(PIECES_MAX as usize);
        let (state, states) = watch::channel(State::Starting);
        let room = Arc::new(Semaphore::new(PIECES_MAX as usize));
        let mut tunnels = lock(&self.instances.0);
        if !self.is_ready() || tunnels.len() >= INSTANCES_MAX as usize {
            return None;
        }
        tunnels.insert(id, Tunnel { output, room: Arc::clone(&room), state });
        Some(Ends { id, printed, room, state: states })
    }

    /// Passes pieces on, both ways, until the instance is over.
    async fn pump(
        &self,
        ends: &mut Ends,
        mut given: mpsc::Receiver<Vec<u8>>,
        taken: mpsc::Sender<Vec<u8>>,
    ) {
        let Ends { id, printed, room, state } = ends;
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
