//! `wardroom runs …`

use super::{
    Api, Exit, Failure, Session, follow,
    http::{Query, segment},
    names::Names,
    run::finish,
    values,
};
use crate::output::{Table, TextStream, bytes, duration, pairs};
use std::{sync::Arc, time::Duration};
use wardroom_core::{Timestamp, run::RunState};
use wardroom_wire::{
    agents::{RunAnswer, StepView, StepsPage},
    api::{OutputPage, RunView},
};

/// What can be done with runs.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum RunsCommand {
    /// List runs, newest first
    List(ListArgs),
    /// Show a run
    Show {
        /// The run
        id: String,
    },
    /// Print what a run has printed
    Output {
        /// The run
        id: String,
        /// Go on until the run ends
        #[arg(long, short)]
        follow: bool,
        /// Give a terminal escape sequences as they are
        #[arg(long)]
        raw: bool,
    },
    /// Print what an agent did in a run
    Steps {
        /// The run
        id: String,
    },
    /// Answer what an agent asks, or say what became of a call of which nobody knows
    Answer {
        /// The run
        id: String,
        /// The call that waits, as the run's steps name it
        call: String,
        /// The answer
        #[arg(required_unless_present = "again")]
        text: Option<String>,
        /// Make the call again
        #[arg(long, conflicts_with = "text")]
        again: bool,
    },
    /// Stop a run
    Cancel {
        /// The run
        id: String,
    },
    /// Submit a run that ended without success anew
    Replay {
        /// The run
        id: String,
    },
    /// Wait until a run is over; the exit code tells how it ended
    Wait {
        /// The run
        id: String,
        /// Give up after this, such as 10m
        #[arg(long, value_parser = values::duration, value_name = "TIME")]
        timeout: Option<Duration>,
    },
}

/// Which runs are wanted.
#[derive(Debug, clap::Args)]
pub(crate) struct ListArgs {
    /// In this state: awaiting_approval, awaiting_input, queued, leased, running, retrying, succeeded, failed, cancelled, timed_out, interrupted
    #[arg(long)]
    state: Option<RunState>,
    /// On this node, by name or id
    #[arg(long)]
    node: Option<String>,
    /// Of this command
    #[arg(long)]
    command: Option<String>,
    /// Only those that ended in a way that somebody should look at
    #[arg(long)]
    dead_letter: bool,
    /// Only your own
    #[arg(long)]
    mine: bool,
    /// The parts of this run
    #[arg(long)]
    parent: Option<String>,
    /// At most so many
    #[arg(long, default_value_t = 50)]
    limit: u32,
    /// Go on behind this one, as `next` of a list said
    #[arg(long)]
    after: Option<String>,
}

/// Does it.
pub(crate) async fn run(session: &Session, command: RunsCommand) -> Result<Exit, Failure> {
    let api = Arc::new(session.api()?);
    match command {
        RunsCommand::List(args) => list(session, &api, args).await,
        RunsCommand::Show { id } => {
            let run: RunView = api.get(&path(&id, "")?, &vec![]).await?;
            show(session, &api, &run).await
        }
        RunsCommand::Output { id, follow: false, raw } => {
            let run: RunView = api.get(&path(&id, "")?, &vec![]).await?;
            hint_parts(session, &run);
            print_output(session, &api, &id, raw).await
        }
        RunsCommand::Output { id, follow: true, raw } => {
            let run: RunView = api.get(&path(&id, "")?, &vec![]).await?;
            let options = follow::Options { raw, show: true, cancels: false, timeout: None };
            let run = follow::follow(&api, &session.output, run, options).await?;
            finish(session, &run)
        }
        RunsCommand::Steps { id } => steps(session, &api, &id).await,
        RunsCommand::Answer { id, call, text, again } => {
            let body = RunAnswer { call, text, again };
            let run: RunView = api.post(&path(&id, "/answers")?, &body).await?;
            acted(session, &run, "answered")
        }
        RunsCommand::Cancel { id } => {
            let run: RunView = api.act(&path(&id, "/cancel")?, None).await?;
            let said = if run.terminal { run.state.clone() } else { "asked to stop".to_owned() };
            acted(session, &run, &said)
        }
        RunsCommand::Replay { id } => {
            let run: RunView = api.act(&path(&id, "/replay")?, None).await?;
            acted(session, &run, &format!("{}, repeats {id}", run.state))
        }
        RunsCommand::Wait { id, timeout } => {
            let run: RunView = api.get(&path(&id, "")?, &vec![]).await?;
            let options = follow::Options { raw: false, show: false, cancels: false, timeout };
            let run = follow::follow(&api, &session.output, run, options).await?;
            finish(session, &run)
        }
    }
}

async fn steps(session: &Session, api: &Api, id: &str) -> Result<Exit, Failure> {
    let (path, mut all) = (path(id, "/steps")?, Vec::<StepView>::new());
    loop {
        let after = all.last().map(|step| ("after", step.seq.to_string()));
        let page: StepsPage = api.get(&path, &after.into_iter().collect()).await?;
        let is_last = page.items.is_empty();
        all.extend(page.items);
        if is_last || page.complete {
            break;
        }
    }
    let output = &session.output;
    if output.json {
        output.json(&all)?;
        return Ok(Exit::Ok);
    }
    let mut table = Table::new(&["", "WHEN", "WHAT", "CALL", ""]);
    for step in &all {
        let calls = step.calls.iter().map(|call| {
            format!("{} {}", call.name, serde_json::Value::Object(call.arguments.clone()))
        });
        let mut words: Vec<String> = calls.collect();
        words.extend(step.waits_for.iter().map(|waits| format!("for: {waits}")));
        words.extend(step.text.clone().filter(|text| !text.is_empty()));
        let (seq, at) = (step.seq.to_string(), output.time(&step.at));
        let call = step.call.clone().unwrap_or_default();
        table.row([seq, at, step.kind.clone(), call, words.join(" ").replace('\n', " ")]);
    }
    output.table(&table)?;
    Ok(Exit::Ok)
}

fn path(id: &str, then: &str) -> Result<String, Failure> {
    Ok(format!("/api/v1/runs/{}{then}", segment(id)?))
}

fn acted(session: &Session, run: &RunView, said: &str) -> Result<Exit, Failure> {
    if session.output.json {
        session.output.json(run)?;
    } else {
        session.output.line(&format!("{} {said}", run.id))?;
    }
    Ok(Exit::Ok)
}

async fn list(session: &Session, api: &Api, args: ListArgs) -> Result<Exit, Failure> {
    let mut query = Query::new();
    query.extend(args.state.map(|state| ("state", state.to_string())));
    query.extend(args.node.map(|node| ("node", node)));
    query.extend(args.command.map(|command| ("command", command)));
    query.extend(args.parent.map(|parent| ("parent", parent)));
    query.extend(args.dead_letter.then(|| ("dead_letter", "true".to_owned())));
    query.extend(args.mine.then(|| ("mine", "true".to_owned())));
    let runs = api.list::<RunView>("/api/v1/runs", &query, args.limit, args.after).await?;
    let output = &session.output;
    if output.json {
        output.json(&runs)?;
        return Ok(Exit::Ok);
    }
    let names = Names::of(api, runs.items.iter().filter_map(|run| run.node.as_ref())).await;
    let mut table =
        Table::new(&["RUN", "STATE", "COMMAND", "NODE", "SUBMITTED", "TOOK", "OUTCOME"]);
    for run in &runs.items {
        table.row([
            run.id.clone(),
            run.state.clone(),
            run.command.clone(),
            place(run, &names),
            output.time(&run.queued_at),
            took(run).map_or_else(String::new, duration),
            run.outcome.as_ref().map_or_else(String::new, |outcome| outcome.message.clone()),
        ]);
    }
    if table.is_empty() {
        output.hint("no runs");
    } else {
        output.table(&table)?;
    }
    if let Some(next) = &runs.next {
        output.hint(&format!("There are more: --after {next}"));
    }
    Ok(Exit::Ok)
}

fn place(run: &RunView, names: &Names) -> String {
    let node = run.node.as_ref().map(|id| names.name(id));
    let all = if run.all { "all of " } else { "" };
    node.or_else(|| run.labels.as_ref().map(|labels| format!("{all}{labels}"))).unwrap_or_default()
}

/// From the program's start, or else the submission, to the end.
fn took(run: &RunView) -> Option<Duration> {
    let from: Timestamp = run.started_at.as_ref().unwrap_or(&run.queued_at).parse().ok()?;
    let to: Timestamp = run.finished_at.as_ref()?.parse().ok()?;
    Some(to.since(from))
}

async fn show(session: &Session, api: &Api, run: &RunView) -> Result<Exit, Failure> {
    let output = &session.output;
    if output.json {
        output.json(run)?;
        return Ok(Exit::Ok);
    }
    let names = Names::of(api, run.node.iter().chain([&run.submitted_by])).await;
    let mut rows = vec![
        ("run".to_owned(), run.id.clone()),
        (
            "state".into(),
            if run.dead_letter {
                format!("{} (dead letter)", run.state)
            } else {
                run.state.clone()
            },
        ),
        ("command".into(), run.command.clone()),
    ];
    for (name, value) in &run.parameters {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        rows.push((format!("  {name}"), text));
    }
    rows.extend([
        ("node".into(), place(run, &names)),
        ("submitted by".into(), names.name(&run.submitted_by)),
        ("attempt".into(), format!("{} of {}", run.attempt, run.attempts_max)),
        ("priority".into(), run.priority.to_string()),
        ("idempotent".into(), if run.idempotent { "yes" } else { "no" }.to_owned()),
        ("submitted".into(), output.time(&run.queued_at)),
        ("started".into(), output.time_or(run.started_at.as_ref())),
        ("finished".into(), output.time_or(run.finished_at.as_ref())),
    ]);
    let optional = [
        ("deadline", run.deadline.as_ref().map(|at| output.time(at))),
        (
            "next attempt",
            run.not_before.as_ref().filter(|_| !run.terminal).map(|at| output.time(at)),
        ),
        ("cancel asked for", run.cancel_requested_at.as_ref().map(|at| output.time(at))),
        ("part of", run.parent.clone()),
        ("repeats", run.replay_of.clone()),
        ("took", took(run).map(duration)),
    ];
    rows.extend(optional.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
    if let Some(outcome) = &run.outcome {
        rows.push(("outcome".into(), outcome.message.clone()));
        rows.extend(outcome.exit_code.map(|code| ("exit code".into(), code.to_string())));
        rows.push(("processor time".into(), duration(Duration::from_millis(outcome.cpu_ms))));
        rows.push(("memory peak".into(), bytes(outcome.memory_peak_bytes)));
        rows.push(("output".into(), bytes(outcome.output_bytes)));
    }
    output.table(&pairs(rows))?;
    hint_parts(session, run);
    Ok(Exit::Ok)
}

/// A run on every node has its output and its ends in its parts.
fn hint_parts(session: &Session, run: &RunView) {
    if run.all {
        let id = &run.id;
        session
            .output
            .hint(&format!("It has a part for each node: wardroom runs list --parent {id}"));
    }
}

/// All output that is there now.
async fn print_output(session: &Session, api: &Api, id: &str, raw: bool) -> Result<Exit, Failure> {
    let output = &session.output;
    let (mut out, mut err) = (TextStream::default(), TextStream::default());
    let mut query = Query::new();
    loop {
        let page: OutputPage = api.get(&path(id, "/output")?, &query).await?;
        for chunk in &page.chunks {
            if output.json {
                output.json_line(chunk)?;
            } else {
                follow::print(output, chunk, raw, &mut out, &mut err)?;
            }
        }
        if page.chunks.is_empty() {
            output.write(crate::output::Sink::Out, out.finish().as_bytes())?;
            output.write(crate::output::Sink::Err, err.finish().as_bytes())?;
            return Ok(Exit::Ok);
        }
        query = vec![("after", page.next)];
    }
}
