//! A call is made, and what comes of it is put into words for the model.

use super::{
    deputy::{Acting, Deputy},
    driver::Worker,
    toolbox::{Hand, HandKind},
};
use crate::EngineError;
use data_encoding::HEXLOWER;
use serde_json::{Map, Value};
use std::{sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;
use wardroom_core::{
    Action, ToolCallId,
    action::Resource,
    agent::{BuiltIn, Deed},
    audit::AuditDraft,
    change::Change,
    model::Spend,
    steps::{Awaited, Entry, HeldBack, Labels},
    store::StoreError,
};
use wardroom_gateway::{
    door::{Client, Modern, Outlet, Refused, Speaks},
    era::meta,
    rpc::{Id, Object, Request, RpcError},
};

/// What of a result a model is told, in bytes.
const RESULT_BYTES_MAX: usize = 128 * 1024;

/// What came of a call, with what it does here: both are written in one change, so that neither is there without the other.
pub(super) struct CallEnd {
    pub(super) entry: Entry,
    /// What it changes, and what came of it where that can't be.
    pub(super) changes: Option<Box<(Change, Entry)>>,
}

impl From<Entry> for CallEnd {
    fn from(entry: Entry) -> Self {
        Self { entry, changes: None }
    }
}

/// A call that is to be made.
pub(super) struct Calling {
    /// Its id, as the model gave it.
    pub(super) id: String,
    pub(super) arguments: Map<String, Value>,
    pub(super) hand: Arc<Hand>,
    /// What the gateway keeps it under.
    pub(super) kept: Option<ToolCallId>,
    /// What the run had seen when it was made.
    pub(super) seen: Labels,
}

impl Worker {
    /// Whoever acts now.
    pub(super) async fn deputy(
        &self,
        does: &[Deed],
        asks: bool,
        call: Option<ToolCallId>,
    ) -> Result<Option<Arc<dyn Deputy>>, EngineError> {
        let seen = self.book().steps.labels();
        let acting = Acting { run: &self.run, seen, does, asks, call };
        self.employment()?.deputies.deputy(&acting).await
    }

    /// Makes a call; what is written down of what came of it.
    pub(super) async fn call(
        &self,
        calling: Calling,
        halt: CancellationToken,
    ) -> Result<CallEnd, EngineError> {
        let Calling { id, arguments, hand, kept, seen } = calling;
        let value = Value::Object(arguments);
        let asks = hand.asks(&value);
        let acting = Acting { run: &self.run, seen, does: &hand.does, asks, call: kept };
        let Some(deputy) = self.employment()?.deputies.deputy(&acting).await? else {
            return Ok(refused(id, "whoever you work for may do nothing here any more").into());
        };
        // SECURITY: nobody could be asked there, so what the definition wants approved is not done.
        if asks
            && matches!(
                hand.kind,
                HandKind::Agent { .. }
                    | HandKind::AskPerson
                    | HandKind::Memory(_)
                    | HandKind::ReadQuarantined
            )
        {
            return Ok(refused(
                id,
                "its definition wants a person's approval for this, which can't be asked for: do it otherwise",
            )
            .into());
        }
        let entry = match &hand.kind {
            HandKind::Server { server, tool } => {
                let source = format!("{server}/{tool}");
                let answer = self.at_gateway(deputy, (server, tool), &value, halt).await?;
                self.told(id, &source, &hand, answer).await?
            }
            HandKind::Command { command, place } => {
                self.command(id, (command, place), value, &*deputy).await?
            }
            HandKind::Agent { agent } => self.other_agent(id, agent, &value, &*deputy).await?,
            HandKind::Memory(what) => return self.remember(id, *what, &value, &*deputy).await,
            HandKind::ReadQuarantined => self.read_quarantined(id, value, &*deputy).await?,
            HandKind::AskPerson => {
                let question = value.get("question").and_then(Value::as_str).unwrap_or_default();
                let on = Awaited::Answer { question: question.to_owned() };
                Entry::Waits { id, on }
            }
        };
        Ok(entry.into())
    }

    /// Calls a tool by the same way as everybody.
    async fn at_gateway(
        &self,
        deputy: Arc<dyn Deputy>,
        (server, tool): (&str, &str),
        arguments: &Value,
        halt: CancellationToken,
    ) -> Result<Result<Object, RpcError>, EngineError> {
        let (outlet, mut said) = Outlet::new();
        let client = Client {
            caller: deputy,
            scope: Some(server.to_owned()),
            speaks: Speaks::Modern(Modern { patience: Duration::ZERO, ..Modern::default() }),
            outlet,
            cancel: halt,
        };
        let params = Object::default().with("name", tool).with("arguments", arguments);
        let request = Request { id: Id::Number(1), method: "tools/call".to_owned(), params };
        let gateway = &self.employment()?.gateway;
        let mut answer = std::pin::pin!(gateway.answer(&client, request));
        loop {
            tokio::select! {
                answer = &mut answer => return Ok(answer),
                // What it says meanwhile is for nobody.
                Some(_) = said.recv() => {}
            }
        }
    }

    /// What a model is told of a tool's answer.
    async fn told(
        &self,
        id: String,
        source: &str,
        hand: &Hand,
        answer: Result<Object, RpcError>,
    ) -> Result<Entry, EngineError> {
        let seen = (Labels::NONE.with(&hand.does), Spend::default());
        let result = match answer {
            Ok(result) => result,
            // SECURITY: a tool server's words are in it.
            Err(error) => return self.came_back((id, source), error.message, true, seen).await,
        };
        if result.text("resultType").as_deref() == Some("input_required") {
            let own = result.object("_meta").unwrap_or_default();
            let approval = own.text(meta::APPROVAL).and_then(|id| id.parse().ok());
            return Ok(match approval {
                Some(approval) => Entry::Waits { id, on: Awaited::Consent { approval } },
                None => refused(
                    id,
                    "it wants something of the person first: they call it once themselves",
                ),
            });
        }
        let is_error = result.get::<bool>("isError") == Some(true);
        self.came_back((id, source), text_of(&result), is_error, seen).await
    }

    /// What came of a call, by what is seen by it: what a stranger may have written is told apart, or held back where the
    /// agent has somebody who reads such things for it.
    pub(super) async fn came_back(
        &self,
        (id, source): (String, &str),
        mut text: String,
        is_error: bool,
        (labels, spend): (Labels, Spend),
    ) -> Result<Entry, EngineError> {
        // Before it is cut: half a secret would not be known again.
        self.engine.known_secrets().await?.take_out(&mut text);
        let text = cut(text);
        let built_in = &self.agent.definition.tools.built_in;
        let is_held = built_in.iter().any(|one| one.name == BuiltIn::ReadQuarantined);
        Ok(match labels.untrusted {
            true if is_held => {
                let name = format!("h{}", self.mark::<4>());
                let held = Some(HeldBack { name, source: source.to_owned(), labels });
                Entry::Returned { id, text, is_error, labels: Labels::NONE, spend, held }
            }
            true => {
                let text = self.fenced(source, &text);
                Entry::Returned { id, text, is_error, labels, spend, held: None }
            }
            false => Entry::Returned { id, text, is_error, labels, spend, held: None },
        })
    }

    /// Something that nobody can guess.
    fn mark<const BYTES: usize>(&self) -> String {
        let mut mark = [0; BYTES];
        self.engine.rng.fill(&mut mark);
        HEXLOWER.encode(&mark)
    }

    /// What a stranger may have written, told apart from what the agent is told. SECURITY: nobody who wrote it knows the
    /// mark at its end.
    pub(super) fn fenced(&self, source: &str, text: &str) -> String {
        let mark = self.mark::<8>();
        format!(
            "<untrusted from=\"{source}\" mark=\"{mark}\">\n{text}\n</untrusted mark=\"{mark}\">"
        )
    }
}

/// What a call brought.
pub(super) fn brought(id: String, text: &str, labels: Labels) -> Entry {
    let text = cut(text.to_owned());
    Entry::Returned { id, text, is_error: false, labels, spend: Spend::default(), held: None }
}

/// A call that was not made, or came to nothing.
pub(super) fn refused(id: String, why: &str) -> Entry {
    let (text, labels) = (cut(why.to_owned()), Labels::NONE);
    Entry::Returned { id, text, is_error: true, labels, spend: Spend::default(), held: None }
}

/// What policy says of something that an agent is about to do: its record, or why it may not.
pub(super) async fn allowed(
    deputy: &dyn Deputy,
    action: Action,
    resource: &Resource,
) -> Result<Result<AuditDraft, String>, EngineError> {
    match deputy.authorise(action, resource).await {
        Ok(audit) => Ok(Ok(audit)),
        Err(Refused::Failed) => Err(undecided()),
        Err(no) => Ok(Err(words(&no))),
    }
}

/// What policy says could not be found out: it is tried again.
pub(super) fn undecided() -> EngineError {
    let why = "a decision could not be made or recorded".to_owned();
    EngineError::Store(StoreError::Unavailable(why))
}

/// Why a call was not allowed.
pub(super) fn words(refused: &Refused) -> String {
    match refused {
        Refused::NotThere => {
            "there is no such thing for whoever you work for, within what they showed".to_owned()
        }
        Refused::Forbidden(why) => why.clone(),
        Refused::Scope(action) => {
            format!("what whoever you work for showed does not have {action}")
        }
        Refused::Failed => "it could not be decided or recorded".to_owned(),
    }
}

/// The texts of an answer; what is no text is named.
fn text_of(result: &Object) -> String {
    let mut texts = vec![];
    for part in result.objects("content").unwrap_or_default() {
        match part.text("type").as_deref() {
            Some("text") => texts.extend(part.text("text")),
            Some("resource") => {
                let resource = part.object("resource").unwrap_or_default();
                let named =
                    || format!("[a resource: {}]", resource.text("uri").unwrap_or_default());
                texts.push(resource.text("text").unwrap_or_else(named));
            }
            Some("resource_link") => {
                texts.push(format!("[a link: {}]", part.text("uri").unwrap_or_default()));
            }
            kind => texts.push(format!("[{}: not shown]", kind.unwrap_or("something"))),
        }
    }
    if texts.is_empty()
        && let Some(structured) = result.raw_of("structuredContent")
    {
        return structured.get().to_owned();
    }
    texts.join("\n")
}

/// At most so much of a text, and a word where there was more.
pub(super) fn cut(mut text: String) -> String {
    if text.len() > RESULT_BYTES_MAX {
        let whole = text.len();
        let mut at = RESULT_BYTES_MAX;
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        text.truncate(at);
        text.push_str(&format!("\n[cut: {whole} bytes in all]"));
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_result_is_told_as_text_and_cut_where_it_is_too_long() {
        let of = |text: &str| text_of(&Object::parse(text).unwrap());
        assert_eq!(
            of(r#"{"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}"#),
            "a\nb"
        );
        assert_eq!(of(r#"{"content": [], "structuredContent": {"n": 1}}"#), r#"{"n": 1}"#);
        let image = r#"{"content": [{"type": "image", "data": "AAAA", "mimeType": "image/png"}]}"#;
        assert_eq!(of(image), "[image: not shown]");
        let resource =
            r#"{"content": [{"type": "resource", "resource": {"uri": "a:b", "text": "c"}}]}"#;
        assert_eq!(of(resource), "c");
        let long = cut("é".repeat(RESULT_BYTES_MAX));
        assert!(long.len() < RESULT_BYTES_MAX + 40 && long.ends_with("bytes in all]"));
    }
}
