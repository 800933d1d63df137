//! One process of a tool server: a message on each line, both ways. Answers find their requests by their ids; what
//! belongs to no request that can be told reaches nobody.

use super::{
    Event, Failure, Listening,
    host::{Ended, Process},
    http::ANSWERS_MAX,
    legacy::Session,
};
use crate::{
    era::meta,
    registry::What,
    rpc::{self, Id, Message, Notification, Object, Request, Response, RpcError, codes},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};
use tokio::{
    sync::{OnceCell, Semaphore, broadcast, mpsc, oneshot},
    time::Instant,
};
use tokio_util::{
    bytes::BytesMut,
    codec::{Decoder as _, LinesCodec, LinesCodecError},
    sync::CancellationToken,
};

/// Lines that wait to be written.
const LINES_WAITING_MAX: usize = 64;
/// How long a process that nobody asks anything is kept, and how often that is looked at.
const IDLE_MAX: Duration = Duration::from_secs(600);
const IDLE_CHECK: Duration = Duration::from_secs(30);
/// The longest thing that a process says beside its answers, in bytes.
const ASIDE_BYTES_MAX: usize = 64 * 1024;
/// How much of a line that is too long is looked at for whose it is, in bytes.
const HEAD_BYTES: usize = 256;
/// Requests without an answer that are remembered; with so many, nobody is told or asked anything any more.
const ABANDONED_MAX: usize = 1024;
/// The time in which one that is stopped must be over.
const END_TIME: Duration = Duration::from_secs(20);
/// What a process says of its own accord and waits to be taken.
pub(super) const NOTES_WAITING_MAX: usize = 256;

/// Whose a process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    /// Everybody's: it can ask nobody anything.
    Everybody,
    /// One client's session's: whatever it asks, it asks that client.
    OneSession,
    /// One caller's, who may use several clients at a time.
    OneCaller,
}

/// A process that can be talked to.
pub(super) struct Pipe {
    whose: Whose,
    /// What clients can do that it is opened for.
    pub(super) capabilities: Object,
    lines: mpsc::Sender<String>,
    open: Mutex<BTreeMap<Id, Open>>,
    /// What it said at the opening, where it has sessions.
    pub(super) session: OnceCell<Arc<Session>>,
    answers: Arc<Semaphore>,
    used: Mutex<Instant>,
    begun: Instant,
    /// Goes off when it is to be stopped.
    stop: CancellationToken,
    over: CancellationToken,
    how: OnceLock<Ended>,
    /// Requests that nobody waits for any more and that were not answered: what is said may be about them.
    abandoned: Mutex<BTreeSet<Id>>,
}

/// A request that is open.
struct Open {
    answer: oneshot::Sender<Result<Object, Failure>>,
    listening: Listening,
    /// It only waits for changes: nothing else that is said is about it.
    quiet: bool,
}

/// What a process needs to be talked to.
pub(super) struct Talk {
    pub(super) whose: Whose,
    pub(super) capabilities: Object,
    /// The longest line, in bytes.
    pub(super) bytes_max: u32,
    /// Where it goes what it says of its own accord.
    pub(super) notes: broadcast::Sender<Arc<Notification>>,
}

impl Pipe {
    /// Talks to `process` until it is over; `ended` hears how that came about and how long it lived, unless it was
    /// stopped from here.
    pub(super) fn begin(
        process: Process,
        talk: Talk,
        ended: impl FnOnce(&Ended, Duration) + Send + 'static,
    ) -> Arc<Self> {
        let (lines, written) = mpsc::channel(LINES_WAITING_MAX);
        let pipe = Arc::new(Self {
            whose: talk.whose,
            capabilities: talk.capabilities.clone(),
            lines,
            open: Mutex::default(),
            session: OnceCell::new(),
            answers: Arc::new(Semaphore::new(ANSWERS_MAX)),
            used: Mutex::new(Instant::now()),
            begun: Instant::now(),
            stop: CancellationToken::new(),
            over: CancellationToken::new(),
            how: OnceLock::new(),
            abandoned: Mutex::default(),
        });
        let own = Arc::clone(&pipe);
        tokio::spawn(async move {
            let how = own.live(process, &talk, written).await;
            if !own.stop.is_cancelled() {
                ended(&how, own.begun.elapsed());
            }
            let _ = own.how.set(how);
            own.over.cancel();
            // Whoever waits hears it by `over`.
            own.open().clear();
        });
        pipe
    }

    /// Until it is over or to be stopped; why.
    async fn live(
        &self,
        process: Process,
        talk: &Talk,
        mut written: mpsc::Receiver<String>,
    ) -> Ended {
        let Process { input, mut output, mut ended, .. } = process;
        let writing = async {
            while let Some(mut line) = written.recv().await {
                line.push('\n');
                if input.send(line.into_bytes()).await.is_err() {
                    break;
                }
            }
            // What became of it, its output tells by ending.
            std::future::pending::<()>().await;
        };
        let reading = async {
            let mut codec = LinesCodec::new_with_max_length(talk.bytes_max as usize);
            let mut bytes = BytesMut::new();
            while let Some(piece) = output.recv().await {
                bytes.extend_from_slice(&piece);
                loop {
                    match codec.decode(&mut bytes) {
                        Ok(Some(line)) => self.line(&line, talk).await,
                        Ok(None) => break,
                        Err(LinesCodecError::MaxLineLengthExceeded) => {
                            self.too_long(&bytes, talk.bytes_max);
                        }
                        // A line that is no text is no message.
                        Err(LinesCodecError::Io(_)) => {}
                    }
                }
            }
        };
        tokio::select! {
            () = writing => {}
            () = reading => {}
            () = self.idle() => self.stop.cancel(),
            () = self.stop.cancelled() => {}
        }
        // Whoever lets go of its input stops it.
        drop((input, output));
        let told = tokio::time::timeout(END_TIME, ended.wait_for(Option::is_some)).await;
        let told = told.ok().and_then(Result::ok).and_then(|told| told.clone());
        told.unwrap_or_else(|| Ended { by_itself: false, message: "it was stopped".to_owned() })
    }

    async fn idle(&self) {
        loop {
            tokio::time::sleep(IDLE_CHECK).await;
            let used = *self.used.lock().unwrap_or_else(PoisonError::into_inner);
            if self.load() == 0 && used.elapsed() > IDLE_MAX {
                return;
            }
        }
    }

    fn open(&self) -> std::sync::MutexGuard<'_, BTreeMap<Id, Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It is wanted now.
    pub(super) fn touch(&self) {
        *self.used.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// When it was last wanted.
    pub(super) fn used(&self) -> Instant {
        *self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Requests that are open.
    pub(super) fn load(&self) -> usize {
        self.open().values().filter(|open| !open.quiet).count()
    }

    /// Whether it is asked nothing any more; until it is over, it still takes its place on the node.
    pub(super) fn is_ending(&self) -> bool {
        self.over.is_cancelled() || self.stop.is_cancelled()
    }

    pub(super) fn is_over(&self) -> bool {
        self.over.is_cancelled()
    }

    /// Goes off when it is over.
    pub(super) async fn over(&self) {
        self.over.cancelled().await;
    }

    pub(super) fn stop(&self) {
        self.stop.cancel();
    }

    /// Stops it when `ended` goes off.
    pub(super) fn stop_with(self: &Arc<Self>, ended: CancellationToken) {
        let pipe = Arc::clone(self);
        tokio::spawn(async move {
            tokio::select! {
                () = ended.cancelled() => pipe.stop(),
                () = pipe.over() => {}
            }
        });
    }

    /// Why nothing comes of it any more.
    pub(super) fn gone(&self) -> Failure {
        match self.how.get() {
            Some(how) if how.by_itself => Failure::Unreachable(how.message.clone()),
            Some(how) => Failure::Elsewhere(how.message.clone()),
            None => Failure::Elsewhere("it was stopped".to_owned()),
        }
    }

    /// Writes a line.
    pub(super) async fn say(&self, line: String) -> Result<(), Failure> {
        tokio::select! {
            said = self.lines.send(line) => said.map_err(|_| self.gone()),
            () = self.over() => Err(self.gone()),
            () = self.stop.cancelled() => Err(self.gone()),
        }
    }

    /// Sends the request `id` and gives its answer.
    pub(super) async fn exchange(
        &self,
        id: &Id,
        message: String,
        listening: &Listening,
    ) -> Result<Object, Failure> {
        self.ask(id, message, listening, false).await
    }

    /// The same for a request that waits for changes until nobody wants them any more.
    pub(super) async fn wait(
        &self,
        id: &Id,
        message: String,
        listening: &Listening,
    ) -> Result<Object, Failure> {
        self.ask(id, message, listening, true).await
    }

    async fn ask(
        &self,
        id: &Id,
        message: String,
        listening: &Listening,
        quiet: bool,
    ) -> Result<Object, Failure> {
        let (answer, answered) = oneshot::channel();
        self.open().insert(id.clone(), Open { answer, listening: listening.clone(), quiet });
        let _asked = Asked { pipe: self, id };
        self.say(message).await?;
        tokio::select! {
            biased;
            outcome = answered => outcome.unwrap_or_else(|_| Err(self.gone())),
            () = self.over() => Err(self.gone()),
            () = self.stop.cancelled() => Err(self.gone()),
        }
    }

    /// Takes a line of the process.
    async fn line(&self, line: &str, talk: &Talk) {
        // What is no message is not answered: processes print banners.
        let Ok(message) = rpc::parse(line.as_bytes()) else { return };
        match message {
            Message::Response(Response { id, outcome }) => {
                let open = self.open().remove(&id);
                match open {
                    Some(open) => drop(open.answer.send(outcome.map_err(Failure::Rpc))),
                    None => drop(self.abandoned().remove(&id)),
                }
            }
            // Many of them may wait where somebody reads slowly.
            Message::Notification(_) | Message::Request(_) if line.len() > ASIDE_BYTES_MAX => {}
            Message::Notification(note) => match What::of(&note.method, &note.params) {
                Some(_) => drop(talk.notes.send(Arc::new(note))),
                None => self.note(note).await,
            },
            Message::Request(request) => self.question(request).await,
        }
    }

    /// Something that belongs to a request: by the token of its progress, or because it is the only one.
    async fn note(&self, note: Notification) {
        let listening = {
            let open = self.open();
            match note.params.get::<Id>(meta::PROGRESS) {
                Some(token) => open.get(&token).map(|open| open.listening.clone()),
                None => self.only(&open),
            }
        };
        let Some(listening) = listening else { return };
        let event = Event::Note { method: note.method, params: note.params };
        self.put(&listening, event).await;
    }

    /// Passes something on. Only where one client has the process for itself, it is waited for.
    async fn put(&self, listening: &Listening, event: Event) {
        if self.whose == Whose::OneSession {
            listening.tell(event).await;
        } else {
            let _ = listening.events.try_send(event);
        }
    }

    /// Who is meant where nothing says so.
    fn only(&self, open: &BTreeMap<Id, Open>) -> Option<Listening> {
        let mut open = open.values().filter(|open| !open.quiet).rev();
        let newest = open.next()?.listening.clone();
        match self.whose {
            Whose::Everybody => None,
            Whose::OneSession => Some(newest),
            // SECURITY: of what a client wanted that is gone, another one must hear nothing.
            Whose::OneCaller => {
                (open.next().is_none() && self.abandoned().is_empty()).then_some(newest)
            }
        }
    }

    /// A question of the server's. SECURITY: it is put to nobody unless it is clear whom it is for.
    async fn question(&self, request: Request) {
        let Ok(place) = Arc::clone(&self.answers).try_acquire_owned() else { return };
        let Request { id, method, params } = request;
        let nobody = || RpcError::new(codes::METHOD_NOT_FOUND, "nobody answers that here");
        let asked = match self.whose {
            _ if method == "ping" => Err(Ok(Object::default())),
            Whose::Everybody => Err(Err(nobody())),
            Whose::OneSession | Whose::OneCaller => self.only(&self.open()).ok_or(Err(nobody())),
        };
        let listening = match asked {
            Ok(listening) => listening,
            Err(outcome) => {
                let _ = self.lines.try_send(rpc::response(Some(&id), &outcome));
                return;
            }
        };
        let (answer, answered) = oneshot::channel();
        let open = listening.pace.ask();
        self.put(&listening, Event::Question { method, params, answer }).await;
        let (lines, cancel, over) = (self.lines.clone(), listening.cancel, self.over.clone());
        tokio::spawn(async move {
            let _place = place;
            let outcome = tokio::select! {
                () = cancel.cancelled() => return,
                () = over.cancelled() => return,
                outcome = answered => outcome.unwrap_or_else(|_| Err(nobody())),
            };
            drop(open);
            let _ = lines.send(rpc::response(Some(&id), &outcome)).await;
        });
    }

    fn abandoned(&self) -> std::sync::MutexGuard<'_, BTreeSet<Id>> {
        self.abandoned.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An answer is longer than it may be: whose it is, its beginning may tell, or that there is only one.
    fn too_long(&self, line: &[u8], bytes_max: u32) {
        let head = line.get(..line.len().min(HEAD_BYTES)).unwrap_or_default();
        let head = String::from_utf8_lossy(head);
        let named = head.split_once("\"id\":").and_then(|(_, rest)| {
            let digits: String =
                rest.trim_start().chars().take_while(char::is_ascii_digit).collect();
            digits.parse().ok().map(Id::Number)
        });
        let mut open = self.open();
        let only = || open.keys().next().filter(|_| open.len() == 1).cloned();
        let id = named.filter(|id| open.contains_key(id)).or_else(only);
        if let Some(open) = id.and_then(|id| open.remove(&id)) {
            let _ = open.answer.send(Err(Failure::TooLong(bytes_max)));
        }
    }
}

/// A request, until its answer is there or nobody wants it any more: then the process is told.
struct Asked<'a> {
    pipe: &'a Pipe,
    id: &'a Id,
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        if self.pipe.open().remove(self.id).is_some() {
            let mut abandoned = self.pipe.abandoned();
            if abandoned.len() < ABANDONED_MAX {
                abandoned.insert(self.id.clone());
            }
            let params = Object::default().with("requestId", self.id).with("reason", "cancelled");
            let line = rpc::notification("notifications/cancelled", &params);
            let _ = self.pipe.lines.try_send(line);
        }
    }
}
