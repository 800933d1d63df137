//! Tool servers: list, add, change, switch, forget, test

use super::{
    super::{Exit, Failure, Session, http::segment, names::Names},
    wishes::Wishes,
};
use crate::output::Table;
use serde_json::Value;
use wardroom_wire::{
    api::List,
    tools::{
        LookView, ServerHealth, ServerLimitsShape, ShownShape, ToolServerCreate, ToolServerPatch,
        ToolServerView, WayShape,
    },
};

/// A node that starts it.
#[derive(Debug, clap::Args)]
pub(crate) struct Host {
    /// The node that starts it, by its own allow-list
    #[arg(long)]
    node: Option<String>,
    /// The `[[tool_server]]` of the node's allow-list; of its own name where absent
    #[arg(long, requires = "node")]
    entry: Option<String>,
    /// A further host that may be asked for it, such as one that gives tokens for it, and no other then; may be given
    /// several times, with its address
    #[arg(long, value_name = "HOST", requires = "url")]
    egress: Vec<String>,
}

impl Host {
    fn way(self, name: &str, url: Option<String>) -> Option<WayShape> {
        match (self.node, url) {
            (Some(node), _) => {
                let entry = self.entry.unwrap_or_else(|| name.to_owned());
                Some(WayShape::Node { node, entry })
            }
            (None, url) => url.map(|url| WayShape::Http { url, egress: self.egress }),
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
    #[arg(long, conflicts_with_all = ["bearer", "header", "environment", "issuer", "accounts"])]
    show_nothing: bool,
}

fn path(server: &str) -> Result<String, Failure> {
    Ok(format!("/api/v1/tool-servers/{}", segment(server)?))
}

async fn load(session: &Session) -> Result<List<ToolServerView>, Failure> {
    session.api()?.get("/api/v1/tool-servers", &vec![]).await
}

fn address(server: &ToolServerView, names: &Names) -> String {
    match &server.way {
        WayShape::Http { url, .. } => url.clone(),
        WayShape::Node { node, entry } => format!("{} {entry}", names.name(node)),
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
    let nodes = list.items.iter().filter_map(|server| match &server.way {
        WayShape::Node { node, .. } => Some(node),
        WayShape::Http { .. } => None,
    });
    let names = Names::of(&session.api()?, nodes).await;
    let mut table =
        Table::new(&["NAME", "STATE", "ACCEPTED", "WAITING", "SPEAKS", "ADDRESS", "ABOUT"]);
    for server in &list.items {
        table.row([
            server.name.clone(),
            state(server),
            server.tools_accepted.to_string(),
            server.tools_waiting.to_string(),
            server.health.protocol_version.clone().unwrap_or_default(),
            address(server, &names),
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
