//! One run, from its offer to the moment when the orchestrator has its end.

mod delivery;
mod output;

pub use delivery::{Outgoing, Wire};
pub use output::Output;

use crate::{
    allowlist::{AllowList, Command, Does, resolve},
    journal::{Event, Journal},
    sandbox::{Access, End, FailCode, Limits, RunAs, Sandbox, SandboxError, Spec},
};
use anyhow::Context as _;
use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;
use wardroom_core::{
    command::{ParameterValue, Parameters, check_parameters},
    digest::parameters_digest,
};
use wardroom_wire::link::{EndShape, NodeFrame, ResultShape};

/// Pieces of output between the sandbox and the spool.
const CHUNKS_WAITING_MAX: usize = 4;

/// The time, RFC 3339.
#[expect(clippy::disallowed_methods, reason = "the daemon's one reader of the ambient clock")]
pub fn now() -> String {
    jiff::Timestamp::try_from(SystemTime::now()).map(|at| format!("{at:.6}")).unwrap_or_default()
}

/// What the orchestrator asks for.
#[derive(Debug, Clone)]
pub struct Offer {
    /// The run.
    pub run: String,
    /// Its fencing token.
    pub fence: i64,
    /// The command.
    pub command: String,
    /// Digest of the definition that the submitter saw.
    pub digest: String,
    /// The values.
    pub parameters: Parameters,
    /// Time that is left for it.
    pub deadline: Option<Duration>,
}

/// Why this node does not run it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// A stable code.
    pub code: &'static str,
    /// For people.
    pub message: String,
}

fn refuse(code: &'static str, message: impl Into<String>) -> Refusal {
    Refusal { code, message: message.into() }
}

/// A run that this node holds.
#[derive(Debug)]
pub struct Held {
    /// The run.
    pub run: String,
    /// Its fencing token.
    pub fence: i64,
    /// Goes off when it must stop.
    pub cancel: CancellationToken,
    /// Goes off when the orchestrator has its end, or does not want it.
    pub forget: CancellationToken,
    pub(crate) output: Output,
    pub(crate) state: Mutex<State>,
    pub(crate) changed: Notify,
}

/// What becomes of it.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) started_at: Option<String>,
    pub(crate) finished: Option<ResultShape>,
    /// Where the orchestrator wants output from, once it has said so on this connection.
    pub(crate) wanted: Option<u32>,
}

impl Held {
    /// A run that was just accepted, or is found in the journal.
    pub fn new(run: String, fence: i64, output: Output) -> Arc<Self> {
        Arc::new(Self {
            run,
            fence,
            cancel: CancellationToken::new(),
            forget: CancellationToken::new(),
            output,
            state: Mutex::default(),
            changed: Notify::new(),
        })
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The orchestrator has output up to here and wants the rest.
    pub fn want(&self, from: u32) {
        self.state().wanted = Some(from);
        self.changed.notify_one();
    }

    /// The connection is gone: nothing is wanted until the orchestrator says so again.
    pub fn disconnected(&self) {
        self.state().wanted = None;
    }

    pub(crate) fn finish(&self, result: ResultShape) {
        self.state().finished = Some(result);
        self.changed.notify_one();
    }
}

/// Executes offers.
#[derive(Debug)]
pub struct Runner {
    /// The journal.
    pub journal: Journal,
    /// Where runs have their own folders.
    pub scratch: PathBuf,
    /// Where long outputs are kept.
    pub spool: PathBuf,
    /// Whom a root daemon turns into.
    pub run_as: RunAs,
}

impl Runner {
    /// Whether this node runs it: by its own list and nothing else.
    pub fn judge(&self, list: &AllowList, offer: &Offer) -> Result<(Command, Parameters), Refusal> {
        let command = list.commands.get(&offer.command).ok_or_else(|| {
            refuse("unknown_command", "this node's allow-list has no such command")
        })?;
        // SECURITY: what the submitter saw is what is run, or nothing is.
        if command.spec.digest != offer.digest {
            return Err(refuse(
                "digest_changed",
                "the command's definition changed since it was submitted: submit it again",
            ));
        }
        let values = check_parameters(&command.spec, &offer.parameters).map_err(|errors| {
            let all: Vec<String> = errors.iter().map(ToString::to_string).collect();
            refuse("bad_parameter", all.join("; "))
        })?;
        Ok((command.clone(), values))
    }

    /// Writes a refusal into the journal.
    pub async fn record_refusal(&self, offer: &Offer, refusal: &Refusal) {
        let event = Event::Refused {
            run: offer.run.clone(),
            fence: offer.fence,
            command: offer.command.chars().take(64).collect(),
            code: refusal.code.to_owned(),
        };
        if let Err(error) = self.journal.write(event, now()).await {
            tracing::error!(%error, run = offer.run, "a refusal could not be written into the journal");
        }
    }

    /// Takes the run into the journal: from here on it counts as begun.
    pub async fn accept(&self, offer: &Offer, values: &Parameters) -> Result<(), Refusal> {
        let event = Event::Accepted {
            run: offer.run.clone(),
            fence: offer.fence,
            command: offer.command.clone(),
            parameters_digest: parameters_digest(values),
        };
        self.journal.write(event, now()).await.map_err(|error| {
            refuse("busy", format!("the node's journal can't be written: {error}"))
        })
    }

    /// Runs an accepted command to its end and writes that into the journal.
    pub async fn execute(
        &self,
        held: &Arc<Held>,
        command: &Command,
        values: &Parameters,
        deadline: Option<Duration>,
    ) {
        let result = match &command.does {
            Does::Ping => ping(held, values),
            Does::Program { .. } => match self.program(held, command, values, deadline).await {
                Ok(result) => result,
                Err(message) => not_started(message),
            },
        };
        self.conclude(held, result).await;
    }

    /// Makes the end durable and lets it be delivered.
    pub async fn conclude(&self, held: &Arc<Held>, result: ResultShape) {
        let output = match held.output.seal() {
            Ok(output) => output,
            Err(error) => {
                tracing::error!(%error, run = held.run, "a run's output could not be kept");
                vec![]
            }
        };
        let event = Event::Finished {
            run: held.run.clone(),
            fence: held.fence,
            result: Box::new(result.clone()),
            chunks: held.output.chunks(),
            output,
        };
        match self.journal.write(event, now()).await {
            Ok(()) => held.finish(result),
            // Not durable, so not said: after a restart the run counts as interrupted.
            Err(error) => {
                tracing::error!(%error, run = held.run, "a run's end could not be written into the journal")
            }
        }
    }

    /// The orchestrator has the end, or does not want the run.
    pub async fn forget(&self, held: &Held, discarded: bool) {
        held.forget.cancel();
        held.cancel.cancel();
        let event = Event::Recorded { run: held.run.clone(), fence: held.fence, discarded };
        if let Err(error) = self.journal.write(event, now()).await {
            tracing::warn!(%error, run = held.run, "a recorded run could not be forgotten; it is delivered again");
        }
        held.output.remove();
    }

    async fn program(
        &self,
        held: &Arc<Held>,
        command: &Command,
        values: &Parameters,
        deadline: Option<Duration>,
    ) -> Result<ResultShape, String> {
        let (args, paths) = resolve(command, values).map_err(|refused| refused.to_string())?;
        let folder = self
            .folder(&held.run)
            .map_err(|error| format!("the run's folder can't be made: {error:#}"))?;
        let spec = self
            .spec(command, args, paths, folder.clone(), deadline)
            .ok_or("the command has no program")?;
        let outcome = supervised(held, spec).await;
        if let Err(error) = fs::remove_dir_all(&folder) {
            tracing::warn!(%error, folder = %folder.display(), "a run's folder could not be removed");
        }
        outcome
    }

    fn spec(
        &self,
        command: &Command,
        args: Vec<String>,
        paths: Vec<PathBuf>,
        scratch: PathBuf,
        deadline: Option<Duration>,
    ) -> Option<Spec> {
        let Does::Program { program, sha256, read, write, .. } = &command.does else { return None };
        let given = &command.spec.limits;
        let left =
            deadline.map_or(u64::MAX, |left| u64::try_from(left.as_millis()).unwrap_or(u64::MAX));
        let home = scratch.display().to_string();
        let env = [
            ("HOME", home.as_str()),
            ("LANG", "C.UTF-8"),
            ("PATH", "/usr/local/bin:/usr/bin:/bin"),
            ("TMPDIR", home.as_str()),
        ];
        Some(Spec {
            program: program.clone(),
            program_sha256: *sha256,
            args,
            env: env
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect::<BTreeMap<_, _>>(),
            scratch,
            limits: Limits {
                wall_ms_max: given.wall_ms_max.min(left),
                cpu_seconds_max: given.cpu_seconds_max,
                memory_bytes_max: given.memory_bytes_max,
                processes_max: given.processes_max,
                open_files_max: given.open_files_max,
                file_bytes_max: given.file_bytes_max,
                output_bytes_max: given.output_bytes_max,
            },
            access: Access {
                read: read.iter().cloned().chain(paths).collect(),
                write: write.clone(),
                network: command.spec.network,
            },
            run_as: self.run_as,
            requires: command
                .spec
                .requires
                .iter()
                .filter_map(|name| crate::sandbox::Ability::named(name))
                .collect(),
        })
    }

    /// The run's own folder, which only it may enter.
    fn folder(&self, run: &str) -> anyhow::Result<PathBuf> {
        let folder = self.scratch.join(run);
        fs::DirBuilder::new()
            .mode(0o700)
            .create(&folder)
            .with_context(|| folder.display().to_string())?;
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::chown(&folder, Some(self.run_as.uid), Some(self.run_as.gid))?;
        }
        Ok(folder)
    }
}

/// Runs a program in the sandbox, passing its output into the spool.
async fn supervised(held: &Arc<Held>, spec: Spec) -> Result<ResultShape, String> {
    let program = spec.program.clone();
    let sandbox = Sandbox::start(spec).await.map_err(|error| match error {
        SandboxError::Refused { code: FailCode::Ability, message } => {
            format!("sandbox_unavailable: {message}")
        }
        error => error.to_string(),
    })?;
    let started_at = now();
    held.state().started_at = Some(started_at.clone());
    held.changed.notify_one();
    let (chunks, mut waiting) = mpsc::channel(CHUNKS_WAITING_MAX);
    let supervising = sandbox.supervise(chunks, held.cancel.clone());
    let spooling = async {
        while let Some(chunk) = waiting.recv().await {
            if let Err(error) = held.output.push(chunk.stderr, chunk.bytes) {
                tracing::error!(%error, run = held.run, "output could not be kept");
                return Err(error);
            }
            held.changed.notify_one();
        }
        Ok(())
    };
    let (outcome, spooled) = tokio::join!(supervising, spooling);
    let message = match (&spooled, outcome.end) {
        (Err(error), _) => Some(format!("the node could not keep the output: {error}")),
        (_, End::Lost) => Some(format!("the sandbox of {} died without a word", program.display())),
        _ => None,
    };
    Ok(ResultShape {
        end: match outcome.end {
            End::Exited(code) => EndShape::Exited { code },
            End::Signalled(signal) => EndShape::Signalled { signal },
            End::Limit(limit) => EndShape::Limit { limit: limit.to_owned() },
            End::Cancelled => EndShape::Cancelled,
            End::Lost => EndShape::Interrupted,
        },
        message,
        started_at: Some(started_at),
        finished_at: now(),
        cpu_ms: outcome.cpu_ms,
        memory_peak_bytes: outcome.memory_peak_bytes,
        output_bytes: outcome.output_bytes,
    })
}

/// The built-in command: answers its message, without a process.
fn ping(held: &Held, values: &Parameters) -> ResultShape {
    let text = match values.get("message") {
        Some(ParameterValue::Text(text)) => format!("{text}\n"),
        _ => "pong\n".to_owned(),
    };
    let output_bytes = text.len() as u64;
    let kept = held.output.push(false, text.into_bytes());
    let at = now();
    ResultShape {
        end: if kept.is_ok() { EndShape::Exited { code: 0 } } else { EndShape::NotStarted },
        message: None,
        started_at: Some(at.clone()),
        finished_at: at,
        cpu_ms: 0,
        memory_peak_bytes: 0,
        output_bytes,
    }
}

fn not_started(message: String) -> ResultShape {
    ended(EndShape::NotStarted, message)
}

/// The end of a run of which nobody knows what it did.
pub fn interrupted() -> ResultShape {
    ended(
        EndShape::Interrupted,
        "the node went down while it held the run; what the command did is unknown".to_owned(),
    )
}

fn ended(end: EndShape, message: String) -> ResultShape {
    ResultShape {
        end,
        message: Some(message),
        started_at: None,
        finished_at: now(),
        cpu_ms: 0,
        memory_peak_bytes: 0,
        output_bytes: 0,
    }
}

/// What a frame about this run looks like.
impl Held {
    pub(crate) fn started_frame(&self, at: String) -> NodeFrame {
        NodeFrame::Started { run: self.run.clone(), fence: self.fence, at }
    }
}

/// Makes the folder beneath which runs have theirs. A root daemon needs one that the commands' user
/// can walk through; its own data folder is closed to that user.
pub fn scratch_folder(data: &Path, node: &str) -> anyhow::Result<PathBuf> {
    if !rustix::process::geteuid().is_root() {
        let folder = data.join("scratch");
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        return Ok(folder);
    }
    let folder = PathBuf::from(format!("/var/tmp/wardroom-{node}"));
    match fs::DirBuilder::new().mode(0o711).create(&folder) {
        Ok(()) => fs::set_permissions(&folder, fs::Permissions::from_mode(0o711))?,
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            let found = fs::symlink_metadata(&folder)?;
            // SECURITY: anybody may have made something of this name in a folder open to all.
            anyhow::ensure!(
                found.is_dir() && found.uid() == 0 && found.mode() & 0o022 == 0,
                "{} is not this node's: remove it",
                folder.display()
            );
        }
        Err(error) => return Err(error.into()),
    }
    // What an earlier process left there belongs to runs that are over.
    for entry in fs::read_dir(&folder)?.flatten() {
        let _ = fs::remove_dir_all(entry.path());
    }
    Ok(folder)
}
