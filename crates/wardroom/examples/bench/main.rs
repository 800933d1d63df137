//! Measures the release programs on this machine and holds the figures against their targets.
//!
//! `./dev bench`, or `cargo run --release -p wardroom --example bench -- --help`. Everything is as it
//! is in use: TLS, sign-in, policy, audit log, and SQLite that syncs each commit to the disk.

mod audit;
mod board;
mod contextforge;
mod customers;
mod figure;
mod fleet;
mod gateway;
mod hostile;
mod idle;
mod latency;
mod pace;
mod policy;
mod process;
mod road;
mod socket;
mod swarm;
mod throughput;
mod world;

use anyhow::Context as _;
use clap::{Parser, ValueEnum};
use figure::Figure;
use std::{
    io::{self, Write as _},
    path::PathBuf,
};

/// Measures the release programs on this machine.
#[derive(Debug, Parser)]
struct Arguments {
    /// Only this; may be given several times
    #[arg(long, value_enum)]
    only: Vec<Measure>,
    /// How long each measurement of runs goes on
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3600))]
    seconds: u64,
    /// How many nodes are enrolled for the memory of one
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    nodes: u32,
    /// How many idle WebSockets are opened for the memory of one
    #[arg(long, default_value_t = 5000)]
    sockets: usize,
    /// How many hostile messages are sent
    #[arg(long, default_value_t = 100_000)]
    messages: u64,
    /// The `mcpgateway` program of IBM ContextForge (PyPI `mcp-contextforge-gateway`): calls of tools go through it too
    #[arg(long, value_name = "PROGRAM")]
    contextforge: Option<PathBuf>,
    /// Write the figures to this file as well, as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Measure {
    /// Runs per second of a sandboxed process
    Process,
    /// Runs per second of the built-in ping
    Ping,
    /// From submission to the started process
    Latency,
    /// Memory per enrolled node
    Nodes,
    /// Memory at rest
    Idle,
    /// Time until the orchestrator is ready
    Ready,
    /// Offline verification of the audit log
    Audit,
    /// A decision of policy
    Policy,
    /// What the road adds to a request
    Road,
    /// Finding somebody among very many customers
    Customers,
    /// What the gateway adds to a call of a tool
    Call,
    /// Calls of tools per second
    Calls,
    /// Memory per idle WebSocket of the gateway
    Sockets,
    /// Messages that nobody should send to the gateway
    Hostile,
}

impl Measure {
    async fn take(self, arguments: &Arguments, files: Option<u64>) -> anyhow::Result<Vec<Figure>> {
        match self {
            Self::Process => throughput::process(arguments.seconds).await,
            Self::Ping => throughput::ping(arguments.seconds).await,
            Self::Latency => latency::start(arguments.seconds).await,
            Self::Nodes => fleet::memory(usize::try_from(arguments.nodes)?, files).await,
            Self::Idle => idle::memory().await,
            Self::Ready => idle::ready().await,
            Self::Audit => tokio::task::spawn_blocking(audit::verify).await?,
            Self::Policy => tokio::task::spawn_blocking(policy::decision).await?,
            Self::Road => road::added(arguments.seconds).await,
            Self::Customers => customers::search().await,
            Self::Call => gateway::latency(arguments.seconds).await,
            Self::Calls => {
                gateway::calls(arguments.seconds, arguments.contextforge.as_deref()).await
            }
            Self::Sockets => gateway::idle(arguments.sockets).await,
            Self::Hostile => hostile::messages(arguments.messages).await,
        }
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    // The client that stands in until the authority is known wants a provider.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let files = process::raise_files();
    let load = figure::load();
    let _ = writeln!(io::stderr(), "load average before: {load}");
    let mut figures = Vec::new();
    for measure in Measure::value_variants() {
        if !arguments.only.is_empty() && !arguments.only.contains(measure) {
            continue;
        }
        let name = format!("{measure:?}").to_lowercase();
        let _ = writeln!(io::stderr(), "measuring: {name} …");
        let taken = measure.take(&arguments, files).await;
        figures.extend(taken.with_context(|| format!("measuring {name} failed"))?);
    }
    writeln!(io::stdout(), "{}", figure::table(&figures))?;
    if let Some(path) = &arguments.json {
        let text = serde_json::to_string_pretty(&figure::document(&figures, &load))? + "\n";
        std::fs::write(path, text)
            .with_context(|| format!("{} can't be written", path.display()))?;
    }
    Ok(())
}
