//! The commands that talk to an orchestrator, and those that look at what it gave.

mod account;
mod agents;
mod approval;
mod ask;
mod audit;
mod chat;
mod connection;
mod credentials;
mod customer;
mod difference;
mod failure;
mod follow;
mod http;
mod mcp;
mod memories;
mod models;
mod names;
mod node;
mod oauth_client;
mod parameters;
mod policy;
mod request;
mod run;
mod runs;
mod secret;
mod security;
mod service;
mod sign_in;
mod stream;
mod talk;
mod threads;
mod token;
mod user;
mod values;
mod watch;

pub(crate) use connection::{Connection, Globals};
pub(crate) use failure::{EXIT_CODES, Exit, Failure};
pub(crate) use http::Api;

use crate::output::Output;
use connection::Environment;
use std::process::ExitCode;
use wardroom_core::Clock;
use wardroom_trust::ambient::SystemClock;

/// What the client can be asked for.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum ClientCommand {
    #[command(after_help = EXIT_CODES)]
    Login(sign_in::Login),
    #[command(after_help = EXIT_CODES)]
    Logout(sign_in::Logout),
    /// Show who you are and what you may do
    #[command(after_help = EXIT_CODES)]
    Whoami,
    /// Look after your own account: password, second factors, sessions
    #[command(after_help = EXIT_CODES, subcommand)]
    Account(account::AccountCommand),
    /// Ask people in and look after their accounts
    #[command(after_help = EXIT_CODES, subcommand)]
    User(user::UserCommand),
    /// Look after customers
    #[command(after_help = EXIT_CODES, subcommand)]
    Customer(customer::CustomerCommand),
    /// Make services that customers order, and order them
    #[command(after_help = EXIT_CODES, subcommand)]
    Service(service::ServiceCommand),
    /// Work on what customers ordered with `wardroom service order`
    #[command(after_help = EXIT_CODES, subcommand)]
    Request(request::RequestCommand),
    /// See who is connected, turned away and refused
    #[command(after_help = EXIT_CODES, subcommand)]
    Security(security::SecurityCommand),
    /// Keep values under names, for commands that take secrets
    #[command(after_help = EXIT_CODES, subcommand)]
    Secret(secret::SecretCommand),
    /// Decide what policy wants a person to approve
    #[command(after_help = EXIT_CODES, subcommand)]
    Approval(approval::ApprovalCommand),
    /// Define AI agents
    #[command(after_help = EXIT_CODES, subcommand)]
    Agents(agents::AgentsCommand),
    /// Language models: who runs them, and what was asked
    #[command(after_help = EXIT_CODES, subcommand)]
    Models(models::ModelsCommand),
    #[command(after_help = EXIT_CODES)]
    Usage(models::UsageArgs),
    /// Bound what language models may take
    #[command(after_help = EXIT_CODES, subcommand)]
    Budgets(models::BudgetsCommand),
    /// Tool servers, their tools, and calls of these
    #[command(after_help = EXIT_CODES, subcommand)]
    Mcp(mcp::McpCommand),
    /// Register programs of others that act in people's names
    #[command(after_help = EXIT_CODES, subcommand)]
    OauthClient(oauth_client::OauthClientCommand),
    #[command(after_help = EXIT_CODES)]
    Ask(ask::AskArgs),
    #[command(after_help = EXIT_CODES)]
    Chat(chat::ChatArgs),
    /// What agents remember of you
    #[command(after_help = EXIT_CODES, subcommand)]
    Memories(memories::MemoriesCommand),
    /// Your own conversations with agents
    #[command(after_help = EXIT_CODES, subcommand)]
    Threads(threads::ThreadsCommand),
    #[command(after_help = EXIT_CODES)]
    Run(run::RunArgs),
    /// List, show, cancel and repeat runs, and follow their output
    #[command(after_help = EXIT_CODES, subcommand)]
    Runs(runs::RunsCommand),
    /// Enrol and manage nodes
    #[command(after_help = EXIT_CODES, subcommand)]
    Node(node::NodeCommand),
    /// Manage your own API tokens
    #[command(after_help = EXIT_CODES, subcommand)]
    Token(token::TokenCommand),
    /// Read, export and verify the audit log
    #[command(after_help = EXIT_CODES, subcommand)]
    Audit(audit::AuditCommand),
    /// Read, check and explain policy
    #[command(after_help = EXIT_CODES, subcommand)]
    Policy(policy::PolicyCommand),
    /// Show how the orchestrator is
    #[command(after_help = EXIT_CODES)]
    Health,
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// Runs a command to its exit code. `Cli` is the whole command line, for completions.
pub(crate) async fn run<Cli: clap::CommandFactory>(
    command: ClientCommand,
    globals: Globals,
) -> ExitCode {
    let output = Output::detect(globals.json, SystemClock.now());
    let session = Session { globals, output, environment: Environment::read() };
    match dispatch::<Cli>(&session, command).await {
        Ok(exit) => exit.into(),
        Err(failure) => {
            output.failure(&failure);
            failure.exit.into()
        }
    }
}

/// What every command is given.
pub(crate) struct Session {
    globals: Globals,
    environment: Environment,
    /// How to print.
    pub(crate) output: Output,
}

impl Session {
    /// Where to connect and as whom.
    pub(crate) fn connection(&self) -> Result<Connection, Failure> {
        Connection::resolve(&self.globals, &self.environment)
    }

    /// A client with a token.
    pub(crate) fn api(&self) -> Result<Api, Failure> {
        Api::new(&self.signed_in()?)
    }

    /// A client with a token that can go over to another protocol.
    pub(crate) fn upgradable_api(&self) -> Result<Api, Failure> {
        Api::upgradable(&self.signed_in()?)
    }

    fn signed_in(&self) -> Result<Connection, Failure> {
        let connection = self.connection()?;
        if connection.token.is_none() {
            return Err(Failure::new(
                Exit::Denied,
                format!("you are not signed in to {}", connection.server),
            )
            .advice("Sign in with `wardroom login`, or give --token-file or WARDROOM_TOKEN."));
        }
        Ok(connection)
    }
}

async fn dispatch<Cli: clap::CommandFactory>(
    session: &Session,
    command: ClientCommand,
) -> Result<Exit, Failure> {
    match command {
        ClientCommand::Login(args) => sign_in::login(session, args).await,
        ClientCommand::Logout(args) => sign_in::logout(session, &args).await,
        ClientCommand::Whoami => sign_in::whoami(session).await,
        ClientCommand::Account(command) => account::run(session, command).await,
        ClientCommand::User(command) => user::run(session, command).await,
        ClientCommand::Customer(command) => customer::run(session, command).await,
        ClientCommand::Service(command) => service::run(session, command).await,
        ClientCommand::Request(command) => request::run(session, command).await,
        ClientCommand::Security(command) => security::run(session, command).await,
        ClientCommand::Secret(command) => secret::run(session, command).await,
        ClientCommand::Approval(command) => approval::run(session, command).await,
        ClientCommand::Agents(command) => agents::run(session, command).await,
        ClientCommand::Models(command) => models::run(session, command).await,
        ClientCommand::Usage(args) => models::usage(session, args).await,
        ClientCommand::Budgets(command) => models::budgets(session, command).await,
        ClientCommand::Mcp(command) => mcp::run(session, command).await,
        ClientCommand::OauthClient(command) => oauth_client::run(session, command).await,
        ClientCommand::Ask(args) => ask::run(session, args).await,
        ClientCommand::Chat(args) => chat::run(session, args).await,
        ClientCommand::Memories(command) => memories::run(session, command).await,
        ClientCommand::Threads(command) => threads::run(session, command).await,
        ClientCommand::Run(args) => run::run(session, args).await,
        ClientCommand::Runs(command) => runs::run(session, command).await,
        ClientCommand::Node(command) => node::run(session, command).await,
        ClientCommand::Token(command) => token::run(session, command).await,
        ClientCommand::Audit(command) => audit::run(session, command).await,
        ClientCommand::Policy(command) => policy::run(session, command).await,
        ClientCommand::Health => sign_in::health(session).await,
        ClientCommand::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "wardroom", &mut script);
            session.output.write(crate::output::Sink::Out, &script)?;
            Ok(Exit::Ok)
        }
    }
}

#[cfg(test)]
mod tests;
