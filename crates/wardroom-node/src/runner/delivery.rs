//! Delivering what became of a run, over whichever connection is open.

use super::Held;
use std::sync::Arc;
use tokio::sync::{mpsc, watch};
use wardroom_wire::link::{NodeFrame, Stream};

/// Pieces of a run's output that may travel before the orchestrator says that it has them.
const WINDOW: u32 = 64;

/// Where frames go while a connection is open.
pub type Outgoing = mpsc::Sender<NodeFrame>;

/// The open connection, if there is one, numbered so that an old one can be told from a new one.
#[derive(Debug, Clone, Default)]
pub struct Wire {
    /// Counts connections.
    pub number: u64,
    /// Where frames go.
    pub outgoing: Option<Outgoing>,
}

/// What was said on a connection, and under a lease, about the run.
#[derive(Default)]
struct Said {
    connection: u64,
    lease: u64,
    started: bool,
    next: u32,
    finished: bool,
}

impl Held {
    /// Says everything about the run, in order, as often as connections come, until it is forgotten.
    pub async fn deliver(self: Arc<Self>, mut wires: watch::Receiver<Wire>) {
        let mut said = Said::default();
        loop {
            let wire = wires.borrow_and_update().clone();
            if let Some(outgoing) = &wire.outgoing
                && let Some(frame) = self.next_frame(&mut said, wire.number)
            {
                tokio::select! {
                    () = self.forget.cancelled() => return,
                    sent = outgoing.send(frame) => if sent.is_ok() { continue },
                }
            }
            tokio::select! {
                () = self.forget.cancelled() => return,
                () = self.changed.notified() => {}
                changed = wires.changed() => if changed.is_err() { return },
            }
        }
    }

    /// The next frame that this connection has not had.
    fn next_frame(&self, said: &mut Said, connection: u64) -> Option<NodeFrame> {
        let (fence, started_at, finished, recorded) = {
            let state = self.state();
            if !state.accepted {
                return None;
            }
            if (said.connection, said.lease) != (connection, state.lease) {
                *said = Said { connection, lease: state.lease, ..Said::default() };
            }
            (state.fence, state.started_at.clone(), state.finished.clone(), state.recorded)
        };
        let run = || self.run.clone();
        // A run that is over tells its start with its end.
        if !said.started
            && finished.is_none()
            && let Some(at) = started_at
        {
            said.started = true;
            return Some(NodeFrame::Started { run: run(), fence, at });
        }
        said.next = said.next.max(recorded);
        if said.next - recorded < WINDOW {
            match self.output.piece(said.next) {
                Ok(Some((stderr, data))) => {
                    let seq = said.next;
                    said.next += 1;
                    let stream = if stderr { Stream::Stderr } else { Stream::Stdout };
                    return Some(NodeFrame::Output { run: run(), fence, seq, stream, data });
                }
                Ok(None) => {}
                Err(error) => {
                    tracing::error!(%error, run = self.run, "kept output can't be read");
                    return None;
                }
            }
        }
        let chunks = self.output.chunks();
        let result = finished.filter(|_| !said.finished && said.next >= chunks)?;
        said.finished = true;
        Some(NodeFrame::Finished { run: run(), fence, chunks, result })
    }
}
