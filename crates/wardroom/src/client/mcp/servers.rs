//! Tool servers: list, add, change, switch, forget, test

use super::super::{Exit, Failure, Session, http::segment, runs::node_names};
use crate::output::Table;
use serde_json::Value;
use std::collections::BTreeMap;
use wardroom_wire::{
    api::List,
    tools::{
        LookView, ServerHealth, ServerLimitsShape, ShownShape, ToolServerCreate, ToolServerPatch,
        ToolServerView, WayShape,
    },
};

/// What a server is shown, and its bounds.
#[derive(Debug, clap::Args)]
pub(crate) struct Wishes {
    /// What it is, for people
    #[arg(long)]
    about: Option<String>,
    /// Show it `Authorization: Bearer` with the value of this named secret
    #[arg(long, value_name = "SECRET", conflicts_with = "header")]
    bearer: Option<String>,
    /// Show it a header with the value of a named secret
    #[arg(long, value_name = "HEADER=SECRET")]
    header: Option<String>,
    /// Put the value of a named secret into its environment, where a node starts it; may be given several times
    #[arg(long = "env", value_name = "VARIABLE=SECRET", conflicts_with_all = ["bearer", "header"])]
    environment: Vec<String>,
    /// A bound, such as call_ms_max=5000; may be given several times
    #[arg(long = "limit", value_name = "NAME=NUMBER")]
    limits: Vec<String>,
}

impl Wishes {
    fn shown(&self) -> Result<Option<ShownShape>, Failure> {
        if let Some(secret) = &self.bearer {
            return Ok(Some(ShownShape::Bearer { secret: secret.clone() }));
        }
        if !self.environment.is_empty() {
            let pair = |text: &String| {
                let (name, secret) = text.split_once('=')?;
                Some((name.trim().to_owned(), secret.trim().to_owned()))
            };
            let wrong = || Failure::usage("--env takes VARIABLE=SECRET, such as API_KEY=files-key");
            let secrets = self.environment.iter().map(|text| pair(text).ok_or_else(wrong));
            return Ok(Some(ShownShape::Environment {
                secrets: secrets.collect::<Result<_, _>>()?,
            }));
        }
        let Some(text) = &self.header else { return Ok(None) };
        let wrong = || Failure::usage("--header takes HEADER=SECRET, such as X-Api-Key=files-key");
        let (name, secret) = text.split_once('=').ok_or_else(wrong)?;
        let (name, secret) = (name.trim().to_owned(), secret.trim().to_owned());
        Ok(Some(ShownShape::Header { name, secret }))
    }

    fn limits(&self, before: ServerLimitsShape) -> Result<Option<ServerLimitsShape>, Failure> {
        if self.limits.is_empty() {
            return Ok(None);
        }
        let mut limits = before;
        for text in &self.limits {
            let wrong = || Failure::usage(format!("--limit takes NAME=NUMBER, not {text:?}"));
            let (name, number) = text.split_once('=').ok_or_else(wrong)?;
            let number: u32 = number.trim().parse().map_err(|_| wrong())?;
            let place = match name.trim() {
                "call_ms_max" => &mut limits.call_ms_max,
                "concurrent_max" => &mut limits.concurrent_max,
                "waiting_max" => &mut limits.waiting_max,
                "arguments_bytes_max" => &mut limits.arguments_bytes_max,
                "result_bytes_max" => &mut limits.result_bytes_max,
                "calls_per_minute" => &mut limits.calls_per_minute,
                _ => {
                    return Err(Failure::usage(format!("there is no bound {:?}", name.trim()))
                        .advice("Bounds are call_ms_max, concurrent_max, waiting_max, arguments_bytes_max, result_bytes_max and calls_per_minute."));
                }
            };
            *place = number;
        }
        Ok(Some(limits))
    }
}

/// A node that starts it.
#[derive(Debug, clap::Args)]
pub(crate) struct Host {
    /// The node that starts it, by its own allow-list
    #[arg(long)]
    node: Option<String>,
    /// The `[[tool_server]]` of the node's allow-list; of its own name where absent
    #[arg(long, requires = "node")]
    entry: Option<String>,
}

impl Host {
    fn way(self, name: &str, url: Option<String>) -> Option<WayShape> {
        match (self.node, url) {
            (Some(node), _) => {
                let entry = self.entry.unwrap_or_else(|| name.to_owned());
                Some(WayShape::Node { node, entry })
            }
            (None, url) => url.map(|url| WayShape::Http { url }),
        }
    }
}

/// A new tool server.
#[derive(Debug, clap::Args)]
pub(crate) struct AddArgs {
    /// Its name: 1 to 32 of a-z 0-9 -
    #[arg(value_name = "SERVER")]
    name: String,
    /// Its MCP endpoint, such as `https://tools.example.org/mcp`
    #[arg(conflicts_with = "node")]
    url: Option<String>,
    #[command(flatten)]
    host: Host,
    #[command(flatten)]
    wishes: Wishes,
}

/// Changes of a tool server. What is not given stays.
#[derive(Debug, clap::Args)]
pub(crate) struct UpdateArgs {
    /// Its name
    #[arg(value_name = "SERVER")]
    name: String,
    /// Another MCP endpoint
    #[arg(long, conflicts_with = "node")]
    url: Option<String>,
    #[command(flatten)]
    host: Host,
    #[command(flatten)]
    wishes: Wishes,
    /// Show it nothing any more
    #[arg(long, conflicts_with_all = ["bearer", "header", "environment"])]
    show_nothing: bool,
}

fn path(server: &str) -> Result<String, Failure> {
    Ok(format!("/api/v1/tool-servers/{}", segment(server)?))
}

async fn load(session: &Session) -> Result<List<ToolServerView>, Failure> {
    session.api()?.get("/api/v1/tool-servers", &vec![]).await
}

fn address(server: &ToolServerView, nodes: &BTreeMap<String, String>) -> String {
    match &server.way {
        WayShape::Http { url } => url.clone(),
        WayShape::Node { node, entry } => format!("{} {entry}", nodes.get(node).unwrap_or(node)),
    }
}

fn state(server: &ToolServerView) -> String {
    match (server.enabled, server.health.breaker.as_str()) {
        (false, _) => "disabled".to_owned(),
        (true, "open") => "left alone".to_owned(),
        (true, _) => server.health.state.clone(),
    }
}

/// Lists them.
pub(super) async fn list(session: &Session) -> Result<Exit, Failure> {
    let (list, output) = (load(session).await?, &session.output);
    if output.json {
        output.json(&list)?;
        return Ok(Exit::Ok);
    }
    let hosted = |server: &ToolServerView| matches!(server.way, WayShape::Node { .. });
    let nodes = match list.items.iter().any(hosted) {
        true => node_names(&session.api()?).await,
        false => BTreeMap::new(),
    };
    let mut table =
        Table::new(&["NAME", "STATE", "ACCEPTED", "WAITING", "SPEAKS", "ADDRESS", "ABOUT"]);
    for server in &list.items {
        table.row([
            server.name.clone(),
            state(server),
            server.tools_accepted.to_string(),
            server.tools_waiting.to_string(),
            server.health.protocol_version.clone().unwrap_or_default(),
            address(server, &nodes),
            server.about.clone(),
        ]);
    }
    output.table(&table)?;
    if list.items.is_empty() {
        output.hint("No tool server is registered: `wardroom mcp add NAME URL`.");
    }
    Ok(Exit::Ok)
}

/// How they are.
pub(super) async fn health(session: &Session) -> Result<Exit, Failure> {
    let (list, output) = (load(session).await?, &session.output);
    let ill = |server: &&ToolServerView| {
        server.enabled && (server.health.state == "failing" || server.health.breaker != "closed")
    };
    let any = list.items.iter().any(|server| ill(&server));
    if output.json {
        output.json(&list)?;
    } else {
        let mut table =
            Table::new(&["NAME", "STATE", "BREAKER", "INSTANCES", "LOOKED AT", "PROBLEM"]);
        for server in &list.items {
            let ServerHealth { breaker, looked_at, problem, instances, .. } = server.health.clone();
            let looked_at = looked_at.map(|at| output.time(&at)).unwrap_or_default();
            let instances = instances.map(|count| count.to_string()).unwrap_or_default();
            let problem = problem.unwrap_or_default();
            table.row([server.name.clone(), state(server), breaker, instances, looked_at, problem]);
        }
        output.table(&table)?;
    }
    Ok(if any { Exit::Found } else { Exit::Ok })
}

/// Registers one.
pub(super) async fn add(session: &Session, args: AddArgs) -> Result<Exit, Failure> {
    let way = args.host.way(&args.name, args.url);
    let body = ToolServerCreate {
        name: args.name,
        about: args.wishes.about.clone().unwrap_or_default(),
        way: way.ok_or_else(|| {
            Failure::usage(
                "give the URL of its MCP endpoint, or --node NODE where a node starts it",
            )
        })?,
        shown: args.wishes.shown()?.unwrap_or_default(),
        limits: args.wishes.limits(ServerLimitsShape::default())?.unwrap_or_default(),
    };
    register(session, &body).await?;
    let output = &session.output;
    output.hint(&format!("Look at what it offers with `wardroom mcp test {}`.", body.name));
    Ok(Exit::Ok)
}

/// Registers one and says so.
pub(super) async fn register(session: &Session, body: &ToolServerCreate) -> Result<(), Failure> {
    let made: ToolServerView = session.api()?.post("/api/v1/tool-servers", body).await?;
    told(session, &made, "registered")
}

fn told(session: &Session, server: &ToolServerView, done: &str) -> Result<(), Failure> {
    let output = &session.output;
    if output.json {
        output.json(server)?;
    } else {
        output.line(&format!("{} is {done}", server.name))?;
    }
    Ok(())
}

/// Changes one.
pub(super) async fn update(session: &Session, args: UpdateArgs) -> Result<Exit, Failure> {
    let (api, path) = (session.api()?, path(&args.name)?);
    let (before, tag): (ToolServerView, String) = api.get_tagged(&path).await?;
    let shown = args.wishes.shown()?.or(args.show_nothing.then_some(ShownShape::Nothing));
    let body = ToolServerPatch {
        about: args.wishes.about.clone(),
        way: args.host.way(&args.name, args.url),
        shown,
        limits: args.wishes.limits(before.limits)?,
        enabled: None,
    };
    let changed: ToolServerView = api.patch(&path, &body, &tag).await?;
    told(session, &changed, "changed")?;
    Ok(Exit::Ok)
}

/// Lets one be called, or not.
pub(super) async fn switch(session: &Session, server: &str, on: bool) -> Result<Exit, Failure> {
    let body = ToolServerPatch { enabled: Some(on), ..ToolServerPatch::default() };
    let changed: ToolServerView = session.api()?.patch(&path(server)?, &body, "*").await?;
    told(session, &changed, if on { "enabled" } else { "disabled" })?;
    Ok(Exit::Ok)
}

/// Forgets one.
pub(super) async fn remove(session: &Session, server: &str) -> Result<Exit, Failure> {
    session.api()?.delete(&path(server)?).await?;
    session.output.hint(&format!("{server} is forgotten"));
    Ok(Exit::Ok)
}

/// Looks at one.
pub(super) async fn test(session: &Session, server: &str) -> Result<Exit, Failure> {
    let (api, output) = (session.api()?, &session.output);
    let found: LookView = api.post(&format!("{}/test", path(server)?), &Value::Null).await?;
    let well = found.health.problem.is_none();
    if output.json {
        output.json(&found)?;
        return Ok(if well { Exit::Ok } else { Exit::Found });
    }
    let health = &found.health;
    match &health.problem {
        Some(problem) => output.line(&format!("{server} is not well: {problem}"))?,
        None => output.line(&format!(
            "{server} is ready: {}, protocol {}, {} tools accepted, {} waiting",
            health.software.as_deref().unwrap_or("a server without a name"),
            health.protocol_version.as_deref().unwrap_or("unknown"),
            found.tools_accepted,
            found.tools_waiting
        ))?,
    }
    for what in &found.unusable {
        output.hint(&format!("left out: {what}"));
    }
    if found.tools_waiting > 0 {
        output.hint(&format!("Look at them with `wardroom mcp tools {server} --waiting`, then accept them with `wardroom mcp accept {server} TOOL…`."));
    }
    Ok(if well { Exit::Ok } else { Exit::Found })
}
