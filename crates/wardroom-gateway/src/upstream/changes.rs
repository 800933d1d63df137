//! The stream on which a tool server says of its own accord that something changed.

use super::{
    Ask, Event, Failure, Listening,
    endpoint::Endpoint,
    http::{HttpEndpoint, Reply},
    modern,
    pipe::Pipe,
    server::{Reach, Upstream},
};
use crate::{
    era::Era,
    rpc::{self, Notification, Object},
};
use reqwest::header::HeaderMap;
use std::{collections::BTreeSet, sync::Arc, time::Duration};
use tokio::sync::{broadcast, mpsc, watch};
use tokio_util::sync::CancellationToken;

/// How long a server may take to take a wish.
const WISH_TIME: Duration = Duration::from_secs(15);

impl Upstream {
    /// Listens until the server lets go of the stream. `wanted` gives the addresses of which it is to tell, `again`
    /// goes off when these are others; `opened` is called when changes are heard from then on.
    pub async fn listen(
        &self,
        wanted: impl Fn() -> BTreeSet<String>,
        again: watch::Receiver<()>,
        events: mpsc::Sender<Event>,
        opened: impl FnOnce(),
    ) -> Result<(), Failure> {
        let listening =
            Listening { events, cancel: CancellationToken::new(), pace: Arc::default() };
        if let Reach::Node(pool) = &self.reach {
            // None is started only to be listened to.
            let Some(pipe) = pool.alive() else { return Ok(()) };
            let heard = (pool.notes(), opened);
            return self.listen_to(&pipe, heard, wanted, again, &listening).await;
        }
        let endpoint = self.endpoint(None).await?;
        let era = self.era(&endpoint, &listening).await?;
        let Endpoint::Http(http) = &endpoint else { return Ok(()) };
        match era {
            Era::Modern => self.listen_modern(http, wanted, again, &listening, opened).await,
            Era::Legacy => self.listen_in_session(http, wanted, again, &listening, opened).await,
        }
    }

    /// A process says of its own accord what changed; what is to be told is agreed on with one of several.
    async fn listen_to(
        &self,
        pipe: &Arc<Pipe>,
        (mut notes, heard): (broadcast::Receiver<Arc<Notification>>, impl FnOnce()),
        wanted: impl Fn() -> BTreeSet<String>,
        mut again: watch::Receiver<()>,
        listening: &Listening,
    ) -> Result<(), Failure> {
        let endpoint = Endpoint::Pipe(Arc::clone(pipe));
        let era = self.era(&endpoint, listening).await?;
        if era == Era::Legacy {
            // Before anything else: nothing is asked of it outside of its session.
            self.session(&endpoint, (String::new(), &Object::default()), listening).await?;
        }
        heard();
        let mut told = BTreeSet::new();
        loop {
            again.borrow_and_update();
            let ask = listen_ask(wanted());
            let id = self.id();
            let message = rpc::request(&id, &ask.method, &modern::params(&ask));
            let telling = async {
                match era {
                    // Comes back when the process ends it; let go of, it is cancelled.
                    Era::Modern => pipe.wait(&id, message, listening).await.map(drop),
                    Era::Legacy => {
                        let now = wanted();
                        for (uri, method) in wishes(&told, &now) {
                            self.wish(&endpoint, &HeaderMap::new(), method, uri).await;
                        }
                        told = now;
                        std::future::pending().await
                    }
                }
            };
            tokio::pin!(telling);
            loop {
                tokio::select! {
                    changed = again.changed() => {
                        if changed.is_err() {
                            return Ok(());
                        }
                        break;
                    }
                    ended = &mut telling => return ended,
                    () = pipe.over() => return Err(pipe.gone()),
                    note = notes.recv() => match note {
                        Ok(note) => {
                            let (method, params) = (note.method.clone(), note.params.clone());
                            let _ = listening.events.send(Event::Note { method, params }).await;
                        }
                        // Too many at once: what was missed is looked at with the next.
                        Err(broadcast::error::RecvError::Lagged(_)) => {}
                        Err(broadcast::error::RecvError::Closed) => return Ok(()),
                    }
                }
            }
        }
    }

    async fn listen_modern(
        &self,
        endpoint: &HttpEndpoint,
        wanted: impl Fn() -> BTreeSet<String>,
        mut again: watch::Receiver<()>,
        listening: &Listening,
        heard: impl FnOnce(),
    ) -> Result<(), Failure> {
        let mut heard = Some(heard);
        loop {
            again.borrow_and_update();
            let ask = listen_ask(wanted());
            let message = rpc::request(&self.id(), &ask.method, &modern::params(&ask));
            let posting = endpoint.post(message, modern::headers(&ask));
            let opened = tokio::time::timeout(WISH_TIME, posting).await;
            let (reply, _) = opened.unwrap_or(Err(Failure::TimedOut(WISH_TIME)))?;
            let Reply::Stream(mut incoming) = reply else {
                return Err(Failure::Unreachable("it opens no stream of changes".to_owned()));
            };
            if let Some(heard) = heard.take() {
                heard();
            }
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
        endpoint: &HttpEndpoint,
        wanted: impl Fn() -> BTreeSet<String>,
        mut again: watch::Receiver<()>,
        listening: &Listening,
        heard: impl FnOnce(),
    ) -> Result<(), Failure> {
        let way = Endpoint::Http(endpoint.clone());
        let session = self.session(&way, (String::new(), &Object::default()), listening).await?;
        let opened =
            tokio::time::timeout(WISH_TIME, endpoint.listen(session.headers(), None)).await;
        let mut incoming = match opened.unwrap_or(Err(Failure::TimedOut(WISH_TIME))) {
            Err(Failure::SessionLost) => {
                self.drop_session(&session);
                return Err(Failure::SessionLost);
            }
            opened => opened?,
        };
        heard();
        let mut told: BTreeSet<String> = BTreeSet::new();
        loop {
            again.borrow_and_update();
            let now = wanted();
            for (uri, method) in wishes(&told, &now) {
                self.wish(&way, &session.headers(), method, uri).await;
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
        let (id, quiet) = (self.id(), Listening::quiet());
        let message = rpc::request(&id, method, &params);
        let asking = endpoint.exchange(&id, message, headers.clone(), headers, &quiet);
        let asked = tokio::time::timeout(WISH_TIME, asking).await;
        if let Err(failure) = asked.unwrap_or(Err(Failure::TimedOut(WISH_TIME))) {
            tracing::debug!(server = self.server.name, %failure, method, "a wish came to nothing");
        }
    }
}

/// What is asked of a server without sessions.
fn listen_ask(wanted: BTreeSet<String>) -> Ask {
    let filter = Object::default()
        .with("toolsListChanged", true)
        .with("promptsListChanged", true)
        .with("resourcesListChanged", true)
        .with("resourceSubscriptions", wanted);
    Ask {
        method: "subscriptions/listen".to_owned(),
        params: Object::default().with("notifications", filter),
        ..Ask::default()
    }
}

/// What is to be said so that a session that was `told` of some addresses tells of others.
fn wishes<'a>(
    told: &'a BTreeSet<String>,
    now: &'a BTreeSet<String>,
) -> impl Iterator<Item = (&'a String, &'static str)> {
    let more = now.difference(told).map(|uri| (uri, "resources/subscribe"));
    more.chain(told.difference(now).map(|uri| (uri, "resources/unsubscribe")))
}
