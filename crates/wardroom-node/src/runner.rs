//! One run, from its offer to the moment when the orchestrator has its end.

mod delivery;
mod held;
mod output;
mod scratch;
mod spec;

pub use delivery::{Outgoing, Wire};
pub use held::Held;
pub use output::Output;
pub use scratch::Scratch;

use crate::{
    allowlist::{AllowList, Command, Does, resolve},
    journal::{Event, Finish, Journal, Pieces},
    sandbox::{Chunk, End, FailCode, Forker, RunAs, Sandbox, SandboxError, Spec},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};
use tokio::{sync::mpsc, time::Instant};
use wardroom_core::command::{ParameterValue, Parameters, check_parameters};
use wardroom_wire::link::{CHUNK_BYTES_MAX, EndShape, ResultShape};

/// Pieces of output between the sandbox and the spool.
const CHUNKS_WAITING_MAX: usize = 4;
/// The longest wait before an end that the disk did not take is written again.
const RETRY_MAX: Duration = Duration::from_secs(10);
/// Refusals that are written into the journal within [`REFUSALS_WINDOW`].
const REFUSALS_MAX: u32 = 120;
const REFUSALS_WINDOW: Duration = Duration::from_secs(60);
/// The alert about the journal.
const JOURNAL: &str = "journal";

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
    /// What the digest of the values is mixed with.
    pub salt: String,
    /// The values, or the names of those that are of no type that a parameter has.
    pub parameters: Result<Parameters, Vec<String>>,
    /// Time that is left for it.
    pub deadline: Option<Duration>,
}

/// What this node would run.
#[derive(Debug)]
pub struct Judged {
    /// The command.
    pub command: Command,
    /// The values, with defaults.
    pub values: Parameters,
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

/// Whether a program is there and this machine enforces what it demands.
pub(crate) fn can_start(
    program: &Path,
    requires: &BTreeSet<String>,
    enforced: &BTreeMap<String, bool>,
) -> Result<(), Refusal> {
    let executable = |found: fs::Metadata| found.is_file() && found.mode() & 0o111 != 0;
    if !fs::metadata(program).is_ok_and(executable) {
        let message = format!("{} is not there or may not be executed", program.display());
        return Err(refuse("program_missing", message));
    }
    let missing = |name: &&String| enforced.get(*name).is_none_or(|enforced| !enforced);
    if let Some(name) = requires.iter().find(missing) {
        let message = format!("the entry demands {name}, which this machine does not enforce");
        return Err(refuse("sandbox_unavailable", message));
    }
    Ok(())
}

/// Executes offers.
#[derive(Debug)]
pub struct Runner {
    /// The journal.
    pub journal: Journal,
    /// Starts sandboxes.
    pub forker: Forker,
    /// Where runs have their own folders.
    pub scratch: Scratch,
    /// Where long outputs are kept.
    pub spool: PathBuf,
    /// Whom a root daemon turns into.
    pub run_as: RunAs,
    /// What is wrong, for people, by what it is about.
    pub alerts: Mutex<BTreeMap<&'static str, String>>,
    /// The refusals of the last minute.
    pub refusals: Mutex<Refusals>,
}

/// Refusals within a window.
#[derive(Debug, Default)]
pub struct Refusals {
    since: Option<Instant>,
    count: u32,
}

impl Refusals {
    /// How many there were in this window, with one more.
    fn count(&mut self) -> u32 {
        if !self.lasts() {
            *self = Self { since: Some(Instant::now()), count: 0 };
        }
        self.count = self.count.saturating_add(1);
        self.count
    }

    fn lasts(&self) -> bool {
        self.since.is_some_and(|since| since.elapsed() < REFUSALS_WINDOW)
    }

    /// What people should know of it.
    fn alert(&self) -> Option<String> {
        let over = self.count.checked_sub(REFUSALS_MAX).filter(|over| *over > 0 && self.lasts())?;
        Some(format!("{over} refusals within a minute are not in the node's log: too many came"))
    }
}

impl Runner {
    /// Whether this node can and may run it: by its own list and what the kernel enforces.
    pub fn judge(
        &self,
        list: &AllowList,
        offer: &Offer,
        enforced: &BTreeMap<String, bool>,
    ) -> Result<Judged, Refusal> {
        let command = list.commands.get(&offer.command).ok_or_else(|| {
            refuse("unknown_command", "this node's allow-list has no such command")
        })?;
        // SECURITY: what the submitter saw is what is run, or nothing is.
        if command.spec.digest != offer.digest {
            let message =
                "the command's definition changed since it was submitted: submit it again";
            return Err(refuse("digest_changed", message));
        }
        let given = offer.parameters.as_ref().map_err(|names| {
            refuse(
                "bad_parameter",
                format!("not a text, a whole number or a boolean: {}", names.join(", ")),
            )
        })?;
        let values = check_parameters(&command.spec, given).map_err(|errors| {
            let all: Vec<String> = errors.iter().map(ToString::to_string).collect();
            refuse("bad_parameter", all.join("; "))
        })?;
        if let Does::Program { program, .. } = &command.does {
            // Looked at again when it is used; here it only makes a better answer.
            resolve(command, &values)
                .map_err(|refused| refuse("bad_parameter", refused.to_string()))?;
            can_start(program, &command.spec.requires, enforced)?;
        }
        Ok(Judged { command: command.clone(), values })
    }

    /// Writes a refusal into the journal, unless there were too many lately: whoever makes this node refuse
    /// must not push out with it what it ran.
    pub async fn record_refusal(&self, offer: &Offer, refusal: &Refusal) {
        let count = self.refusals.lock().unwrap_or_else(PoisonError::into_inner).count();
        if count > REFUSALS_MAX {
            // Once: who compares the logs must know that some are missing.
            if count == REFUSALS_MAX + 1
                && let Err(error) = self.write(Event::PassedOver, vec![]).await
            {
                tracing::error!(%error, "the journal does not tell that refusals were passed over");
            }
            return;
        }
        let event = Event::Refused {
            run: offer.run.clone(),
            fence: offer.fence,
            command: offer.command.chars().filter(char::is_ascii_graphic).take(64).collect(),
            code: refusal.code.to_owned(),
        };
        if let Err(error) = self.write(event, vec![]).await {
            tracing::error!(%error, run = offer.run, "a refusal could not be written into the journal");
        }
    }

    /// Takes the run into the journal: from here on it counts as begun.
    pub async fn accept(&self, held: &Held) -> Result<(), Refusal> {
        let event = Event::Accepted {
            run: held.run.clone(),
            fence: held.fence(),
            asked: held.asked.clone(),
        };
        self.write(event, vec![]).await.map_err(|error| {
            refuse("busy", format!("the node's journal can't be written: {error}"))
        })
    }

    /// Writes that a newer lease took the run over.
    pub async fn adopt(&self, held: &Held) -> io::Result<()> {
        self.write(Event::Adopted { run: held.run.clone(), fence: held.fence() }, vec![]).await
    }

    /// Writes into the journal; raises and clears the alert that tells whether it can be written.
    pub(crate) async fn write(&self, event: Event, output: Pieces) -> io::Result<()> {
        let written = self.journal.write_with(event, output, now()).await;
        let mut alerts = self.alerts.lock().unwrap_or_else(PoisonError::into_inner);
        match &written {
            Ok(()) => {
                alerts.remove(JOURNAL);
            }
            Err(error) => {
                let text = format!("the journal can't be written, so no run is taken: {error}");
                alerts.insert(JOURNAL, text);
            }
        }
        written
    }

    /// What is wrong, for people.
    pub fn alerts(&self) -> Vec<String> {
        let refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner).alert();
        let alerts = self.alerts.lock().unwrap_or_else(PoisonError::into_inner);
        alerts.values().cloned().chain(refusals).collect()
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
            _ if held.cancel.is_cancelled() => {
                ended(EndShape::Cancelled, "it was cancelled before it began".to_owned())
            }
            Does::Ping => ping(held, values),
            Does::Program { .. } => match self.program(held, command, values, deadline).await {
                Ok(result) => result,
                Err(message) => not_started(message),
            },
        };
        self.conclude(held, result).await;
        held.done.cancel();
    }

    /// Makes the end durable and lets it be delivered. While the disk can't take it, tries again: an
    /// end that is told and not kept could be told otherwise after a restart.
    pub async fn conclude(&self, held: &Arc<Held>, mut result: ResultShape) {
        if let Err(error) = held.output.sync().await {
            tracing::error!(%error, run = held.run, "a run's output could not be made durable");
            result.message.get_or_insert_with(|| {
                format!("the node could not make the output durable: {error}")
            });
        }
        let mut wait = Duration::from_millis(250);
        while !held.forget.is_cancelled() {
            let end = Finish {
                result: result.clone(),
                chunks: held.output.chunks(),
                in_file: held.output.in_file(),
            };
            let event =
                Event::Finished { run: held.run.clone(), fence: held.fence(), end: Box::new(end) };
            match self.write(event, held.output.short()).await {
                Ok(()) => return held.finish(result),
                Err(error) => {
                    tracing::error!(%error, run = held.run, "a run's end could not be written into the journal");
                }
            }
            tokio::select! {
                () = held.forget.cancelled() => {}
                () = tokio::time::sleep(wait) => wait = (wait * 2).min(RETRY_MAX),
            }
        }
    }

    /// The orchestrator has the end, or does not want the run. Returns once nothing is left of it.
    pub async fn forget(&self, held: &Held, discarded: bool) {
        held.forget.cancel();
        held.cancel.cancel();
        let event = Event::Recorded { run: held.run.clone(), fence: held.fence(), discarded };
        if let Err(error) = self.write(event, vec![]).await {
            tracing::warn!(%error, run = held.run, "a recorded run could not be forgotten; it is delivered again");
        }
        held.done.cancelled().await;
        held.output.remove();
    }

    async fn program(
        &self,
        held: &Arc<Held>,
        command: &Command,
        values: &Parameters,
        deadline: Option<Duration>,
    ) -> Result<ResultShape, String> {
        let resolved = resolve(command, values).map_err(|refused| refused.to_string())?;
        let folder = self
            .scratch
            .make(&format!("{}.{}", held.run, held.fence()), self.run_as)
            .map_err(|error| format!("the run's folder can't be made: {error:#}"))?;
        let spec = self
            .of_command(command, resolved, folder.clone(), deadline)
            .ok_or("the command has no program")?;
        let outcome = self.supervised(held, spec).await;
        self.scratch.remove(folder).await;
        outcome
    }

    /// Runs a program in the sandbox, passing its output into the spool.
    async fn supervised(&self, held: &Arc<Held>, spec: Spec) -> Result<ResultShape, String> {
        let program = spec.program.clone();
        let sandbox = Sandbox::start(&self.forker, spec).await.map_err(|error| match error {
            SandboxError::Refused { code: FailCode::Ability, message } => {
                format!("sandbox_unavailable: {message}")
            }
            error => error.to_string(),
        })?;
        let started_at = now();
        let event = Event::Started { run: held.run.clone(), fence: held.fence() };
        // Nothing waits for this line; the one about the end comes behind it.
        self.journal.note(event, now()).await;
        held.started(started_at.clone());
        let (chunks, waiting) = mpsc::channel(CHUNKS_WAITING_MAX);
        let supervising = sandbox.supervise(chunks, held.cancel.clone());
        let (outcome, spooled) = tokio::join!(supervising, spool(held, waiting));
        let (end, message) = match (spooled, outcome.end) {
            // What was printed is part of the result: a run whose output is lost did not end well.
            (Err(error), _) => (
                EndShape::Limit { limit: "output".to_owned() },
                Some(format!("the node could not keep the output: {error}")),
            ),
            (_, End::Lost) => (
                EndShape::Interrupted,
                Some(format!("the sandbox of {} died without a word", program.display())),
            ),
            (_, End::Exited(code)) => (EndShape::Exited { code }, None),
            (_, End::Signalled(signal)) => (EndShape::Signalled { signal }, None),
            (_, End::Limit(limit)) => (EndShape::Limit { limit: limit.to_owned() }, None),
            (_, End::Cancelled) => (EndShape::Cancelled, None),
        };
        Ok(ResultShape {
            end,
            message,
            started_at: Some(started_at),
            finished_at: now(),
            cpu_ms: outcome.cpu_ms,
            memory_peak_bytes: outcome.memory_peak_bytes,
            output_bytes: outcome.output_bytes,
        })
    }
}

/// Passes output into the spool until it ends. Small pieces that wait together become one.
async fn spool(held: &Held, mut waiting: mpsc::Receiver<Chunk>) -> io::Result<()> {
    let mut ahead: Option<Chunk> = None;
    loop {
        let mut chunk = match ahead.take() {
            Some(chunk) => chunk,
            None => match waiting.recv().await {
                Some(chunk) => chunk,
                None => return Ok(()),
            },
        };
        while let Ok(next) = waiting.try_recv() {
            if next.stderr == chunk.stderr
                && chunk.bytes.len() + next.bytes.len() <= CHUNK_BYTES_MAX
            {
                chunk.bytes.extend_from_slice(&next.bytes);
            } else {
                ahead = Some(next);
                break;
            }
        }
        if let Err(error) = held.output.push(chunk.stderr, chunk.bytes) {
            tracing::error!(%error, run = held.run, "output could not be kept; the run is stopped");
            held.cancel.cancel();
            return Err(error);
        }
        held.changed.notify_one();
    }
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
