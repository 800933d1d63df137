//! Processes of tool servers that the orchestrator wants, as far as this node's own list allows them. What they say
//! travels over the link, and they live no longer than it.

use super::Daemon;
use crate::{
    allowlist::ToolServer,
    journal::Event,
    runner::{Outgoing, Refusal, Runner, can_start, now},
    sandbox::{Chunk, End, FailCode, Sandbox, SandboxError},
};
use data_encoding::BASE64;
use std::{
    cell::RefCell,
    collections::{BTreeMap, HashMap},
    rc::Rc,
    sync::Arc,
};
use tokio::{
    io::AsyncWriteExt as _,
    net::unix::pipe,
    sync::{Semaphore, mpsc},
};
use tokio_util::sync::CancellationToken;
use wardroom_core::{InstanceId, tool::hosted::INSTANCES_MAX};
use wardroom_wire::link::{CHUNK_BYTES_MAX, NodeFrame, OrchestratorFrame, PIECES_MAX};

/// Starts that are decided or told of at the same time.
const STARTING_MAX: usize = 64;
/// The longest line of the log, in bytes; what is longer becomes several.
const LINE_BYTES_MAX: usize = 8 * 1024;
/// Pieces of output between the sandbox and the link.
const CHUNKS_WAITING_MAX: usize = 4;

/// What the orchestrator wants started.
struct Wanted {
    instance: String,
    server: String,
    digest: String,
    /// SECURITY: secrets, which no log and no answer repeats.
    environment: BTreeMap<String, String>,
}

/// The processes.
pub(super) struct Instances {
    running: RefCell<HashMap<String, Running>>,
    starting: Arc<Semaphore>,
}

impl Default for Instances {
    fn default() -> Self {
        Self { running: RefCell::default(), starting: Arc::new(Semaphore::new(STARTING_MAX)) }
    }
}

#[derive(Clone)]
struct Running {
    server: String,
    digest: String,
    input: mpsc::Sender<Vec<u8>>,
    /// Pieces of output that may still be sent.
    room: Arc<Semaphore>,
    stop: CancellationToken,
}

/// How an instance came to its end.
struct Ended {
    code: &'static str,
    message: String,
}

impl Instances {
    fn get(&self, instance: &str) -> Option<Running> {
        self.running.borrow().get(instance).cloned()
    }

    /// Pieces for an instance. One that is over already needs none.
    fn input(&self, instance: &str, data: &str) -> Result<(), &'static str> {
        let bytes = BASE64.decode(data.as_bytes()).map_err(|_| "input is not base64")?;
        if bytes.len() > CHUNK_BYTES_MAX {
            return Err("a piece of input is too large");
        }
        let Some(running) = self.get(instance) else { return Ok(()) };
        match running.input.try_send(bytes) {
            Err(mpsc::error::TrySendError::Full(_)) => Err("there is more input than there may be"),
            _ => Ok(()),
        }
    }

    /// The orchestrator took pieces of an instance's output.
    fn took(&self, instance: &str, pieces: u32) -> Result<(), &'static str> {
        let Some(running) = self.get(instance) else { return Ok(()) };
        let free = running.room.available_permits();
        if pieces as usize > (PIECES_MAX as usize).saturating_sub(free) {
            return Err("more output was taken than there was");
        }
        running.room.add_permits(pieces as usize);
        Ok(())
    }

    fn stop(&self, instance: &str) {
        if let Some(running) = self.get(instance) {
            running.stop.cancel();
        }
    }

    /// Stops them all: the link that they spoke over is gone.
    pub(super) fn stop_all(&self) {
        self.running.borrow().values().for_each(|running| running.stop.cancel());
    }

    fn count(&self, server: &str) -> (usize, usize) {
        let running = self.running.borrow();
        let same = running.values().filter(|running| running.server == server).count();
        (running.len(), same)
    }
}

impl Daemon {
    /// Stops what the list in force does not have any more as it was started.
    pub(crate) fn stop_unlisted(&self) {
        let list = Arc::clone(&self.lists.borrow().list);
        for running in self.instances.running.borrow().values() {
            let listed = list.tool_servers.get(&running.server);
            if listed.is_none_or(|server| server.spec.digest != running.digest) {
                tracing::info!(
                    server = running.server,
                    "a tool server is stopped: its entry changed"
                );
                running.stop.cancel();
            }
        }
    }

    /// Obeys a frame about an instance; there are no others left.
    pub(super) fn take_instance(
        self: &Rc<Self>,
        frame: OrchestratorFrame,
        outgoing: &Outgoing,
    ) -> Result<(), &'static str> {
        match frame {
            OrchestratorFrame::StartInstance { instance, server, digest, environment } => {
                self.start_instance(Wanted { instance, server, digest, environment }, outgoing)
            }
            OrchestratorFrame::InstanceInput { instance, data } => {
                self.instances.input(&instance, &data)
            }
            OrchestratorFrame::InstanceTook { instance, pieces } => {
                self.instances.took(&instance, pieces)
            }
            OrchestratorFrame::StopInstance { instance } => {
                self.instances.stop(&instance);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Starts an instance beside the caller's work, and tells what becomes of it.
    fn start_instance(
        self: &Rc<Self>,
        wanted: Wanted,
        outgoing: &Outgoing,
    ) -> Result<(), &'static str> {
        // SECURITY: the id becomes a part of file names.
        wanted.instance.parse::<InstanceId>().map_err(|_| "that is not an instance's id")?;
        if self.instances.get(&wanted.instance).is_some() {
            return Err("an instance was started twice");
        }
        // SECURITY: refusals that nobody takes must not pile up here.
        let starting = Arc::clone(&self.instances.starting).try_acquire_owned();
        let starting = starting.map_err(|_| "too many instances are started at once")?;
        let (input, waiting) = mpsc::channel(PIECES_MAX as usize);
        let running = Running {
            server: wanted.server.clone(),
            digest: wanted.digest.clone(),
            input,
            room: Arc::new(Semaphore::new(PIECES_MAX as usize)),
            stop: CancellationToken::new(),
        };
        let judged = self.judge_instance(&wanted);
        if judged.is_ok() {
            self.instances.running.borrow_mut().insert(wanted.instance.clone(), running.clone());
        }
        let (this, outgoing) = (Rc::clone(self), outgoing.clone());
        tokio::task::spawn_local(async move {
            let instance = wanted.instance.clone();
            let mut starting = Some(starting);
            let ended = match judged {
                Ok(server) => {
                    drop(starting.take());
                    let ended = this.instance(&server, wanted, &running, waiting, &outgoing).await;
                    this.instances.running.borrow_mut().remove(&instance);
                    let event = Event::InstanceEnded {
                        instance: instance.clone(),
                        code: ended.code.to_owned(),
                    };
                    // Nothing waits for this line: without it, the next `opened` tells that all of them ended.
                    this.runner.journal.note(event, now()).await;
                    ended
                }
                Err(Refusal { code, message }) => {
                    drop(wanted);
                    Ended { code, message }
                }
            };
            tracing::info!(
                instance,
                code = ended.code,
                ended.message,
                "an instance of a tool server is over"
            );
            let (code, message) = (ended.code.to_owned(), ended.message);
            let _ = outgoing.send(NodeFrame::InstanceEnded { instance, code, message }).await;
            drop(starting);
        });
        Ok(())
    }

    /// Whether this node starts it: by its own list, abilities and bounds, and nothing else.
    fn judge_instance(&self, wanted: &Wanted) -> Result<ToolServer, Refusal> {
        let no = |code, message: &str| Err(Refusal { code, message: message.to_owned() });
        let list = Arc::clone(&self.lists.borrow().list);
        let Some(server) = list.tool_servers.get(&wanted.server) else {
            return no("unknown_server", "this node's allow-list has no such tool server");
        };
        let spec = &server.spec;
        // SECURITY: what the orchestrator knows is what is started, or nothing is.
        if spec.digest != wanted.digest {
            return no("digest_changed", "the tool server's definition changed just now");
        }
        if !wanted.environment.keys().all(|name| spec.secrets.contains(name)) {
            return no(
                "bad_environment",
                "a secret is for a variable that the tool server's entry does not name in `secrets`",
            );
        }
        if wanted.environment.values().any(|value| value.contains('\0')) {
            return no("bad_environment", "a secret has a NUL byte, which no environment can hold");
        }
        // Where programs are stays on the node.
        can_start(&server.program, &spec.requires, &self.enforced).map_err(|refusal| {
            tracing::warn!(
                server = wanted.server,
                refusal.message,
                "a tool server can't be started"
            );
            let message = match refusal.code {
                "program_missing" => {
                    "its program is not there or may not be executed: the node's log says more"
                }
                _ => "it demands what its machine does not enforce: the node's log says more",
            };
            Refusal { code: refusal.code, message: message.to_owned() }
        })?;
        let (all, same) = self.instances.count(&wanted.server);
        if same >= spec.instances_max as usize {
            return no("busy", "all that its entry allows are running (`instances_max`)");
        }
        if all >= INSTANCES_MAX as usize {
            return no("busy", "its node runs as many instances of tool servers as it can");
        }
        Ok(server.clone())
    }

    /// Runs an instance to its end.
    async fn instance(
        &self,
        server: &ToolServer,
        wanted: Wanted,
        running: &Running,
        waiting: mpsc::Receiver<Vec<u8>>,
        outgoing: &Outgoing,
    ) -> Ended {
        // What exactly went wrong names paths, which stay on the node.
        let failed = |what: String| {
            tracing::error!(server = running.server, what, "a tool server could not be started");
            let message = "it could not be started: the node's log says why".to_owned();
            Ended { code: "not_started", message }
        };
        let event = Event::InstanceStarted {
            instance: wanted.instance.clone(),
            server: wanted.server,
            definition: wanted.digest,
        };
        if let Err(error) = self.runner.write(event, vec![]).await {
            return failed(format!("the node's journal can't be written: {error}"));
        }
        let runner: &Runner = &self.runner;
        let folder = match runner.scratch.make(&wanted.instance, runner.run_as) {
            Ok(folder) => folder,
            Err(error) => return failed(format!("its folder can't be made: {error:#}")),
        };
        let secrets = Secrets::of(&wanted.environment);
        let spec = runner.of_tool_server(server, wanted.environment, folder.clone());
        let ended = match Sandbox::start(&runner.forker, spec).await {
            Ok(mut sandbox) => {
                tracing::info!(
                    instance = wanted.instance,
                    server = running.server,
                    "a tool server was started"
                );
                let talk = Talk { instance: &wanted.instance, running, outgoing, secrets };
                let input = sandbox.take_input();
                talk.through(sandbox, input, waiting, server.spec.limits.output_bytes_max).await
            }
            Err(SandboxError::Refused { code: FailCode::Ability, message }) => {
                Ended { code: "sandbox_unavailable", message }
            }
            Err(error) => failed(error.to_string()),
        };
        runner.scratch.remove(folder).await;
        ended
    }
}

/// The conversation with one instance.
struct Talk<'a> {
    instance: &'a str,
    running: &'a Running,
    outgoing: &'a Outgoing,
    secrets: Secrets,
}

/// What its log must not say.
struct Secrets(Vec<String>);

impl Secrets {
    /// The values, and each line of those that have several.
    fn of(environment: &BTreeMap<String, String>) -> Self {
        let lines = environment.values().flat_map(|value| value.lines().chain([value.as_str()]));
        let mut all: Vec<String> = lines.map(|line| line.trim().to_owned()).collect();
        all.retain(|text| !text.is_empty());
        // The longer ones first: what is within another goes with it.
        all.sort_by_key(|text| std::cmp::Reverse(text.len()));
        Self(all)
    }

    fn hide(&self, line: &str) -> String {
        self.0.iter().fold(line.to_owned(), |line, secret| line.replace(secret, "[redacted]"))
    }
}

/// What is printed beside messages, made into lines.
struct Aside {
    line: Vec<u8>,
    /// Bytes that may still be kept.
    left: u64,
}

impl Talk<'_> {
    async fn through(
        &self,
        sandbox: Sandbox,
        input: Option<pipe::Sender>,
        waiting: mpsc::Receiver<Vec<u8>>,
        stderr_bytes_max: u64,
    ) -> Ended {
        let started = NodeFrame::InstanceStarted { instance: self.instance.to_owned() };
        if self.outgoing.send(started).await.is_err() {
            self.running.stop.cancel();
        }
        let (chunks, printed) = mpsc::channel(CHUNKS_WAITING_MAX);
        let supervising = sandbox.supervise(chunks, self.running.stop.clone());
        let living = async {
            tokio::select! {
                outcome = supervising => outcome,
                never = self.feed(input, waiting) => match never {},
            }
        };
        let (outcome, ()) = tokio::join!(living, self.pass(printed, stderr_bytes_max));
        let (code, message) = match outcome.end {
            End::Exited(code) => (
                "exited",
                format!(
                    "it ended by itself with exit code {code}: what it said is in the log of its node"
                ),
            ),
            End::Signalled(signal) => (
                "signalled",
                format!("signal {signal} ended it: what it said is in the log of its node"),
            ),
            End::Limit("wall") => ("limit", "it lived as long as its entry lets it".to_owned()),
            End::Limit(limit) => ("limit", format!("its limit of {limit} ended it")),
            End::Cancelled => ("stopped", "it was stopped".to_owned()),
            End::Lost => ("lost", "its sandbox died without a word".to_owned()),
        };
        Ended { code, message }
    }

    /// Gives the process its input for as long as it takes any.
    async fn feed(
        &self,
        input: Option<pipe::Sender>,
        mut waiting: mpsc::Receiver<Vec<u8>>,
    ) -> std::convert::Infallible {
        if let Some(mut input) = input {
            while let Some(bytes) = waiting.recv().await {
                if input.write_all(&bytes).await.is_err() {
                    break;
                }
                let took =
                    NodeFrame::InstanceTook { instance: self.instance.to_owned(), pieces: 1 };
                if self.outgoing.send(took).await.is_err() {
                    break;
                }
            }
        }
        std::future::pending().await
    }

    /// Passes on what it prints: messages over the link, everything else into this node's log.
    async fn pass(&self, mut printed: mpsc::Receiver<Chunk>, stderr_bytes_max: u64) {
        let mut aside = Aside { line: vec![], left: stderr_bytes_max };
        while let Some(chunk) = printed.recv().await {
            if chunk.stderr {
                self.log(&chunk.bytes, &mut aside);
                continue;
            }
            let room = tokio::select! {
                room = self.running.room.acquire() => room,
                () = self.running.stop.cancelled() => continue,
            };
            let Ok(room) = room else { return };
            room.forget();
            let data = BASE64.encode(&chunk.bytes);
            let frame = NodeFrame::InstanceOutput { instance: self.instance.to_owned(), data };
            if self.outgoing.send(frame).await.is_err() {
                // The link is gone, and with it whoever would understand what comes next.
                self.running.stop.cancel();
            }
        }
    }

    /// Line by line, so that no secret is cut in two.
    fn log(&self, bytes: &[u8], aside: &mut Aside) {
        for &byte in bytes {
            if aside.left == 0 {
                return;
            }
            aside.left -= 1;
            if byte != b'\n' && aside.line.len() < LINE_BYTES_MAX {
                aside.line.push(byte);
                continue;
            }
            let line = std::mem::take(&mut aside.line);
            let line = self.secrets.hide(&String::from_utf8_lossy(&line));
            let line: String = line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
            if !line.trim().is_empty() {
                tracing::info!(
                    instance = self.instance,
                    server = self.running.server,
                    line,
                    "a tool server says"
                );
            }
        }
        if aside.left == 0 {
            tracing::warn!(
                instance = self.instance,
                server = self.running.server,
                "a tool server says more than its entry lets it: the rest is not kept"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_of_the_log_has_a_secret_or_a_line_of_one() {
        let environment = [
            ("A".to_owned(), "abc".to_owned()),
            ("B".to_owned(), "abcdef\nsecond line\n".to_owned()),
        ];
        let secrets = Secrets::of(&environment.into());
        assert_eq!(
            secrets.hide("key abcdef, second line, abc"),
            "key [redacted], [redacted], [redacted]"
        );
        assert_eq!(secrets.hide("nothing"), "nothing");
    }
}
