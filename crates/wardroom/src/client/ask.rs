//! `wardroom ask`: lets an agent work and tells what it does until it answers.

use super::{
    Api, Exit, Failure, Session, follow,
    http::segment,
    run::{fresh_key, submit},
    talk::Talk,
};
use crate::output::{Output, printable};
use serde::Serialize;
use serde_json::{Map, Value};
use std::sync::Arc;
use wardroom_wire::{
    agents::{AgentDetail, AgentRunStart, StepView},
    api::RunView,
};

/// Let an agent work, and print its answer.
///
/// The answer comes on standard output; what the agent does on the way, on standard error. A question of the
/// agent's is put to you where somebody is there to answer. Ctrl-C once asks for the run to be cancelled, twice leaves it
/// alone. With --json the answer is one JSON object, with every step.
#[derive(Debug, clap::Args)]
pub(crate) struct AskArgs {
    /// The agent's name
    agent: String,
    /// What it is asked
    prompt: String,
    /// A value for one of its variables
    #[arg(long = "var", value_name = "NAME=VALUE", value_parser = given)]
    variables: Vec<(String, String)>,
    /// Only begin: print the run and leave
    #[arg(long)]
    detach: bool,
    /// Your own name for this request: repeating it with the same key runs nothing twice
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
}

pub(super) fn given(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("a variable is name=value")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// What came of it.
#[derive(Debug, Serialize)]
struct Answered {
    run: RunView,
    /// The answer, where there is one.
    answer: Option<String>,
    steps: Vec<StepView>,
}

/// Does it.
pub(crate) async fn run(session: &Session, args: AskArgs) -> Result<Exit, Failure> {
    let api = Arc::new(session.api()?);
    let agent = segment(&args.agent)?;
    let variables = typed(&api, &agent, args.variables).await?;
    let body = AgentRunStart { prompt: args.prompt, variables };
    let key = args.idempotency_key.unwrap_or_else(fresh_key);
    let run = submit(session, &api, &format!("/api/v1/agents/{agent}/runs"), &body, &key).await?;
    let output = &session.output;
    if args.detach {
        if output.json {
            output.json(&run)?;
        } else {
            output.line(&run.id)?;
        }
        return Ok(Exit::Ok);
    }
    output.hint(&format!("run {}", run.id));
    let mut talk = Talk::new(&api, output);
    let steps = tokio::select! {
        steps = talk.follow(&run.id) => steps.map_err(|failure| goes_on(failure, &run.id))?,
        left = follow::interrupted(&api, output, &run.id, true) => return Err(left),
    };
    let over = api.get::<RunView>(&format!("/api/v1/runs/{}", segment(&run.id)?), &vec![]).await;
    let run = over.map_err(|failure| goes_on(failure, &run.id))?;
    finish(output, run, steps, talk.has_said())
}

/// A failure to follow a run that was begun.
pub(super) fn goes_on(failure: Failure, run: &str) -> Failure {
    failure.advice(format!("The run {run} was begun, and goes on: do not ask again."))
}

/// Says how it ended; the answer, where it was not `said` as it came.
pub(super) fn finish(
    output: &Output,
    run: RunView,
    steps: Vec<StepView>,
    said: bool,
) -> Result<Exit, Failure> {
    let last = steps.last().filter(|step| step.ended.as_deref() == Some("answered"));
    let answer = last.and_then(|step| step.text.clone());
    let exit = follow::exit_of(&run);
    if output.json {
        output.json(&Answered { run, answer, steps })?;
        return Ok(exit);
    }
    match &answer {
        Some(_) if said => {}
        Some(text) => output.text(&format!("{}\n", text.trim_end()))?,
        None => {
            let why = steps.last().and_then(|step| step.text.as_ref());
            output.note(&match why {
                Some(why) if steps.last().is_some_and(|step| step.ended.is_some()) => {
                    format!("{}: {}", follow::ending(&run), printable(why))
                }
                _ => follow::ending(&run),
            });
        }
    }
    Ok(exit)
}

/// Values of the types that the agent's variables have.
pub(super) async fn typed(
    api: &Api,
    agent: &str,
    given: Vec<(String, String)>,
) -> Result<Map<String, Value>, Failure> {
    if given.is_empty() {
        return Ok(Map::new());
    }
    let detail: AgentDetail = api.get(&format!("/api/v1/agents/{agent}"), &vec![]).await?;
    let kind = |name: &str| detail.definition.pointer(&format!("/variables/{name}/type")).cloned();
    let value = |(name, text): (String, String)| {
        let is_text = kind(&name).is_none_or(|kind| kind == "string");
        let value = match serde_json::from_str::<Value>(&text) {
            Ok(value) if !is_text => value,
            _ => Value::String(text),
        };
        (name, value)
    };
    Ok(given.into_iter().map(value).collect())
}
