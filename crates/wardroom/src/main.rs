//! The control room's binary: serves, looks after an installation, and is its client.

mod client;
mod config;
mod doctor;
mod offline;
mod output;
mod reference;
mod serve;
mod up;

use anyhow::Context as _;
use clap::{Args, Parser, Subcommand};
use config::Config;
use serve::key_file::What;
use std::{
    io::IsTerminal as _,
    path::{Path, PathBuf},
    process::ExitCode,
};
use wardroom_core::Clock as _;
use wardroom_server::FaultLog;
use wardroom_trust::ambient::SystemClock;

/// Hashing a password takes megabytes: what the system's allocator does not give back after that makes up most of what an
/// orchestrator has at rest. It is also faster where many small things are made for each request.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// The control room for agents and machine commands.
#[derive(Debug, Parser)]
#[command(name = "wardroom", version, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    globals: client::Globals,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run everything on this machine: orchestrator, a node beside it, a first command
    Up(up::Up),
    /// Run the orchestrator of an installation that exists
    Serve(Served),
    /// Make a new installation: key ring, database, administrator
    Init(Served),
    /// Create the database or bring it to this version's schema
    Migrate(Served),
    /// Print the SQL that makes PostgreSQL's four roles: for a superuser, once
    Roles,
    /// Renew the key that everything is sealed under
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Look at the settings
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Check this installation's posture; exit code 1 when something is wrong
    Doctor(Served),
    /// Write or check the generated reference documents
    Docs(reference::Docs),
    #[command(flatten)]
    Client(client::ClientCommand),
}

/// What can be done with the key ring.
#[derive(Debug, Subcommand)]
enum KeysCommand {
    /// Add a key, which seals from now on; a running orchestrator takes it over and seals anew what is there
    Rotate {
        /// Instead, give each person and customer another key, and seal what is known of them anew
        #[arg(long)]
        people: bool,
        /// Instead, sign tokens by another key; a key is renewed by itself after 180 days
        #[arg(long, conflicts_with = "people")]
        tokens: bool,
        #[command(flatten)]
        served: Served,
    },
    /// Take an old key out of the ring, when nothing is sealed under it any more
    Retire {
        /// The key's number
        key: u32,
        #[command(flatten)]
        served: Served,
    },
}

/// What can be done with settings.
#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Show each setting that holds, and where it came from
    Explain(Served),
}

/// Where an installation is and what is set on the command line.
#[derive(Debug, Clone, Args)]
pub(crate) struct Served {
    /// The data folder
    #[arg(long, env = "WARDROOM_DATA", default_value = ".wardroom")]
    data: PathBuf,
    /// The settings file; DATA/wardroom.toml where there is one
    #[arg(long, env = "WARDROOM_CONFIG")]
    config: Option<PathBuf>,
    /// Address for people, programs and nodes
    #[arg(long)]
    listen: Option<String>,
    /// Loopback address for metrics
    #[arg(long)]
    listen_metrics: Option<String>,
    /// Any other setting, `name=value`; may be given several times
    #[arg(long = "set", value_name = "NAME=VALUE")]
    set: Vec<String>,
}

impl Served {
    /// The settings in force.
    pub(crate) fn load(&self) -> anyhow::Result<(PathBuf, Config)> {
        let data = std::path::absolute(&self.data)
            .context("the data folder's path can't be made absolute")?;
        let mut flags =
            vec![("listen", self.listen.clone()), ("listen_metrics", self.listen_metrics.clone())];
        for pair in &self.set {
            let (name, value) =
                pair.split_once('=').with_context(|| format!("--set {pair}: give name=value"))?;
            let setting = config::SETTINGS
                .iter()
                .find(|setting| setting.name == name)
                .with_context(|| format!("there is no setting {name:?}"))?;
            flags.push((setting.name, Some(value.to_owned())));
        }
        let config = Config::load(&data, self.config.as_deref(), &flags)?;
        Ok((data, config))
    }
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    // The one library that does cryptography, for everything that speaks TLS.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            return failed(&anyhow::Error::new(error).context("the runtime can't be started"));
        }
    };
    runtime.block_on(async {
        match cli.command {
            Command::Client(command) => client::run::<Cli>(command, cli.globals).await,
            command => {
                let json = cli.globals.json;
                local(command, json).await.unwrap_or_else(|error| failed(&error))
            }
        }
    })
}

async fn local(command: Command, json: bool) -> anyhow::Result<ExitCode> {
    match command {
        Command::Up(up) => up::run(&up).await,
        Command::Serve(served) => {
            let (data, config) = served.load()?;
            let faults = start_log(&config)?;
            let running = serve::start(&data, &config, faults).await?;
            tracing::info!(url = running.url, "serving");
            asked_to_stop().await?;
            running.stop().await;
            Ok(ExitCode::SUCCESS)
        }
        Command::Init(served) => {
            let (data, config) = served.load()?;
            let password = serve::installation::create(&data, &config).await?;
            say(&format!("Made a new installation in {}.", data.display()))?;
            say(&format!(
                "Sign in as {} with the password in {}.",
                serve::installation::ADMIN,
                password.display()
            ))?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Migrate(served) => {
            let (data, config) = served.load()?;
            serve::installation::private_folder(&data)?;
            let migrated = wardroom_store::migrate(&config.store()?).await?;
            say(&if migrated.from == migrated.to {
                format!("The database has schema {} already.", migrated.to)
            } else {
                format!("The database went from schema {} to {}.", migrated.from, migrated.to)
            })?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Keys(KeysCommand::Rotate { people, tokens, served }) => {
            let (data, config) = served.load()?;
            let what = match (people, tokens) {
                (true, _) => What::People,
                (_, true) => What::Tokens,
                _ => What::Sealing,
            };
            serve::key_file::rotate(&data, &config, what).await?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Keys(KeysCommand::Retire { key, served }) => {
            let (data, config) = served.load()?;
            serve::key_file::retire(&data, &config, key).await?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Roles => {
            output::Output::detect(false, SystemClock.now())
                .text(wardroom_store::ROLES_SQL)
                .map_err(|failure| anyhow::anyhow!("{failure}"))?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Config(ConfigCommand::Explain(served)) => {
            let (_, config) = served.load()?;
            config.explain(&output::Output::detect(json, SystemClock.now()))
        }
        Command::Doctor(served) => {
            let (data, config) = served.load()?;
            doctor::run(&data, &config, &output::Output::detect(json, SystemClock.now())).await
        }
        Command::Docs(docs) => docs.run(),
        Command::Client(_) => Ok(ExitCode::FAILURE),
    }
}

/// Waits for SIGINT or SIGTERM.
async fn asked_to_stop() -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).context("signals can't be heard")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("signals can't be heard")?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

/// Starts the log on standard error. Gives where errors are counted.
pub(crate) fn start_log(config: &Config) -> anyhow::Result<FaultLog> {
    use tracing_subscriber::{
        EnvFilter, Layer as _, fmt, layer::SubscriberExt as _, util::SubscriberInitExt as _,
    };
    let filter = EnvFilter::try_new(config.text("log").unwrap_or("info"))
        .context("the setting log is not acceptable")?;
    // SECURITY: it would log what it does not know in a database's URL, which may be a misspelt password.
    let filter = filter.add_directive("sqlx_postgres::options=off".parse()?);
    let lines = fmt::layer().with_writer(|| wardroom_core::redact::Redacting(std::io::stderr()));
    let lines = match config.text("log_format") {
        Some("json") => lines.json().flatten_event(true).boxed(),
        Some("pretty") | None => lines.with_ansi(std::io::stderr().is_terminal()).boxed(),
        Some(other) => anyhow::bail!("the setting log_format is {other:?}: use pretty or json"),
    };
    let faults = FaultLog::default();
    tracing_subscriber::registry()
        .with(lines.with_filter(filter))
        // Whatever is logged, errors are counted.
        .with(faults.clone())
        .try_init()
        .map_err(|error| anyhow::anyhow!("the log can't be started: {error}"))?;
    std::panic::set_hook(Box::new(|panic| tracing::error!("{panic}")));
    Ok(faults)
}

/// A line for people on standard output.
pub(crate) fn say(text: &str) -> anyhow::Result<()> {
    output::Output::detect(false, SystemClock.now())
        .line(text)
        .map_err(|failure| anyhow::anyhow!("{failure}"))
}

fn failed(error: &anyhow::Error) -> ExitCode {
    output::Output::detect(false, SystemClock.now()).note(&format!("wardroom: {error:#}"));
    ExitCode::FAILURE
}

/// Whether a path is there.
pub(crate) fn is_there(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}
