//! `wardroom mcp …`: tool servers, their tools, and calls of these

mod accounts;
mod calls;
mod connections;
mod import;
mod servers;
mod stats;
mod stdio;
mod tools;
mod wishes;

use super::{Exit, Failure, Session};
use std::path::PathBuf;

/// What can be done with tool servers.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum McpCommand {
    /// List tool servers and how they are
    Servers,
    /// Register a tool server; its tools wait until somebody accepts them
    Add(servers::AddArgs),
    /// Register the servers of an `mcp.json`, as desktop clients have it
    Import {
        /// The file
        file: PathBuf,
    },
    /// Change a tool server
    Update(servers::UpdateArgs),
    /// Let a tool server be called again
    Enable {
        /// Its name
        #[arg(value_name = "SERVER")]
        name: String,
    },
    /// Let nobody call a tool server until it is enabled
    Disable {
        /// Its name
        #[arg(value_name = "SERVER")]
        name: String,
    },
    /// Forget a tool server with its tools; calls of these stay known
    Remove {
        /// Its name
        #[arg(value_name = "SERVER")]
        name: String,
    },
    /// Ask a tool server what it offers now
    Test {
        /// Its name
        #[arg(value_name = "SERVER")]
        name: String,
    },
    /// Your own accounts at tool servers
    #[command(subcommand)]
    Account(accounts::AccountCommand),
    /// List tools, and what waits for a person to look at it
    Tools(tools::ToolsArgs),
    /// Show a tool as it is described, and what changed since it was accepted
    Show {
        /// The server
        #[arg(value_name = "SERVER")]
        name: String,
        /// The tool
        tool: String,
    },
    /// Accept tools as they are described now
    Accept(tools::AcceptArgs),
    /// Call a tool
    Call(calls::CallArgs),
    /// List calls of tools
    Calls(calls::CallsArgs),
    /// Show how much tools were used, by whom, and how long they took
    Stats(stats::StatsArgs),
    /// Begin anew with a tool server: its sessions end, its circuit breaker closes
    Restart {
        /// Its name
        #[arg(value_name = "SERVER")]
        name: String,
    },
    /// List who speaks with the gateway
    Connections,
    /// End a connection or a session
    Disconnect {
        /// As `connections` tells it
        id: String,
    },
    /// Speak the protocol on standard input and output, for programs that start tool servers
    Stdio {
        /// One tool server; all that you may use where absent
        #[arg(value_name = "SERVER")]
        name: Option<String>,
    },
    /// Show how tool servers are; exit code 1 where one is not well
    Health,
}

/// Does it.
pub(crate) async fn run(session: &Session, command: McpCommand) -> Result<Exit, Failure> {
    match command {
        McpCommand::Servers => servers::list(session).await,
        McpCommand::Add(args) => servers::add(session, args).await,
        McpCommand::Import { file } => import::run(session, &file).await,
        McpCommand::Update(args) => servers::update(session, args).await,
        McpCommand::Enable { name } => servers::switch(session, &name, true).await,
        McpCommand::Disable { name } => servers::switch(session, &name, false).await,
        McpCommand::Remove { name } => servers::remove(session, &name).await,
        McpCommand::Test { name } => servers::test(session, &name).await,
        McpCommand::Account(command) => accounts::run(session, command).await,
        McpCommand::Tools(args) => tools::list(session, args).await,
        McpCommand::Show { name, tool } => tools::show(session, &name, &tool).await,
        McpCommand::Accept(args) => tools::accept(session, args).await,
        McpCommand::Call(args) => calls::call(session, args).await,
        McpCommand::Calls(args) => calls::list(session, args).await,
        McpCommand::Stats(args) => stats::run(session, args).await,
        McpCommand::Restart { name } => connections::restart(session, &name).await,
        McpCommand::Connections => connections::list(session).await,
        McpCommand::Disconnect { id } => connections::end(session, &id).await,
        McpCommand::Stdio { name } => stdio::run(session, name.as_deref()).await,
        McpCommand::Health => servers::health(session).await,
    }
}
