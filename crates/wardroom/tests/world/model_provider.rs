//! Providers of language models within the test, which speak OpenAI's, Anthropic's and Bedrock's wire and do what the
//! test tells them.

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::post,
};
use futures_util::stream;
use serde_json::{Value, json};
use std::{
    collections::HashMap,
    convert::Infallible,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{net::TcpListener, sync::Semaphore};

/// What is done with the next question.
#[derive(Debug, Clone)]
pub enum Next {
    /// It is answered with these words.
    Says(&'static str),
    /// It is answered with a status and a body.
    Fails(u16, Value),
    /// It is answered, and took so many tokens as it says.
    Tells(u64),
    /// It breaks off behind its first word.
    Breaks,
    /// It says a word and then nothing more.
    Hangs,
    /// It says these, each when [`Seen::words`] has a permit for it.
    Speaks(&'static [&'static str]),
}

/// What the provider has seen.
pub struct Seen {
    next: Mutex<Vec<Next>>,
    /// Bodies of questions, with the key that each was shown.
    pub asked: Mutex<Vec<(String, Value)>>,
    /// What it counted of each idempotency key: tokens in and out.
    pub counted: Mutex<HashMap<String, (u64, u64)>>,
    /// Answers that nobody listens to any more.
    pub left: Arc<AtomicUsize>,
    /// Where this is set, it calls the tool `echo` of the server `files` until so many results are there, and only then
    /// says something. Each answer takes so long.
    pub chain: Mutex<Option<(usize, Duration)>>,
    /// Words that may be said.
    pub words: Arc<Semaphore>,
    /// Where this is set, it decides what OpenAI's wire answers.
    pub brain: Mutex<Option<Brain>>,
}

/// What comes of a question.
pub type Brain = Box<dyn Fn(&Value) -> Thought + Send>;

/// What a [`Brain`] wants.
pub enum Thought {
    /// It says this.
    Says(String),
    /// It calls these, with those arguments.
    Calls(Vec<(&'static str, Value)>),
}

impl Default for Seen {
    fn default() -> Self {
        Self {
            next: Mutex::default(),
            asked: Mutex::default(),
            counted: Mutex::default(),
            left: Arc::default(),
            chain: Mutex::default(),
            words: Arc::new(Semaphore::new(0)),
            brain: Mutex::default(),
        }
    }
}

impl Seen {
    /// The next call of a chain, and how long it takes; nothing where the chain is at its end, or there is none.
    fn link(&self, body: &Value) -> Option<(usize, Duration)> {
        let (most, pause) = (*self.chain.lock().unwrap())?;
        let results =
            body["messages"].as_array()?.iter().filter(|told| told["role"] == "tool").count();
        (results < most).then_some((results, pause))
    }
}

pub struct ModelProvider {
    pub url: String,
    pub seen: Arc<Seen>,
}

impl ModelProvider {
    pub async fn start() -> Self {
        let seen = Arc::new(Seen::default());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let app = Router::new()
            .route("/v1/chat/completions", post(openai))
            .route("/v1/messages", post(anthropic))
            .route("/model/{model}/converse-stream", post(bedrock))
            .with_state(Arc::clone(&seen));
        // It goes with the test.
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { url, seen }
    }

    /// What it does next, in this order; afterwards it says `Hello`.
    pub fn next(&self, next: &[Next]) {
        *self.seen.next.lock().unwrap() = next.iter().rev().cloned().collect();
    }

    /// From now on `brain` decides.
    pub fn thinks(&self, brain: impl Fn(&Value) -> Thought + Send + 'static) {
        *self.seen.brain.lock().unwrap() = Some(Box::new(brain));
    }

    pub fn questions(&self) -> usize {
        self.seen.asked.lock().unwrap().len()
    }
}

impl Seen {
    fn take(&self, headers: &HeaderMap, body: &Bytes) -> Next {
        let shown = ["authorization", "x-api-key"].iter().find_map(|name| headers.get(*name));
        let shown = shown.map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default();
        let body: Value = serde_json::from_slice(body).unwrap();
        self.asked.lock().unwrap().push((shown, body));
        let next = self.next.lock().unwrap().pop().unwrap_or(Next::Says("Hello"));
        if let (Next::Says(_), Some(key)) = (&next, headers.get("idempotency-key")) {
            let key = key.to_str().unwrap().to_owned();
            self.counted.lock().unwrap().insert(key, (7, 3));
        }
        next
    }
}

/// Counts an answer that is dropped before its end.
struct Left(Arc<AtomicUsize>);

impl Drop for Left {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::AcqRel);
    }
}

fn streamed(seen: &Seen, kind: &str, pieces: Vec<Vec<u8>>, hangs: bool) -> Response {
    let left = hangs.then(|| Left(Arc::clone(&seen.left)));
    let body = stream::unfold((pieces.into_iter(), left), move |(mut pieces, left)| async move {
        match pieces.next() {
            Some(piece) => Some((Ok::<_, Infallible>(piece), (pieces, left))),
            None if hangs => {
                tokio::time::sleep(Duration::from_secs(3600)).await;
                None
            }
            None => None,
        }
    });
    ([("content-type", kind)], Body::from_stream(body)).into_response()
}

fn failed(status: u16, body: &Value) -> Response {
    (StatusCode::from_u16(status).unwrap(), body.to_string()).into_response()
}

async fn openai(State(seen): State<Arc<Seen>>, headers: HeaderMap, body: Bytes) -> Response {
    let word = |text: &str| {
        let chunk = json!({"id": "c", "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": null}]});
        format!("data: {chunk}\n\n").into_bytes()
    };
    let end = |tokens: u64| {
        let stop = json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]});
        let usage = json!({"choices": [], "usage": {"prompt_tokens": tokens, "completion_tokens": 3, "total_tokens": 10}});
        format!("data: {stop}\n\ndata: {usage}\n\ndata: [DONE]\n\n").into_bytes()
    };
    let sse = "text/event-stream";
    let told: Value = serde_json::from_slice(&body).unwrap();
    let next = seen.take(&headers, &body);
    if let Some((n, pause)) = seen.link(&told) {
        tokio::time::sleep(pause).await;
        let function = json!({"name": "files__echo", "arguments": format!("{{\"n\": {n}}}")});
        let call = json!({"index": 0, "id": format!("call-{n}"), "type": "function", "function": function});
        let chunk = json!({"choices": [{"index": 0, "delta": {"tool_calls": [call]}, "finish_reason": null}]});
        return streamed(
            &seen,
            sse,
            vec![format!("data: {chunk}\n\n").into_bytes(), end(7)],
            false,
        );
    }
    let thought = seen.brain.lock().unwrap().as_ref().map(|brain| brain(&told));
    match thought {
        Some(Thought::Says(text)) => {
            return streamed(&seen, sse, vec![word(&text), end(7)], false);
        }
        Some(Thought::Calls(calls)) => {
            let call = |(index, (name, arguments)): (usize, &(&str, Value))| {
                let function = json!({"name": name, "arguments": arguments.to_string()});
                let id = format!("call-{}-{index}", told["messages"].as_array().unwrap().len());
                json!({"index": index, "id": id, "type": "function", "function": function})
            };
            let calls: Vec<Value> = calls.iter().enumerate().map(call).collect();
            let chunk = json!({"choices": [{"index": 0, "delta": {"tool_calls": calls}, "finish_reason": null}]});
            let pieces = vec![format!("data: {chunk}\n\n").into_bytes(), end(7)];
            return streamed(&seen, sse, pieces, false);
        }
        None => {}
    }
    match next {
        Next::Says(text) => streamed(&seen, sse, vec![word(text), end(7)], false),
        Next::Tells(tokens) => streamed(&seen, sse, vec![word("Hello"), end(tokens)], false),
        Next::Fails(status, body) => failed(status, &body),
        Next::Breaks => streamed(&seen, sse, vec![word("Hel")], false),
        Next::Hangs => streamed(&seen, sse, vec![word("Hel")], true),
        Next::Speaks(words) => {
            let mut pieces: Vec<Vec<u8>> = words.iter().map(|text| word(text)).collect();
            pieces.push(end(7));
            let permits = Arc::clone(&seen.words);
            let body =
                stream::unfold((pieces.into_iter(), permits), |(mut pieces, permits)| async {
                    let piece = pieces.next()?;
                    permits.acquire().await.unwrap().forget();
                    Some((Ok::<_, Infallible>(piece), (pieces, permits)))
                });
            ([("content-type", sse)], Body::from_stream(body)).into_response()
        }
    }
}

async fn anthropic(State(seen): State<Arc<Seen>>, headers: HeaderMap, body: Bytes) -> Response {
    let event = |value: Value| {
        let name = value["type"].as_str().unwrap().to_owned();
        format!("event: {name}\ndata: {value}\n\n").into_bytes()
    };
    let word = |text: &str| {
        [
            event(
                json!({"type": "message_start", "message": {"usage": {"input_tokens": 7, "output_tokens": 1}}}),
            ),
            event(
                json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
            ),
            event(
                json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}),
            ),
        ]
    };
    let end = [
        event(json!({"type": "content_block_stop", "index": 0})),
        event(
            json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 3}}),
        ),
        event(json!({"type": "message_stop"})),
    ];
    let sse = "text/event-stream";
    match seen.take(&headers, &body) {
        Next::Says(_) | Next::Tells(_) => {
            streamed(&seen, sse, [word("Hello"), end].concat(), false)
        }
        Next::Fails(status, body) => failed(status, &body),
        Next::Breaks => streamed(&seen, sse, word("Hel").to_vec(), false),
        Next::Hangs | Next::Speaks(_) => streamed(&seen, sse, word("Hel").to_vec(), true),
    }
}

fn frame(name: &str, payload: &Value) -> Vec<u8> {
    let mut told = vec![];
    for (name, value) in [(":event-type", name), (":message-type", "event")] {
        told.push(name.len() as u8);
        told.extend_from_slice(name.as_bytes());
        told.push(7);
        told.extend_from_slice(&(value.len() as u16).to_be_bytes());
        told.extend_from_slice(value.as_bytes());
    }
    let payload = payload.to_string();
    let mut frame = ((16 + told.len() + payload.len()) as u32).to_be_bytes().to_vec();
    frame.extend_from_slice(&(told.len() as u32).to_be_bytes());
    frame.extend_from_slice(&crc32fast::hash(&frame).to_be_bytes());
    frame.extend_from_slice(&told);
    frame.extend_from_slice(payload.as_bytes());
    frame.extend_from_slice(&crc32fast::hash(&frame).to_be_bytes());
    frame
}

async fn bedrock(
    State(seen): State<Arc<Seen>>,
    Path(model): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    assert_eq!(model, "us.maker.model-v1:0");
    let word = |text: &str| {
        [
            frame("messageStart", &json!({"role": "assistant"})),
            frame("contentBlockDelta", &json!({"delta": {"text": text}, "contentBlockIndex": 0})),
        ]
    };
    let usage = json!({"inputTokens": 7, "outputTokens": 3, "totalTokens": 10});
    let end = [
        frame("messageStop", &json!({"stopReason": "end_turn"})),
        frame("metadata", &json!({"usage": usage, "metrics": {"latencyMs": 1}})),
    ];
    let kind = "application/vnd.amazon.eventstream";
    match seen.take(&headers, &body) {
        Next::Says(_) | Next::Tells(_) => {
            streamed(&seen, kind, [word("Hello"), end].concat(), false)
        }
        Next::Fails(status, body) => failed(status, &body),
        Next::Breaks => streamed(&seen, kind, word("Hel").to_vec(), false),
        Next::Hangs | Next::Speaks(_) => streamed(&seen, kind, word("Hel").to_vec(), true),
    }
}
