//! Tools: list, show, accept

use super::super::{Exit, Failure, Session, difference, http::segment};
use crate::output::Table;
use serde_json::Value;
use wardroom_wire::{
    api::List,
    tools::{ToolAccept, ToolServerView, ToolView},
};

/// Which tools are wanted.
#[derive(Debug, clap::Args)]
pub(crate) struct ToolsArgs {
    /// Of this server; of all where absent
    #[arg(value_name = "SERVER")]
    name: Option<String>,
    /// Only those that wait for a person to look at them
    #[arg(long)]
    waiting: bool,
}

/// Which tools are accepted.
#[derive(Debug, clap::Args)]
pub(crate) struct AcceptArgs {
    /// The server
    #[arg(value_name = "SERVER")]
    name: String,
    /// The tools
    #[arg(required_unless_present = "all")]
    tools: Vec<String>,
    /// All that wait and about which there are no warnings
    #[arg(long, conflicts_with = "tools")]
    all: bool,
}

async fn of(session: &Session, server: &str) -> Result<Vec<ToolView>, Failure> {
    let path = format!("/api/v1/tool-servers/{}/tools", segment(server)?);
    let list: List<ToolView> = session.api()?.get(&path, &vec![]).await?;
    Ok(list.items)
}

fn waits(tool: &ToolView) -> bool {
    tool.state == "new" || tool.state == "changed"
}

fn description(definition: Option<&Value>) -> String {
    let text = definition.and_then(|definition| definition.get("description")?.as_str());
    text.unwrap_or_default().lines().next().unwrap_or_default().to_owned()
}

/// Lists them.
pub(super) async fn list(session: &Session, args: ToolsArgs) -> Result<Exit, Failure> {
    let servers = match args.name {
        Some(server) => vec![server],
        None => {
            let list: List<ToolServerView> =
                session.api()?.get("/api/v1/tool-servers", &vec![]).await?;
            list.items.into_iter().map(|server| server.name).collect()
        }
    };
    let mut tools = vec![];
    for server in &servers {
        tools.extend(of(session, server).await?);
    }
    tools.retain(|tool| !args.waiting || waits(tool));
    let output = &session.output;
    if output.json {
        output.json(&List { items: tools, next: None })?;
        return Ok(Exit::Ok);
    }
    let mut table = Table::new(&["SERVER", "TOOL", "STATE", "WARNINGS", "DESCRIPTION"]);
    for tool in &tools {
        table.row([
            tool.server.clone(),
            tool.name.clone(),
            tool.state.clone(),
            tool.warnings.join("; "),
            description(tool.definition.as_ref()),
        ]);
    }
    output.table(&table)?;
    Ok(Exit::Ok)
}

/// Shows one.
pub(super) async fn show(session: &Session, server: &str, tool: &str) -> Result<Exit, Failure> {
    let tools = of(session, server).await?;
    let missing = || Failure::new(Exit::NotFound, format!("{server} has no tool {tool:?}"));
    let tool = tools.into_iter().find(|own| own.name == tool).ok_or_else(missing)?;
    let output = &session.output;
    if output.json {
        output.json(&tool)?;
        return Ok(Exit::Ok);
    }
    output.line(&format!("{}/{}: {}", tool.server, tool.name, tool.state))?;
    for warning in &tool.warnings {
        output.line(&format!("! {warning}"))?;
    }
    let pretty = |value: &Value| serde_json::to_string_pretty(value).unwrap_or_default() + "\n";
    let whole = match (&tool.accepted_definition, &tool.definition) {
        (Some(before), Some(now)) if before != now => {
            let (before, now) = (pretty(before), pretty(now));
            let (before, now) = (("as it was accepted", &*before), ("as it is now", &*now));
            difference::print(output, before, now)?;
            return Ok(Exit::Ok);
        }
        (before, now) => now.as_ref().or(before.as_ref()),
    };
    for line in whole.map(pretty).unwrap_or_default().lines() {
        output.line(line)?;
    }
    Ok(Exit::Ok)
}

/// Accepts them as they are described now.
pub(super) async fn accept(session: &Session, args: AcceptArgs) -> Result<Exit, Failure> {
    let (api, output) = (session.api()?, &session.output);
    let tools = of(session, &args.name).await?;
    let mut chosen = vec![];
    for name in &args.tools {
        let missing =
            || Failure::new(Exit::NotFound, format!("{} has no tool {name:?}", args.name));
        chosen.push(tools.iter().find(|tool| tool.name == *name).ok_or_else(missing)?);
    }
    if args.all {
        chosen.extend(tools.iter().filter(|tool| waits(tool) && tool.warnings.is_empty()));
    }
    let path = format!("/api/v1/tool-servers/{}/tools/accept", segment(&args.name)?);
    for tool in &chosen {
        let Some(digest) = tool.digest.clone() else {
            let why = format!("{} does not offer {:?} any more", args.name, tool.name);
            return Err(Failure::new(Exit::Conflict, why));
        };
        api.post_quietly(&path, &ToolAccept { tool: tool.name.clone(), digest }).await?;
        output.line(&format!("{} is accepted", tool.name))?;
    }
    let left = tools.iter().filter(|tool| args.all && waits(tool) && !tool.warnings.is_empty());
    for tool in left {
        let why = tool.warnings.join("; ");
        output.note(&format!("{} is left: {why}. Look at it, then name it.", tool.name));
    }
    Ok(Exit::Ok)
}
