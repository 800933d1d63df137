//! Agents at work: runs that this orchestrator carries on, each by its journal. What comes of an effect is durable before
//! anything follows from it, so whoever takes a run up goes on where it stood.

mod act;
mod answer;
mod ask;
mod book;
mod calls;
mod child;
mod deputy;
mod driver;
mod end;
mod place;
mod reader;
mod remember;
mod start;
mod take;
mod toolbox;
mod wake;

pub use answer::Reply;
pub(super) use book::Book;
pub(crate) use book::ENTRIES_TOGETHER_MAX;
pub use book::Step;
pub use deputy::{Acting, Deputies, Deputy};
pub use place::{RUNS_MAX, Saying};
pub use start::{AgentStart, PROMPT_BYTES_MAX, Parent};
pub use take::Employment;

use place::Places;
use std::sync::OnceLock;
use tokio::sync::Notify;
use wardroom_core::OrchestratorId;

/// What entries of journals are sealed for.
pub(crate) const SEAL_STEP: &str = "run.step";

/// The runs that this orchestrator carries on.
pub(crate) struct Here {
    pub(crate) id: OrchestratorId,
    places: Places,
    queued: Notify,
    employment: OnceLock<Employment>,
}

impl Here {
    pub(crate) fn new(id: OrchestratorId) -> Self {
        Self { id, places: Places::default(), queued: Notify::new(), employment: OnceLock::new() }
    }

    /// Something may wait to be taken up.
    pub(crate) fn wake(&self) {
        self.queued.notify_one();
    }
}
