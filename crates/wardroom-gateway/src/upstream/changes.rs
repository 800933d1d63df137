//! The stream on which a tool server says of its own accord that something changed.

use super::{
    Ask, Event, Failure, Listening,
    http::{Endpoint, Reply},
    modern,
    server::Upstream,
};
use crate::{
    era::Era,
    rpc::{self, Object},
};
use reqwest::header::HeaderMap;
use std::{collections::BTreeSet, sync::Arc, time::Duration};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

/// How long a server may take to take a wish.
const WISH_TIME: Duration = Duration::from_secs(15);

impl Upstream {
    /// Listens until the server lets go of the stream. `wanted` gives the addresses of which it is to tell, `again`
    /// goes off when these are others.
    pub async fn listen(
        &self,
        wanted: impl Fn() -> BTreeSet<String>,
        again: watch::Receiver<()>,
        events: mpsc::Sender<Event>,
    ) -> Result<(), Failure> {
        let listening =
            Listening { events, cancel: CancellationToken::new(), pace: Arc::default() };
        let endpoint = self.endpoint().await?;
        match self.era(&endpoint, &listening).await? {
            Era::Modern => self.listen_modern(&endpoint, wanted, again, &listening).await,
            Era::Legacy => self.listen_in_session(&endpoint, wanted, again, &listening).await,
        }
    }

    async fn listen_modern(
        &self,
        endpoint: &Endpoint,
        wanted: impl Fn() -> BTreeSet<String>,
        mut again: watch::Receiver<()>,
        listening: &Listening,
    ) -> Result<(), Failure> {
        loop {
            again.borrow_and_update();
            let filter = Object::default()
                .with("toolsListChanged", true)
                .with("promptsListChanged", true)
                .with("resourcesListChanged", true)
                .with("resourceSubscriptions", wanted());
            let ask = Ask {
                method: "subscriptions/listen".to_owned(),
                params: Object::default().with("notifications", filter),
                ..Ask::default()
            };
            let message = rpc::request(&self.id(), &ask.method, &modern::params(&ask));
            let posting = endpoint.post(message, modern::headers(&ask));
            let opened = tokio::time::timeout(WISH_TIME, posting).await;
            let (reply, _) = opened.unwrap_or(Err(Failure::TimedOut(WISH_TIME)))?;
            let Reply::Stream(mut incoming) = reply else {
                return Err(Failure::Unreachable("it opens no stream of changes".to_owned()));
            };
            loop {
                tokio::select! {
                    changed = again.changed() => {
                        if changed.is_err() {
                            return Ok(());
                        }
                        // Others are wanted: the stream is opened anew.
                        break;
                    }
                    message = incoming.next() => match message? {
                        Some(rpc::Message::Notification(note)) => {
                            let note = Event::Note { method: note.method, params: note.params };
                            let _ = listening.events.send(note).await;
                        }
                        Some(_) => {}
                        None => return Ok(()),
                    },
                }
            }
        }
    }

    async fn listen_in_session(
        &self,
        endpoint: &Endpoint,
        wanted: impl Fn() -> BTreeSet<String>,
        mut again: watch::Receiver<()>,
        listening: &Listening,
    ) -> Result<(), Failure> {
        let session = self.session(endpoint, &Object::default(), listening).await?;
        let opened =
            tokio::time::timeout(WISH_TIME, endpoint.listen(session.headers(), None)).await;
        let mut incoming = match opened.unwrap_or(Err(Failure::TimedOut(WISH_TIME))) {
            Err(Failure::SessionLost) => {
                self.drop_session(&session).await;
                return Err(Failure::SessionLost);
            }
            opened => opened?,
        };
        let mut told: BTreeSet<String> = BTreeSet::new();
        loop {
            again.borrow_and_update();
            let now = wanted();
            for (uri, method) in now
                .difference(&told)
                .map(|uri| (uri, "resources/subscribe"))
                .chain(told.difference(&now).map(|uri| (uri, "resources/unsubscribe")))
            {
                self.wish(endpoint, &session.headers(), method, uri).await;
            }
            told = now;
            loop {
                tokio::select! {
                    changed = again.changed() => {
                        if changed.is_err() {
                            return Ok(());
                        }
                        break;
                    }
                    message = incoming.next() => match message? {
                        // What belongs to no request can't be asked of anybody: only `ping` is answered.
                        Some(message) => endpoint.pass(message, &session.headers(), listening).await,
                        None => return Ok(()),
                    },
                }
            }
        }
    }

    /// Tells a server of one address more or less. That it does not know it is no reason to end the stream.
    async fn wish(&self, endpoint: &Endpoint, headers: &HeaderMap, method: &str, uri: &str) {
        let params = Object::default().with("uri", uri);
        let message = rpc::request(&self.id(), method, &params);
        let posted = tokio::time::timeout(WISH_TIME, endpoint.post(message, headers.clone())).await;
        if let Err(failure) = posted.unwrap_or(Err(Failure::TimedOut(WISH_TIME))) {
            tracing::debug!(server = self.server.name, %failure, method, "a wish came to nothing");
        }
    }
}
