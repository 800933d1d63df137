//! What an agent gives to others: a command to a node, a task to another agent. Each is a run of its own, which the agent's
//! run waits for.

use super::{
    book::ENTRIES_TOGETHER_MAX,
    calls::{allowed, refused, undecided, words},
    deputy::Deputy,
    driver::Worker,
    start::{AgentStart, Parent},
    toolbox::Placing,
};
use crate::{
    EngineError,
    runs::{Asked, Submission, sentence},
};
use serde_json::{Map, Value};
use std::{collections::BTreeMap, sync::Arc};
use wardroom_core::{
    Action, RunId,
    action::Resource,
    agent::{Deed, Limits},
    approval::Wanted,
    audit::AuditDraft,
    command::{ParameterValue, Parameters},
    model::Spend,
    node::Node,
    run::{PRIORITY_DEFAULT, RetryPolicy, Run, RunState, Target, Within},
    steps::{Awaited, Ended, Entry, Labels, Steps},
};
use wardroom_gateway::door::Refused;

/// What of a command's output a model is told, in bytes.
const OUTPUT_BYTES_MAX: u64 = 64 * 1024;

impl Worker {
    /// Gives a command to a node.
    pub(super) async fn command(
        &self,
        id: String,
        (command, place): (&str, &Placing),
        arguments: Value,
        deputy: &dyn Deputy,
    ) -> Result<Entry, EngineError> {
        let parameters = match values(arguments) {
            Ok(parameters) => parameters,
            Err(why) => return Ok(refused(id, &why)),
        };
        let (asked, audit, wanted) = match self.place(command, place, deputy).await? {
            Ok(placed) => placed,
            Err(why) => return Ok(refused(id, &why)),
        };
        let submission = Submission {
            user: self.run.submitted_by,
            command: command.to_owned(),
            asked,
            parameters,
            deadline: None,
            retry: RetryPolicy::default(),
            priority: PRIORITY_DEFAULT,
            idempotency_key: Some(self.key(&id)),
            replay_of: None,
            secret: Default::default(),
            named: BTreeMap::new(),
            request: None,
            wanted,
            parent: Some(self.run.id),
        };
        match self.engine.submit(submission, audit).await {
            Ok(run) => Ok(Entry::Waits { id, on: Awaited::Run { run: run.id } }),
            Err(EngineError::Store(error)) => Err(error.into()),
            Err(error) => Ok(refused(id, &told(&error))),
        }
    }

    /// Where a command may go, by what policy says of each node.
    async fn place(
        &self,
        command: &str,
        place: &Placing,
        deputy: &dyn Deputy,
    ) -> Result<Result<(Asked, AuditDraft, Option<Wanted>), String>, EngineError> {
        let mut fit: Vec<(Node, AuditDraft, Option<Wanted>)> = vec![];
        let mut denied = None;
        for node in self.nodes().await? {
            let meant = match place {
                Placing::Node(name) => node.name == *name,
                Placing::Labels(labels) => labels.matches(&node.labels),
            };
            if !meant || node.catalogue.command(command).is_none() {
                continue;
            }
            match deputy.authorise_command(&Resource::command(&node, command)).await {
                Ok(allowed) => fit.push((node, allowed.audit, allowed.wanted)),
                Err(Refused::Failed) => return Err(undecided()),
                Err(no) => denied = Some(words(&no)),
            }
        }
        // One of them that takes consent makes all of them wait for it.
        let wanted = fit.iter().find_map(|(.., wanted)| wanted.clone());
        let nodes: Vec<Node> = fit.iter().map(|(node, ..)| node.clone()).collect();
        let Some((first, audit, _)) = fit.into_iter().next() else {
            let none = || format!("no machine offers the command {command} at the moment");
            return Ok(Err(denied.unwrap_or_else(none)));
        };
        let asked = match place {
            Placing::Node(_) => Asked::Node(Box::new(first)),
            Placing::Labels(labels) => Asked::OneOf(labels.clone(), nodes),
        };
        Ok(Ok((asked, audit, wanted)))
    }

    /// Gives a task to another agent.
    pub(super) async fn other_agent(
        &self,
        id: String,
        name: &str,
        arguments: &Value,
        deputy: &dyn Deputy,
    ) -> Result<Entry, EngineError> {
        let Some(work) = &self.run.work else { return Ok(refused(id, "this run is no agent's")) };
        let limits = work.bound(self.agent.definition.limits);
        if limits.depth_max == 0 {
            let why = "agents may not start agents any further down from here: do it yourself";
            return Ok(refused(id, why));
        }
        let audit = match allowed(deputy, Action::AgentRun, &Resource::agent(name)).await? {
            Ok(audit) => audit,
            Err(why) => return Ok(refused(id, &why)),
        };
        let Some(agent) = self.engine.store.lookup_agent(name).await? else {
            return Ok(refused(id, "there is no such agent any more"));
        };
        let within = self.share(limits, limits.depth_max - 1);
        let text = |name: &str| arguments.get(name).and_then(Value::as_str).unwrap_or_default();
        let variables = arguments.get("variables").and_then(Value::as_object);
        let start = AgentStart {
            talk: None,
            user: self.run.submitted_by,
            agent: Arc::new(agent),
            prompt: text("task").to_owned(),
            variables: variables.cloned().unwrap_or_default(),
            authority: work.authority.clone(),
            idempotency_key: Some(self.key(&id)),
            parent: Some(Parent {
                run: self.run.id,
                depth: work.depth,
                seen: self.book().steps.labels(),
                within,
            }),
            reading: None,
        };
        self.start_child(id, start, audit).await
    }

    /// What one of several runs that are started at once may take.
    pub(super) fn share(&self, limits: Limits, depth: u32) -> Within {
        let left = self.book().steps.room().left;
        let parts = u64::from(limits.parallel_max.max(1));
        let spend = Spend { tokens: left.tokens / parts, cost_micros: left.cost_micros / parts };
        Within { depth, spend }
    }

    /// Lets an agent work for this one, which waits for it.
    pub(super) async fn start_child(
        &self,
        id: String,
        start: AgentStart,
        audit: AuditDraft,
    ) -> Result<Entry, EngineError> {
        match self.engine.start_agent(start, audit.detail("parent", self.run.id)).await {
            Ok(run) => Ok(Entry::Waits { id, on: Awaited::Run { run: run.id } }),
            Err(EngineError::Store(error)) => Err(error.into()),
            Err(error) => Ok(refused(id, &told(&error))),
        }
    }

    /// By which a call that is made again finds the run that it made the first time.
    pub(super) fn key(&self, id: &str) -> String {
        let steps = self.book().steps.used().steps;
        let digest = wardroom_core::digest::sha256_hex(id.as_bytes());
        let digest: String = digest.chars().take(24).collect();
        format!("{}-{steps}-{digest}", self.run.id)
    }

    /// What came of a run that a call waited for.
    pub(super) async fn came_of(
        &self,
        id: String,
        run: RunId,
        does: &[Deed],
    ) -> Result<Entry, EngineError> {
        let Some(child) = self.engine.store.lookup_run(run).await? else {
            return Ok(refused(id, "its run is not there any more"));
        };
        let is_error = child.state != RunState::Succeeded;
        let (text, labels, spend) = match child.target {
            Target::Here {} => {
                let answer = self.answer_of(&child).await?;
                match answer.steps.reading() {
                    Some(reading) => return self.was_read(id, reading, &answer).await,
                    None => (answer.text, answer.steps.labels(), answer.steps.used().spend),
                }
            }
            _ => (self.output_of(&child).await?, Labels::NONE.with(does), Spend::default()),
        };
        self.came_back((id, &child.command), text, is_error, (labels, spend)).await
    }

    /// What a command printed, and how it ended.
    async fn output_of(&self, run: &Run) -> Result<String, EngineError> {
        let chunks = self.engine.store.list_output(run.id, (0, 0), OUTPUT_BYTES_MAX).await?;
        let chunks = self.engine.open_output(run, chunks).await?;
        let bytes: Vec<u8> = chunks.into_iter().flat_map(|chunk| chunk.bytes).collect();
        let end = run.outcome.as_ref().map(sentence).unwrap_or_default();
        Ok(format!("{}\n[{end}]", String::from_utf8_lossy(&bytes).trim_end()))
    }

    /// What an agent answered, with what it has seen and what it took.
    async fn answer_of(&self, run: &Run) -> Result<ChildAnswer, EngineError> {
        let (mut next, mut steps) = (Some(0), Steps::new(Limits::default()));
        while let Some(from) = next {
            let page = self.engine.list_steps(run, from, ENTRIES_TOGETHER_MAX).await?;
            next = page.next;
            page.items.iter().try_for_each(|step| steps.apply(&step.entry))?;
        }
        let text = match steps.ended() {
            Some(Ended::Answered { text } | Ended::Refused { text }) => text.clone(),
            Some(Ended::Failed { detail, .. }) => detail.clone(),
            _ => run.outcome.as_ref().map(sentence).unwrap_or_default(),
        };
        Ok(ChildAnswer { text, steps })
    }
}

/// What an agent answered that worked for another.
pub(super) struct ChildAnswer {
    pub(super) text: String,
    pub(super) steps: Steps,
}

fn values(arguments: Value) -> Result<Parameters, String> {
    let members: Map<String, Value> = match arguments {
        Value::Object(members) => members,
        _ => return Err("the arguments must be an object".to_owned()),
    };
    members
        .into_iter()
        .map(|(name, value)| match serde_json::from_value::<ParameterValue>(value) {
            Ok(value) => Ok((name, value)),
            Err(_) => Err(format!("{name} must be a text, a whole number or a boolean")),
        })
        .collect()
}

/// Why something was not begun, for a model that can mend it.
fn told(error: &EngineError) -> String {
    fn lines(wrong: &[impl ToString]) -> String {
        wrong.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    }
    match error {
        EngineError::Parameters(wrong) => lines(wrong),
        EngineError::Fields(wrong) => lines(wrong),
        error => error.to_string(),
    }
}
