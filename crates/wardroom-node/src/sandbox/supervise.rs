//! The daemon's side: starts the launcher, reads both streams in order, enforces time and output.

use super::{
    filters,
    forker::{Forker, Launcher},
    spec::{Ability, FailCode, Order, Said, Spec},
};
use std::{borrow::Cow, collections::BTreeSet, io, time::Duration};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{
        UnixStream,
        unix::pipe::{Receiver, Sender},
    },
    sync::mpsc,
    time::{Instant, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;
use wardroom_wire::link::CHUNK_BYTES_MAX;

/// The time in which the launcher must have executed the program.
const START_TIMEOUT: Duration = Duration::from_secs(10);
/// The time in which everything must be gone once it was killed.
const KILL_TIMEOUT: Duration = Duration::from_secs(10);
/// The longest line that the launcher says, in bytes.
const LINE_BYTES_MAX: u64 = 16 * 1024;
/// The most that it may still say while it ends, in bytes.
const REST_BYTES_MAX: u64 = 64 * 1024;

/// A piece of output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// Counts from 0 over both streams.
    pub seq: u32,
    /// Standard error rather than standard output.
    pub stderr: bool,
    /// At most [`CHUNK_BYTES_MAX`].
    pub bytes: Vec<u8>,
}

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// By itself.
    Exited(i32),
    /// By a signal.
    Signalled(i32),
    /// By a limit: `wall`, `cpu` or `output`.
    Limit(&'static str),
    /// Because it was cancelled.
    Cancelled,
    /// The sandbox died without a word.
    Lost,
}

/// What a program came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// How it ended.
    pub end: End,
    /// Processor time, in milliseconds.
    pub cpu_ms: u64,
    /// Most memory that was resident, in bytes.
    pub memory_peak_bytes: u64,
    /// Output bytes that were passed on.
    pub output_bytes: u64,
    /// Pieces that were passed on.
    pub chunks: u32,
}

/// Why a program was not started.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The launcher can't be started or does not answer.
    #[error("the sandbox can't be started: {0}")]
    Io(#[from] io::Error),
    /// The launcher said why.
    #[error("{message}")]
    Refused {
        /// Where it failed.
        code: FailCode,
        /// For people.
        message: String,
    },
}

/// A started program.
#[derive(Debug)]
pub struct Sandbox {
    /// The launcher's process.
    launcher: i32,
    socket: BufReader<UnixStream>,
    /// Standard input, until somebody takes it.
    input: Option<Sender>,
    /// Standard output and standard error.
    streams: Option<(Receiver, Receiver)>,
    spec: Spec,
    /// What the kernel enforces around it.
    pub enforced: BTreeSet<Ability>,
}

impl Sandbox {
    /// Starts the program of `spec`; returns once it was really executed.
    pub async fn start(forker: &Forker, spec: Spec) -> Result<Self, SandboxError> {
        let Launcher { pid, socket, input, out, err } = forker.launch(spec.heard).await?;
        let mut sandbox = Self {
            launcher: pid,
            socket: BufReader::new(socket),
            input,
            streams: Some((out, err)),
            spec,
            enforced: BTreeSet::new(),
        };
        match timeout(START_TIMEOUT, sandbox.converse()).await {
            Ok(Ok(enforced)) => {
                sandbox.enforced = enforced;
                Ok(sandbox)
            }
            Ok(Err(error)) => {
                sandbox.end_all().await;
                Err(error)
            }
            Err(_) => {
                sandbox.end_all().await;
                Err(io::Error::from(io::ErrorKind::TimedOut).into())
            }
        }
    }

    /// Hands the specification over and hears whether the program was executed.
    async fn converse(&mut self) -> Result<BTreeSet<Ability>, SandboxError> {
        let filters = filters::filters(self.spec.access.network)
            .map_err(|message| SandboxError::Refused { code: FailCode::Sandbox, message })?;
        let order = Order { spec: Cow::Borrowed(&self.spec), filters: Cow::Borrowed(filters) };
        let order = serde_json::to_vec(&order).map_err(io::Error::other)?;
        let length = u32::try_from(order.len()).map_err(io::Error::other)?;
        let stream = self.socket.get_mut();
        stream.write_all(&length.to_le_bytes()).await?;
        stream.write_all(&order).await?;
        match hear(&mut self.socket).await? {
            Some(Said::Started { enforced }) => Ok(enforced),
            Some(Said::Failed { code, message }) => Err(SandboxError::Refused { code, message }),
            _ => Err(io::Error::other("the launcher ended without a word").into()),
        }
    }

    /// The program's standard input. Whoever does not take it before [`Self::supervise`] gives it none.
    pub fn take_input(&mut self) -> Option<Sender> {
        self.input.take()
    }

    /// Brings the program to its end: passes its output on, waits while the receiver is slow (which
    /// makes the program wait as well), enforces wall time and output, obeys `cancel`. Every process of
    /// the sandbox is gone when this returns.
    pub async fn supervise(
        mut self,
        output: mpsc::Sender<Chunk>,
        cancel: CancellationToken,
    ) -> Outcome {
        drop(self.input.take());
        let (out, err) = self.streams.take().unzip();
        let mut pump = Pump {
            out,
            err,
            output,
            seq: 0,
            bytes: 0,
            bytes_max: self.spec.limits.output_bytes_max,
        };
        let deadline = Instant::now() + Duration::from_millis(self.spec.limits.wall_ms_max);
        let mut said = None;
        let stopped = {
            let drained = pump.drain();
            tokio::pin!(drained);
            let mut drained_to_end = false;
            loop {
                tokio::select! {
                    () = cancel.cancelled() => break Some(End::Cancelled),
                    () = sleep_until(deadline) => break Some(End::Limit("wall")),
                    within = &mut drained, if !drained_to_end => match within {
                        true => drained_to_end = true,
                        false => break Some(End::Limit("output")),
                    },
                    heard = hear(&mut self.socket), if said.is_none() => {
                        said = Some(heard.ok().flatten());
                    }
                }
                // The program is over and nothing of its output is left.
                if said.is_some() && drained_to_end {
                    break None;
                }
            }
        };
        self.end_all().await;
        let (mut end, mut cpu_ms, mut memory_peak_bytes) = (End::Lost, 0, 0);
        if let Some(Some(Said::Ended { code, signal, cpu_ms: cpu, memory_peak_bytes: peak })) = said
        {
            (cpu_ms, memory_peak_bytes) = (cpu, peak);
            end = match (code, signal) {
                (_, Some(signal)) if self.ran_out_of_cpu(signal, cpu) => End::Limit("cpu"),
                (_, Some(signal)) => End::Signalled(signal),
                (Some(code), None) => End::Exited(code),
                (None, None) => End::Lost,
            };
        }
        Outcome {
            end: stopped.unwrap_or(end),
            cpu_ms,
            memory_peak_bytes,
            output_bytes: pump.bytes,
            chunks: pump.seq,
        }
    }

    fn ran_out_of_cpu(&self, signal: i32, cpu_ms: u64) -> bool {
        signal == libc::SIGXCPU
            || (signal == libc::SIGKILL
                && cpu_ms >= self.spec.limits.cpu_seconds_max.saturating_mul(1000))
    }

    /// Ends the sandbox; nothing of it is left when this returns.
    async fn end_all(&mut self) {
        // The launcher kills the first process, and with it its namespace or else all that is left, and
        // ends once they are gone.
        let _ = self.socket.get_mut().shutdown().await;
        // It says nothing more that matters; the socket ends with it.
        let mut rest = Vec::new();
        if timeout(KILL_TIMEOUT, (&mut self.socket).take(REST_BYTES_MAX).read_to_end(&mut rest))
            .await
            .is_err()
        {
            tracing::error!(program = %self.spec.program.display(), "a sandbox did not die within 10 s");
            self.kill_group();
        }
    }

    /// Kills the launcher and the session that it began: the next best where that did not help.
    fn kill_group(&self) {
        if let Some(pid) = rustix::process::Pid::from_raw(self.launcher) {
            let _ = rustix::process::kill_process_group(pid, rustix::process::Signal::KILL);
        }
    }
}

/// The next thing that the launcher says; `None` when it is gone.
async fn hear(socket: &mut BufReader<UnixStream>) -> io::Result<Option<Said>> {
    let mut line = Vec::new();
    socket.take(LINE_BYTES_MAX).read_until(b'\n', &mut line).await?;
    if line.is_empty() {
        return Ok(None);
    }
    serde_json::from_slice(&line).map(Some).map_err(io::Error::other)
}

/// Passes both streams on.
struct Pump {
    out: Option<Receiver>,
    err: Option<Receiver>,
    output: mpsc::Sender<Chunk>,
    seq: u32,
    bytes: u64,
    bytes_max: u64,
}

impl Pump {
    /// Until both streams end; `false` when there was more than there may be.
    async fn drain(&mut self) -> bool {
        let mut out_buffer = vec![0; CHUNK_BYTES_MAX];
        let mut err_buffer = vec![0; CHUNK_BYTES_MAX];
        while self.out.is_some() || self.err.is_some() {
            let (stderr, count) = tokio::select! {
                count = read(&mut self.out, &mut out_buffer) => (false, count),
                count = read(&mut self.err, &mut err_buffer) => (true, count),
            };
            if count == 0 {
                if stderr {
                    self.err = None
                } else {
                    self.out = None
                }
                continue;
            }
            let buffer = if stderr { &err_buffer } else { &out_buffer };
            let room = usize::try_from(self.bytes_max - self.bytes).unwrap_or(usize::MAX);
            let bytes = buffer.get(..count.min(room)).unwrap_or_default().to_vec();
            self.bytes += bytes.len() as u64;
            if !bytes.is_empty() {
                let chunk = Chunk { seq: self.seq, stderr, bytes };
                if self.output.send(chunk).await.is_err() {
                    return true;
                }
                self.seq += 1;
            }
            if count > room {
                return false;
            }
        }
        true
    }
}

/// Reads from a stream that may have ended; never ready once it has.
async fn read(stream: &mut Option<impl AsyncRead + Unpin>, buffer: &mut [u8]) -> usize {
    match stream {
        // A stream that can't be read any more has ended.
        Some(stream) => stream.read(buffer).await.unwrap_or(0),
        None => std::future::pending().await,
    }
}
