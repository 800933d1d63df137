//! Agents are defined, defined otherwise, and forgotten.

use super::{Flaws, read};
use crate::{Engine, EngineError};
use wardroom_core::{
    AgentId, UserId,
    agent::{Agent, AgentVersion, AgentWrite, Definition, NOTE_CHARS_MAX},
    audit::AuditDraft,
    change::{Change, Write},
    digest::sha256_hex,
    store::StoreError,
};

/// A definition that is to hold.
#[derive(Debug, Clone)]
pub struct Proposal {
    /// The agent that whoever proposes it may define.
    pub name: String,
    /// The file.
    pub text: String,
    /// What its author says of it.
    pub note: String,
    /// The digest of the file that it was made from; empty for a new agent. Any where absent.
    pub base: Option<String>,
    /// Who proposes it.
    pub author: UserId,
}

/// What became of a proposal.
#[derive(Debug, Clone)]
pub enum Applied {
    /// It is in force now.
    New(Box<Agent>),
    /// It was in force already.
    Same(Box<Agent>),
}

impl Applied {
    /// The version in force.
    pub fn agent(&self) -> &Agent {
        match self {
            Self::New(agent) | Self::Same(agent) => agent,
        }
    }
}

/// Reads a definition, beside what waits for its turn: a long file takes a while.
pub async fn read_aside(text: String) -> Result<Result<Definition, Flaws>, EngineError> {
    let read = tokio::task::spawn_blocking(move || read(&text)).await;
    read.map_err(|error| EngineError::Store(StoreError::Other(error.to_string())))
}

/// The file with the line ends that it is kept and compared with.
pub fn with_plain_ends(text: &str) -> String {
    text.replace("\r\n", "\n")
}

impl Engine {
    /// Puts a definition in force. Runs that are under way go on as they began.
    pub async fn put_agent(
        &self,
        proposal: Proposal,
        audit: AuditDraft,
    ) -> Result<Applied, EngineError> {
        let field = |field, reason: String| EngineError::Field { field, reason };
        let text = with_plain_ends(&proposal.text);
        let definition = read_aside(text.clone()).await?;
        let definition = definition.map_err(|flaws| field("text", flaws.to_string()))?;
        // SECURITY: whoever proposes it was allowed to define the agent of this name, and no other.
        if definition.name != proposal.name {
            let reason = format!("it defines the agent {:?}", definition.name);
            return Err(field("text", format!("{reason}, and not {:?}", proposal.name)));
        }
        let note = proposal.note.trim();
        if note.chars().count() > NOTE_CHARS_MAX || note.chars().any(char::is_control) {
            let reason = format!("must be at most {NOTE_CHARS_MAX} characters in one line");
            return Err(field("note", reason));
        }
        let before = self.store.lookup_agent(&definition.name).await?.map(Box::new);
        let digest = sha256_hex(text.as_bytes());
        let base = before.as_ref().map_or("", |before| &before.version.digest);
        if proposal.base.is_some_and(|wanted| wanted != base) {
            return Err(EngineError::Conflict);
        }
        let (now, number) = (self.now(), before.as_ref().map_or(1, |it| it.version.number + 1));
        let agent = match before {
            Some(before) if before.version.digest == digest => return Ok(Applied::Same(before)),
            Some(before) => before.version.agent,
            None => AgentId::new(now, &*self.rng),
        };
        let version = AgentVersion {
            agent,
            number,
            digest,
            note: note.to_owned(),
            author: proposal.author,
            created_at: now,
        };
        let audit = audit
            .on(&definition.name)
            .detail("number", version.number)
            .detail("digest", &version.digest);
        let agent = Box::new(Agent { version, definition, text });
        let write = match number {
            1 => AgentWrite::Add(agent.clone()),
            _ => AgentWrite::Update(agent.clone()),
        };
        match self.commit(Change::recorded(audit).write(Write::Agent(write))).await {
            Ok(()) => Ok(Applied::New(agent)),
            Err(StoreError::Conflict("room for an agent")) => Err(EngineError::LimitReached(
                "there are as many agents as there may be: forget one first".to_owned(),
            )),
            // Somebody else was faster.
            Err(StoreError::Conflict(_) | StoreError::Duplicate(_)) => Err(EngineError::Conflict),
            Err(error) => Err(error.into()),
        }
    }

    /// Forgets an agent with all its versions.
    pub async fn remove_agent(&self, agent: &Agent, audit: AuditDraft) -> Result<(), EngineError> {
        let (id, number) = (agent.version.agent, agent.version.number);
        let audit = audit.on(&agent.definition.name).detail("number", number);
        let change = Change::recorded(audit);
        let change = change.write(Write::Agent(AgentWrite::Remove { id, number }));
        match self.commit(change).await {
            Err(StoreError::Conflict(_)) => Err(EngineError::Conflict),
            other => Ok(other?),
        }
    }
}
