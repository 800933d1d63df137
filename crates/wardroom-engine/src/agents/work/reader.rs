//! What a stranger may have written is read by a model that can call nothing; values come out.

use super::{
    calls::{allowed, cut, refused},
    child::ChildAnswer,
    deputy::Deputy,
    driver::Worker,
    start::{AgentStart, Parent},
};
use crate::EngineError;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::sync::Arc;
use wardroom_core::{
    Action,
    action::Resource,
    steps::{Ended, Entry, Labels, Reading, Sought},
};

/// What is to be read.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    held: String,
    question: String,
    values: Vec<Sought>,
}

impl Worker {
    /// Lets what was held back be read: by the same agent's model, in a run of its own.
    pub(super) async fn read_quarantined(
        &self,
        id: String,
        arguments: Value,
        deputy: &dyn Deputy,
    ) -> Result<Entry, EngineError> {
        let Some(work) = &self.run.work else { return Ok(refused(id, "this run is no agent's")) };
        let Wanted { held, question, values } = match serde_json::from_value(arguments) {
            Ok(wanted) => wanted,
            Err(error) => return Ok(refused(id, &error.to_string())),
        };
        let reading = Reading { question, values };
        if let Err(why) = reading.check() {
            return Ok(refused(id, &why));
        }
        let found = {
            let book = self.book();
            let found = book.steps.held(&held);
            found.map(|(held, text)| (held.labels.and(book.steps.labels()), text.to_owned()))
        };
        let Some((seen, text)) = found else {
            let why =
                "nothing is held back under that name in this run, or not any more: fetch it again";
            return Ok(refused(id, why));
        };
        let agent = Resource::agent(&self.agent.definition.name);
        let audit = match allowed(deputy, Action::AgentRun, &agent).await? {
            Ok(audit) => audit,
            Err(why) => return Ok(refused(id, &why)),
        };
        let within = self.share(work.bound(self.agent.definition.limits), 0);
        let start = AgentStart {
            talk: None,
            user: self.run.submitted_by,
            agent: Arc::clone(&self.agent),
            prompt: text,
            variables: Map::new(),
            authority: work.authority.clone(),
            idempotency_key: Some(self.key(&id)),
            parent: Some(Parent { run: self.run.id, depth: work.depth, seen, within }),
            reading: Some(reading),
        };
        self.start_child(id, start, audit.detail("reads", true)).await
    }

    /// What came out. SECURITY: of what the reader says, nothing but the values that were wanted; what may be an instruction
    /// stays what a stranger may have written.
    pub(super) async fn was_read(
        &self,
        id: String,
        reading: &Reading,
        answer: &ChildAnswer,
    ) -> Result<Entry, EngineError> {
        let spend = answer.steps.used().spend;
        let read = match answer.steps.ended() {
            Some(Ended::Answered { text }) => reading.read(text),
            _ => Err("the reader came to no answer".to_owned()),
        };
        let private = answer.steps.labels().private;
        let clean = Labels { private, untrusted: false };
        let (text, is_error, labels) = match read {
            Err(why) => (why, true, clean),
            Ok(read) if !reading.has_texts() => (json(read.clean), false, clean),
            Ok(read) => {
                let mut texts = json(read.texts);
                self.engine.known_secrets().await?.take_out(&mut texts);
                let texts = self.fenced("a reading", &cut(texts));
                (
                    format!("{}\n{texts}", json(read.clean)),
                    false,
                    Labels { untrusted: true, ..clean },
                )
            }
        };
        Ok(Entry::Returned { id, text, is_error, labels, spend, held: None })
    }
}

fn json(members: Map<String, Value>) -> String {
    Value::Object(members).to_string()
}
