//! `wardroom ask`: lets an agent work and tells what it does until it answers.

use super::{
    Api, Exit, Failure, Session, follow,
    http::segment,
    run::{fresh_key, submit},
    watch::Watch,
};
use crate::output::{Output, Progress, asked, printable};
use serde::Serialize;
use serde_json::{Map, Value};
use std::{io::IsTerminal as _, sync::Arc, time::Duration};
use wardroom_wire::{
    agents::{AgentDetail, AgentRunStart, RunAnswer, StepView, StepsPage},
    api::RunView,
};

/// What of a result is told on the way, in characters.
const GLANCE_CHARS: usize = 160;
/// How often an answer is given that the run does not wait for yet, and the pause between.
const ANSWER_TRIES_MAX: u32 = 20;
const ANSWER_PAUSE: Duration = Duration::from_secs(1);

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

fn given(text: &str) -> Result<(String, String), String> {
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
    let steps = tokio::select! {
        steps = until_over(&api, output, &run.id) => steps.map_err(|failure| goes_on(failure, &run.id))?,
        left = follow::interrupted(&api, output, &run.id, true) => return Err(left),
    };
    let over = api.get::<RunView>(&format!("/api/v1/runs/{}", segment(&run.id)?), &vec![]).await;
    let run = over.map_err(|failure| goes_on(failure, &run.id))?;
    finish(output, run, steps)
}

/// A failure to follow a run that was begun.
fn goes_on(failure: Failure, run: &str) -> Failure {
    failure.advice(format!("The run {run} was begun, and goes on: do not ask again."))
}

fn finish(output: &Output, run: RunView, steps: Vec<StepView>) -> Result<Exit, Failure> {
    let last = steps.last().filter(|step| step.ended.as_deref() == Some("answered"));
    let answer = last.and_then(|step| step.text.clone());
    let exit = follow::exit_of(&run);
    if output.json {
        output.json(&Answered { run, answer, steps })?;
        return Ok(exit);
    }
    match &answer {
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

/// All steps of a run, told as they come.
async fn until_over(api: &Arc<Api>, output: &Output, id: &str) -> Result<Vec<StepView>, Failure> {
    let path = format!("/api/v1/runs/{}/steps", segment(id)?);
    let mut watch = Watch::start(api, vec![id.to_owned()]).await;
    let mut progress = Progress::new(output);
    let mut patience = follow::Patience::default();
    let mut all: Vec<StepView> = vec![];
    loop {
        let after = all.last().map(|step| ("after", step.seq.to_string()));
        let query = after.into_iter().collect();
        let ask = async |api: &Arc<Api>| api.get::<StepsPage>(&path, &query).await;
        let mut told = |what: &str| progress.show(&format!("\u{2026} {what}; trying again"));
        let page = patience.ask(api, &mut told, ask).await?;
        let is_new = !page.items.is_empty();
        for step in page.items {
            progress.clear();
            if !output.json || step.kind == "waits" {
                tell(output, id, &step);
            }
            if let Some(text) = answers(output, &step).await? {
                answer(api, id, &step, text).await?;
            }
            all.push(step);
        }
        if page.complete {
            progress.clear();
            return Ok(all);
        }
        if is_new {
            watch.progressed();
            continue;
        }
        progress.show("\u{2026} it works");
        watch.wait().await;
    }
}

/// Says what the agent does.
fn tell(output: &Output, run: &str, step: &StepView) {
    let glance = |text: &str| {
        let line: String =
            text.chars().map(|c| if c == '\n' { ' ' } else { c }).take(GLANCE_CHARS).collect();
        printable(&line).into_owned()
    };
    let text = step.text.as_deref().unwrap_or_default();
    let call = printable(step.call.as_deref().unwrap_or_default());
    match step.kind.as_str() {
        "answered" => {
            for call in &step.calls {
                let arguments = Value::Object(call.arguments.clone()).to_string();
                output.note(&format!("calls {} {}", printable(&call.name), glance(&arguments)));
            }
        }
        "returned" if step.is_error == Some(true) => {
            output.note(&format!("it failed: {}", glance(text)))
        }
        "returned" => output.note(&format!("it gave back: {}", glance(text))),
        "waits" => match step.waits_for.as_deref() {
            Some("consent") => output.note(&format!(
                "it waits for a person's approval: `wardroom approval show {}`",
                step.approval.as_deref().unwrap_or_default()
            )),
            Some("doubt") => output.note(&format!(
                "nobody knows what came of a call: look, and say it with `wardroom runs answer {run} {call} \"\u{2026}\"`"
            )),
            Some("run") => output.note(&format!(
                "it waits for the run {}",
                step.run.as_deref().unwrap_or_default()
            )),
            Some("answer") if output.json || !std::io::stdin().is_terminal() => output.note(&format!(
                "it asks: {} \u{2014} answer with `wardroom runs answer {run} {call} \"\u{2026}\"`",
                glance(text)
            )),
            _ => {}
        },
        _ => {}
    }
}

/// What the person at the terminal says to a question.
async fn answers(output: &Output, step: &StepView) -> Result<Option<String>, Failure> {
    let asks = step.kind == "waits" && step.waits_for.as_deref() == Some("answer");
    if !asks || output.json || !std::io::stdin().is_terminal() {
        return Ok(None);
    }
    let question = printable(step.text.as_deref().unwrap_or_default()).into_owned();
    let question = format!("{question} ");
    // Beside what listens for Ctrl-C.
    let said = tokio::task::spawn_blocking(move || asked(&question)).await;
    let said = said.map_err(|error| Failure::local(error.to_string()))??;
    Ok(Some(said).filter(|said| !said.trim().is_empty()))
}

async fn answer(api: &Api, run: &str, step: &StepView, text: String) -> Result<(), Failure> {
    let call = step.call.clone().unwrap_or_default();
    let body = RunAnswer { call, text: Some(text), again: false };
    let path = format!("/api/v1/runs/{}/answers", segment(run)?);
    let mut tries = 1;
    loop {
        match api.post::<RunView>(&path, &body).await {
            Ok(_) => return Ok(()),
            // Calls beside it are still under way, or somebody answered it elsewhere.
            Err(failure) if failure.exit == Exit::Conflict && tries < ANSWER_TRIES_MAX => {
                tries += 1;
                tokio::time::sleep(ANSWER_PAUSE).await;
            }
            Err(failure) => return Err(failure),
        }
    }
}

/// Values of the types that the agent's variables have.
async fn typed(
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
