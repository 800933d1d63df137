//! An agent writes down what it is to remember of its person, finds it again, and forgets it.

use super::{
    calls::{CallEnd, allowed, brought, refused},
    deputy::Deputy,
    driver::Worker,
};
use crate::{EngineError, agents::memory::SEAL_MEMORY};
use serde_json::Value;
use std::time::Duration;
use wardroom_core::{
    Action, MemoryId,
    action::Resource,
    agent::{BuiltIn, MemoryRules},
    change::{Change, Write},
    memory::{KEY_CHARS_MAX, Memory, MemoryWrite, Remembered, TEXT_BYTES_MAX, words},
    model::Spend,
    page::{PAGE_ITEMS_MAX, PageRequest},
    steps::{Entry, Labels},
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
    ) -> Result<CallEnd, EngineError> {
        let Some(memory) = &self.agent.definition.memory else {
            return Ok(refused(id, "it has no memory").into());
        };
        let text = |name: &str| arguments.get(name).and_then(Value::as_str).unwrap_or_default();
        let namespace = match text("namespace") {
            "" => None,
            name => Some(name),
        };
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
            _ => {
                let one = namespace.map(|name| vec![name.to_owned()]);
                let namespaces = one.unwrap_or_else(|| memory.namespaces.clone());
                self.find(id, &namespaces, text("query"), deputy).await.map(CallEnd::from)
            }
        }
    }

    async fn write_down(
        &self,
        id: String,
        rules: &MemoryRules,
        (namespace, key): (&str, &str),
        text: &str,
        deputy: &dyn Deputy,
    ) -> Result<CallEnd, EngineError> {
        let (engine, user) = (&self.engine, self.run.submitted_by);
        if key.is_empty() || key.chars().count() > KEY_CHARS_MAX {
            return Ok(refused(id, &format!("a key has 1 to {KEY_CHARS_MAX} characters")).into());
        }
        if text.trim().is_empty() || text.len() > TEXT_BYTES_MAX {
            return Ok(refused(id, &format!("a text has 1 to {TEXT_BYTES_MAX} bytes")).into());
        }
        let audit = match allowed(deputy, Action::MemoryWrite, &Resource::user(user)).await? {
            Ok(audit) => audit,
            Err(why) => return Ok(refused(id, &why).into()),
        };
        // SECURITY: what strangers wrote stays what strangers wrote, however long it is remembered.
        let seen = self.book().steps.labels();
        let remembered = Remembered { key: key.to_owned(), text: text.to_owned(), seen };
        let plain = serde_json::to_vec(&remembered).map_err(EngineError::seal)?;
        let cipher = engine.vault.cipher(user.into()).await?;
        let sealed = cipher.seal(SEAL_MEMORY, &plain, &*engine.rng);
        let now = engine.now();
        let memory = Memory {
            id: MemoryId::new(now, &*engine.rng),
            user,
            agent: self.agent.definition.name.clone(),
            namespace: namespace.to_owned(),
            index: engine.memory_index(user, &self.agent.definition.name, (namespace, key)),
            sealed: sealed.map_err(EngineError::seal)?,
            size_bytes: u32::try_from(plain.len()).unwrap_or(u32::MAX),
            written_at: now,
            expires_at: now.plus(DAY * rules.days_max),
        };
        let audit = audit.on(user).detail("namespace", namespace);
        let put = Write::Memory(MemoryWrite::Put { memory, bytes_max: rules.bytes_max });
        let full = "there is no room for more: forget something first, or write down less";
        let otherwise = refused(id.clone(), full);
        let change = Change::recorded(audit).write(put);
        let entry = brought(id, "it is written down", Labels::NONE);
        Ok(CallEnd { entry, changes: Some(Box::new((change, otherwise))) })
    }

    async fn forget(
        &self,
        id: String,
        (namespace, key): (&str, &str),
        deputy: &dyn Deputy,
    ) -> Result<CallEnd, EngineError> {
        let (engine, user) = (&self.engine, self.run.submitted_by);
        let audit = match allowed(deputy, Action::MemoryRemove, &Resource::user(user)).await? {
            Ok(audit) => audit,
            Err(why) => return Ok(refused(id, &why).into()),
        };
        let index = engine.memory_index(user, &self.agent.definition.name, (namespace, key));
        let none = "nothing was written down under that key";
        let none = brought(id.clone(), none, Labels::NONE);
        let Some(found) = engine.store.lookup_memory_by_index(index, engine.now()).await? else {
            return Ok(none.into());
        };
        let audit = audit.on(found.id).detail("namespace", namespace);
        let remove = Write::Memory(MemoryWrite::RemoveByIndex(index));
        let change = Change::recorded(audit).write(remove);
        let entry = brought(id, "it is forgotten", Labels::NONE);
        // Somebody else may have forgotten it meanwhile.
        Ok(CallEnd { entry, changes: Some(Box::new((change, none))) })
    }

    async fn find(
        &self,
        id: String,
        namespaces: &[String],
        query: &str,
        deputy: &dyn Deputy,
    ) -> Result<Entry, EngineError> {
        let user = self.run.submitted_by;
        if let Err(why) = allowed(deputy, Action::MemoryList, &Resource::user(user)).await? {
            return Ok(refused(id, &why));
        }
        let words = words(query);
        let nothing = || Ok(brought(id.clone(), "nothing was found", Labels::NONE));
        if words.is_empty() && !query.trim().is_empty() {
            return nothing();
        }
        let mut found: Vec<(usize, Memory, Remembered)> = vec![];
        let mut page = PageRequest::new(None, PAGE_ITEMS_MAX);
        loop {
            let agent = Some(self.agent.definition.name.as_str());
            let next = self.engine.list_memories(user, agent, page).await?;
            let fitting = next.items.into_iter().filter_map(|(memory, remembered)| {
                let fits = remembered.fits(&words);
                let is_meant = fits > 0 && namespaces.contains(&memory.namespace);
                is_meant.then_some((fits, memory, remembered))
            });
            found.extend(fitting);
            // Of those that fit alike, what was written last comes first, as they were read.
            found.sort_by_key(|(fits, ..)| std::cmp::Reverse(*fits));
            found.truncate(FOUND_MAX);
            match next.next {
                Some(after) => page.after = Some(after),
                None => break,
            }
        }
        if found.is_empty() {
            return nothing();
        }
        let mut labels = Labels { private: true, untrusted: false };
        let mut lines = vec![];
        for (_, memory, Remembered { key, text, seen }) in found {
            labels = labels.and(seen);
            let day: String = memory.written_at.to_string().chars().take(10).collect();
            lines.push(format!("[{} / {key}, written down {day}]\n{text}", memory.namespace));
        }
        let text = lines.join("\n\n");
        self.came_back((id, "memory"), text, false, (labels, Spend::default())).await
    }
}
