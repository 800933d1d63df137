//! A run goes on: a model is asked, tools are called, until there is an answer, a limit, or something to wait for.

use super::{Employment, book::Book, place::Seat, take::Employed, toolbox::Toolbox};
use crate::{Engine, EngineError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use wardroom_core::{
    agent::Agent,
    change::{Change, Write},
    hint::Hint,
    run::{Event, Run},
    steps::{Ended, Entry, Misplaced, Next, Room},
    store::StoreError,
};

/// Why a run does not go on here.
pub(super) enum Stop {
    /// It was halted, or the orchestrator stops.
    Halted,
    /// It can't be carried on.
    Failed(EngineError),
}

impl<E: Into<EngineError>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

impl From<Misplaced> for EngineError {
    fn from(error: Misplaced) -> Self {
        Self::Journal(error.to_string())
    }
}

/// Carries one run on.
pub(super) struct Worker {
    pub(super) engine: Arc<Engine>,
    pub(super) run: Run,
    pub(super) agent: Arc<Agent>,
    pub(super) seat: Seat,
    pub(super) toolbox: Option<Arc<Toolbox>>,
    book: Arc<Mutex<Book>>,
}

/// What is done next, without the journal held.
enum Then {
    Ask(Room),
    Act,
    End(Ended),
}

impl Worker {
    pub(super) fn new(engine: &Arc<Engine>, run: Run, employed: Employed, seat: Seat) -> Self {
        let Employed { agent, book } = employed;
        let book = Arc::new(Mutex::new(book));
        Self { engine: Arc::clone(engine), run, agent, seat, toolbox: None, book }
    }

    pub(super) fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn book_shared(&self) -> Arc<Mutex<Book>> {
        Arc::clone(&self.book)
    }

    pub(super) fn employment(&self) -> Result<&Employment, EngineError> {
        let employment = self.engine.here.employment.get();
        employment.ok_or(EngineError::NotFound("gateway"))
    }

    /// Carries it on until it is over, waits, or somebody else has to.
    pub(super) async fn carry_on(mut self) -> Result<(), EngineError> {
        match self.work().await {
            Ok(()) => Ok(()),
            Err(Stop::Halted) => self.halted().await,
            Err(Stop::Failed(EngineError::Store(StoreError::Conflict(_)))) => {
                Err(EngineError::Conflict)
            }
            Err(Stop::Failed(error)) => Err(error),
        }
    }

    async fn work(&mut self) -> Result<(), Stop> {
        let asked = self.book().steps.asked();
        if let Some(call) = asked {
            // Nobody knows what came of it.
            let room = self.book().steps.room();
            if self.ask(room, Some(call)).await? {
                return Ok(());
            }
        }
        loop {
            if self.seat.halt.is_cancelled() {
                return Err(Stop::Halted);
            }
            let then = match self.book().steps.next() {
                Next::Ask(room) => Then::Ask(room),
                Next::Call(_) | Next::Wait => Then::Act,
                Next::End(how) => Then::End(how),
                Next::Over => return Ok(()),
            };
            let over = match then {
                Then::Ask(room) => self.ask(room, None).await?,
                Then::Act => self.act().await?,
                Then::End(how) => {
                    self.end(how, vec![], vec![]).await?;
                    true
                }
            };
            if over {
                return Ok(());
            }
        }
    }

    /// Writes entries down; what follows from them may be done when this returns.
    pub(super) async fn append(&self, entries: Vec<Entry>) -> Result<(), EngineError> {
        self.append_with(entries, Change::default()).await
    }

    /// Writes entries down in one change with what they tell of.
    pub(super) async fn append_with(
        &self,
        entries: Vec<Entry>,
        change: Change,
    ) -> Result<(), EngineError> {
        let write = self.book().write(&entries)?;
        self.engine.commit(change.write(write).hint(Hint::Run(self.run.id))).await?;
        Ok(self.book().written(&entries)?)
    }

    /// Somebody stopped it, its time is over, or the orchestrator stops.
    async fn halted(&mut self) -> Result<(), EngineError> {
        if self.engine.here.places.leaving.is_cancelled() {
            let gone = Event::HolderGone { fence: self.run.fence };
            let audit = self.engine.own_record(gone.as_str());
            let (run, effects) = self.engine.happen(self.run.id, &gone, audit).await?;
            return self.engine.follow(&run, &effects).await;
        }
        let run = self.engine.store.lookup_run(self.run.id).await?;
        let run = run.ok_or(EngineError::NotFound("run"))?;
        if run.state.is_terminal() {
            return Ok(());
        }
        match self.end(Ended::Cancelled, vec![], vec![]).await {
            Ok(()) | Err(Stop::Halted) => Ok(()),
            Err(Stop::Failed(error)) => Err(error),
        }
    }

    /// What else is written down with entries.
    pub(super) fn with(
        &self,
        entries: &[Entry],
        more: Vec<Write>,
    ) -> Result<Vec<Write>, EngineError> {
        let mut writes = more;
        if !entries.is_empty() {
            writes.push(self.book().write(entries)?);
        }
        Ok(writes)
    }
}
