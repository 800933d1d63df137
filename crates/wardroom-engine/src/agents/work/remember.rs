//! An agent writes down what it is to remember of its person, finds it again, and forgets it.

use super::{
    calls::{allowed, brought, cut, refused},
    deputy::Deputy,
    driver::Worker,
};
use crate::{EngineError, agents::memory::SEAL_MEMORY};
use serde_json::Value;
use std::time::Duration;
use wardroom_core::{
    Action, MemoryId,
    action::Resource,
    agent::{self, BuiltIn},
    change::{Change, Write},
    memory::{KEY_CHARS_MAX, Memory, MemoryWrite, Remembered, TEXT_BYTES_MAX, words},
    model::Spend,
    steps::{Entry, JournalWrite, Labels},
    store::StoreError,
};

/// What is found at a time.
const FOUND_MAX: usize = 20;
const DAY: Duration = Duration::from_secs(24 * 3600);

impl Worker {
    /// Does what one of the built-in tools of memory does.
    pub(super) async fn remember(
        &self,
        id: String,
        what: BuiltIn,
        arguments: &Value,
        deputy: &dyn Deputy,
    ) -> Result<Entry, EngineError> {
        let Some(memory) = &self.agent.definition.memory else {
            return Ok(refused(id, "it has no memory"));
        };
        let text = |name: &str| arguments.get(name).and_then(Value::as_str).unwrap_or_default();
        let namespace = match text("namespace") {
            "" => None,
            name => Some(name),
        };
        if namespace.is_some_and(|name| !memory.namespaces.iter().any(|known| known == name)) {
            let names = memory.namespaces.join(", ");
            return Ok(refused(id, &format!("there is no such namespace; there are: {names}")));
        }
        let first = memory.namespaces.first().map_or("notes", String::as_str);
        match what {
            BuiltIn::MemoryWrite => {
                let place = (namespace.unwrap_or(first), text("key").trim());
                self.write_down(id, memory, place, text("text"), deputy).await
            }
            BuiltIn::MemoryForget => {
                let place = (namespace.unwrap_or(first), text("key").trim());
                self.forget(id, place, deputy).await
            }
            _ => self.find(id, namespace, text("query"), deputy).await,
        }
    }

    async fn write_down(
        &self,
        id: String,
        rules: &agent::Memory,
        (namespace, key): (&str, &str),
        text: &str,
        deputy: &dyn Deputy,
    ) -> Result<Entry, EngineError> {
        let (engine, user) = (&self.engine, self.run.submitted_by);
        if key.is_empty() || key.chars().count() > KEY_CHARS_MAX {
            return Ok(refused(id, &format!("a key has 1 to {KEY_CHARS_MAX} characters")));
        }
        if text.trim().is_empty() || text.len() > TEXT_BYTES_MAX {
            return Ok(refused(id, &format!("a text has 1 to {TEXT_BYTES_MAX} bytes")));
        }
        let audit = match allowed(deputy, Action::MemoryWrite, &Resource::user(user)).await? {
            Ok(audit) => audit,
            Err(why) => return Ok(refused(id, &why)),
        };
        // SECURITY: what strangers wrote stays what strangers wrote, however long it is remembered.
        let seen = self.book().steps.labels();
        let remembered = Remembered { key: key.to_owned(), text: text.to_owned(), seen };
        let cipher = engine.vault.cipher(user.into()).await?;
        let sealed = cipher.seal_json(SEAL_MEMORY, &remembered, &*engine.rng);
        let now = engine.now();
        let memory = Memory {
            id: MemoryId::new(now, &*engine.rng),
            user,
            agent: self.agent.definition.name.clone(),
            namespace: namespace.to_owned(),
            index: engine.memory_index(user, &self.agent.definition.name, (namespace, key)),
            sealed: sealed.map_err(EngineError::seal)?,
            size_bytes: u32::try_from(key.len() + text.len()).unwrap_or(u32::MAX),
            written_at: now,
            expires_at: now.plus(DAY * rules.days_max),
        };
        let audit = audit.on(user).detail("namespace", namespace);
        let put = MemoryWrite::Put { memory, bytes_max: rules.bytes_max };
        match self.change(Change::recorded(audit).write(Write::Memory(put))).await {
            Err(EngineError::Store(StoreError::Conflict("room for a memory"))) => Ok(refused(
                id,
                "there is no room for more: forget something first, or write down less",
            )),
            Err(error) => Err(error),
            Ok(()) => Ok(brought(id, "it is written down", Labels::NONE)),
        }
    }

    async fn forget(
        &self,
        id: String,
        (namespace, key): (&str, &str),
        deputy: &dyn Deputy,
    ) -> Result<Entry, EngineError> {
        let (engine, user) = (&self.engine, self.run.submitted_by);
        let audit = match allowed(deputy, Action::MemoryRemove, &Resource::user(user)).await? {
            Ok(audit) => audit,
            Err(why) => return Ok(refused(id, &why)),
        };
        let agent = &self.agent.definition.name;
        let index = engine.memory_index(user, agent, (namespace, key));
        let all = engine.store.list_memories(user, Some(agent), engine.now()).await?;
        let Some(found) = all.into_iter().find(|memory| memory.index == index) else {
            return Ok(brought(id, "nothing was written down under that key", Labels::NONE));
        };
        let audit = audit.on(found.id).detail("namespace", namespace);
        let remove = Write::Memory(MemoryWrite::Remove(found.id));
        match self.change(Change::recorded(audit).write(remove)).await {
            // Somebody else forgot it meanwhile.
            Ok(()) | Err(EngineError::Store(StoreError::Conflict("the memory"))) => {
                Ok(brought(id, "it is forgotten", Labels::NONE))
            }
            Err(error) => Err(error),
        }
    }

    async fn find(
        &self,
        id: String,
        namespace: Option<&str>,
        query: &str,
        deputy: &dyn Deputy,
    ) -> Result<Entry, EngineError> {
        let user = self.run.submitted_by;
        if !deputy.may(Action::MemoryList, &Resource::user(user)) {
            return Ok(refused(id, "whoever you work for may not be remembered"));
        }
        let all = self.engine.list_memories(user, Some(&self.agent.definition.name)).await?;
        let words = words(query);
        let mut found: Vec<(usize, &Memory, &Remembered)> = all
            .iter()
            .filter(|(memory, _)| namespace.is_none_or(|name| memory.namespace == name))
            .map(|(memory, remembered)| (remembered.fits(&words), memory, remembered))
            .filter(|(fits, ..)| *fits > 0)
            .collect();
        // Of those that fit alike, what was written last comes first, as they were read.
        found.sort_by_key(|(fits, ..)| std::cmp::Reverse(*fits));
        found.truncate(FOUND_MAX);
        if found.is_empty() {
            return Ok(brought(id, "nothing was found", Labels::NONE));
        }
        let mut labels = Labels { private: true, untrusted: false };
        let mut lines = vec![];
        for (_, memory, Remembered { key, text, seen }) in found {
            labels = labels.and(*seen);
            let day: String = memory.written_at.to_string().chars().take(10).collect();
            lines.push(format!("[{} / {key}, written down {day}]\n{text}", memory.namespace));
        }
        let text = cut(lines.join("\n\n"));
        Ok(self.from_outside((id, "memory"), text, false, (labels, Spend::default())))
    }

    /// Commits a change, unless somebody else carries the run on by now.
    async fn change(&self, change: Change) -> Result<(), EngineError> {
        let held = JournalWrite::Require { run: self.run.id, fence: self.run.fence };
        Ok(self.engine.commit(change.write(Write::Journal(held))).await?)
    }
}
