//! A look at a tool server: what it says of itself, and how it describes its tools now. What nobody accepted so is
//! kept apart until a person has seen the difference.

use super::{
    Health, Known, Registry,
    known::{nameless_digest, seen},
};
use crate::{
    rpc::Object,
    upstream::{Ask, Event, Facts, Failure, Listening},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, PoisonError},
    time::Duration,
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use wardroom_core::{
    Origin, Principal, UserId,
    audit::{AuditDraft, AuditOutcome},
    change::{Change, Write},
    hint::Hint,
    store::StoreError,
    tool::toolbox::{SeenTool, TOOLS_MAX, Tool, ToolState},
};

/// How long a look may take.
const LOOK_TIME: Duration = Duration::from_secs(30);
/// What one list may hold, in bytes.
const LIST_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Pages of one list.
const PAGES_MAX: usize = 100;

/// What a look found.
#[derive(Debug)]
pub struct Look {
    /// What the server says of itself.
    pub facts: Facts,
    /// Definitions that are none, in words.
    pub unusable: Vec<String>,
    /// Whether tools are there that nobody accepted as they are.
    pub waiting: usize,
}

impl Registry {
    /// Looks at a server. What it finds is kept, and so is that it found nothing.
    pub async fn look(&self, known: &Arc<Known>) -> Result<Look, Failure> {
        let _one_at_a_time = known.looking.lock().await;
        let found = match tokio::time::timeout(LOOK_TIME, self.look_now(known)).await {
            Ok(found) => found,
            Err(_) => Err(Failure::TimedOut(LOOK_TIME)),
        };
        let mut health = known.health.lock().unwrap_or_else(PoisonError::into_inner);
        health.at = Some(self.parts.clock.now());
        match &found {
            Ok(look) => {
                *health =
                    Health { facts: Some(look.facts.clone()), problem: None, ..health.clone() };
            }
            Err(failure) => health.problem = Some(failure.to_string()),
        }
        found
    }

    async fn look_now(&self, known: &Known) -> Result<Look, Failure> {
        let at = self.parts.clock.now();
        let facts = known.upstream.facts().await?;
        let listed = match facts.capabilities.has("tools") {
            true => list(known, None, "tools/list", "tools", TOOLS_MAX).await?,
            false => vec![],
        };
        let mut tools: Vec<SeenTool> = vec![];
        let mut unusable = vec![];
        for definition in &listed {
            match seen(definition) {
                Ok(tool) if tools.iter().any(|other| other.name == tool.name) => {
                    unusable.push(format!("{:?} is there twice", tool.name));
                }
                Ok(tool) => tools.push(tool),
                Err(why) => unusable.push(why),
            }
        }
        let id = known.upstream.server.id;
        let before = self.parts.store.list_tools(id).await.map_err(stored)?;
        mark_renamed(&mut tools, &before);
        mark_shadows(&mut tools, known, self);
        if differs(&tools, &before) {
            let change = self.change(known, tools.clone(), &before, at);
            self.commit(change).await.map_err(stored)?;
            self.reload_tools(known).await.map_err(stored)?;
        }
        let accepted = known.tools();
        let waiting = tools.iter().filter(|tool| !accepted.contains_key(&tool.name)).count();
        Ok(Look { facts, unusable, waiting })
    }

    /// What is found, with its record: a definition that changed is an event that somebody should look at.
    fn change(
        &self,
        known: &Known,
        tools: Vec<SeenTool>,
        before: &[Tool],
        at: wardroom_core::Timestamp,
    ) -> Change {
        let (mut new, mut changed) = (vec![], vec![]);
        for tool in &tools {
            match before.iter().find(|before| before.name == tool.name) {
                None => new.push(tool.name.as_str()),
                // What was found before, and waits, is no news.
                Some(Tool { accepted: Some(accepted), seen: last, .. })
                    if accepted.definition.digest != tool.definition.digest
                        && last
                            .as_ref()
                            .is_none_or(|last| last.digest != tool.definition.digest) =>
                {
                    changed.push(tool.name.as_str());
                }
                Some(_) => {}
            }
        }
        let gone: Vec<&str> = before
            .iter()
            .filter(|tool| tool.seen.is_some() && !tools.iter().any(|now| now.name == tool.name))
            .map(|tool| tool.name.as_str())
            .collect();
        let mut audit = AuditDraft::event(
            "tool_server.seen",
            &Principal::System,
            &Origin::INTERNAL,
            self.parts.clock.now(),
        )
        .on(known.name())
        .detail("tools", tools.len());
        for (key, names) in [("new", new), ("changed", changed), ("gone", gone)] {
            if !names.is_empty() {
                audit = audit.detail(key, names.join(","));
                if key == "changed" {
                    let why = "tools are described otherwise than they were accepted: they are kept apart";
                    audit = audit.outcome(AuditOutcome::Refused, why);
                }
            }
        }
        let server = known.upstream.server.id;
        Change::recorded(audit).write(Write::SeeTools { server, tools, at }).hint(Hint::Tools)
    }
}

/// Everything that a server lists, page by page.
pub(crate) async fn list(
    known: &Known,
    person: Option<UserId>,
    method: &str,
    member: &str,
    most: usize,
) -> Result<Vec<Object>, Failure> {
    let (events, mut ignored) = mpsc::channel::<Event>(8);
    // Nobody is there to be told or asked.
    let draining = tokio::spawn(async move { while ignored.recv().await.is_some() {} });
    let listening = Listening { events, cancel: CancellationToken::new(), pace: Arc::default() };
    let mut found = vec![];
    let mut cursor: Option<String> = None;
    let mut met = BTreeSet::new();
    let mut bytes = 0;
    for _ in 0..PAGES_MAX {
        let mut params = Object::default();
        if let Some(cursor) = &cursor {
            params.set("cursor", cursor);
        }
        let ask = Ask {
            method: method.to_owned(),
            params,
            idempotent: true,
            time: LOOK_TIME,
            person,
            ..Ask::default()
        };
        let page = known.upstream.ask(&ask, &listening).await?;
        bytes += page.raw().get().len();
        if bytes > LIST_BYTES_MAX {
            return Err(Failure::Unreachable(format!(
                "its {member} are longer than {LIST_BYTES_MAX} bytes"
            )));
        }
        let odd = || Failure::Unreachable(format!("its answer to {method} has no {member}"));
        found.extend(page.objects(member).ok_or_else(odd)?);
        if found.len() > most {
            return Err(Failure::Unreachable(format!("it lists more than {most} {member}")));
        }
        cursor = page.text("nextCursor");
        // A server that leads in a circle would be followed for ever.
        match &cursor {
            Some(next) if met.insert(next.clone()) => {}
            _ => break,
        }
    }
    draining.abort();
    Ok(found)
}

fn stored(error: StoreError) -> Failure {
    Failure::Internal(error.to_string())
}

fn differs(tools: &[SeenTool], before: &[Tool]) -> bool {
    let now: BTreeMap<&str, (&[u8; 32], &[String])> = tools
        .iter()
        .map(|tool| (tool.name.as_str(), (&tool.definition.digest, tool.warnings.as_slice())))
        .collect();
    let known: BTreeMap<&str, (&[u8; 32], &[String])> = before
        .iter()
        .filter_map(|tool| {
            Some((tool.name.as_str(), (&tool.seen.as_ref()?.digest, tool.warnings.as_slice())))
        })
        .collect();
    now != known
}

/// A tool under another name that is described as one that is gone.
fn mark_renamed(tools: &mut [SeenTool], before: &[Tool]) {
    let names: BTreeSet<String> = tools.iter().map(|tool| tool.name.clone()).collect();
    let gone: Vec<(&str, [u8; 32])> = before
        .iter()
        .filter(|tool| !names.contains(&tool.name))
        .filter_map(|tool| {
            let text = &tool.accepted.as_ref()?.definition.text;
            Some((tool.name.as_str(), nameless_digest(text)?))
        })
        .collect();
    for tool in tools {
        if before
            .iter()
            .any(|known| known.name == tool.name && known.state() == ToolState::Accepted)
        {
            continue;
        }
        let own = nameless_digest(&tool.definition.text);
        if let Some((name, _)) = gone.iter().find(|(_, digest)| Some(*digest) == own) {
            tool.warnings.push(format!("it is described as {name:?} was, which is gone"));
        }
    }
}

/// A tool whose name another server has given to one that was accepted.
fn mark_shadows(tools: &mut [SeenTool], known: &Known, registry: &Registry) {
    for other in registry.servers() {
        if other.name() == known.name() {
            continue;
        }
        let theirs = other.tools();
        for tool in tools.iter_mut().filter(|tool| theirs.contains_key(&tool.name)) {
            let own = known.tools();
            // Once a person accepted both, they know.
            if !own.contains_key(&tool.name) {
                tool.warnings.push(format!("{:?} has a tool of this name too", other.name()));
            }
        }
    }
}
