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
        together::ask(endpoint, id, ask, ask.params.clone(), headers.clone(), &headers, listening)
            .await
    }
}
