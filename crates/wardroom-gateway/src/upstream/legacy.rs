//! Revisions until 2025-11-25: a session is opened, and requests belong to it.

use super::{
    Ask, Failure, Listening,
    endpoint::Endpoint,
    http::{SESSION, VERSION},
    together,
};
use crate::{
    era::{self, LEGACY},
    rpc::{self, Id, Object},
};
use reqwest::header::{HeaderMap, HeaderValue};
use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};
use tokio::sync::Mutex;

/// How long a server may take to open a stream.
const STREAM_TIME: Duration = Duration::from_secs(5);

/// A session with a tool server.
#[derive(Debug)]
pub(super) struct Session {
    /// What the server names it by.
    id: Option<HeaderValue>,
    /// The revision that both agreed on.
    pub(super) version: &'static str,
    /// What the server said of itself.
    pub(super) said: Object,
    /// Whether it opens no stream on which it asks; held by whoever listens on that.
    mute: Mutex<bool>,
    /// Requests within it that are open.
    open: AtomicU32,
}

/// A request within a session.
struct Open<'a>(&'a AtomicU32);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
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
        let opened =
            Self { id: session, version, said, mute: Mutex::default(), open: AtomicU32::new(0) };
        let ready = rpc::notification("notifications/initialized", &Object::default());
        endpoint.tell(ready, opened.headers()).await?;
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
        let headers = self.headers();
        let (params, own) = (ask.params.clone(), headers.clone());
        let asking = together::ask(endpoint, id, ask, params, own, &headers, listening);
        let Endpoint::Http(http) = endpoint else { return asking.await };
        self.open.fetch_add(1, Ordering::AcqRel);
        let _open = Open(&self.open);
        // Many servers ask on a stream that belongs to no request. It is there before they can: what they ask when nobody
        // listens is lost.
        let mut mute = match self.mute.try_lock() {
            Ok(mute) if !*mute && ask.asked_back && !ask.capabilities.is_empty() => mute,
            _ => return asking.await,
        };
        let opening = tokio::time::timeout(STREAM_TIME, http.listen(headers.clone(), None)).await;
        let Ok(Ok(incoming)) = opening else {
            *mute = true;
            drop(mute);
            return asking.await;
        };
        // SECURITY: within a client's own session it is that client who is meant, otherwise whose request is the only one.
        let meant = || ask.session.is_some() || self.open.load(Ordering::Acquire) == 1;
        tokio::select! {
            outcome = asking => outcome,
            never = http.heed(incoming, &headers, listening, meant) => match never {},
        }
    }
}
