//! Obeying the orchestrator's frames, as far as this node's own list and journal allow.

use super::Daemon;
use crate::{
    journal::Asked,
    runner::{Held, Judged, Offer, Outgoing, Output, Refusal},
};
use std::{rc::Rc, sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;
use wardroom_core::{
    RunId,
    command::{ParameterValue, Parameters},
    digest::parameters_digest,
};
use wardroom_wire::link::{EndShape, NodeFrame, OrchestratorFrame};

impl Daemon {
    /// Obeys a frame. Waits only while too many offers wait for their decision. An error is a frame
    /// that makes no sense.
    pub(crate) async fn take(
        &self,
        frame: OrchestratorFrame,
        outgoing: &Outgoing,
    ) -> Result<(), &'static str> {
        let Some(this) = self.this.upgrade() else { return Ok(()) };
        match frame {
            OrchestratorFrame::Offer {
                run,
                fence,
                command,
                digest,
                salt,
                parameters,
                deadline_ms,
            } => {
                // SECURITY: the id becomes a part of file names.
                run.parse::<RunId>().map_err(|_| "an offer's run is not a run's id")?;
                let Ok(deciding) = Arc::clone(&self.deciding).acquire_owned().await else {
                    return Ok(());
                };
                let deadline = deadline_ms.map(Duration::from_millis);
                let parameters = values(parameters);
                let offer = Offer { run, fence, command, digest, salt, parameters, deadline };
                let outgoing = outgoing.clone();
                let (key, cancel) = ((offer.run.clone(), fence), CancellationToken::new());
                self.offered.borrow_mut().insert(key.clone(), cancel.clone());
                tokio::task::spawn_local(async move {
                    let decided = this.decide(&offer, cancel, &outgoing).await;
                    this.offered.borrow_mut().remove(&key);
                    drop(deciding);
                    if let Some((held, judged)) = decided {
                        this.runner
                            .execute(&held, &judged.command, &judged.values, offer.deadline)
                            .await;
                    }
                });
            }
            OrchestratorFrame::Cancel { run, fence } => {
                // Its offer may have come just before and not be decided yet.
                if let Some(cancel) = self.offered.borrow().get(&(run.clone(), fence)) {
                    cancel.cancel();
                }
                if let Some(held) = self.find(&run, fence) {
                    held.cancel.cancel();
                }
            }
            OrchestratorFrame::Recorded { run, fence, chunks, finished } => {
                let Some(held) = self.find(&run, fence) else { return Ok(()) };
                if finished {
                    this.let_go(held, false);
                } else {
                    held.recorded(chunks);
                }
            }
            OrchestratorFrame::Discard { run, fence } => {
                let Some(held) = self.find(&run, fence) else { return Ok(()) };
                tracing::warn!(run, fence, "the orchestrator does not want this run from here");
                this.let_go(held, true);
            }
            frame => this.take_instance(frame, outgoing)?,
        }
        Ok(())
    }

    /// A run that is held under exactly this lease.
    fn find(&self, run: &str, fence: i64) -> Option<Arc<Held>> {
        let held = self.held.borrow();
        held.get(run).filter(|held| held.fence() == fence && !held.forget.is_cancelled()).cloned()
    }

    /// Forgets a run, once nothing of it is executed any more. Until then it keeps its place.
    fn let_go(self: Rc<Self>, held: Arc<Held>, discarded: bool) {
        held.forget.cancel();
        self.forgotten.borrow_mut().remember(&held.run, held.fence());
        tokio::task::spawn_local(async move { self.forget(&held, discarded).await });
    }

    async fn forget(&self, held: &Arc<Held>, discarded: bool) {
        self.runner.forget(held, discarded).await;
        let mut all = self.held.borrow_mut();
        if all.get(&held.run).is_some_and(|found| Arc::ptr_eq(found, held)) {
            all.remove(&held.run);
        }
    }

    /// Decides about an offer and tells the decision; gives what is to be executed.
    async fn decide(
        &self,
        offer: &Offer,
        cancel: CancellationToken,
        outgoing: &Outgoing,
    ) -> Option<(Arc<Held>, Judged)> {
        loop {
            let known = self.held.borrow().get(&offer.run).cloned();
            let Some(known) = known else { break };
            if known.forget.is_cancelled() {
                // What an earlier lease left is still being ended.
                known.done.cancelled().await;
                self.forget(&known, true).await;
            } else if !self.superseded(&known, offer) {
                self.repeat(&known, offer, outgoing).await;
                if cancel.is_cancelled() {
                    known.cancel.cancel();
                }
                return None;
            } else {
                known.forget.cancel();
                self.forgotten.borrow_mut().remember(&known.run, known.fence());
                self.forget(&known, true).await;
            }
        }
        if self.forgotten.borrow().is_over(&offer.run, offer.fence) {
            tracing::info!(
                run = offer.run,
                fence = offer.fence,
                "an offer came again after its run was over"
            );
            return None;
        }
        let judged = match self.judge(offer) {
            Ok(judged) => judged,
            Err(refusal) => {
                self.refuse(offer, refusal, outgoing).await;
                return None;
            }
        };
        let asked = Asked {
            command: offer.command.clone(),
            definition: offer.digest.clone(),
            parameters: offer
                .parameters
                .as_ref()
                .map(|given| parameters_digest(&offer.salt, given))
                .unwrap_or_default(),
        };
        let output = Output::new(&self.runner.spool, &offer.run);
        let held = Held::new(offer.run.clone(), offer.fence, cancel, asked, output);
        // Held before it is durable: the same offer must not slip in beside it.
        self.hold(Arc::clone(&held));
        if let Err(refusal) = self.runner.accept(&held).await {
            held.forget.cancel();
            held.done.cancel();
            self.held.borrow_mut().remove(&offer.run);
            self.refuse(offer, refusal, outgoing).await;
            return None;
        }
        // Where the link is gone, the next one begins with what is held.
        let _ = outgoing.send(accepted(&held)).await;
        held.accepted();
        Some((held, judged))
    }

    /// Whether a newer lease is to be run anew rather than given what there is: only where the run did
    /// not happen, or what happened is unknown and the list says that repeating it does no harm.
    fn superseded(&self, known: &Held, offer: &Offer) -> bool {
        let state = known.state();
        if offer.fence <= state.fence {
            return false;
        }
        match state.finished.as_ref().map(|result| &result.end) {
            Some(EndShape::NotStarted) => true,
            Some(EndShape::Interrupted) => {
                let list = Arc::clone(&self.lists.borrow().list);
                list.commands.get(&offer.command).is_some_and(|command| command.spec.idempotent)
            }
            _ => false,
        }
    }

    /// The offer of a run that is held already: it is not run again. An older lease is no lease; a newer
    /// one takes the run over and is told everything from the start.
    async fn repeat(&self, known: &Arc<Held>, offer: &Offer, outgoing: &Outgoing) {
        let (fence, told) = {
            let state = known.state();
            (state.fence, state.accepted)
        };
        if offer.fence < fence || !told {
            return;
        }
        if offer.fence > fence {
            known.adopt(offer.fence);
            if let Err(error) = self.runner.adopt(known).await {
                // After a restart the older lease would be named, which the orchestrator refuses.
                tracing::error!(%error, run = known.run, "a newer lease could not be written into the journal");
            }
        }
        let _ = outgoing.send(accepted(known)).await;
        known.repeat();
    }

    /// Whether this node runs it: by its own list, abilities and bounds, and nothing else.
    fn judge(&self, offer: &Offer) -> Result<Judged, Refusal> {
        let list = Arc::clone(&self.lists.borrow().list);
        let judged = self.runner.judge(&list, offer, &self.enforced)?;
        if self.held.borrow().len() >= super::HELD_MAX {
            return Err(Refusal {
                code: "busy",
                message: "the orchestrator has yet to record too many runs of this node".to_owned(),
            });
        }
        if self.active() >= self.runs_max as usize {
            return Err(Refusal {
                code: "busy",
                message: format!("the node runs {} commands already", self.runs_max),
            });
        }
        Ok(judged)
    }

    async fn refuse(&self, offer: &Offer, refusal: Refusal, outgoing: &Outgoing) {
        tracing::warn!(run = offer.run, code = refusal.code, reason = refusal.message, "refused");
        self.runner.record_refusal(offer, &refusal).await;
        let (run, fence) = (offer.run.clone(), offer.fence);
        let frame = NodeFrame::Refused {
            run,
            fence,
            code: refusal.code.to_owned(),
            message: refusal.message,
        };
        let _ = outgoing.send(frame).await;
    }
}

fn accepted(held: &Held) -> NodeFrame {
    NodeFrame::Accepted { run: held.run.clone(), fence: held.fence() }
}

/// The values, or the names of those that are of no type that a parameter has.
fn values(
    given: std::collections::BTreeMap<String, serde_json::Value>,
) -> Result<Parameters, Vec<String>> {
    let (mut values, mut wrong) = (Parameters::new(), Vec::new());
    for (name, value) in given {
        match serde_json::from_value::<ParameterValue>(value) {
            Ok(value) => {
                values.insert(name, value);
            }
            Err(_) => wrong.push(name.chars().filter(char::is_ascii_graphic).take(64).collect()),
        }
    }
    if wrong.is_empty() { Ok(values) } else { Err(wrong) }
}
