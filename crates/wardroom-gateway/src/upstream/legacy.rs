//! Revisions until 2025-11-25: a session is opened, and requests belong to it.

use super::{
    Ask, Event, Failure, Listening,
    http::{Endpoint, SESSION, VERSION},
};
use crate::{
    era::{self, LEGACY, meta},
    rpc::{self, Id, Object},
};
use reqwest::header::{HeaderMap, HeaderValue};
use serde_json::value::RawValue;
use std::sync::Arc;
use tokio::sync::mpsc;

/// A session with a tool server.
#[derive(Debug)]
pub(super) struct Session {
    /// What the server names it by.
    id: Option<HeaderValue>,
    /// The revision that both agreed on.
    pub(super) version: &'static str,
    /// What the server said of itself.
    pub(super) said: Object,
}

impl Session {
    /// What every message within the session carries.
    pub(super) fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        if let Some(id) = &self.id {
            headers.insert(SESSION, id.clone());
        }
        headers.insert(VERSION, HeaderValue::from_static(self.version));
        headers
    }

    /// Opens one for a client of these capabilities.
    pub(super) async fn open(
        endpoint: &Endpoint,
        id: &Id,
        capabilities: &Object,
        listening: &Listening,
    ) -> Result<Self, Failure> {
        let params = Object::default()
            .with("protocolVersion", LEGACY[0])
            .with("capabilities", capabilities)
            .with("clientInfo", era::own_info());
        let message = rpc::request(id, "initialize", &params);
        let none = HeaderMap::new();
        let (said, session) =
            endpoint.exchange(id, message, HeaderMap::new(), &none, listening).await?;
        let version = said.text("protocolVersion").unwrap_or_default();
        let Some(version) = LEGACY.into_iter().find(|known| **known == version) else {
            let why = format!("it speaks version {version:?} of the protocol, which is not known");
            return Err(Failure::Unreachable(why));
        };
        let opened = Self { id: session, version, said };
        let ready = rpc::notification("notifications/initialized", &Object::default());
        endpoint.post(ready, opened.headers()).await?;
        Ok(opened)
    }

    /// Asks within the session.
    pub(super) async fn ask(
        &self,
        endpoint: &Endpoint,
        id: &Id,
        ask: &Ask,
        listening: &Listening,
    ) -> Result<Object, Failure> {
        let mut params = ask.params.clone();
        // Tokens of many clients meet in one session: there each request has one of its own.
        let token = take_token(&mut params, id);
        let message = rpc::request(id, &ask.method, &params);
        let headers = self.headers();
        let (events, mut said) = mpsc::channel(super::EVENTS_WAITING_MAX);
        let inner = Listening {
            events,
            cancel: listening.cancel.clone(),
            pace: Arc::clone(&listening.pace),
        };
        let passing = async {
            while let Some(event) = said.recv().await {
                if let Some(event) = with_token(event, token.as_deref())
                    && wanted(&event, ask.log_level.as_deref())
                {
                    listening.tell(event).await;
                }
            }
        };
        let asking = async {
            let back = headers.clone();
            let outcome = endpoint.exchange(id, message, headers.clone(), &back, &inner).await;
            drop(inner);
            outcome
        };
        let (outcome, ()) = tokio::join!(asking, passing);
        Ok(outcome?.0)
    }

    /// Tells the server that nobody wants an answer any more.
    pub(super) async fn cancel(&self, endpoint: &Endpoint, id: &Id) {
        let params = Object::default().with("requestId", id).with("reason", "cancelled");
        let message = rpc::notification("notifications/cancelled", &params);
        let _ = endpoint.post(message, self.headers()).await;
    }
}

/// Replaces the token of progress by one that no other request of the session has; what it was.
fn take_token(params: &mut Object, id: &Id) -> Option<Box<RawValue>> {
    let mut own = params.object("_meta")?;
    let token = own.remove(meta::PROGRESS)?;
    own.set(meta::PROGRESS, id);
    params.set("_meta", own);
    Some(token)
}

/// An event with the token that its client gave; nothing where it is about a request that wanted no progress.
fn with_token(event: Event, token: Option<&RawValue>) -> Option<Event> {
    match event {
        Event::Note { method, mut params } if method == "notifications/progress" => {
            params.set_raw(meta::PROGRESS, token?.to_owned());
            Some(Event::Note { method, params })
        }
        other => Some(other),
    }
}

/// Whether somebody who wants log messages from `level` on wants this.
fn wanted(event: &Event, level: Option<&str>) -> bool {
    match event {
        Event::Note { method, params } if method == "notifications/message" => {
            let urgent = params.text("level").unwrap_or_default();
            level.is_some_and(|level| era::reaches(&urgent, level))
        }
        _ => true,
    }
}
