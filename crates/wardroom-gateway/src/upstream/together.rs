//! Requests of many clients that travel together: in one session, or in the lines of one process. There each has a
//! token of its own by which progress is told.

use super::{Ask, Event, Failure, Listening, endpoint::Endpoint};
use crate::{
    era::{self, meta},
    rpc::{self, Id, Object},
};
use reqwest::header::HeaderMap;
use serde_json::value::RawValue;
use std::sync::Arc;
use tokio::sync::mpsc;

/// What waits here until it is passed on to where more may wait.
const EVENTS_WAITING_MAX: usize = 8;

/// Asks `params`, among others.
pub(super) async fn ask(
    endpoint: &Endpoint,
    id: &Id,
    ask: &Ask,
    mut params: Object,
    headers: HeaderMap,
    back: &HeaderMap,
    listening: &Listening,
) -> Result<Object, Failure> {
    let token = take_token(&mut params, id);
    let message = rpc::request(id, &ask.method, &params);
    let (events, mut said) = mpsc::channel(EVENTS_WAITING_MAX);
    let inner =
        Listening { events, cancel: listening.cancel.clone(), pace: Arc::clone(&listening.pace) };
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
        let outcome = endpoint.exchange(id, message, headers, back, &inner).await;
        drop(inner);
        outcome
    };
    let (outcome, ()) = tokio::join!(asking, passing);
    Ok(outcome?.0)
}

/// Replaces the token of progress by one that no other request has; what it was.
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
