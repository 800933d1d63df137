//! What agents remember of people, for whoever it is about: found, and forgotten.

use crate::{Engine, EngineError};
use wardroom_core::{
    MemoryId, UserId,
    audit::AuditDraft,
    change::{Change, Write},
    memory::{Memory, MemoryWrite, Remembered},
    page::{Page, PageRequest},
    person::BlindIndex,
    store::StoreError,
};

/// What is remembered is sealed for this.
pub(crate) const SEAL_MEMORY: &str = "agent.memory";

impl Engine {
    /// By what something that an agent remembers is found again.
    pub(super) fn memory_index(
        &self,
        user: UserId,
        agent: &str,
        (namespace, key): (&str, &str),
    ) -> BlindIndex {
        self.vault.index(SEAL_MEMORY, &format!("{user}\n{agent}\n{namespace}\n{key}"))
    }

    /// What is remembered of a person, by one agent or by all, the last written first.
    pub async fn list_memories(
        &self,
        user: UserId,
        agent: Option<&str>,
        page: PageRequest<MemoryId>,
    ) -> Result<Page<(Memory, Remembered), MemoryId>, EngineError> {
        let found = self.store.list_memories(user, agent, self.now(), page).await?;
        let cipher = self.vault.cipher(user.into()).await?;
        let open = |memory: Memory| {
            let remembered = cipher.open_json(SEAL_MEMORY, &memory.sealed);
            remembered.map(|remembered| (memory, remembered)).map_err(EngineError::seal)
        };
        let kept = found.items.into_iter().filter(|memory| !memory.sealed.is_empty());
        let items = kept.map(open).collect::<Result<_, _>>()?;
        Ok(Page { items, next: found.next })
    }

    /// Forgets something that is remembered of a person.
    pub async fn remove_memory(
        &self,
        user: UserId,
        id: MemoryId,
        audit: AuditDraft,
    ) -> Result<(), EngineError> {
        let found = self.store.lookup_memory(id).await?;
        // SECURITY: what is remembered of others is not there.
        let found = found.filter(|memory| memory.user == user);
        let memory = found.ok_or(EngineError::NotFound("memory"))?;
        let audit = audit.on(id).detail("agent", &memory.agent);
        let change = Change::recorded(audit).write(Write::Memory(MemoryWrite::Remove(id)));
        match self.commit(change).await {
            Err(StoreError::Conflict(_)) => Err(EngineError::NotFound("memory")),
            outcome => Ok(outcome?),
        }
    }

    /// Forgets all that an agent remembers of a person.
    pub async fn remove_memories(
        &self,
        user: UserId,
        agent: &str,
        audit: AuditDraft,
    ) -> Result<(), EngineError> {
        let agent = agent.to_owned();
        let audit = audit.on(user).detail("agent", &agent);
        let forget = Write::Memory(MemoryWrite::RemoveAll { user, agent });
        match self.commit(Change::recorded(audit).write(forget)).await {
            Err(StoreError::Conflict(_)) => Err(EngineError::NotFound("memory")),
            outcome => Ok(outcome?),
        }
    }
}
