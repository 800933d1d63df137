//! Signed webhooks, as Standard Webhooks 1.0 has them: HMAC-SHA256 over id, time and body.

use aws_lc_rs::hmac;
use data_encoding::BASE64;

/// The shortest secret, in bytes.
const SECRET_BYTES_MIN: usize = 24;

/// Why a text is no webhook secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a webhook's secret is whsec_ and base64 of at least 24 bytes")]
pub struct WebhookSecretError;

/// What signs messages to a webhook.
#[derive(Clone)]
pub struct WebhookSecret(hmac::Key);

impl WebhookSecret {
    /// Reads `whsec_` and base64 of at least 24 bytes.
    pub fn parse(text: &str) -> Result<Self, WebhookSecretError> {
        let encoded = text.trim().strip_prefix("whsec_").ok_or(WebhookSecretError)?;
        let bytes = zeroize::Zeroizing::new(
            BASE64.decode(encoded.as_bytes()).map_err(|_| WebhookSecretError)?,
        );
        if bytes.len() < SECRET_BYTES_MIN {
            return Err(WebhookSecretError);
        }
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &bytes)))
    }

    /// The value of `webhook-signature` for a message with this id, sent at these seconds of Unix time.
    pub fn sign(&self, id: &str, at: &str, body: &str) -> String {
        let tag = hmac::sign(&self.0, format!("{id}.{at}.{body}").as_bytes());
        format!("v1,{}", BASE64.encode(tag.as_ref()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn signatures_are_those_of_the_specification() {
        // The example of the specification's reference libraries.
        let secret = WebhookSecret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n").unwrap();
        let (id, at, body) =
            ("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", r#"{"test": 2432232314}"#);
        let wanted = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        assert_eq!(secret.sign(id, at, body), wanted);
    }

    #[test]
    fn weak_secrets_are_refused() {
        for weak in ["", "secret", "whsec_", "whsec_c2hvcnQ=", "whsec_%%%"] {
            assert!(WebhookSecret::parse(weak).is_err(), "{weak}");
        }
    }
}
