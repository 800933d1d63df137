//! Faults to an error tracker that speaks Sentry's protocol: envelopes at the address of a DSN.

use crate::{Outbound, OutboundError};
use reqwest::{Method, Url};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;
use wardroom_core::watch::message::Message;
use wardroom_engine::watch::Letter;

/// Where faults are sent to.
#[derive(Clone)]
pub struct Tracker {
    endpoint: String,
    key: SecretString,
}

impl Tracker {
    /// `dsn` is `https://KEY@HOST/PROJECT`.
    pub fn new(dsn: &str) -> Result<Self, &'static str> {
        let mut url = Url::parse(dsn.trim()).map_err(|_| "it must be https://KEY@HOST/PROJECT")?;
        let key = url.username().to_owned();
        let (path, project) = url.path().rsplit_once('/').ok_or("there is no project in it")?;
        if key.is_empty() || project.is_empty() {
            return Err("it must be https://KEY@HOST/PROJECT");
        }
        let endpoint = format!("{path}/api/{project}/envelope/");
        url.set_path(&endpoint);
        // The old protocol had a secret behind the key; nobody needs it.
        let cleared = url.set_username("").and_then(|()| url.set_password(None));
        cleared.map_err(|()| "it must be https://KEY@HOST/PROJECT")?;
        Ok(Self { endpoint: url.into(), key: SecretString::from(key) })
    }

    pub(super) async fn send(
        &self,
        outbound: &Outbound,
        message: &Message,
        letter: &Letter,
    ) -> Result<(), OutboundError> {
        let id = message.id.uuid().simple().to_string();
        let fact = |name: &str| letter.data.get(name).cloned().unwrap_or_default();
        let event = json!({
            "event_id": id,
            "timestamp": fact("at"),
            "platform": "native",
            "level": "error",
            "logger": fact("place"),
            "release": concat!("wardroom@", env!("CARGO_PKG_VERSION")),
            "fingerprint": [fact("fingerprint")],
            "message": {"formatted": fact("message")},
            "tags": {"request": fact("request"), "run": fact("run")},
        })
        .to_string();
        let header = json!({"event_id": id});
        let item = json!({"type": "event", "length": event.len()});
        let client = concat!("wardroom/", env!("CARGO_PKG_VERSION"));
        let auth = format!(
            "Sentry sentry_version=7, sentry_client={client}, sentry_key={}",
            self.key.expose_secret()
        );
        let request = outbound
            .request(Method::POST, &self.endpoint)?
            .header("content-type", "application/x-sentry-envelope")
            .header("x-sentry-auth", auth)
            .body(format!("{header}\n{item}\n{event}\n"));
        outbound.send(request).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_dsn_is_taken_apart() {
        let tracker = Tracker::new("https://abc:old@errors.example.org/sub/42\n").unwrap();
        assert_eq!(tracker.endpoint, "https://errors.example.org/sub/api/42/envelope/");
        assert_eq!(tracker.key.expose_secret(), "abc");
        for bad in ["", "https://errors.example.org/42", "https://abc@errors.example.org/", "abc"] {
            assert!(Tracker::new(bad).is_err(), "{bad}");
        }
    }
}
