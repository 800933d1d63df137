//! Asks a tool server in a client's name, and brings together two sides of different eras: a question that one can only
//! put while a request is open, and one that can only be answered by coming again.

use super::{
    Gateway,
    client::{Client, Speaks, is_input_required},
    parked::{Answer, Parked, UnderWay},
    request_state::{CallRound, Carried},
};
use crate::{
    registry::{Known, What},
    rpc::{Object, RpcError, codes},
    upstream::{Ask, EVENTS_WAITING_MAX, Event, Failure, Listening},
};
use data_encoding::HEXLOWER;
use futures_util::future::join_all;
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::sync::{mpsc, oneshot};

/// How often a server may ask back before it has enough.
const ROUNDS_MAX: u32 = 16;
/// How long questions of one moment are waited for, so that they are put together.
const TOGETHER: Duration = Duration::from_millis(20);
/// Questions that are put together.
const QUESTIONS_MAX: usize = 32;

/// What a server may ask a client, and the capability that the client must have for it.
const QUESTIONS: [(&str, &str); 3] = [
    ("sampling/createMessage", "sampling"),
    ("elicitation/create", "elicitation"),
    ("roots/list", "roots"),
];

/// What came of asking.
pub(super) enum Came {
    /// The answer.
    Answer(Object),
    /// The client is to come again with more.
    Again(Object),
}

impl Gateway {
    /// Asks, from the beginning or where it was left off.
    pub(super) async fn ask(
        self: &Arc<Self>,
        client: &Client,
        known: &Arc<Known>,
        mut ask: Ask,
        digest: [u8; 32],
        state: Option<Carried>,
        call: Option<CallRound>,
    ) -> Result<Came, Failure> {
        let responses = ask.params.object("inputResponses");
        ask.params.remove("requestState");
        let mut under_way = match state {
            Some(Carried { parked: Some(name), .. }) => {
                let parked = self.parked.take(&name, client.caller.user());
                let parked = parked.ok_or_else(gone)?;
                match self.take_up(client, parked, &responses.unwrap_or_default(), digest, call)? {
                    Ok(under_way) => under_way,
                    Err(again) => return Ok(Came::Again(again)),
                }
            }
            state => {
                if let Some(inner) = state.and_then(|state| state.inner) {
                    ask.params.set("requestState", inner);
                }
                start(known, ask.clone(), client)
            }
        };
        for _ in 0..ROUNDS_MAX {
            let result = match self.follow(client, known, under_way, digest, call).await? {
                Came::Answer(result) => result,
                again => return Ok(again),
            };
            if !is_input_required(&result) {
                return Ok(Came::Answer(result));
            }
            match &client.speaks {
                Speaks::Modern(_) => {
                    return self.pass_on(client, result, digest, call).map(Came::Again);
                }
                Speaks::Legacy(_) => {
                    let answers = self.ask_client(client, &result).await?;
                    ask.params.set("inputResponses", answers);
                    match result.text("requestState") {
                        Some(inner) => ask.params.set("requestState", inner),
                        None => drop(ask.params.remove("requestState")),
                    }
                    under_way = start(known, ask.clone(), client);
                }
            }
        }
        Err(Failure::Unreachable(format!("it asked back more than {ROUNDS_MAX} times")))
    }

    /// Follows a request until it is answered, or until its client has to come again.
    async fn follow(
        self: &Arc<Self>,
        client: &Client,
        known: &Arc<Known>,
        mut under_way: UnderWay,
        digest: [u8; 32],
        call: Option<CallRound>,
    ) -> Result<Came, Failure> {
        loop {
            let event = tokio::select! {
                biased;
                () = client.cancel.cancelled() => {
                    under_way.cancel.cancel();
                    return Err(Failure::Cancelled);
                }
                Some(event) = under_way.events.recv() => event,
                done = &mut under_way.done => {
                    return match done {
                        Ok(result) => result.map(Came::Answer),
                        Err(_) => Err(Failure::Internal("a request was lost".to_owned())),
                    };
                }
            };
            match event {
                Event::Note { method, params } => {
                    self.pass_note(client, known, &method, &params).await
                }
                Event::Question { method, params, answer } => match &client.speaks {
                    Speaks::Legacy(_) => ask_aside(client, method, params, answer),
                    Speaks::Modern(_) if !is_open(client, &method) => drop(answer),
                    Speaks::Modern(_) => {
                        let first = question(&method, params);
                        let questions = together(client, &mut under_way, first, answer).await;
                        return self
                            .park(client, under_way, questions, digest, call)
                            .map(Came::Again);
                    }
                },
            }
        }
    }

    /// Passes on what a server says about a request: progress and log messages go to whoever asked, what changed to
    /// all that want to know.
    async fn pass_note(&self, client: &Client, known: &Known, method: &str, params: &Object) {
        if matches!(method, "notifications/progress" | "notifications/message") {
            client.tell(method, params).await;
            return;
        }
        if let Some(what) = What::of(method, params) {
            self.registry.heed(known.name(), what);
        }
    }

    /// An answer of a server without sessions that asks for something: passed on, with what the server wants back
    /// sealed for this caller.
    fn pass_on(
        &self,
        client: &Client,
        mut result: Object,
        digest: [u8; 32],
        call: Option<CallRound>,
    ) -> Result<Object, Failure> {
        let inner = result.text("requestState");
        let state = Carried { inner, call, ..Carried::default() };
        let sealed = self.seal_state(client, digest, state).map_err(Failure::Rpc)?;
        result.set("requestState", sealed);
        Ok(result)
    }

    /// Lets a request wait, and tells its client what it is asked.
    fn park(
        &self,
        client: &Client,
        under_way: UnderWay,
        questions: BTreeMap<String, (Object, Answer)>,
        digest: [u8; 32],
        call: Option<CallRound>,
    ) -> Result<Object, Failure> {
        let asked: BTreeMap<&str, &Object> =
            questions.iter().map(|(name, (asked, _))| (name.as_str(), asked)).collect();
        let result =
            Object::default().with("resultType", "input_required").with("inputRequests", asked);
        let mut random = [0; 24];
        self.rng.fill(&mut random);
        let name = HEXLOWER.encode(&random);
        let state = Carried { parked: Some(name.clone()), call, ..Carried::default() };
        let user = client.caller.user();
        let sealed = self.seal_state(client, digest, state).map_err(Failure::Rpc)?;
        let parked = Parked::new(under_way, questions, user, self.clock.now());
        let full = || {
            Failure::Rpc(RpcError::new(codes::UNAVAILABLE, "too many requests wait for answers"))
        };
        self.parked.keep(name, parked).ok_or_else(full)?;
        Ok(result.with("requestState", sealed))
    }

    /// Gives a request that waits what its client brought. What is still missing is asked again.
    fn take_up(
        &self,
        client: &Client,
        mut parked: Parked,
        brought: &Object,
        digest: [u8; 32],
        call: Option<CallRound>,
    ) -> Result<Result<UnderWay, Object>, Failure> {
        let names: Vec<String> = parked.questions.keys().cloned().collect();
        if !names.iter().any(|name| brought.object(name).is_some()) {
            let Parked { under_way, questions, .. } = parked;
            return self.park(client, under_way, questions, digest, call).map(Err);
        }
        for name in names {
            let Some(answer) = brought.object(&name) else { continue };
            if let Some((_, waiting)) = parked.questions.remove(&name) {
                let _ = waiting.send(Ok(answer));
            }
        }
        if parked.questions.is_empty() {
            return Ok(Ok(parked.under_way));
        }
        let Parked { under_way, questions, .. } = parked;
        self.park(client, under_way, questions, digest, call).map(Err)
    }

    /// Asks a client with a session what a server without sessions wants to know.
    async fn ask_client(&self, client: &Client, result: &Object) -> Result<Object, Failure> {
        let Speaks::Legacy(session) = &client.speaks else { return Ok(Object::default()) };
        let asked = result.object("inputRequests").unwrap_or_default();
        let questions: Vec<(String, Object)> = asked
            .iter()
            .take(QUESTIONS_MAX)
            .filter_map(|(name, raw)| Some((name.to_owned(), Object::parse(raw.get())?)))
            .collect();
        let asking = questions.iter().map(|(name, question)| async move {
            let method = question.text("method").unwrap_or_default();
            if !is_open(client, &method) {
                return Err(RpcError::invalid_request(format!(
                    "the client can't be asked {method}"
                )));
            }
            let params = question.object("params").unwrap_or_default();
            let answer = session.ask(&client.outlet, &method, &params).await?;
            Ok((name, answer))
        });
        let all = tokio::select! {
            () = client.cancel.cancelled() => return Err(Failure::Cancelled),
            all = join_all(asking) => all,
        };
        let mut answers = Object::default();
        for answer in all {
            let (name, answer) = answer.map_err(Failure::Rpc)?;
            answers.set(name.as_str(), answer);
        }
        Ok(answers)
    }
}

/// Starts a request. It goes on by itself until it is answered or nobody wants it any more.
fn start(known: &Arc<Known>, ask: Ask, client: &Client) -> UnderWay {
    let (events, receiver) = mpsc::channel(EVENTS_WAITING_MAX);
    let (done, outcome) = oneshot::channel();
    let cancel = match client.speaks {
        // It outlives the request that began it, when it has to wait for the next.
        Speaks::Modern(_) => tokio_util::sync::CancellationToken::new(),
        Speaks::Legacy(_) => client.cancel.child_token(),
    };
    let listening = Listening { events, cancel: cancel.clone(), pace: Arc::default() };
    let upstream = Arc::clone(&known.upstream);
    tokio::spawn(async move {
        let _ = done.send(upstream.ask(&ask, &listening).await);
    });
    UnderWay::new(receiver, outcome, cancel)
}

/// Whether the client said that it can be asked this.
fn is_open(client: &Client, method: &str) -> bool {
    let capability = QUESTIONS.iter().find(|(known, _)| *known == method);
    capability.is_some_and(|(_, capability)| client.speaks.capabilities().has(capability))
}

fn question(method: &str, params: Object) -> Object {
    let question = Object::default().with("method", method);
    if params.is_empty() { question } else { question.with("params", params) }
}

/// Puts a question to a client with a session, while its request goes on.
fn ask_aside(client: &Client, method: String, params: Object, answer: Answer) {
    let Speaks::Legacy(session) = &client.speaks else { return };
    if !is_open(client, &method) {
        return;
    }
    let (session, outlet) = (Arc::clone(session), client.outlet.clone());
    let cancel = client.cancel.clone();
    tokio::spawn(async move {
        tokio::select! {
            () = cancel.cancelled() => {}
            outcome = session.ask(&outlet, &method, &params) => drop(answer.send(outcome)),
        }
    });
}

/// Questions that come at the same moment as the first.
async fn together(
    client: &Client,
    under_way: &mut UnderWay,
    first: Object,
    answer: Answer,
) -> BTreeMap<String, (Object, Answer)> {
    let mut questions = BTreeMap::from([("input-1".to_owned(), (first, answer))]);
    let until = tokio::time::Instant::now() + TOGETHER;
    while questions.len() < QUESTIONS_MAX {
        match tokio::time::timeout_at(until, under_way.events.recv()).await {
            Ok(Some(Event::Question { method, params, answer })) if is_open(client, &method) => {
                let name = format!("input-{}", questions.len() + 1);
                questions.insert(name, (question(&method, params), answer));
            }
            Ok(Some(Event::Note { method, params })) => client.tell(&method, &params).await,
            Ok(Some(Event::Question { .. })) => {}
            Ok(None) | Err(_) => break,
        }
    }
    questions
}

fn gone() -> Failure {
    let why = "the request that waited for this is gone: begin anew";
    Failure::Rpc(RpcError::invalid_params(why))
}
