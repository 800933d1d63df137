//! `wardroom up`: everything on one machine, from nothing to a first command that ran.

mod node;
mod samples;
mod smoke;

use crate::{
    Served, asked_to_stop, say,
    serve::{self, installation},
    start_log,
};
use anyhow::Context as _;
use clap::Args;
use node::NodeProcess;
use serde::Serialize;
use smoke::Smoke;
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

/// What `wardroom up` takes.
#[derive(Debug, Args)]
pub(crate) struct Up {
    #[command(flatten)]
    served: Served,
    /// The node daemon to start beside the orchestrator; the one beside this program where absent
    #[arg(long)]
    node_binary: Option<PathBuf>,
    /// Write this file (JSON, mode 0600) once everything runs
    #[arg(long)]
    ready_file: Option<PathBuf>,
    /// Stop after the first command: exit code 0 when all went well, else 1
    #[arg(long)]
    exit_after_smoke: bool,
    /// Define sample agents in a new installation, for which a script answers in place of a model
    #[arg(long)]
    samples: bool,
    /// Start no node
    #[arg(long, conflicts_with = "exit_after_smoke")]
    without_node: bool,
}

/// What the ready file says.
#[derive(Serialize)]
struct Ready<'a> {
    url: &'a str,
    nodes_url: &'a str,
    ca_file: PathBuf,
    admin_name: &'static str,
    admin_password_file: PathBuf,
    pids: Pids,
}

#[derive(Serialize)]
struct Pids {
    orchestrator: u32,
    node: Option<u32>,
}

/// Runs it.
pub(crate) async fn run(up: &Up) -> anyhow::Result<ExitCode> {
    let (data, config) = up.served.load()?;
    let faults = start_log(&config)?;
    let fresh = !installation::exists(&data, &config);
    if fresh {
        // Nothing is made for a start that can't succeed: only the first one says the password and tries a command.
        serve::can_listen(&config)?;
        installation::create(&data, &config).await?;
    }
    let with_samples = fresh && up.samples;
    if with_samples {
        samples::provide(&data)?;
    }
    let running = serve::start(&data, &config, faults).await?;
    if with_samples {
        samples::define(&running.engine).await?;
    }
    let outcome = beside(up, &data, &running, fresh).await;
    running.stop().await;
    outcome
}

/// What happens while the orchestrator runs.
async fn beside(
    up: &Up,
    data: &Path,
    running: &serve::Running,
    fresh: bool,
) -> anyhow::Result<ExitCode> {
    let mut node = None;
    let mut smoke = None;
    if !up.without_node {
        let binary = node_binary(up.node_binary.as_deref())?;
        let mut process = NodeProcess::start(&binary, &data.join("node"), running).await?;
        if fresh || up.exit_after_smoke {
            let first = tokio::select! {
                first = smoke::run(running) => first,
                ended = process.ended() => Err(ended),
            };
            smoke = Some(first);
        }
        node = Some(process);
    }
    let failed = matches!(smoke, Some(Err(_)));
    if let Some(Err(error)) = &smoke
        && !up.exit_after_smoke
    {
        tracing::error!("the first command did not come through: {error:#}");
    }
    if let Some(file) = &up.ready_file {
        write_ready(file, data, running, node.as_ref().and_then(NodeProcess::pid))?;
    }
    tell(data, running, (fresh, fresh && up.samples), smoke.as_ref())?;
    if !up.exit_after_smoke {
        wait(node.as_mut()).await?;
    }
    if let Some(node) = node {
        node.stop().await;
    }
    Ok(if failed && up.exit_after_smoke { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Until somebody stops us. A node that ends by itself is said, and the orchestrator stays.
async fn wait(node: Option<&mut NodeProcess>) -> anyhow::Result<()> {
    let Some(node) = node else { return asked_to_stop().await };
    tokio::select! {
        stopped = asked_to_stop() => stopped,
        ended = node.ended() => {
            tracing::error!(
                "{ended:#}; the orchestrator goes on without it. A node that still runs from an earlier start connects by itself"
            );
            asked_to_stop().await
        }
    }
}

fn node_binary(given: Option<&Path>) -> anyhow::Result<PathBuf> {
    let binary = match given {
        Some(given) => std::path::absolute(given)?,
        None => std::env::current_exe()
            .context("this program's own path is not known")?
            .with_file_name("wardroom-node"),
    };
    anyhow::ensure!(
        binary.is_file(),
        "there is no node daemon at {}: give --node-binary",
        binary.display()
    );
    Ok(binary)
}

fn write_ready(
    file: &Path,
    data: &Path,
    running: &serve::Running,
    node: Option<u32>,
) -> anyhow::Result<()> {
    let ready = Ready {
        url: &running.url,
        nodes_url: &running.nodes_url,
        ca_file: data.join(installation::AUTHORITY_FILE),
        admin_name: installation::ADMIN,
        admin_password_file: data.join(installation::PASSWORD_FILE),
        pids: Pids { orchestrator: std::process::id(), node },
    };
    let text = serde_json::to_string_pretty(&ready)? + "\n";
    installation::write_private(file, text.as_bytes(), 0o600)
}

/// The one short block.
fn tell(
    data: &Path,
    running: &serve::Running,
    (fresh, with_samples): (bool, bool),
    smoke: Option<&anyhow::Result<Smoke>>,
) -> anyhow::Result<()> {
    say("")?;
    say(&format!("  Wardroom is up      {}", running.url))?;
    let file = data.join(installation::PASSWORD_FILE);
    if !fresh && file.exists() {
        // Also where an earlier start got no further than making it.
        say(&format!(
            "  First password      in {}: delete it once you have set your own",
            file.display()
        ))?;
    }
    if fresh {
        let password = std::fs::read_to_string(&file)
            .with_context(|| format!("{} can't be read", file.display()))?;
        say(&format!("  Sign in as          {}", installation::ADMIN))?;
        say(&format!("  First password      {}", password.trim()))?;
        say(&format!(
            "                      (also in {}: delete it once you have it)",
            file.display()
        ))?;
    }
    match smoke {
        Some(Ok(first)) => {
            say(&format!(
                "  First command       {} on {}: {}",
                first.command, first.node, first.output
            ))?;
            say(&format!("  Audit log           {} records, verified", first.records))?;
        }
        Some(Err(error)) => say(&format!("  First command       FAILED: {error:#}"))?,
        None => {}
    }
    if with_samples {
        say(&format!("  Sample agents       {}: try wardroom chat guide", samples::names()))?;
        say(&format!(
            "                      (a script answers for them; {} says how a model does, with ANTHROPIC_API_KEY or OPENAI_API_KEY)",
            data.join(samples::MODELS_FILE).display()
        ))?;
    }
    say(&format!("  Data                {}", data.display()))?;
    let authority = data.join(installation::AUTHORITY_FILE);
    say(&format!("  Certificate         {}", authority.display()))?;
    say(&format!(
        "  Next                wardroom login --server {} --ca {} --name {}",
        running.url,
        authority.display(),
        installation::ADMIN
    ))?;
    say("  Stop with           Ctrl-C")?;
    say("")
}
