//! Streamable HTTP, the client's side: one message there, an answer or a stream of messages back.

use super::{Denial, Event, Failure, Listening};
use crate::{
    outbound::{Outbound, SseReader, why_failed},
    rpc::{self, Id, Message, Object, Request, RpcError, codes},
};
use reqwest::{
    Method, RequestBuilder, Response, StatusCode,
    header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue},
};
use std::{convert::Infallible, sync::Arc, time::Duration};
use tokio::sync::{Semaphore, oneshot};

pub(super) const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
pub(super) const VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
const LAST_EVENT: HeaderName = HeaderName::from_static("last-event-id");
/// How often a stream that broke off is taken up again.
const RESUMPTIONS_MAX: u32 = 8;
const RESUME_AFTER: Duration = Duration::from_secs(1);
const RESUME_AFTER_MAX: Duration = Duration::from_secs(30);
/// How long a server may take to take an answer, and how many it is given at the same time.
const ANSWER_TIME: Duration = Duration::from_secs(15);
pub(super) const ANSWERS_MAX: usize = 64;
/// How long a server may take to end a session.
const END_TIME: Duration = Duration::from_secs(5);

/// A tool server's endpoint, and what every message to it carries.
#[derive(Clone)]
pub(super) struct HttpEndpoint {
    pub(super) outbound: Arc<Outbound>,
    pub(super) url: String,
    /// What it is shown. SECURITY: no log and no error repeats it.
    pub(super) shown: HeaderMap,
    /// Whose that is, where it is not the same for all.
    pub(super) whose: String,
    pub(super) bytes_max: u32,
    /// Answers to its questions that are under way.
    pub(super) answers: Arc<Semaphore>,
}

/// What came back.
pub(super) enum Reply {
    /// It was taken.
    Taken,
    /// One message.
    One(Message),
    /// Messages until the stream ends.
    Stream(Box<Incoming>),
}

impl HttpEndpoint {
    fn request(&self, method: Method, headers: HeaderMap) -> Result<RequestBuilder, Failure> {
        let request = self.outbound.conversation(method, &self.url);
        let request = request.map_err(|error| Failure::Unreachable(error.to_string()))?;
        Ok(request.headers(headers).headers(self.shown.clone()))
    }

    /// Sends a message; what came back, and under which session.
    pub(super) async fn post(
        &self,
        message: String,
        mut headers: HeaderMap,
    ) -> Result<(Reply, Option<HeaderValue>), Failure> {
        let both = HeaderValue::from_static("application/json, text/event-stream");
        headers.insert(ACCEPT, both);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let within = headers.contains_key(SESSION);
        let request = self.request(Method::POST, headers)?.body(message);
        let response = request.send().await.map_err(unreachable)?;
        let session = response.headers().get(SESSION).cloned();
        let status = response.status();
        if status == StatusCode::ACCEPTED || status == StatusCode::NO_CONTENT {
            return Ok((Reply::Taken, session));
        }
        if is_stream(&response) && status.is_success() {
            let incoming = Incoming::new(response, self.bytes_max);
            return Ok((Reply::Stream(Box::new(incoming)), session));
        }
        let denied = matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
        let denial = Denial::read(status.as_u16(), response.headers());
        let body = whole(response, self.bytes_max).await?;
        match rpc::parse(&body) {
            Ok(message @ Message::Response(_)) => Ok((Reply::One(message), session)),
            // Some servers take a notification with 200 and nothing else.
            Err(_) if status.is_success() && body.trim_ascii().is_empty() => {
                Ok((Reply::Taken, session))
            }
            _ if within && status == StatusCode::NOT_FOUND => Err(Failure::SessionLost),
            _ if denied => Err(Failure::Denied(denial)),
            Ok(_) => Err(odd("what is no answer")),
            Err(_) if status.is_success() => Err(odd("what is no JSON-RPC message")),
            Err(_) => Err(Failure::Unreachable(format!("it answered with HTTP {status}"))),
        }
    }

    /// Opens the stream on which a server speaks of its own accord, or takes up one that broke off.
    pub(super) async fn listen(
        &self,
        mut headers: HeaderMap,
        last: Option<&str>,
    ) -> Result<Incoming, Failure> {
        headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
        if let Some(last) = last.and_then(|last| HeaderValue::from_str(last).ok()) {
            headers.insert(LAST_EVENT, last);
        }
        let within = headers.contains_key(SESSION);
        let response = self.request(Method::GET, headers)?.send().await.map_err(unreachable)?;
        match response.status() {
            StatusCode::NOT_FOUND if within => Err(Failure::SessionLost),
            status if status.is_success() && is_stream(&response) => {
                Ok(Incoming::new(response, self.bytes_max))
            }
            status @ (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => {
                Err(Failure::Denied(Denial::read(status.as_u16(), response.headers())))
            }
            status => Err(Failure::Unreachable(format!("it answered with HTTP {status}"))),
        }
    }

    /// Ends a session; whether the server listens is its own affair.
    pub(super) async fn end(&self, headers: HeaderMap) {
        if let Ok(request) = self.request(Method::DELETE, headers) {
            let _ = request.timeout(END_TIME).send().await;
        }
    }

    /// Sends the request `id` and gives its answer; what the server says before goes to `listening`.
    pub(super) async fn exchange(
        &self,
        id: &Id,
        message: String,
        headers: HeaderMap,
        back: &HeaderMap,
        listening: &Listening,
    ) -> Result<(Object, Option<HeaderValue>), Failure> {
        let (reply, session) = self.post(message, headers).await?;
        let mut incoming = match reply {
            Reply::Taken => return Err(odd("nothing")),
            Reply::One(message) => return Ok((answer(id, message)?, session)),
            Reply::Stream(incoming) => *incoming,
        };
        let mut resumed = 0;
        loop {
            match incoming.next().await {
                Ok(Some(Message::Response(response))) if response.id == *id => {
                    return response.outcome.map(|result| (result, session)).map_err(Failure::Rpc);
                }
                Ok(Some(message)) => self.pass(message, back, listening).await,
                // The server let go of the stream; where it told ids it goes on with what it has not sent.
                Ok(None) | Err(Failure::Unreachable(_)) if incoming.can_resume(resumed) => {
                    resumed += 1;
                    let wait = incoming.reader.retry.unwrap_or(RESUME_AFTER);
                    tokio::time::sleep(wait.min(RESUME_AFTER_MAX)).await;
                    let last = incoming.reader.last_id.clone();
                    // The request was taken: whatever this says, it is not to be sent again.
                    let next = self.listen(back.clone(), last.as_deref()).await;
                    let next = next.map_err(|failure| match failure {
                        Failure::Denied(_) | Failure::SessionLost => {
                            let why = "its stream broke off, and it does not go on with it";
                            Failure::Unreachable(why.to_owned())
                        }
                        failure => failure,
                    })?;
                    let reader = std::mem::take(&mut incoming.reader);
                    incoming = Incoming { reader: reader.carried(), ..next };
                }
                Ok(None) => {
                    let why = "its stream ended without an answer".to_owned();
                    return Err(Failure::Unreachable(why));
                }
                Err(failure) => return Err(failure),
            }
        }
    }

    /// Passes on what a server says. A question is answered whenever its answer is there.
    pub(super) async fn pass(&self, message: Message, back: &HeaderMap, listening: &Listening) {
        match message {
            Message::Notification(note) => {
                listening.tell(Event::Note { method: note.method, params: note.params }).await;
            }
            Message::Request(request) => self.question(request, back, listening).await,
            // To a request that is not open any more.
            Message::Response(_) => {}
        }
    }
}

impl HttpEndpoint {
    /// Passes on what a server asks on a stream that belongs to no request, where it can be told who is meant. It never
    /// comes back.
    pub(super) async fn heed(
        &self,
        mut incoming: Incoming,
        back: &HeaderMap,
        listening: &Listening,
        meant: impl Fn() -> bool,
    ) -> Infallible {
        while let Ok(Some(message)) = incoming.next().await {
            if let Message::Request(request) = message
                && meant()
            {
                self.question(request, back, listening).await;
            }
        }
        std::future::pending().await
    }

    /// A question of the server's. One that asks more than it takes answers is not answered.
    async fn question(&self, request: Request, back: &HeaderMap, listening: &Listening) {
        let Ok(place) = Arc::clone(&self.answers).try_acquire_owned() else { return };
        let (answer, answered) = oneshot::channel();
        let (method, params) = (request.method, request.params);
        let open = listening.pace.ask();
        if method == "ping" {
            let _ = answer.send(Ok(Object::default()));
        } else {
            listening.tell(Event::Question { method, params, answer }).await;
        }
        let (endpoint, back, id) = (self.clone(), back.clone(), request.id);
        let cancel = listening.cancel.clone();
        tokio::spawn(async move {
            let _place = place;
            let nobody = RpcError::new(codes::METHOD_NOT_FOUND, "nobody answers that here");
            let outcome = tokio::select! {
                () = cancel.cancelled() => return,
                outcome = answered => outcome.unwrap_or(Err(nobody)),
            };
            drop(open);
            let posting = endpoint.post(rpc::response(Some(&id), &outcome), back);
            let _ = tokio::time::timeout(ANSWER_TIME, posting).await;
        });
    }
}

fn answer(id: &Id, message: Message) -> Result<Object, Failure> {
    match message {
        Message::Response(response) if response.id == *id => response.outcome.map_err(Failure::Rpc),
        _ => Err(odd("the answer to another request")),
    }
}

fn odd(what: &str) -> Failure {
    Failure::Unreachable(format!("it answered with {what}"))
}

fn unreachable(error: reqwest::Error) -> Failure {
    Failure::Unreachable(why_failed(&error.without_url()))
}

fn is_stream(response: &Response) -> bool {
    let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    kind.is_some_and(|kind| kind.to_ascii_lowercase().starts_with("text/event-stream"))
}

async fn whole(mut response: Response, bytes_max: u32) -> Result<Vec<u8>, Failure> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
        if body.len() + chunk.len() > bytes_max as usize {
            return Err(Failure::TooLong(bytes_max));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Messages out of a stream.
pub(super) struct Incoming {
    response: Response,
    reader: SseReader,
    ready: std::collections::VecDeque<Vec<u8>>,
    bytes_max: u32,
}

impl Incoming {
    fn new(response: Response, bytes_max: u32) -> Self {
        Self { response, reader: SseReader::default(), ready: Default::default(), bytes_max }
    }

    fn can_resume(&self, times: u32) -> bool {
        times < RESUMPTIONS_MAX && self.reader.last_id.as_ref().is_some_and(|id| !id.is_empty())
    }

    /// The next message; nothing at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Message>, Failure> {
        loop {
            while let Some(data) = self.ready.pop_front() {
                // An event that carries nothing tells only its id.
                if data.trim_ascii().is_empty() {
                    continue;
                }
                let message = rpc::parse(&data);
                return message.map(Some).map_err(|_| odd("what is no JSON-RPC message"));
            }
            let Some(chunk) = self.response.chunk().await.map_err(unreachable)? else {
                return Ok(None);
            };
            let events = self.reader.take(&chunk, self.bytes_max as usize);
            let events = events.map_err(|_| Failure::TooLong(self.bytes_max))?;
            self.ready.extend(events.into_iter().map(|event| event.data));
        }
    }
}
