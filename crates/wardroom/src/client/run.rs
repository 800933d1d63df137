//! `wardroom run`

use super::{Api, Exit, Failure, Session, follow, parameters, values};
use crate::output::Progress;
use std::{sync::Arc, time::Duration};
use tokio::time::sleep;
use wardroom_core::{Rng, node::Selector};
use wardroom_trust::ambient::SystemRng;
use wardroom_wire::api::{RunSubmit, RunView};

/// How often a submission is tried when the orchestrator does not answer. SECURITY: repeating is safe
/// because each carries the same idempotency key.
const SUBMIT_TRIES_MAX: u32 = 4;
/// The pause between them.
const SUBMIT_PAUSE: Duration = Duration::from_millis(500);

/// Run a command on a node.
///
/// With --follow the run's output comes on standard output and standard error, byte for byte as it was
/// printed; a terminal gets it without control characters unless --raw is given. Ctrl-C once asks for
/// the run to be cancelled, twice leaves it alone. With --json each piece of output is a line of JSON
/// and the last line is the run.
#[derive(Debug, clap::Args)]
pub(crate) struct RunArgs {
    /// The command's name in the node's catalogue
    name: String,
    /// The node, by name or id; this or --label
    #[arg(long, short, conflicts_with = "label")]
    node: Option<String>,
    /// Run on a node with all these labels: key=value,key=value
    #[arg(long, short, value_parser = values::selector)]
    label: Option<Selector>,
    /// Run on every node with these labels, not on one of them
    #[arg(long, requires = "label", conflicts_with = "node")]
    all: bool,
    /// A parameter: name=value, name=@file, or a flag's name alone; name=@@x for a value that begins with @
    #[arg(long = "param", short, value_name = "NAME=VALUE", value_parser = parameters::given)]
    params: Vec<parameters::Given>,
    /// Give a secret parameter the value of a secret that is kept under a name: parameter=name
    #[arg(long = "secret-name", value_name = "PARAMETER=NAME", value_parser = named)]
    secrets: Vec<(String, String)>,
    /// Show the output as it comes and end when the run does
    #[arg(long, short)]
    follow: bool,
    /// With --follow: give a terminal escape sequences as they are
    #[arg(long, requires = "follow")]
    raw: bool,
    /// Your own name for this request: repeating it with the same key runs nothing twice
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    /// The service request that it is for
    #[arg(long)]
    request: Option<String>,
    /// Must be over within this, such as 10m
    #[arg(long, value_parser = values::duration, value_name = "TIME")]
    deadline: Option<Duration>,
    /// How often to try, 1 to 10
    #[arg(long, value_name = "COUNT")]
    attempts: Option<u32>,
    /// The pause before the second attempt, such as 5s; doubles each time
    #[arg(long, value_parser = values::duration, value_name = "TIME")]
    backoff: Option<Duration>,
    /// 0 to 9, higher first
    #[arg(long)]
    priority: Option<u8>,
}

fn named(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((parameter, name)) if !parameter.is_empty() && !name.is_empty() => {
            Ok((parameter.to_owned(), name.to_owned()))
        }
        _ => Err("a secret is parameter=name".to_owned()),
    }
}

/// Submits a run, and follows it if asked to.
pub(crate) async fn run(session: &Session, args: RunArgs) -> Result<Exit, Failure> {
    let api = Arc::new(session.api()?);
    let place = match (&args.node, &args.label) {
        (Some(node), _) => parameters::Place::Node(node),
        (None, Some(labels)) => parameters::Place::Labels(labels),
        (None, None) => {
            return Err(Failure::usage(
                "where? Give --node NAME, or --label KEY=VALUE (with --all for every such node)",
            ));
        }
    };
    let parameters = parameters::typed(&api, &args.name, &place, &args.params).await?;
    let body = RunSubmit {
        command: args.name,
        node: args.node,
        labels: args.label.map(|labels| labels.to_string()),
        all: args.all,
        parameters,
        secrets: args.secrets.into_iter().collect(),
        deadline_seconds: args.deadline.map(values::seconds),
        attempts_max: args.attempts,
        backoff_ms: args
            .backoff
            .map(|backoff| u64::try_from(backoff.as_millis()).unwrap_or(u64::MAX)),
        priority: args.priority,
        request: args.request,
    };
    let key = args.idempotency_key.unwrap_or_else(fresh_key);
    let run = submit(session, &api, "/api/v1/runs", &body, &key).await?;
    let output = &session.output;
    if !args.follow {
        match (output.json, output.out_terminal) {
            (true, _) => output.json(&run)?,
            (false, false) => output.line(&run.id)?,
            (false, true) => {
                output.line(&format!("{} is {}", run.id, run.state))?;
                output.hint(&format!("Follow it with: wardroom runs output --follow {}", run.id));
            }
        }
        return Ok(Exit::Ok);
    }
    output.hint(&format!("run {}", run.id));
    let options = follow::Options { raw: args.raw, show: true, cancels: true, timeout: None };
    let run = follow::follow(&api, output, run, options).await?;
    finish(session, &run)
}

/// Tells how a followed run ended, and gives the exit code for it.
pub(crate) fn finish(session: &Session, run: &RunView) -> Result<Exit, Failure> {
    let exit = follow::exit_of(run);
    let output = &session.output;
    if output.json {
        output.json_line(run)?;
    } else if exit == Exit::Ok {
        output.hint(&follow::ending(run));
    } else {
        output.note(&follow::ending(run));
    }
    Ok(exit)
}

/// Submits what makes a run, again where nobody answered.
pub(super) async fn submit(
    session: &Session,
    api: &Api,
    path: &str,
    body: &(impl serde::Serialize + Sync),
    key: &str,
) -> Result<RunView, Failure> {
    let mut progress = Progress::new(&session.output);
    let mut tries = 1;
    loop {
        match api.post_once(path, body, key).await {
            Err(failure) if failure.exit == Exit::Unreachable && tries < SUBMIT_TRIES_MAX => {
                progress.show(&format!("\u{2026} {}; trying again", failure.what));
                tries += 1;
                sleep(SUBMIT_PAUSE).await;
            }
            Err(failure) if failure.exit == Exit::Unreachable => {
                // The advice of a single request, to look first, does not hold where a key makes it safe.
                return Err(Failure::new(failure.exit, failure.what).advice(format!(
                    "It may run all the same. Repeating is safe with --idempotency-key {key}"
                )));
            }
            other => return other,
        }
    }
}

/// A key that nobody else will use.
pub(super) fn fresh_key() -> String {
    let mut random = [0_u8; 16];
    SystemRng.fill(&mut random);
    format!("cli-{}", data_encoding::HEXLOWER.encode(&random))
}
