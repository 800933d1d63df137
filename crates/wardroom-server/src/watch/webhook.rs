//! Alerts to a signed webhook.

use crate::{Outbound, OutboundError};
use reqwest::Method;
use wardroom_core::{Timestamp, watch::message::Message};
use wardroom_engine::watch::Letter;
use wardroom_trust::webhook::WebhookSecret;

/// Where alerts are sent to.
#[derive(Clone)]
pub struct Webhook {
    /// Its address.
    pub url: String,
    /// What signs.
    pub secret: WebhookSecret,
}

impl Webhook {
    pub(super) async fn send(
        &self,
        outbound: &Outbound,
        message: &Message,
        letter: &Letter,
        now: Timestamp,
    ) -> Result<(), OutboundError> {
        let (id, at) = (message.id.to_string(), (now.as_micros() / 1_000_000).to_string());
        let body = letter.data.to_string();
        let request = outbound
            .request(Method::POST, &self.url)?
            .header("content-type", "application/json")
            .header("webhook-signature", self.secret.sign(&id, &at, &body))
            .header("webhook-id", id)
            .header("webhook-timestamp", at)
            .body(body);
        outbound.send(request).await.map(drop)
    }
}
