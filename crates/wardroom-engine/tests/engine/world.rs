//! An engine on a real SQLite database, with a clock that the test moves and nodes that it plays.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, DropGuard};
use wardroom_core::{
    Clock, NodeId, Origin, Principal, Rng, Role, RunId, Timestamp, UserId,
    audit::AuditDraft,
    change::{Change, Write},
    command::{CommandLimits, CommandSpec, Parameters},
    hint::HintSink,
    identity::{User, UserState},
    node::{Catalogue, Labels, Node},
    person::Profile,
    run::{End, Outcome, RetryPolicy, Run},
    store::{PersonKeys, Store},
    watch::message::Channel,
};
use wardroom_engine::{
    Engine, EngineError, Parts,
    hub::Hub,
    link::{Held, Link, Report, ToNode, What},
    runs::{Asked, Submission},
    token_keys::new_token_seed,
    watch::Outlets,
};
use wardroom_store::testing::{TestStore, sqlite_with};
use wardroom_trust::{
    checkpoint::CheckpointSigner,
    keyring::KeyRing,
    seal::Sealer,
    token_key::{TokenKeys, TokenSeed},
    vault::Vault,
};
use zeroize::Zeroizing;

/// How long anything may take before a test gives up on it.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A clock that stands still until the test moves it.
pub struct TestClock(AtomicI64);

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::Acquire))
    }
}

impl TestClock {
    pub fn advance(&self, by: Duration) {
        self.0.fetch_add(i64::try_from(by.as_micros()).unwrap(), Ordering::AcqRel);
    }
}

/// Counts, so that no two ids are alike.
#[derive(Default)]
struct Counting(AtomicU64);

impl Rng for Counting {
    fn fill(&self, bytes: &mut [u8]) {
        for part in bytes.chunks_mut(8) {
            let number = self.0.fetch_add(1, Ordering::Relaxed).to_be_bytes();
            let tail = number.len() - part.len();
            part.copy_from_slice(&number[tail..]);
        }
    }
}

/// A node that the test plays.
pub struct Played {
    pub link: Arc<Link>,
    pub frames: mpsc::Receiver<Box<ToNode>>,
}

pub struct World {
    pub engine: Arc<Engine>,
    pub store: Arc<dyn Store>,
    pub clock: Arc<TestClock>,
    pub user: UserId,
    hub: Arc<Hub>,
    rng: Arc<Counting>,
    _test: TestStore,
    working: Option<DropGuard>,
}

impl World {
    pub async fn new() -> Self {
        let hub = Arc::new(Hub::default());
        let test = sqlite_with(hub.clone() as Arc<dyn HintSink>).await;
        let clock = Arc::new(TestClock(AtomicI64::new(1_767_225_600_000_000)));
        let rng = Arc::new(Counting::default());
        let engine = engine(&test, &hub, &clock, &rng);
        let store = Arc::clone(&test.store);
        let seed = new_token_seed(engine.sealer(), &*rng, 1, clock.now()).unwrap();
        store.commit(Change::default().write(Write::AddSealedKey(seed))).await.unwrap();
        let mut world = Self {
            engine,
            store,
            clock,
            user: UserId::from_uuid(Default::default()),
            hub,
            rng,
            _test: test,
            working: None,
        };
        world.user = world.add_user("ann").await;
        world.work()
    }

    /// Another orchestrator on the same database.
    pub fn another(&self) -> Arc<Engine> {
        engine(&self._test, &Arc::new(Hub::default()), &self.clock, &self.rng)
    }

    /// Lets the engine follow hints and the clock.
    fn work(mut self) -> Self {
        let stop = CancellationToken::new();
        tokio::spawn(Arc::clone(&self.engine).work(stop.clone()));
        self.working = Some(stop.drop_guard());
        self
    }

    pub async fn add_user(&self, name: &str) -> UserId {
        let profile = Profile { name: name.into(), ..Profile::default() };
        let user = self.engine.new_account(profile, Role::Operator).await.unwrap();
        let user = User { state: UserState::Active, ..user };
        self.write(Write::AddUser(user.clone())).await;
        user.id
    }

    pub async fn write(&self, write: Write) {
        self.store.commit(Change::default().write(write)).await.unwrap();
    }

    pub fn audit(&self) -> AuditDraft {
        AuditDraft::event("test", &Principal::System, &Origin::INTERNAL, self.clock.now())
    }

    /// An enrolled node that offers `echo`, harmless to repeat, and `once`, which is not.
    pub async fn add_node(&self, name: &str) -> Node {
        let mut key = [0; 32];
        self.rng.fill(&mut key);
        let node = Node {
            id: NodeId::new(self.clock.now(), &*self.rng),
            version: 1,
            name: name.into(),
            public_key: key,
            labels: Labels::from([("role".to_owned(), "web".to_owned())]),
            disabled: false,
            enrolled_at: self.clock.now(),
            seen_at: None,
            connected: false,
            report: None,
            catalogue: Catalogue {
                digest: "c".into(),
                commands: vec![spec("echo", true, name), spec("once", false, name)],
                ..Catalogue::default()
            },
        };
        self.write(Write::AddNode(node.clone())).await;
        node
    }

    pub async fn link(&self, node: NodeId, holding: &[Held]) -> Played {
        self.link_to(&self.engine, node, holding).await
    }

    pub async fn link_to(&self, engine: &Arc<Engine>, node: NodeId, holding: &[Held]) -> Played {
        let opened = engine.open_link(node, Origin::INTERNAL, holding.to_vec(), 256).await;
        let (link, frames) = opened.unwrap();
        Played { link, frames }
    }

    pub fn submission(&self, command: &str, asked: Asked) -> Submission {
        Submission {
            request: None,
            wanted: None,
            parent: None,
            user: self.user,
            command: command.into(),
            asked,
            parameters: Parameters::new(),
            deadline: None,
            retry: RetryPolicy::default(),
            priority: 4,
            idempotency_key: None,
            replay_of: None,
            secret: BTreeSet::new(),
            named: BTreeMap::new(),
        }
    }

    pub async fn submit(&self, command: &str, asked: Asked) -> Run {
        self.try_submit(self.submission(command, asked)).await.unwrap()
    }

    pub async fn try_submit(&self, submission: Submission) -> Result<Run, EngineError> {
        self.engine.submit(submission, self.audit()).await
    }

    pub async fn run(&self, id: RunId) -> Run {
        self.store.lookup_run(id).await.unwrap().unwrap()
    }

    /// Waits until the stored run is as wanted.
    pub async fn until(&self, id: RunId, wanted: impl Fn(&Run) -> bool) -> Run {
        let look = async || {
            let run = self.run(id).await;
            wanted(&run).then_some(run)
        };
        self.found(&format!("run {id}"), look).await
    }

    /// What `look` finds, once it does; it looks again with each hint.
    pub async fn found<T>(&self, what: &str, look: impl AsyncFn() -> Option<T>) -> T {
        let mut hints = self.hub.listen();
        let waiting = async {
            loop {
                if let Some(found) = look().await {
                    return found;
                }
                // What is written by another orchestrator is told to nobody here.
                let _ = tokio::time::timeout(Duration::from_millis(50), hints.recv()).await;
            }
        };
        match tokio::time::timeout(PATIENCE, waiting).await {
            Ok(found) => found,
            Err(_) => panic!("waited too long for {what}"),
        }
    }
}

fn engine(
    test: &TestStore,
    hub: &Arc<Hub>,
    clock: &Arc<TestClock>,
    rng: &Arc<Counting>,
) -> Arc<Engine> {
    // Always the same ring, as on one installation.
    let sealer = Arc::new(Sealer::new(KeyRing::generate(&Counting::default())));
    let keys: Arc<dyn PersonKeys> = test.store.clone();
    let rng = Arc::clone(rng) as Arc<dyn Rng>;
    let vault = Vault::new(Arc::clone(&sealer), keys, Arc::clone(&rng), &[9; 32]);
    let seed = TokenSeed { generation: 1, created_at: clock.now(), seed: Zeroizing::new([5; 32]) };
    Engine::new(Parts {
        store: Arc::clone(&test.store),
        hub: Arc::clone(hub),
        clock: Arc::clone(clock) as Arc<dyn Clock>,
        rng,
        sealer,
        vault: Arc::new(vault),
        signer: Arc::new(CheckpointSigner::new("test", &[7; 32]).unwrap()),
        token_keys: Arc::new(TokenKeys::new(&[seed]).unwrap()),
        outlets: Outlets {
            alerts: vec![Channel::Webhook],
            alerts_to: vec![],
            mail: true,
            tracker: true,
        },
        approvals_open_for: APPROVALS_OPEN_FOR,
        models: Arc::default(),
        model_calls_kept: Duration::from_secs(86_400),
    })
}

/// How long consent can be given.
pub const APPROVALS_OPEN_FOR: std::time::Duration = std::time::Duration::from_secs(600);

pub fn spec(name: &str, idempotent: bool, digest: &str) -> CommandSpec {
    CommandSpec {
        name: name.into(),
        description: String::new(),
        digest: digest.into(),
        idempotent,
        parameters: vec![],
        limits: CommandLimits {
            wall_ms_max: 1,
            cpu_seconds_max: 1,
            memory_bytes_max: 1,
            processes_max: 1,
            open_files_max: 1,
            file_bytes_max: 1,
            output_bytes_max: 1,
        },
        network: false,
        requires: Default::default(),
        builtin: false,
    }
}

impl Played {
    /// The next frame.
    pub async fn next(&mut self) -> ToNode {
        let frame = tokio::time::timeout(PATIENCE, self.frames.recv()).await;
        *frame.expect("a frame in time").expect("an open link")
    }

    /// The next frame, which must be an offer.
    pub async fn offer(&mut self) -> Held {
        match self.next().await {
            ToNode::Offer { run, fence, .. } => Held { run, fence },
            other => panic!("an offer should come, not {other:?}"),
        }
    }

    /// Whether nothing comes, after everything that was begun had its time.
    pub async fn is_quiet(&mut self) -> bool {
        tokio::time::timeout(Duration::from_millis(300), self.frames.recv()).await.is_err()
    }

    pub async fn say(&self, held: Held, what: What) {
        self.link.report(Report { run: held.run, fence: held.fence, what }).await;
    }

    pub async fn finish(&self, held: Held, chunks: u32, end: End) {
        let outcome = Outcome::without_process(end, "");
        self.say(held, What::Finished { chunks, started_at: None, outcome }).await;
    }

    pub async fn beat(&self, holding: &[Held]) {
        let report = wardroom_core::node::NodeReport::default();
        self.link.heartbeat(report, holding).await.unwrap();
    }
}

pub fn web() -> wardroom_core::node::Selector {
    "role=web".parse().unwrap()
}

/// The runs of frames, by kind.
pub fn sort(frames: Vec<ToNode>) -> BTreeMap<&'static str, Vec<RunId>> {
    let mut sorted: BTreeMap<&'static str, Vec<RunId>> = BTreeMap::new();
    for frame in frames {
        let (kind, run) = match frame {
            ToNode::Offer { run, .. } => ("offer", run),
            ToNode::Cancel { run, .. } => ("cancel", run),
            ToNode::Recorded { run, .. } => ("recorded", run),
            ToNode::Discard { run, .. } => ("discard", run),
            other => panic!("{other:?} is about no run"),
        };
        sorted.entry(kind).or_default().push(run);
    }
    sorted
}
