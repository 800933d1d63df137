//! Providers that are asked over HTTP: requests with their keys, answers read as they come.

use super::{
    KeySource, Keys, Line, anthropic, bedrock, broken,
    event_stream::FrameReader,
    key::Key,
    openai::{self, Dialect},
    sigv4::{self, AwsKey, Signed},
};
use async_trait::async_trait;
use secrecy::{ExposeSecret as _, SecretString};
use std::{collections::VecDeque, sync::Arc, time::Duration};
use wardroom_core::{
    model::{Ask, Event, ModelFailure, ModelFailureKind as Kind, ModelProvider, Pieces, Question},
    redact::redact,
};
use wardroom_gateway::outbound::{Outbound, OutboundError, SseReader, Streamed};

/// The longest event of a stream, in bytes.
const EVENT_BYTES_MAX: usize = 1024 * 1024;
/// The shortest part of a key that is looked for in what a provider says.
const KEY_PART_BYTES_MIN: usize = 6;
/// The most of an answer that says why there is none, in bytes.
const FAILURE_BYTES_MAX: usize = 64 * 1024;

/// What is spoken with a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Api {
    /// Chat completions, as OpenAI or as others have them.
    Openai(Dialect),
    /// Anthropic's messages, in this version of the API.
    Anthropic {
        /// The version, such as `2023-06-01`.
        version: String,
    },
    /// Amazon Bedrock's Converse in this region.
    Bedrock {
        /// The region.
        region: String,
    },
}

impl Api {
    /// By which what only one API knows is told.
    const fn family(&self) -> &'static str {
        match self {
            Self::Openai(_) => "openai",
            Self::Anthropic { .. } => anthropic::FROM,
            Self::Bedrock { .. } => bedrock::FROM,
        }
    }
}

/// A request: its address, its headers, and its body.
type Sent = (String, Headers, Vec<u8>);
type Headers = Vec<(&'static str, String)>;

/// A provider that is asked over HTTP.
pub struct HttpProvider {
    outbound: Outbound,
    api: Api,
    /// Without a slash at its end.
    url: String,
    key: Key,
    keys: Keys,
}

impl HttpProvider {
    /// One at this address.
    pub fn new(outbound: Outbound, api: Api, url: &str, source: KeySource, keys: Keys) -> Self {
        let key = Key::new(source, keys.clone());
        Self { outbound, api, url: url.trim_end_matches('/').to_owned(), key, keys }
    }

    /// The address, headers and body of a question.
    fn request(
        &self,
        question: Question<'_>,
        key: Option<&SecretString>,
    ) -> Result<Sent, ModelFailure> {
        let extra = question.ask.extra.as_ref().filter(|extra| extra.api != self.api.family());
        if let Some(extra) = extra {
            let names: Vec<_> = extra.members.keys().map(String::as_str).collect();
            let why = format!("it does not know {}", names.join(", "));
            return Err(ModelFailure::new(Kind::Invalid, why));
        }
        let key = key.map(SecretString::expose_secret);
        let bearer = key.map(|key| ("authorization", format!("Bearer {key}")));
        let once = ("idempotency-key", question.key.to_owned());
        let (path, headers, body) = match &self.api {
            Api::Openai(dialect) => {
                let body = openai::body(question.ask, *dialect);
                let headers = bearer.into_iter().chain([once]).collect();
                ("/chat/completions".to_owned(), headers, body)
            }
            Api::Anthropic { version } => {
                let mut headers = vec![("anthropic-version", version.clone()), once];
                headers.extend(key.map(|key| ("x-api-key", key.to_owned())));
                ("/v1/messages".to_owned(), headers, anthropic::body(question.ask))
            }
            Api::Bedrock { region } => {
                let path = bedrock_path(question.ask);
                let body = bedrock::body(question.ask);
                let bytes = bytes(&body)?;
                let headers = match key.and_then(aws_key) {
                    Some(key) => self.signed(&key, region, &path, &bytes)?,
                    None => bearer.into_iter().collect(),
                };
                return Ok((format!("{}{path}", self.url), headers, bytes));
            }
        };
        Ok((format!("{}{path}", self.url), headers, bytes(&body)?))
    }

    fn signed(
        &self,
        key: &AwsKey,
        region: &str,
        path: &str,
        body: &[u8],
    ) -> Result<Headers, ModelFailure> {
        let whole = self.url.split_once("://").map(|(_, rest)| rest).unwrap_or_default();
        let (host, before) = whole.split_once('/').unwrap_or((whole, ""));
        let path = if before.is_empty() { path.to_owned() } else { format!("/{before}{path}") };
        let at = aws_time(&self.keys.clock.now().to_string())
            .ok_or_else(|| ModelFailure::new(Kind::Invalid, "the clock can't be told to AWS"))?;
        let request = Signed { host, path: &path, body, region, at: &at };
        let mut headers =
            vec![("authorization", sigv4::authorization(key, &request)), ("x-amz-date", at)];
        let session = key.session.as_ref();
        headers.extend(
            session.map(|token| ("x-amz-security-token", token.expose_secret().to_owned())),
        );
        Ok(headers)
    }

    /// Why it did not answer.
    async fn failure(&self, answer: Streamed) -> ModelFailure {
        let status = Some(answer.status());
        let wait = retry_after(&answer);
        let name = answer.header("x-amzn-errortype").unwrap_or_default().to_owned();
        let body = answer.rest(FAILURE_BYTES_MAX).await;
        let body = String::from_utf8_lossy(&body);
        match &self.api {
            Api::Openai(_) => openai::failure(status, wait, &body),
            Api::Anthropic { .. } => anthropic::failure(status, wait, &body),
            Api::Bedrock { .. } => bedrock::failure(status, wait, &name, &body),
        }
    }
}

fn bytes(body: &serde_json::Value) -> Result<Vec<u8>, ModelFailure> {
    serde_json::to_vec(body).map_err(|error| ModelFailure::new(Kind::Invalid, error.to_string()))
}

fn bedrock_path(ask: &Ask) -> String {
    format!("/model/{}/converse-stream", sigv4::segment(&ask.model))
}

/// `2026-11-22T00:00:00.000000Z` as AWS writes it.
fn aws_time(at: &str) -> Option<String> {
    let seconds = at.get(..19)?;
    Some(format!("{}Z", seconds.replace(['-', ':'], "")))
}

/// An access key: its id, its secret and what goes with keys that end soon, with colons between them. Any other key is
/// shown as it is.
fn aws_key(text: &str) -> Option<AwsKey> {
    let mut parts = text.trim().splitn(3, ':');
    let (id, secret) = (parts.next()?, parts.next()?);
    let known = ["AKIA", "ASIA"].iter().any(|begin| id.starts_with(begin));
    let session = parts.next().map(SecretString::from);
    known.then(|| AwsKey { id: id.to_owned(), secret: secret.into(), session })
}

/// When a provider wants to be asked again: in milliseconds (as some say it), or else in seconds.
fn retry_after(answer: &Streamed) -> Option<Duration> {
    let number = |name: &str| answer.header(name)?.trim().parse::<f64>().ok();
    let seconds = number("retry-after-ms").map(|ms| ms / 1000.0).or(number("retry-after"))?;
    Duration::try_from_secs_f64(seconds).ok()
}

/// SECURITY: some repeat what they were shown where they say what is wrong with it.
fn without_key(failure: ModelFailure, key: Option<&SecretString>) -> ModelFailure {
    let mut detail = failure.detail;
    for part in key.into_iter().flat_map(|key| key.expose_secret().split(':')) {
        if part.len() >= KEY_PART_BYTES_MIN {
            detail = detail.replace(part, "[key]");
        }
    }
    let detail = String::from_utf8_lossy(&redact(detail.as_bytes())).into_owned();
    ModelFailure { detail, ..failure }
}

fn unreached(error: OutboundError) -> ModelFailure {
    let kind = match error {
        OutboundError::Refused(_) => Kind::Invalid,
        OutboundError::Failed(_) | OutboundError::Status(..) => Kind::Unavailable,
        // It was sent: whether it was answered, and what that took, nobody knows.
        OutboundError::BrokeOff(_) => Kind::Broken,
    };
    ModelFailure::new(kind, error.to_string())
}

#[async_trait]
impl ModelProvider for HttpProvider {
    async fn ask(&self, question: Question<'_>) -> Result<Box<dyn Pieces>, ModelFailure> {
        let key = self.key.get().await?;
        let (url, headers, body) = self.request(question, key.as_deref())?;
        let answer = self.outbound.post_streamed(&url, &headers, body).await;
        let answer = answer.map_err(unreached)?;
        if !(200..300).contains(&answer.status()) {
            let failure = without_key(self.failure(answer).await, key.as_deref());
            if failure.kind == Kind::Unauthorised {
                self.key.forget();
            }
            return Err(failure);
        }
        let kind = answer.header("content-type").unwrap_or_default().to_ascii_lowercase();
        let reading = match &self.api {
            Api::Openai(_) if kind.starts_with("text/event-stream") => {
                Reading::Openai(SseReader::default(), openai::Reading::default())
            }
            Api::Anthropic { .. } if kind.starts_with("text/event-stream") => {
                Reading::Anthropic(SseReader::default(), anthropic::Reading::default())
            }
            Api::Bedrock { .. } if kind.starts_with("application/vnd.amazon.eventstream") => {
                Reading::Bedrock(FrameReader::default(), bedrock::Reading::default())
            }
            _ => return Err(broken("it answered with what is no stream")),
        };
        Ok(Box::new(Stream { answer, reading, ready: VecDeque::new(), key }))
    }
}

/// How a stream is read.
enum Reading {
    Openai(SseReader, openai::Reading),
    Anthropic(SseReader, anthropic::Reading),
    Bedrock(FrameReader, bedrock::Reading),
}

impl Reading {
    /// What these bytes bring.
    fn take(&mut self, bytes: &[u8]) -> Result<Vec<Event>, ModelFailure> {
        let mut events = vec![];
        let mut add = |line: Line| match line {
            Line::Events(more) => events.extend(more),
            Line::End(end) => events.push(end),
        };
        match self {
            Self::Openai(reader, reading) => {
                for data in lines(reader, bytes)? {
                    add(reading.take(&data)?);
                }
            }
            Self::Anthropic(reader, reading) => {
                for data in lines(reader, bytes)? {
                    add(reading.take(&data)?);
                }
            }
            Self::Bedrock(reader, reading) => {
                let frames = reader.take(bytes).map_err(|error| broken(&error.to_string()))?;
                for frame in frames {
                    add(reading.take(&frame)?);
                }
            }
        }
        Ok(events)
    }

    /// What the end of the stream brings.
    fn end(&self) -> Result<Event, ModelFailure> {
        match self {
            Self::Openai(_, reading) => reading.end(),
            Self::Bedrock(reader, reading) if reader.is_empty() => reading.end(),
            Self::Anthropic(..) | Self::Bedrock(..) => Err(broken("the answer broke off")),
        }
    }
}

/// The data of the events that are whole by now; those that carry none are passed over.
fn lines(reader: &mut SseReader, bytes: &[u8]) -> Result<Vec<String>, ModelFailure> {
    let events = reader.take(bytes, EVENT_BYTES_MAX).map_err(|_| broken("a piece is too long"))?;
    let text = |data: Vec<u8>| String::from_utf8(data).map_err(|_| broken("a piece is no text"));
    let full = events.into_iter().filter(|event| !event.data.trim_ascii().is_empty());
    full.map(|event| text(event.data)).collect()
}

struct Stream {
    answer: Streamed,
    reading: Reading,
    ready: VecDeque<Event>,
    key: Option<Arc<SecretString>>,
}

#[async_trait]
impl Pieces for Stream {
    async fn next(&mut self) -> Result<Event, ModelFailure> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Ok(event);
            }
            match self.answer.chunk().await {
                Ok(Some(bytes)) => {
                    let events = self.reading.take(&bytes);
                    self.ready.extend(
                        events.map_err(|failure| without_key(failure, self.key.as_deref()))?,
                    );
                }
                Ok(None) => return self.reading.end(),
                Err(error) => return Err(broken(&error.to_string())),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn keys_of_aws_are_told_from_others() {
        let key = aws_key("AKIAEXAMPLE:se/cret+x").unwrap();
        assert_eq!((key.id.as_str(), key.secret.expose_secret()), ("AKIAEXAMPLE", "se/cret+x"));
        assert!(key.session.is_none());
        let key = aws_key("ASIAEXAMPLE:secret:to:ken").unwrap();
        assert_eq!(key.session.unwrap().expose_secret(), "to:ken");
        assert!(aws_key("bedrock-api-key-abc").is_none() && aws_key("AKIA").is_none());
        assert_eq!(aws_time("2026-11-22T01:02:03.000004Z").unwrap(), "20261122T010203Z");
    }
}
