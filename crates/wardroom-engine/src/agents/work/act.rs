//! Tools are called, several at a time where they may be.

use super::{
    calls::{CallEnd, Calling, refused},
    driver::{Stop, Worker},
    toolbox::{HandKind, Toolbox},
};
use crate::EngineError;
use futures_util::{FutureExt as _, StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
use serde_json::{Map, Value};
use std::{sync::Arc, time::Duration};
use wardroom_core::{
    ApprovalId, ToolCallId,
    agent::Deed,
    approval::ApprovalState,
    steps::{Awaited, Called, Entry, Next},
    store::StoreError,
};

/// How long calls have to come back that are told to stop.
const STOPPING_MAX: Duration = Duration::from_millis(800);

type Coming<'a> = FuturesUnordered<BoxFuture<'a, Result<CallEnd, EngineError>>>;

/// A call as the model wants it.
struct Wanted {
    id: String,
    name: String,
    arguments: Map<String, Value>,
}

impl Wanted {
    fn of(call: &Called) -> Self {
        Self { id: call.id.clone(), name: call.name.clone(), arguments: call.arguments.clone() }
    }
}

impl Worker {
    /// Calls what the model wants until all of it came back, or waits; whether the run is left.
    pub(super) async fn act(&mut self) -> Result<bool, Stop> {
        let toolbox = self.toolbox().await?;
        let waits = self.act_with(&toolbox).await?;
        if waits {
            self.pause().await?;
        }
        Ok(waits)
    }

    async fn act_with(&self, toolbox: &Arc<Toolbox>) -> Result<bool, Stop> {
        let mut again = self.take_up(toolbox).await?;
        let halt = self.seat.halt.child_token();
        let mut coming: Coming<'_> = FuturesUnordered::new();
        loop {
            let mut next = std::mem::take(&mut again);
            let waits = match self.book().steps.next() {
                Next::Call(calls) => {
                    next.extend(calls.into_iter().map(Wanted::of));
                    false
                }
                Next::Wait => true,
                // All of it came back, or a limit is reached.
                _ => return Ok(false),
            };
            let is_new = !next.is_empty();
            for calling in self.begin_calls(toolbox, next).await? {
                coming.push(self.call(calling, halt.clone()).boxed());
            }
            match (coming.is_empty(), is_new) {
                (true, true) => continue,
                (true, false) => return Ok(waits),
                (false, _) => {}
            }
            tokio::select! {
                biased;
                () = self.seat.halt.cancelled() => break,
                Some(came) = coming.next() => self.take_in(came?).await?,
            }
        }
        // They were told to stop: what they still say is kept.
        let last = async {
            while let Some(came) = coming.next().await {
                self.take_in(came?).await?;
            }
            Ok::<_, EngineError>(())
        };
        match tokio::time::timeout(STOPPING_MAX, last).await {
            Ok(Err(error)) => Err(error.into()),
            _ => Err(Stop::Halted),
        }
    }

    /// Writes down what came of a call, with what it changes.
    async fn take_in(&self, came: CallEnd) -> Result<(), EngineError> {
        let Some((change, otherwise)) = came.changes.map(|changes| *changes) else {
            return self.append(vec![came.entry]).await;
        };
        match self.append_with(vec![came.entry], change).await {
            Err(EngineError::Store(StoreError::Conflict("room for a memory" | "the memory"))) => {
                self.append(vec![otherwise]).await
            }
            outcome => outcome,
        }
    }

    /// Takes up what was left: what was waited for and is there, and calls of which nobody knows what came of them. Those
    /// that can be made again come back.
    async fn take_up(&self, toolbox: &Toolbox) -> Result<Vec<Wanted>, Stop> {
        let (waits, doubts) = {
            let book = self.book();
            (book.steps.waits(), book.steps.in_doubt())
        };
        let mut entries = vec![];
        for id in self.engine.heard(waits.clone()).await? {
            let on = waits.iter().find(|(of, _)| *of == id).map(|(_, on)| on);
            entries.push(match on {
                Some(Awaited::Run { run }) => {
                    let name = self.wanted(&id).map(|wanted| wanted.name).unwrap_or_default();
                    let hand = toolbox.hand(&name);
                    // Of one that is not offered any more, the worst is assumed.
                    let worst = [Deed::ReadsPrivate, Deed::BringsUntrusted];
                    let does = hand.map_or(&worst[..], |hand| hand.does.as_slice());
                    self.came_of(id, *run, does).await?
                }
                Some(Awaited::Consent { approval }) if self.is_too_late(*approval).await? => {
                    refused(id, "nobody approved it in time")
                }
                _ => Entry::Heard { id },
            });
        }
        let mut again = vec![];
        for doubt in doubts {
            let made = match doubt.call {
                Some(call) => self.engine.store.lookup_tool_call(call).await?.is_some(),
                None => true,
            };
            match self.wanted(&doubt.id).filter(|_| doubt.repeatable || !made) {
                Some(wanted) => again.push(wanted),
                None => entries.push(Entry::Waits { id: doubt.id, on: Awaited::Doubt }),
            }
        }
        if !entries.is_empty() {
            self.append(entries).await?;
        }
        Ok(again)
    }

    /// Whether nobody decided in time. It is not asked for again and again.
    async fn is_too_late(&self, approval: ApprovalId) -> Result<bool, EngineError> {
        let found = self.engine.store.lookup_approval(approval).await?;
        let now = self.engine.now();
        Ok(found.is_none_or(|found| found.state(now) == ApprovalState::Expired))
    }

    fn wanted(&self, id: &str) -> Option<Wanted> {
        let book = self.book();
        book.steps.calls().iter().find(|call| call.id == id).map(Wanted::of)
    }

    /// Writes down that calls begin; those that are made come back.
    async fn begin_calls(
        &self,
        toolbox: &Toolbox,
        wanted: Vec<Wanted>,
    ) -> Result<Vec<Calling>, Stop> {
        if wanted.is_empty() {
            return Ok(vec![]);
        }
        let seen = self.book().steps.labels();
        let (mut entries, mut begun) = (vec![], vec![]);
        for Wanted { id, name, arguments } in wanted {
            let hand = toolbox.hand(&name);
            let mistakes = match hand {
                Some(hand) => hand.mistakes(&Value::Object(arguments.clone())),
                None => vec![format!("there is no tool {name:?}; there are: {}", toolbox.names())],
            };
            let Some(hand) = hand.filter(|_| mistakes.is_empty()) else {
                entries.push(Entry::Called { id: id.clone(), call: None, repeatable: true });
                entries.push(refused(id, &mistakes.join("; ")));
                continue;
            };
            // A run of its own is found again by its key.
            let (kept, repeatable) = match &hand.kind {
                HandKind::Server { .. } => {
                    let kept = ToolCallId::new(self.engine.now(), &*self.engine.rng);
                    (Some(kept), hand.repeatable)
                }
                _ => (None, true),
            };
            entries.push(Entry::Called { id: id.clone(), call: kept, repeatable });
            begun.push(Calling { id, arguments, hand: Arc::clone(hand), kept, seen });
        }
        self.append(entries).await?;
        Ok(begun)
    }
}
