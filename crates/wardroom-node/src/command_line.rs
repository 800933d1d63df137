//! The command line.

use crate::{
    allowlist::{self, FileError, SAMPLE},
    daemon::{Daemon, Options, Removed},
    identity, journal,
    sandbox::RunAs,
};
use anyhow::Context as _;
use clap::{Parser, Subcommand};
use std::{
    io::{BufRead as _, IsTerminal as _, Read as _, Write as _},
    path::PathBuf,
    process::ExitCode,
};

/// The exit code of a node that was removed.
const REMOVED: u8 = 3;

/// Runs what its own allow-list defines, for an orchestrator that it was enrolled with.
///
/// Exit codes: 0 all is well, 1 it went wrong or a file has mistakes, 2 the command line is wrong,
/// 3 the orchestrator removed this node.
#[derive(Debug, Parser)]
#[command(name = "wardroom-node", version)]
pub struct CommandLine {
    /// Logs as JSON
    #[arg(long, global = true)]
    log_json: bool,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Check an allow-list and name every mistake
    Check {
        /// The file
        file: PathBuf,
    },
    /// Print a sample allow-list
    Sample,
    /// Enrol this machine with a join token
    Join {
        /// The orchestrator, e.g. https://wardroom.example.org:4000
        #[arg(long)]
        server: String,
        /// The join token; with --token-stdin it does not show among the processes
        #[arg(long, required_unless_present = "token_stdin")]
        token: Option<String>,
        /// Read the join token from standard input
        #[arg(long, conflicts_with = "token")]
        token_stdin: bool,
        /// A folder of this node's own
        #[arg(long)]
        data: PathBuf,
        /// The allow-list
        #[arg(long)]
        commands: PathBuf,
        /// The node's name; the machine's where absent
        #[arg(long)]
        name: Option<String>,
    },
    /// Run the daemon
    Run {
        /// The folder that it was enrolled with
        #[arg(long)]
        data: PathBuf,
        /// Another allow-list than the one that it was enrolled with
        #[arg(long)]
        commands: Option<PathBuf>,
        /// Whom commands run as when the daemon is root
        #[arg(long, value_name = "UID:GID", default_value = "65534:65534", value_parser = run_as)]
        run_as: RunAs,
        /// How many runs at the same time; four per processor where absent
        #[arg(long)]
        runs_max: Option<u32>,
    },
    /// This node's own log of what it ran and refused
    Log {
        /// What to do with it
        #[arg(value_enum)]
        act: LogAct,
        /// The node's folder
        #[arg(long)]
        data: PathBuf,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum LogAct {
    /// Check that no line was altered, removed, moved or cut off
    Verify,
    /// Check it, then print it as JSON lines, for `wardroom audit compare`
    Export,
}

fn run_as(text: &str) -> Result<RunAs, String> {
    let (uid, gid) = text.split_once(':').ok_or("give UID:GID")?;
    let number = |text: &str| {
        text.parse::<u32>().ok().filter(|id| *id != 0).ok_or("ids are numbers other than 0")
    };
    Ok(RunAs { uid: number(uid)?, gid: number(gid)? })
}

impl CommandLine {
    /// Does it.
    pub fn run(self) -> ExitCode {
        let filter = tracing_subscriber::EnvFilter::try_from_env("WARDROOM_LOG")
            .unwrap_or_else(|_| "info".into());
        let log = tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(|| wardroom_core::redact::Redacting(std::io::stderr()));
        let started = if self.log_json {
            log.json().flatten_event(true).try_init()
        } else {
            log.with_ansi(std::io::stderr().is_terminal()).try_init()
        };
        let outcome = match started {
            Ok(()) => self.verb.run(),
            Err(error) => Err(anyhow::anyhow!("the log can't be started: {error}")),
        };
        outcome.unwrap_or_else(|error| {
            complain(&format!("wardroom-node: {error:#}"));
            if error.is::<Removed>() { ExitCode::from(REMOVED) } else { ExitCode::FAILURE }
        })
    }
}

impl Verb {
    fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::Check { file } => check(&file),
            Self::Sample => {
                print(SAMPLE)?;
                Ok(ExitCode::SUCCESS)
            }
            Self::Join { server, token, token_stdin: _, data, commands, name } => {
                let token = match token {
                    Some(token) => token,
                    None => from_stdin()?,
                };
                let name = name.unwrap_or_else(|| {
                    rustix::system::uname().nodename().to_string_lossy().into_owned()
                });
                let joined = runtime()?.block_on(identity::join(
                    &server,
                    token.trim(),
                    &data,
                    &commands,
                    &name,
                ))?;
                complain(&format!("enrolled as {} ({})", joined.name, joined.node));
                Ok(ExitCode::SUCCESS)
            }
            Self::Run { data, commands, run_as, runs_max } => {
                let options =
                    Options { data: std::path::absolute(data)?, commands, run_as, runs_max };
                let local = tokio::task::LocalSet::new();
                local.block_on(&runtime()?, Daemon::run(options, stopped()))?;
                Ok(ExitCode::SUCCESS)
            }
            Self::Log { act, data } => log(act, &data),
        }
    }
}

/// The first line of an exported log.
#[derive(serde::Serialize)]
struct LogHeader<'a> {
    format: &'static str,
    node: &'a str,
    lines: u64,
    first: u64,
    head: &'a str,
}

fn log(act: LogAct, data: &std::path::Path) -> anyhow::Result<ExitCode> {
    let verified = journal::verify(data)?;
    if act == LogAct::Verify {
        print(&format!(
            "{} lines from number {}, unbroken; head {}\n",
            verified.lines, verified.first, verified.head
        ))?;
        return Ok(ExitCode::SUCCESS);
    }
    let node = identity::enrolment(data)?.node;
    let header = LogHeader {
        format: "wardroom-node-log/1",
        node: &node,
        lines: verified.lines,
        first: verified.first,
        head: &verified.head,
    };
    print(&format!("{}\n", serde_json::to_string(&header)?))?;
    let mut left = verified.lines;
    for file in journal::files(data)? {
        let file = std::fs::File::open(&file).with_context(|| file.display().to_string())?;
        for text in std::io::BufReader::new(file).lines() {
            let text = text?;
            // What a running daemon has added meanwhile was not verified.
            if left == 0 {
                return Ok(ExitCode::SUCCESS);
            }
            left -= 1;
            print(&format!("{text}\n"))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn check(file: &std::path::Path) -> anyhow::Result<ExitCode> {
    match allowlist::read(file) {
        Ok(list) => {
            let mut text = String::new();
            for command in list.commands.values() {
                let names: Vec<&str> = command
                    .spec
                    .parameters
                    .iter()
                    .map(|parameter| parameter.name.as_str())
                    .collect();
                text.push_str(&format!(
                    "{:<20} {} ({})\n",
                    command.spec.name,
                    command.spec.description,
                    names.join(", ")
                ));
            }
            for server in list.tool_servers.values() {
                text.push_str(&format!(
                    "{:<20} {} (a tool server)\n",
                    server.spec.name, server.spec.description
                ));
            }
            print(&text)?;
            Ok(ExitCode::SUCCESS)
        }
        Err(FileError::Mistakes { mistakes, .. }) => {
            for mistake in mistakes {
                complain(&format!("{}:{mistake}", file.display()));
            }
            Ok(ExitCode::FAILURE)
        }
        Err(error) => Err(error.into()),
    }
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("the runtime can't be started")
}

/// Until SIGINT or SIGTERM.
async fn stopped() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut terminate), Ok(mut interrupt)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

fn from_stdin() -> anyhow::Result<String> {
    let mut text = String::new();
    std::io::stdin()
        .take(1024)
        .read_to_string(&mut text)
        .context("the join token can't be read")?;
    Ok(text)
}

fn print(text: &str) -> anyhow::Result<()> {
    std::io::stdout().write_all(text.as_bytes()).context("standard output can't be written")
}

fn complain(text: &str) {
    // Nothing can be done about a closed standard error.
    let _ = writeln!(std::io::stderr(), "{text}");
}
