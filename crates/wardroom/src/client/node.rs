//! `wardroom node …`

use super::{
    Exit, Failure, Session,
    http::segment,
    values::{self, LabelChange, shown},
};
use crate::output::{Output, Table, bytes, confirmed, duration, pairs};
use std::time::Duration;
use wardroom_core::node::Selector;
use wardroom_wire::{
    api::{JoinTokenCreate, JoinTokenView, NewJoinToken, NodeDetail, NodePatch, NodeView},
    link::{CommandShape, KindShape, ParameterShape},
};

/// What can be done with nodes.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum NodeCommand {
    /// Make, list and revoke the tokens with which machines are enrolled
    #[command(subcommand)]
    Token(JoinTokenCommand),
    /// List nodes
    List {
        /// At most so many
        #[arg(long, default_value_t = 200)]
        limit: u32,
        /// Go on behind this one, as `next` of a list said
        #[arg(long)]
        after: Option<String>,
    },
    /// Show a node and the commands that you may run on it
    Show {
        /// The node, by name or id
        node: String,
    },
    /// Turn a node away until it is enabled again; its link closes at once
    Disable {
        /// The node, by name or id
        node: String,
    },
    /// Let a disabled node in again
    Enable {
        /// The node, by name or id
        node: String,
    },
    /// Forget a node for good; its link closes at once and its runs end
    Remove {
        /// The node, by name or id
        node: String,
        /// Don't ask
        #[arg(long)]
        yes: bool,
    },
    /// Change a node's labels: key=value sets one, key- takes one away
    Label {
        /// The node, by name or id
        node: String,
        /// The changes
        #[arg(required = true, value_parser = values::label_change)]
        changes: Vec<LabelChange>,
        /// Take away all labels that are not named
        #[arg(long)]
        replace: bool,
    },
}

/// What can be done with join tokens.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum JoinTokenCommand {
    /// Make a single-use token; it is shown this once
    Create {
        /// Labels that the node will carry: key=value,key=value
        #[arg(long = "label", value_parser = values::selector)]
        labels: Vec<Selector>,
        /// How long it is good for, 1m to 24h
        #[arg(long, value_parser = values::duration, value_name = "TIME", default_value = "15m")]
        expires_in: Duration,
    },
    /// List tokens
    List {
        /// At most so many
        #[arg(long, default_value_t = 50)]
        limit: u32,
        /// Go on behind this one, as `next` of a list said
        #[arg(long)]
        after: Option<String>,
    },
    /// Revoke a token that was not used
    Revoke {
        /// The token's id
        id: String,
    },
}

/// Does it.
pub(crate) async fn run(session: &Session, command: NodeCommand) -> Result<Exit, Failure> {
    let output = &session.output;
    match command {
        NodeCommand::Token(command) => return join_token(session, command).await,
        NodeCommand::List { limit, after } => return list(session, limit, after).await,
        NodeCommand::Show { node } => {
            let detail: NodeDetail = session.api()?.get(&path(&node, "")?, &vec![]).await?;
            if output.json {
                output.json(&detail)?;
            } else {
                show(output, &detail)?;
            }
        }
        NodeCommand::Disable { node } => {
            acted(session, &act(session, &node, "/disable").await?, "is disabled")?
        }
        NodeCommand::Enable { node } => {
            acted(session, &act(session, &node, "/enable").await?, "is enabled")?
        }
        NodeCommand::Remove { node, yes } => {
            let path = path(&node, "")?;
            let api = session.api()?;
            if !yes && !confirmed(&format!("Forget node {node} for good?"))? {
                return Err(
                    Failure::usage("nothing was removed").advice("Confirm with y, or pass --yes.")
                );
            }
            api.delete(&path).await?;
            output.hint(&format!("{node} is removed"));
        }
        NodeCommand::Label { node, changes, replace } => {
            acted(session, &label(session, &node, changes, replace).await?, "has its new labels")?;
        }
    }
    Ok(Exit::Ok)
}

fn path(node: &str, then: &str) -> Result<String, Failure> {
    Ok(format!("/api/v1/nodes/{}{then}", segment(node)?))
}

async fn act(session: &Session, node: &str, what: &str) -> Result<NodeView, Failure> {
    session.api()?.act(&path(node, what)?, None).await
}

async fn label(
    session: &Session,
    node: &str,
    changes: Vec<LabelChange>,
    replace: bool,
) -> Result<NodeView, Failure> {
    let api = session.api()?;
    let (detail, tag) = api.get_tagged::<NodeDetail>(&path(node, "")?).await?;
    let mut labels = if replace { Default::default() } else { detail.node.labels };
    for change in changes {
        match change {
            LabelChange::Set(key, value) => labels.insert(key, value),
            LabelChange::Remove(key) => labels.remove(&key),
        };
    }
    api.patch(&path(&detail.node.id, "")?, &NodePatch { labels }, &tag).await
}

fn acted(session: &Session, node: &NodeView, said: &str) -> Result<(), Failure> {
    if session.output.json {
        return session.output.json(node);
    }
    session.output.line(&format!("{} {said} ({})", node.name, node.state))
}

async fn list(session: &Session, limit: u32, after: Option<String>) -> Result<Exit, Failure> {
    let output = &session.output;
    let nodes = session.api()?.list::<NodeView>("/api/v1/nodes", &vec![], limit, after).await?;
    if output.json {
        output.json(&nodes)?;
        return Ok(Exit::Ok);
    }
    let mut table = Table::new(&[
        "NAME", "STATE", "SEEN", "CPU", "MEMORY", "DISK", "RUNS", "COMMANDS", "LABELS", "ID",
    ]);
    for node in &nodes.items {
        let report = node.report.as_ref();
        let share = |used: u64, all: u64| {
            let percent = used.saturating_mul(100).checked_div(all);
            percent.map_or_else(String::new, |percent| format!("{percent}%"))
        };
        table.row([
            node.name.clone(),
            node.state.clone(),
            output.time_or(node.seen_at.as_ref()),
            report.map_or_else(String::new, |report| format!("{}%", report.cpu_permille / 10)),
            report.map_or_else(String::new, |report| {
                share(report.memory_used_bytes, report.memory_bytes)
            }),
            report.map_or_else(String::new, |report| {
                share(report.disk_used_bytes, report.disk_bytes)
            }),
            report.map_or_else(String::new, |report| report.runs_active.to_string()),
            node.commands.to_string(),
            shown(&node.labels),
            node.id.clone(),
        ]);
    }
    if table.is_empty() {
        output.hint("no nodes; `wardroom node token create` lets a machine join");
    } else {
        output.table(&table)?;
    }
    if let Some(next) = &nodes.next {
        output.hint(&format!("There are more: --after {next}"));
    }
    Ok(Exit::Ok)
}

fn show(output: &Output, detail: &NodeDetail) -> Result<(), Failure> {
    let node = &detail.node;
    let mut rows = vec![
        ("name".to_owned(), node.name.clone()),
        ("id".into(), node.id.clone()),
        ("state".into(), node.state.clone()),
        ("labels".into(), shown(&node.labels)),
        ("enrolled".into(), output.time(&node.enrolled_at)),
        ("seen".into(), output.time_or(node.seen_at.as_ref())),
        ("key".into(), detail.key_fingerprint.clone()),
    ];
    if let Some(report) = &node.report {
        let of = |used, all| format!("{} of {}", bytes(used), bytes(all));
        let abilities = report
            .sandbox
            .iter()
            .map(|(name, on)| if *on { name.clone() } else { format!("no {name}") });
        rows.extend([
            ("version".into(), report.version.clone()),
            ("system".into(), report.system.clone()),
            (
                "processors".into(),
                format!(
                    "{}, {}% busy, load {}",
                    report.cpus,
                    report.cpu_permille / 10,
                    thousandths(report.load_permille)
                ),
            ),
            ("memory".into(), of(report.memory_used_bytes, report.memory_bytes)),
            ("disk".into(), of(report.disk_used_bytes, report.disk_bytes)),
            ("runs".into(), report.runs_active.to_string()),
            ("sandbox".into(), abilities.collect::<Vec<_>>().join(", ")),
        ]);
        rows.extend(report.alerts.iter().map(|alert| ("alert".to_owned(), alert.clone())));
    }
    output.table(&pairs(rows))?;
    let mut table = Table::new(&["COMMAND", "PARAMETERS", "LIMIT", "NOTES", "DESCRIPTION"]);
    for command in &detail.catalogue.commands {
        table.row(command_row(command));
    }
    let mut hosted = Table::new(&["TOOL SERVER", "INSTANCES", "SECRETS", "NOTES", "DESCRIPTION"]);
    for server in &detail.catalogue.tool_servers {
        let secrets: Vec<String> = server.secrets.iter().cloned().collect();
        hosted.row([
            server.name.clone(),
            format!("{}, at most {}", server.instances, server.instances_max),
            secrets.join(", "),
            if server.network { "network".to_owned() } else { String::new() },
            server.description.clone(),
        ]);
    }
    for table in [table, hosted].iter().filter(|table| !table.is_empty()) {
        output.line("")?;
        output.table(table)?;
    }
    Ok(())
}

fn thousandths(count: u32) -> String {
    format!("{}.{:02}", count / 1000, count % 1000 / 10)
}

fn command_row(command: &CommandShape) -> [String; 5] {
    let parameters: Vec<String> = command.parameters.iter().map(parameter).collect();
    let notes = [
        command.idempotent.then_some("idempotent"),
        command.network.then_some("network"),
        command.builtin.then_some("built in"),
    ];
    [
        command.name.clone(),
        parameters.join(" "),
        duration(Duration::from_millis(command.limits.wall_ms_max)),
        notes.into_iter().flatten().collect::<Vec<_>>().join(", "),
        command.description.clone(),
    ]
}

/// `name=type`; in brackets when it may be left out.
fn parameter(parameter: &ParameterShape) -> String {
    let kind = match &parameter.kind {
        KindShape::Enum { values } => values.join("|"),
        KindShape::Integer { min, max } => format!("{min}..{max}"),
        KindShape::Port { .. } => "port".to_owned(),
        KindShape::String { .. } => "text".to_owned(),
        KindShape::Path { entry, .. } => match entry.as_str() {
            "any" => "path".to_owned(),
            entry => entry.to_owned(),
        },
        KindShape::Host => "host".to_owned(),
        KindShape::Flag => return format!("[{}]", parameter.name),
    };
    let text = format!("{}={kind}", parameter.name);
    if parameter.required { text } else { format!("[{text}]") }
}

async fn join_token(session: &Session, command: JoinTokenCommand) -> Result<Exit, Failure> {
    let (api, output) = (session.api()?, &session.output);
    match command {
        JoinTokenCommand::Create { labels, expires_in } => {
            let labels = values::labels(&labels).map_err(Failure::usage)?;
            let body = JoinTokenCreate { labels, expires_in: Some(values::seconds(expires_in)) };
            let made: NewJoinToken = api.post("/api/v1/join-tokens", &body).await?;
            if output.json {
                output.json(&made)?;
            } else if output.out_terminal {
                output.line(&format!(
                    "Join token {}, good once and until {}.",
                    made.token.id,
                    output.time(&made.token.expires_at)
                ))?;
                output.line("It is not shown again. On the machine, run:")?;
                output.line("")?;
                output.line(&made.command)?;
            } else {
                output.line(&made.secret)?;
            }
        }
        JoinTokenCommand::List { limit, after } => {
            let tokens =
                api.list::<JoinTokenView>("/api/v1/join-tokens", &vec![], limit, after).await?;
            if output.json {
                output.json(&tokens)?;
                return Ok(Exit::Ok);
            }
            let mut table = Table::new(&[
                "ID",
                "STATE",
                "CREATED",
                "EXPIRES",
                "LABELS",
                "USED BY",
                "CREATED BY",
            ]);
            for token in &tokens.items {
                table.row([
                    token.id.clone(),
                    token.state.clone(),
                    output.time(&token.created_at),
                    output.time(&token.expires_at),
                    shown(&token.labels),
                    token.used_by.clone().unwrap_or_default(),
                    token.created_by.clone(),
                ]);
            }
            if table.is_empty() {
                output.hint("no join tokens");
            } else {
                output.table(&table)?;
            }
            if let Some(next) = &tokens.next {
                output.hint(&format!("There are more: --after {next}"));
            }
        }
        JoinTokenCommand::Revoke { id } => {
            api.delete(&format!("/api/v1/join-tokens/{}", segment(&id)?)).await?;
            output.hint(&format!("{id} is revoked"));
        }
    }
    Ok(Exit::Ok)
}
