//! Calls of tools: call one, list them

use super::super::{Exit, Failure, Session, approval, http::segment};
use crate::output::Table;
use serde_json::Value;
use std::{fs, path::PathBuf};
use wardroom_wire::tools::{ToolCallRequest, ToolCallResult, ToolCallView};

/// The longest arguments, in bytes.
const ARGUMENTS_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// A call.
#[derive(Debug, clap::Args)]
pub(crate) struct CallArgs {
    /// The server
    #[arg(value_name = "SERVER")]
    name: String,
    /// The tool
    tool: String,
    /// Its arguments, a JSON object; `{}` where absent
    #[arg(long, value_name = "JSON", conflicts_with = "arguments_file")]
    arguments: Option<String>,
    /// A file with the arguments; /dev/stdin for standard input
    #[arg(long, value_name = "FILE")]
    arguments_file: Option<PathBuf>,
    /// Do not wait where a person has to approve it first
    #[arg(long)]
    no_wait: bool,
}

/// Which calls are wanted.
#[derive(Debug, clap::Args)]
pub(crate) struct CallsArgs {
    /// Of this server
    #[arg(long, value_name = "SERVER")]
    of: Option<String>,
    /// Of tools of this name
    #[arg(long)]
    tool: Option<String>,
    /// That came out so: succeeded, tool_error, failed, timed_out, cancelled or interrupted
    #[arg(long)]
    outcome: Option<String>,
    /// Your own only
    #[arg(long)]
    mine: bool,
    /// At most so many
    #[arg(long, default_value_t = 50)]
    limit: u32,
}

/// Calls one and prints what it answers.
pub(super) async fn call(session: &Session, args: CallArgs) -> Result<Exit, Failure> {
    let text = match (args.arguments, &args.arguments_file) {
        (Some(text), _) => Some(text),
        (None, Some(file)) => {
            let wrong = |error: std::io::Error| {
                Failure::local(format!("{} can't be read: {error}", file.display()))
            };
            if fs::metadata(file).map_err(wrong)?.len() > ARGUMENTS_BYTES_MAX {
                return Err(Failure::usage("arguments are at most 4 MiB"));
            }
            Some(fs::read_to_string(file).map_err(wrong)?)
        }
        (None, None) => None,
    };
    let wrong = |error| Failure::usage(format!("the arguments are no JSON: {error}"));
    let arguments: Option<Value> =
        text.map(|text| serde_json::from_str(&text).map_err(wrong)).transpose()?;
    let path = format!("/api/v1/tool-servers/{}/call", segment(&args.name)?);
    let body = ToolCallRequest { tool: args.tool, arguments };
    let (api, output) = (session.api()?, &session.output);
    let mut answer: Result<ToolCallResult, Failure> = api.post(&path, &body).await;
    if let Err(Failure { approval: Some(id), .. }) = &answer
        && !args.no_wait
    {
        output.note(&format!("\u{2026} a person has to approve it first: {id}"));
        approval::wait(&api, id).await?;
        // Where it was denied, or nobody decided, the same call says so.
        answer = api.post(&path, &body).await;
    }
    let answer = answer?;
    if output.json {
        output.json(&answer.result)?;
    } else {
        print(session, &answer.result)?;
    }
    Ok(if answer.is_error { Exit::Found } else { Exit::Ok })
}

/// The answer's texts; what is no text by its kind and length.
fn print(session: &Session, result: &Value) -> Result<(), Failure> {
    let output = &session.output;
    let blocks = result.get("content").and_then(Value::as_array);
    for block in blocks.into_iter().flatten() {
        let text = |name: &str| block.get(name).and_then(Value::as_str);
        match (text("type"), text("text"), text("data")) {
            (Some("text"), Some(text), _) => text.lines().try_for_each(|line| output.line(line))?,
            (Some(kind), _, Some(data)) => {
                let mime = text("mimeType").unwrap_or("unknown type");
                output.line(&format!("[{kind}, {mime}, {} characters of Base64]", data.len()))?;
            }
            _ => output.line(&block.to_string())?,
        }
    }
    if blocks.is_none_or(Vec::is_empty)
        && let Some(structured) = result.get("structuredContent")
    {
        output.line(&structured.to_string())?;
    }
    Ok(())
}

/// Lists them.
pub(super) async fn list(session: &Session, args: CallsArgs) -> Result<Exit, Failure> {
    let mut query = vec![];
    for (name, value) in [("server", args.of), ("tool", args.tool), ("outcome", args.outcome)] {
        query.extend(value.map(|value| (name, value)));
    }
    if args.mine {
        query.push(("mine", "true".to_owned()));
    }
    let api = session.api()?;
    let list = api.list::<ToolCallView>("/api/v1/tool-calls", &query, args.limit, None).await?;
    let output = &session.output;
    if output.json {
        output.json(&list)?;
        return Ok(Exit::Ok);
    }
    let mut table = Table::new(&["CALL", "BEGUN", "SERVER", "TOOL", "STATE", "MS", "PROBLEM"]);
    for call in &list.items {
        table.row([
            call.id.clone(),
            output.time(&call.begun_at),
            call.server.clone(),
            call.tool.clone(),
            call.state.clone(),
            call.ms.map(|ms| format!("{ms:.1}")).unwrap_or_default(),
            call.problem.clone().unwrap_or_default(),
        ]);
    }
    output.table(&table)?;
    Ok(Exit::Ok)
}
