//! The daemon: keeps the link, takes offers, remembers what it holds.

mod forgotten;
mod frames;
mod instances;

use forgotten::Forgotten;
use instances::Instances;

use crate::{
    allowlist::{self, Current},
    identity::Identity,
    journal::{Journal, OpenRun, Opened},
    link::{self, Backoff, Parted, STABLE},
    machine::Machine,
    runner::{Held, Output, Runner, Scratch, Wire, interrupted, now},
    sandbox::{Ability, Access, Forker, Limits, RunAs, Sandbox, Spec},
};
use anyhow::Context as _;
use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet, HashMap},
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    rc::Rc,
    sync::{Arc, Mutex},
};
use tokio::{
    sync::{Semaphore, mpsc, watch},
    time::Instant,
};
use tokio_util::sync::CancellationToken;
use wardroom_wire::link::{self as wire, CatalogueShape, NodeFrame, ReportShape};

/// The most runs at the same time, whatever is asked for.
const RUNS_MAX: u32 = 256;
/// Offers that may wait for a decision; with more of them, nothing further is read from the link.
const DECIDING_MAX: usize = 512;
/// Runs that may be held, with those that are over and not recorded yet. SECURITY: the journal repeats them
/// in each new file, and an orchestrator that never records any must not fill it with them.
const HELD_MAX: usize = 2048;

/// The orchestrator removed this node.
#[derive(Debug, thiserror::Error)]
#[error(
    "this node was removed: {0}. Enrol it anew with a new join token and another --data folder"
)]
pub struct Removed(pub String);

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
    forgotten: RefCell<Forgotten>,
    deciding: Arc<Semaphore>,
    /// Offers that are being decided, under their leases, with what stops them.
    offered: RefCell<HashMap<(String, i64), CancellationToken>>,
    instances: Instances,
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
        let Opened { journal, open, forgotten } = Journal::open(&options.data, &now())?;
        let spool = spool_folder(&options.data, &open)?;
        let scratch = Scratch::open(&options.data, &identity.enrolment.node)?;
        let runner = Runner {
            journal,
            forker: Forker::default(),
            scratch,
            spool,
            run_as: options.run_as,
            alerts: Mutex::default(),
            refusals: Mutex::default(),
        };
        let enforced = probe(&runner).await;
        let cpus = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let most = options
            .runs_max
            .unwrap_or(u32::try_from(cpus * 16).unwrap_or(RUNS_MAX))
            .clamp(1, RUNS_MAX);
        let daemon = Rc::new_cyclic(|this| Self {
            identity,
            lists,
            wires: watch::channel(Wire::default()).0,
            runner,
            held: RefCell::default(),
            machine: RefCell::default(),
            forgotten: RefCell::new(Forgotten::from(forgotten)),
            deciding: Arc::new(Semaphore::new(DECIDING_MAX)),
            offered: RefCell::default(),
            instances: Instances::default(),
            enforced,
            data: options.data.clone(),
            runs_max: most,
            this: this.clone(),
        });
        for run in open {
            daemon.take_up(&run).await;
        }
        let outcome = tokio::select! {
            outcome = daemon.keep_linked() => outcome,
            () = stop => Ok(()),
        };
        daemon.held.borrow().values().for_each(|held| held.cancel.cancel());
        daemon.instances.stop_all();
        drop(lock);
        outcome
    }

    /// Takes up a run of an earlier process: what was not finished then is interrupted now.
    async fn take_up(&self, open: &OpenRun) {
        let spool = &self.runner.spool;
        let held = match &open.finished {
            Some(finish) => {
                let output = Output::found(
                    spool,
                    &open.run,
                    finish.chunks,
                    finish.in_file,
                    open.output.clone(),
                );
                let output = output.unwrap_or_else(|error| {
                    // The end is known and is told; without this, the node would never start again.
                    tracing::error!(%error, run = open.run, "the kept output of a run is lost");
                    Output::new(spool, &open.run)
                });
                Held::found(open, output)
            }
            None => {
                let held = Held::found(open, Output::new(spool, &open.run));
                self.runner.conclude(&held, interrupted()).await;
                held
            }
        };
        self.hold(held);
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
                Ok(Parted::Removed(message)) => return Err(Removed(message).into()),
                Ok(Parted::Disabled) => {
                    tracing::warn!("this node is disabled; it asks again from time to time");
                    backoff.middle();
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
        let parted = link::converse(self, socket, number, ttl).await;
        self.instances.stop_all();
        Ok(parted)
    }

    pub(crate) fn runs_max(&self) -> u32 {
        self.runs_max
    }

    pub(crate) fn holding(&self) -> Vec<wire::Held> {
        let held = self.held.borrow();
        let held =
            held.values().filter(|held| !held.forget.is_cancelled() && held.state().accepted);
        held.map(|held| wire::Held { run: held.run.clone(), fence: held.fence() }).collect()
    }

    pub(crate) fn disconnected(&self) {
        self.held.borrow().values().for_each(|held| held.disconnected());
    }

    pub(crate) fn catalogue(&self) -> NodeFrame {
        let catalogue = self.lists.borrow().list.catalogue();
        // Both have the same JSON by contract; a test of the list keeps it so.
        let catalogue = serde_json::to_value(catalogue)
            .and_then(serde_json::from_value::<CatalogueShape>)
            .unwrap_or_else(|error| {
                tracing::error!(%error, "the catalogue does not have the link's form: none is offered");
                CatalogueShape::default()
            });
        NodeFrame::Catalogue { catalogue }
    }

    pub(crate) fn heartbeat(&self) -> NodeFrame {
        NodeFrame::Heartbeat { report: self.report(), holding: self.holding() }
    }

    fn report(&self) -> ReportShape {
        let mut report = self.machine.borrow_mut().report(&self.data);
        report.sandbox.clone_from(&self.enforced);
        report.runs_active = u32::try_from(self.active()).unwrap_or(u32::MAX);
        report.alerts =
            self.lists.borrow().alert.iter().cloned().chain(self.runner.alerts()).collect();
        report
    }

    fn active(&self) -> usize {
        self.held.borrow().values().filter(|held| !held.done.is_cancelled()).count()
    }
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
        heard: false,
        scratch: runner.scratch.path().to_owned(),
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
    let enforced = match Sandbox::start(&runner.forker, spec).await {
        Ok(sandbox) => {
            let enforced = sandbox.enforced.clone();
            let (output, _dropped) = mpsc::channel(1);
            sandbox.supervise(output, CancellationToken::new()).await;
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

/// Makes the folder of long outputs, and takes out what belongs to no open run.
fn spool_folder(data: &Path, open: &[OpenRun]) -> anyhow::Result<PathBuf> {
    let spool = data.join("runs");
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&spool)
        .context("the folder of outputs can't be made")?;
    for entry in std::fs::read_dir(&spool)?.flatten() {
        let path = entry.path();
        let kept =
            path.file_stem().is_some_and(|stem| open.iter().any(|run| stem == run.run.as_str()));
        if !kept && let Err(error) = std::fs::remove_file(&path) {
            tracing::warn!(%error, path = %path.display(), "an old output could not be removed");
        }
    }
    Ok(spool)
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
    // Of the process, where `flock` would be of the open file: a child that was being forked when the
    // daemon was killed would keep that a little longer.
    rustix::fs::fcntl_lock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive)
        .map_err(|_| anyhow::anyhow!("another wardroom-node runs with {}", data.display()))?;
    Ok(file)
}
