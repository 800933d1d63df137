//! Agents are defined, defined otherwise, and forgotten.

use super::read;
use crate::{Engine, EngineError};
use wardroom_core::{
    AgentId, UserId,
    agent::{AGENTS_MAX, Agent, AgentWrite, NOTE_CHARS_MAX},
    audit::AuditDraft,
    change::{Change, Write},
    digest::sha256_hex,
    store::StoreError,
};

/// A definition that is to hold.
#[derive(Debug, Clone)]
pub struct Proposal {
    /// The file.
    pub text: String,
    /// What its author says of it.
    pub note: String,
    /// The version that it was made from; 0 for a new agent. Any where absent.
    pub base: Option<i64>,
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

impl Engine {
    /// Puts a definition in force. Runs that are under way go on as they began.
    pub async fn put_agent(
        &self,
        proposal: Proposal,
        audit: AuditDraft,
    ) -> Result<Applied, EngineError> {
        let field = |field, reason: String| EngineError::Field { field, reason };
        let definition = read(&proposal.text).map_err(|flaws| field("text", flaws.to_string()))?;
        let note = proposal.note.trim();
        if note.chars().count() > NOTE_CHARS_MAX || note.chars().any(char::is_control) {
            let reason = format!("must be at most {NOTE_CHARS_MAX} characters in one line");
            return Err(field("note", reason));
        }
        let now = self.now();
        let before = self.store.lookup_agent(&definition.name).await?;
        let number = before.as_ref().map_or(0, |before| before.number);
        if proposal.base.is_some_and(|base| base != number) {
            return Err(EngineError::Conflict);
        }
        let digest = sha256_hex(proposal.text.as_bytes());
        let id = match before {
            Some(before) if before.digest == digest => return Ok(Applied::Same(before.into())),
            Some(before) => before.id,
            None => {
                if self.store.list_agents().await?.len() >= AGENTS_MAX {
                    let said = format!("there are {AGENTS_MAX} agents already: forget one first");
                    return Err(EngineError::LimitReached(said));
                }
                AgentId::new(now, &*self.rng)
            }
        };
        let agent = Agent {
            id,
            number: number + 1,
            definition,
            text: proposal.text,
            digest,
            note: note.to_owned(),
            author: proposal.author,
            created_at: now,
        };
        let audit = audit
            .on(&agent.definition.name)
            .detail("number", agent.number)
            .detail("digest", &agent.digest);
        let write = match agent.number {
            1 => AgentWrite::Add(Box::new(agent.clone())),
            _ => AgentWrite::Update(Box::new(agent.clone())),
        };
        let change = Change::recorded(audit).write(Write::Agent(write));
        match self.commit(change).await {
            Ok(()) => Ok(Applied::New(Box::new(agent))),
            // Somebody else was faster.
            Err(StoreError::Conflict(_) | StoreError::Duplicate(_)) => Err(EngineError::Conflict),
            Err(error) => Err(error.into()),
        }
    }

    /// Forgets an agent with all its versions.
    pub async fn remove_agent(&self, agent: &Agent, audit: AuditDraft) -> Result<(), EngineError> {
        let remove = AgentWrite::Remove { id: agent.id, number: agent.number };
        let audit = audit.on(&agent.definition.name).detail("number", agent.number);
        let change = Change::recorded(audit).write(Write::Agent(remove));
        match self.commit(change).await {
            Err(StoreError::Conflict(_)) => Err(EngineError::Conflict),
            other => Ok(other?),
        }
    }
}
