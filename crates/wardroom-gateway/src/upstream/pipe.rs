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
    collections::BTreeMap,
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
    pub(super) whose: Whose,
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
    why: OnceLock<String>,
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
            lines,
            open: Mutex::default(),
            session: OnceCell::new(),
            answers: Arc::new(Semaphore::new(ANSWERS_MAX)),
            used: Mutex::new(Instant::now()),
            begun: Instant::now(),
            stop: CancellationToken::new(),
            over: CancellationToken::new(),
            why: OnceLock::new(),
        });
        let own = Arc::clone(&pipe);
        tokio::spawn(async move {
            let how = own.live(process, &talk, written).await;
            if !own.stop.is_cancelled() {
                ended(&how, own.begun.elapsed());
            }
            let _ = own.why.set(how.message);
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
                            self.fail_all(|| Failure::TooLong(talk.bytes_max));
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
        let why = self.why.get().map_or("it was stopped", String::as_str);
        Failure::Unreachable(why.to_owned())
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
        self.touch();
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
                if let Some(open) = open {
                    let _ = open.answer.send(outcome.map_err(Failure::Rpc));
                }
            }
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
        if self.whose == Whose::Everybody {
            // One client that does not read must not hold up the others.
            let _ = listening.events.try_send(event);
        } else {
            listening.tell(event).await;
        }
    }

    /// Who is meant where nothing says so.
    fn only(&self, open: &BTreeMap<Id, Open>) -> Option<Listening> {
        let mut open = open.values().filter(|open| !open.quiet).rev();
        let newest = open.next()?.listening.clone();
        (open.next().is_none() || self.whose == Whose::OneSession).then_some(newest)
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
        listening.tell(Event::Question { method, params, answer }).await;
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

    /// Something came that nobody can tell whose it is.
    fn fail_all(&self, failure: impl Fn() -> Failure) {
        for (_, open) in std::mem::take(&mut *self.open()) {
            let _ = open.answer.send(Err(failure()));
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
            let params = Object::default().with("requestId", self.id).with("reason", "cancelled");
            let line = rpc::notification("notifications/cancelled", &params);
            let _ = self.pipe.lines.try_send(line);
        }
    }
}
