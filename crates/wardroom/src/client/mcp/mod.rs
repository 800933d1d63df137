//! `wardroom mcp …`: tool servers, their tools, and calls of these

mod calls;
mod import;
mod servers;
mod tools;

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
        server: String,
    },
    /// Let nobody call a tool server until it is enabled
    Disable {
        /// Its name
        server: String,
    },
    /// Forget a tool server with its tools; calls of these stay known
    Remove {
        /// Its name
        server: String,
    },
    /// Ask a tool server what it offers now
    Test {
        /// Its name
        server: String,
    },
    /// List tools, and what waits for a person to look at it
    Tools(tools::ToolsArgs),
    /// Show a tool as it is described, and what changed since it was accepted
    Show {
        /// The server
        server: String,
        /// The tool
        tool: String,
    },
    /// Accept tools as they are described now
    Accept(tools::AcceptArgs),
    /// Call a tool
    Call(calls::CallArgs),
    /// List calls of tools
    Calls(calls::CallsArgs),
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
        McpCommand::Enable { server } => servers::switch(session, &server, true).await,
        McpCommand::Disable { server } => servers::switch(session, &server, false).await,
        McpCommand::Remove { server } => servers::remove(session, &server).await,
        McpCommand::Test { server } => servers::test(session, &server).await,
        McpCommand::Tools(args) => tools::list(session, args).await,
        McpCommand::Show { server, tool } => tools::show(session, &server, &tool).await,
        McpCommand::Accept(args) => tools::accept(session, args).await,
        McpCommand::Call(args) => calls::call(session, args).await,
        McpCommand::Calls(args) => calls::list(session, args).await,
        McpCommand::Health => servers::health(session).await,
    }
}
