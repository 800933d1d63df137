//! A person answers what an agent's run waits for.

use super::{book::Book, calls::brought};
use crate::{Engine, EngineError, engine::CONFLICT_TRIES_MAX};
use wardroom_core::{
    RunId,
    agent::Limits,
    audit::AuditDraft,
    change::{Change, Write},
    hint::Hint,
    run::{self, Event, Run, Target},
    steps::{Awaited, Entry, Labels},
    store::StoreError,
};

/// The longest answer, in bytes.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// What a person says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// What the agent asked for; or what became of a call that was under way when the orchestrator stopped.
    Text(String),
    /// Such a call is to be made again.
    Again,
}

impl Engine {
    /// Tells a run what a person says to the call `call`, which waits for them. `audit` is the record of the request.
    pub async fn answer_run(
        &self,
        id: RunId,
        call: &str,
        reply: &Reply,
        audit: AuditDraft,
    ) -> Result<Run, EngineError> {
        if let Reply::Text(text) = reply
            && (text.trim().is_empty() || text.len() > ANSWER_BYTES_MAX)
        {
            let reason = format!("must be 1 to {ANSWER_BYTES_MAX} bytes");
            return Err(EngineError::Field { field: "text", reason });
        }
        for _ in 0..CONFLICT_TRIES_MAX {
            let run = self.store.lookup_run(id).await?.ok_or(EngineError::NotFound("run"))?;
            let nothing = || EngineError::NotAsked;
            if !matches!(run.target, Target::Here {}) || run.waits_since.is_none() {
                return Err(nothing());
            }
            let book = Book::read(self, &run, Limits::default()).await?;
            let mut waits = book.steps.waits().into_iter();
            let on = waits.find(|(of, _)| of == call).map(|(_, on)| on).ok_or_else(nothing)?;
            let entry = match (on, reply) {
                (Awaited::Answer { .. }, Reply::Text(text)) => {
                    brought(call.to_owned(), text.trim(), Labels::NONE)
                }
                // Whoever tells what came of a call tells what it brought.
                (Awaited::Doubt, Reply::Text(text)) => {
                    brought(call.to_owned(), text.trim(), Labels::ALL)
                }
                (Awaited::Doubt, Reply::Again) => Entry::Heard { id: call.to_owned() },
                _ => return Err(nothing()),
            };
            let now = self.now();
            let woken = run::apply(&run, &Event::Woken, now).map_err(EngineError::RunState)?;
            let audit = audit.clone().on(id).detail("state", woken.run.state);
            let change = Change::recorded(audit)
                .write(book.write(&[entry])?)
                .write(Write::UpdateRun(Box::new(woken.run.clone())))
                .hint(Hint::Run(id))
                .hint(Hint::Here);
            match self.commit(change).await {
                Ok(()) => return Ok(woken.run),
                Err(StoreError::Conflict(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(EngineError::Conflict)
    }
}
