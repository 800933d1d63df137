//! Conversations with agents: each is one person's with one agent, each turn of it is a run, and the next turn goes on where
//! the journal of the last one ends.

use super::work::{AgentStart, Book};
use crate::{Engine, EngineError};
use serde_json::{Map, Value};
use std::{sync::Arc, time::Duration};
use wardroom_core::{
    RunId, ThreadId, UserId,
    agent::{Definition, Limits, Mode},
    audit::AuditDraft,
    change::{Change, Write},
    field::FieldError,
    model::{Message, UserPart},
    page::PageRequest,
    steps::{Entry, Past},
    store::StoreError,
    thread::{THREADS_MAX, TITLE_CHARS_MAX, TURNS_MAX, Thread, ThreadWrite, Turn},
};

/// What titles are sealed for.
pub(crate) const SEAL_TITLE: &str = "thread.title";

/// Where in a conversation something is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Talk {
    /// It begins one.
    New,
    /// It goes on in the last one with that agent, or begins one where that is idle for longer than its agent says.
    Resume,
    /// It goes on in this one.
    Next(ThreadId),
    /// It goes another way in one that has this one's turns before `before`. Where nothing else is said, what was said in
    /// that turn is said again.
    Branch {
        /// The other one.
        from: ThreadId,
        /// The turn.
        before: u32,
    },
}

/// What a turn goes on from.
pub(super) struct Joined {
    pub(super) thread: ThreadId,
    pub(super) past: Past,
    seq: u32,
    /// The thread that begins, and of which other one it has turns.
    begins: Option<Option<ThreadId>>,
}

/// How a turn began.
#[derive(Default)]
struct Opening {
    prompt: String,
    variables: Map<String, Value>,
}

impl Engine {
    /// What a turn goes on from. Where `start` does not say otherwise, it is given what the turn before was given.
    pub(super) async fn join(
        &self,
        start: &mut AgentStart,
        talk: Talk,
    ) -> Result<Joined, EngineError> {
        let agent = Arc::clone(&start.agent);
        let definition = &agent.definition;
        if definition.mode != Mode::Continuous {
            let reason = "works anew each time: begin a run of it (`wardroom ask`), or define it with mode: continuous";
            return Err(EngineError::Field { field: "agent", reason: reason.to_owned() });
        }
        let fresh = || ThreadId::new(self.now(), &*self.rng);
        let (thread, before) = match talk {
            Talk::New => (None, None),
            Talk::Resume => (self.last_thread(start.user, definition).await?, None),
            Talk::Next(id) => (Some(self.thread(start.user, id).await?), None),
            Talk::Branch { from, before } => {
                (Some(self.thread(start.user, from).await?), Some(before))
            }
        };
        let Some(thread) = thread else {
            let begins = Some(None);
            return Ok(Joined { thread: fresh(), past: Past::default(), seq: 0, begins });
        };
        if thread.agent != definition.name {
            return Err(EngineError::NotFound("thread"));
        }
        let last = self.turn_before(thread.id, before).await?;
        let mut joined = Joined { thread: thread.id, past: Past::default(), seq: 0, begins: None };
        if let Some(last) = last {
            let run = self.store.lookup_run(last.run).await?.ok_or(EngineError::Conflict)?;
            if !run.state.is_terminal() {
                return Err(EngineError::ThreadBusy);
            }
            let book = Book::read(self, &run, Limits::default()).await?;
            joined.past = Past::of(&book.steps, &definition.conversation);
            joined.seq = last.seq + 1;
            if joined.seq >= TURNS_MAX {
                let what = format!("a conversation has at most {TURNS_MAX} turns: begin a new one");
                return Err(EngineError::LimitReached(what));
            }
        }
        let mut opens = last.map(|last| last.run);
        if let Some(before) = before {
            let again = self.turn_before(thread.id, before.checked_add(1)).await?;
            let again = again.filter(|turn| turn.seq == before);
            opens = Some(again.ok_or(EngineError::NotFound("turn"))?.run);
            joined = Joined { thread: fresh(), begins: Some(Some(thread.id)), ..joined };
        }
        if let Some(opens) = opens {
            let opening = self.opening(opens).await?;
            if before.is_some() && start.prompt.is_empty() {
                start.prompt = opening.prompt;
            }
            for (name, value) in opening.variables {
                // What it is by now may be something else.
                if definition.variables.get(&name).is_some_and(|variable| variable.takes(&value)) {
                    start.variables.entry(name).or_insert(value);
                }
            }
        }
        Ok(joined)
    }

    /// What is written of the turn `run`.
    pub(super) async fn turn_writes(
        &self,
        start: &AgentStart,
        joined: &Joined,
        run: RunId,
    ) -> Result<Vec<Write>, EngineError> {
        let (thread, at) = (joined.thread, self.now());
        let mut writes = vec![];
        if let Some(from) = joined.begins {
            writes.push(ThreadWrite::Begin(Thread {
                id: thread,
                user: start.user,
                agent: start.agent.definition.name.clone(),
                title: self.sealed_title(start.user, &title_of(&start.prompt)).await?,
                created_at: at,
                updated_at: at,
            }));
            if let Some(from) = from {
                writes.push(ThreadWrite::Copy { thread, from, before: joined.seq });
            }
        }
        writes.push(ThreadWrite::Turn { thread, turn: Turn { seq: joined.seq, run }, at });
        Ok(writes.into_iter().map(Write::Thread).collect())
    }

    /// Why a turn of `talk` could not begin, told as what it means.
    pub(super) async fn not_begun(&self, talk: Option<Talk>, error: StoreError) -> EngineError {
        let of = match talk {
            Some(Talk::Next(id) | Talk::Branch { from: id, .. }) => Some(id),
            _ => None,
        };
        match error {
            StoreError::Conflict("the thread") => match of {
                Some(id) if matches!(self.store.lookup_thread(id).await, Ok(None)) => {
                    EngineError::NotFound("thread")
                }
                _ => EngineError::ThreadBusy,
            },
            StoreError::Conflict("room for a thread") => EngineError::LimitReached(format!(
                "a person has at most {THREADS_MAX} conversations: remove one first"
            )),
            error => error.into(),
        }
    }

    /// The person's last conversation with an agent, unless it is idle for too long.
    async fn last_thread(
        &self,
        user: UserId,
        definition: &Definition,
    ) -> Result<Option<Thread>, EngineError> {
        let page = PageRequest::new(None, 1);
        let found = self.store.list_threads(user, Some(&definition.name), page).await?;
        let Some(thread) = found.items.into_iter().next() else { return Ok(None) };
        let last = match self.turn_before(thread.id, None).await? {
            Some(turn) => self.store.lookup_run(turn.run).await?,
            None => None,
        };
        let idle = Duration::from_secs(definition.conversation.idle_seconds_max.into());
        // While it answers, or waits for an answer, it is not idle.
        let since = last.and_then(|run| run.finished_at);
        let is_idle = since.is_some_and(|since| since.plus(idle) <= self.now());
        Ok((!is_idle).then_some(thread))
    }

    async fn turn_before(
        &self,
        thread: ThreadId,
        before: Option<u32>,
    ) -> Result<Option<Turn>, EngineError> {
        let found = self.store.list_turns(thread, PageRequest::new(before, 1)).await?;
        Ok(found.items.into_iter().next())
    }

    async fn opening(&self, run: RunId) -> Result<Opening, EngineError> {
        let run = self.store.lookup_run(run).await?.ok_or(EngineError::NotFound("turn"))?;
        let first = self.list_steps(&run, 0, 1).await?.items.into_iter().next();
        let Some(Entry::Begun { messages, variables, .. }) = first.map(|step| step.entry) else {
            return Ok(Opening::default());
        };
        let texts = messages.iter().filter_map(|message| match message {
            Message::User { parts } => Some(parts),
            Message::Assistant { .. } => None,
        });
        let prompt = texts.flatten().filter_map(UserPart::text).collect();
        Ok(Opening { prompt, variables })
    }

    async fn sealed_title(&self, user: UserId, title: &str) -> Result<Vec<u8>, EngineError> {
        let cipher = self.vault.cipher(user.into()).await?;
        cipher.seal(SEAL_TITLE, title.as_bytes(), &*self.rng).map_err(EngineError::seal)
    }

    /// A person's conversation.
    pub async fn thread(&self, user: UserId, id: ThreadId) -> Result<Thread, EngineError> {
        let found = self.store.lookup_thread(id).await?;
        // SECURITY: nobody else reads it, whatever their role.
        found.filter(|thread| thread.user == user).ok_or(EngineError::NotFound("thread"))
    }

    /// What a conversation is called.
    pub async fn thread_title(&self, thread: &Thread) -> Result<String, EngineError> {
        if thread.title.is_empty() {
            return Ok(String::new());
        }
        let cipher = self.vault.cipher(thread.user.into()).await?;
        let title = cipher.open(SEAL_TITLE, &thread.title).map_err(EngineError::seal)?;
        String::from_utf8(title.to_vec()).map_err(EngineError::seal)
    }

    /// Calls a person's conversation otherwise.
    pub async fn retitle_thread(
        &self,
        user: UserId,
        id: ThreadId,
        title: &str,
        audit: AuditDraft,
    ) -> Result<Thread, EngineError> {
        let thread = self.thread(user, id).await?;
        let title = title.trim();
        if title.is_empty()
            || title.chars().count() > TITLE_CHARS_MAX
            || title.chars().any(char::is_control)
        {
            let reason = format!("must be 1 to {TITLE_CHARS_MAX} characters on one line");
            return Err(FieldError::new("title", reason).into());
        }
        let title = self.sealed_title(user, title).await?;
        let retitle = ThreadWrite::Retitle { thread: id, title: title.clone() };
        self.commit(Change::recorded(audit.on(id)).write(Write::Thread(retitle))).await?;
        Ok(Thread { title, ..thread })
    }

    /// Forgets a person's conversation, and what was said in it. That its runs took place stays known.
    pub async fn remove_thread(
        &self,
        user: UserId,
        id: ThreadId,
        audit: AuditDraft,
    ) -> Result<(), EngineError> {
        let thread = self.thread(user, id).await?;
        let audit = audit.on(id).detail("agent", &thread.agent);
        let change = Change::recorded(audit).write(Write::Thread(ThreadWrite::Remove(id)));
        match self.commit(change).await {
            Err(StoreError::Conflict(_)) => match self.store.lookup_thread(id).await? {
                Some(_) => Err(EngineError::ThreadBusy),
                None => Err(EngineError::NotFound("thread")),
            },
            outcome => Ok(outcome?),
        }
    }
}

/// What a conversation is called until somebody calls it otherwise: how it begins.
fn title_of(prompt: &str) -> String {
    const CHARS_MAX: usize = 80;
    let line = prompt.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    let mut chars = line.chars().filter(|c| !c.is_control());
    let mut title: String = chars.by_ref().take(CHARS_MAX).collect();
    if chars.next().is_some() {
        title.push('…');
    }
    title
}
