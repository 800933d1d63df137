//! The daemon: keeps the link, takes offers, remembers what it holds.

use crate::{
    allowlist::{self, Current},
    identity::Identity,
    journal::Journal,
    link::{self, Backoff, Parted, STABLE},
    machine::Machine,
    runner::{Held, Offer, Output, Refusal, Runner, Wire, interrupted, now, scratch_folder},
    sandbox::{Ability, Access, Limits, RunAs, Sandbox, Spec},
};
use anyhow::{Context as _, bail};
use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet, HashMap},
    path::{Path, PathBuf},
    rc::Rc,
    sync::Arc,
    time::Duration,
};
use tokio::{
    sync::{mpsc, watch},
    time::Instant,
};
use wardroom_core::command::{ParameterValue, Parameters};
use wardroom_wire::link::{
    self as wire, CatalogueShape, NodeFrame, OrchestratorFrame, ReportShape,
};

/// The most runs at the same time, whatever is asked for.
const RUNS_MAX: u32 = 256;

/// What a daemon is started with.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where it keeps its identity and journal.
    pub data: PathBuf,
    /// The allow-list, where it is not the enrolment's.
    pub commands: Option<PathBuf>,
    /// Whom commands run as when the daemon is root.
    pub run_as: RunAs,
    /// How many runs at the same time.
    pub runs_max: Option<u32>,
}

/// A running daemon. It lives on one thread.
pub struct Daemon {
    pub(crate) identity: Identity,
    pub(crate) lists: watch::Receiver<Current>,
    pub(crate) wires: watch::Sender<Wire>,
    runner: Runner,
    held: RefCell<HashMap<String, Arc<Held>>>,
    machine: RefCell<Machine>,
    enforced: BTreeMap<String, bool>,
    data: PathBuf,
    runs_max: u32,
    this: std::rc::Weak<Self>,
}

impl Daemon {
    /// Runs until the node is removed or `stop` comes.
    pub async fn run(options: Options, stop: impl Future<Output = ()>) -> anyhow::Result<()> {
        let identity = Identity::load(&options.data)?;
        let lock = lock(&options.data)?;
        let list = options.commands.clone().unwrap_or_else(|| identity.enrolment.commands.clone());
        let lists = allowlist::watch(&list)?;
        let (journal, open) = Journal::open(&options.data, &now())?;
        let spool = options.data.join("spool");
        std::fs::create_dir_all(&spool).context("the spool folder can't be made")?;
        let scratch = scratch_folder(&options.data, &identity.enrolment.node)?;
        let runner = Runner { journal, scratch, spool, run_as: options.run_as };
        let enforced = probe(&runner).await;
        let cpus = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let most = options
            .runs_max
            .unwrap_or(u32::try_from(cpus * 4).unwrap_or(RUNS_MAX))
            .clamp(1, RUNS_MAX);
        let daemon = Rc::new_cyclic(|this| Self {
            identity,
            lists,
            wires: watch::channel(Wire::default()).0,
            runner,
            held: RefCell::default(),
            machine: RefCell::default(),
            enforced,
            data: options.data.clone(),
            runs_max: most,
            this: this.clone(),
        });
        for run in open {
            daemon.take_up(run).await?;
        }
        let outcome = tokio::select! {
            outcome = daemon.keep_linked() => outcome,
            () = stop => Ok(()),
        };
        daemon.held.borrow().values().for_each(|held| held.cancel.cancel());
        drop(lock);
        outcome
    }

    /// Takes up a run of an earlier process: what was not finished then is interrupted now.
    async fn take_up(&self, open: crate::journal::OpenRun) -> anyhow::Result<()> {
        let spool = &self.runner.spool;
        let held = match &open.finished {
            Some((result, chunks, short)) => {
                let output = Output::found(spool, &open.run, *chunks, short)
                    .with_context(|| format!("the kept output of {} can't be read", open.run))?;
                let held = Held::new(open.run.clone(), open.fence, output);
                held.finish(result.clone());
                held
            }
            None => {
                let held = Held::new(open.run.clone(), open.fence, Output::new(spool, &open.run));
                self.runner.conclude(&held, interrupted()).await;
                held
            }
        };
        self.hold(held);
        Ok(())
    }

    fn hold(&self, held: Arc<Held>) {
        tokio::task::spawn_local(Arc::clone(&held).deliver(self.wires.subscribe()));
        self.held.borrow_mut().insert(held.run.clone(), held);
    }

    async fn keep_linked(&self) -> anyhow::Result<()> {
        let mut backoff = Backoff::default();
        let mut number = 0;
        loop {
            number += 1;
            let begun = Instant::now();
            match self.link_once(number).await {
                Ok(Parted::Removed(message)) => bail!("this node was removed: {message}"),
                Ok(Parted::Disabled) => {
                    tracing::warn!("this node is disabled; it asks again from time to time");
                    backoff.longest();
                }
                Ok(Parted::Lost(why)) => tracing::warn!(why, "the link ended"),
                Err(error) => tracing::warn!("no link: {error:#}"),
            }
            if begun.elapsed() > STABLE {
                backoff.reset();
            }
            tokio::time::sleep(backoff.next(random())).await;
        }
    }

    async fn link_once(&self, number: u64) -> anyhow::Result<Parted> {
        let (token, ttl) = self.identity.access_token().await?;
        let socket = link::connect(&self.identity, &token).await?;
        tracing::info!(server = self.identity.enrolment.server, "linked");
        Ok(link::converse(self, socket, number, ttl).await)
    }

    pub(crate) fn runs_max(&self) -> u32 {
        self.runs_max
    }

    pub(crate) fn holding(&self) -> Vec<wire::Held> {
        self.held
            .borrow()
            .values()
            .map(|held| wire::Held { run: held.run.clone(), fence: held.fence })
            .collect()
    }

    pub(crate) fn disconnected(&self) {
        self.held.borrow().values().for_each(|held| held.disconnected());
    }

    pub(crate) fn catalogue(&self) -> NodeFrame {
        let catalogue = self.lists.borrow().list.catalogue();
        // Both have the same JSON by contract; a test of the list keeps it so.
        let catalogue =
            serde_json::to_value(catalogue).and_then(serde_json::from_value::<CatalogueShape>);
        NodeFrame::Catalogue { catalogue: catalogue.unwrap_or_default() }
    }

    pub(crate) fn report(&self) -> ReportShape {
        let mut report = self.machine.borrow_mut().report(&self.data);
        report.sandbox.clone_from(&self.enforced);
        report.runs_active = u32::try_from(self.active()).unwrap_or(u32::MAX);
        report.alerts = self.lists.borrow().alert.iter().cloned().collect();
        report
    }

    fn active(&self) -> usize {
        self.held.borrow().values().filter(|held| held.state().finished.is_none()).count()
    }

    /// Obeys a frame.
    pub(crate) fn take(&self, frame: OrchestratorFrame, outgoing: &mpsc::Sender<NodeFrame>) {
        let Some(this) = self.this.upgrade() else { return };
        match frame {
            OrchestratorFrame::Offer { run, fence, command, digest, parameters, deadline_ms } => {
                let parameters = values(parameters);
                let deadline = deadline_ms.map(Duration::from_millis);
                let outgoing = outgoing.clone();
                tokio::task::spawn_local(async move {
                    let offer = Offer {
                        run,
                        fence,
                        command,
                        digest,
                        parameters: parameters.unwrap_or_default(),
                        deadline,
                    };
                    this.take_offer(offer, &outgoing).await;
                });
            }
            OrchestratorFrame::Cancel { run, fence } => {
                if let Some(held) = self.find(&run, fence) {
                    held.cancel.cancel();
                }
            }
            OrchestratorFrame::Recorded { run, fence, chunks, finished } => {
                let Some(held) = self.find(&run, fence) else { return };
                if finished {
                    self.held.borrow_mut().remove(&run);
                    tokio::task::spawn_local(async move { this.runner.forget(&held, false).await });
                } else if held.state().wanted.is_none() {
                    held.want(chunks);
                }
            }
            OrchestratorFrame::Discard { run, fence } => {
                let Some(held) = self.find(&run, fence) else { return };
                self.held.borrow_mut().remove(&run);
                tracing::warn!(run, fence, "the orchestrator does not want this run from here");
                tokio::task::spawn_local(async move { this.runner.forget(&held, true).await });
            }
            OrchestratorFrame::Welcome { .. }
            | OrchestratorFrame::Renewed { .. }
            | OrchestratorFrame::Goodbye { .. } => {}
        }
    }

    fn find(&self, run: &str, fence: i64) -> Option<Arc<Held>> {
        self.held.borrow().get(run).filter(|held| held.fence == fence).cloned()
    }

    async fn take_offer(self: Rc<Self>, offer: Offer, outgoing: &mpsc::Sender<NodeFrame>) {
        let known = self.held.borrow().get(&offer.run).cloned();
        if let Some(known) = known {
            // The offer came twice: it is not run twice. An older lease is no lease.
            if known.fence == offer.fence {
                let _ = outgoing.send(accepted(&offer)).await;
                if known.state().wanted.is_none() {
                    known.want(0);
                }
                return;
            }
            if known.fence > offer.fence {
                return;
            }
            self.held.borrow_mut().remove(&offer.run);
            self.runner.forget(&known, true).await;
        }
        let list = self.lists.borrow().list.clone();
        let judged = self.runner.judge(&list, &offer).and_then(|judged| {
            if self.active() < self.runs_max as usize {
                return Ok(judged);
            }
            Err(Refusal {
                code: "busy",
                message: format!("the node runs {} commands already", self.runs_max),
            })
        });
        let (command, values) = match judged {
            Ok(judged) => judged,
            Err(refusal) => return self.refuse(&offer, refusal, outgoing).await,
        };
        let held =
            Held::new(offer.run.clone(), offer.fence, Output::new(&self.runner.spool, &offer.run));
        // Held before it is durable: the same offer must not slip in beside it.
        self.hold(held.clone());
        if let Err(refusal) = self.runner.accept(&offer, &values).await {
            held.forget.cancel();
            self.held.borrow_mut().remove(&offer.run);
            return self.refuse(&offer, refusal, outgoing).await;
        }
        let _ = outgoing.send(accepted(&offer)).await;
        held.want(0);
        self.runner.execute(&held, &command, &values, offer.deadline).await;
    }

    async fn refuse(&self, offer: &Offer, refusal: Refusal, outgoing: &mpsc::Sender<NodeFrame>) {
        tracing::warn!(run = offer.run, code = refusal.code, reason = refusal.message, "refused");
        self.runner.record_refusal(offer, &refusal).await;
        let frame = NodeFrame::Refused {
            run: offer.run.clone(),
            fence: offer.fence,
            code: refusal.code.to_owned(),
            message: refusal.message,
        };
        let _ = outgoing.send(frame).await;
    }
}

fn accepted(offer: &Offer) -> NodeFrame {
    NodeFrame::Accepted { run: offer.run.clone(), fence: offer.fence }
}

/// The values; `None` when one is of no type that a parameter has, which no command accepts.
fn values(given: BTreeMap<String, serde_json::Value>) -> Option<Parameters> {
    given
        .into_iter()
        .map(|(name, value)| {
            let value = serde_json::from_value::<ParameterValue>(value).ok()?;
            Some((name, value))
        })
        .collect()
}

fn random() -> u32 {
    let mut bytes = [0; 4];
    // Only spreads the tries of many nodes: without randomness it is the middle.
    if aws_lc_rs::rand::fill(&mut bytes).is_err() {
        return u32::MAX / 2;
    }
    u32::from_le_bytes(bytes)
}

/// What the kernel enforces, found out by running something in a sandbox that demands nothing.
async fn probe(runner: &Runner) -> BTreeMap<String, bool> {
    let spec = Spec {
        program: PathBuf::from("/usr/bin/true"),
        program_sha256: None,
        args: vec![],
        env: BTreeMap::new(),
        scratch: runner.scratch.clone(),
        limits: Limits {
            wall_ms_max: 10_000,
            cpu_seconds_max: 5,
            memory_bytes_max: 256 << 20,
            processes_max: 8,
            open_files_max: 64,
            file_bytes_max: 1 << 20,
            output_bytes_max: 1 << 16,
        },
        access: Access::default(),
        run_as: runner.run_as,
        requires: BTreeSet::new(),
    };
    let enforced = match Sandbox::start(spec).await {
        Ok(sandbox) => {
            let enforced = sandbox.enforced.clone();
            let (output, _dropped) = mpsc::channel(1);
            sandbox.supervise(output, tokio_util::sync::CancellationToken::new()).await;
            enforced
        }
        Err(error) => {
            tracing::error!(%error, "no sandbox can be built on this machine; programs will not run");
            BTreeSet::new()
        }
    };
    Ability::ALL
        .iter()
        .map(|ability| (ability.as_str().to_owned(), enforced.contains(ability)))
        .collect()
}

/// Keeps a second daemon away from the same data.
fn lock(data: &Path) -> anyhow::Result<std::fs::File> {
    let path = data.join("lock");
    let file = std::fs::OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .with_context(|| format!("{} can't be opened", path.display()))?;
    file.try_lock()
        .map_err(|_| anyhow::anyhow!("another wardroom-node runs with {}", data.display()))?;
    Ok(file)
}
