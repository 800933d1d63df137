//! Passkeys: the relying party of WebAuthn Level 3 (W3C). Keys are discoverable and verify their user;
//! attestation is neither asked for nor looked at. All cryptography is aws-lc's.

mod ceremony;
mod key;
mod reader;

pub use ceremony::{Answer, Authentication, Passkey, Registration, RelyingParty, Shown};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Why an answer is not acceptable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WebauthnError {
    /// It does not have the form that the specification gives it.
    #[error("the answer is out of form: {0}")]
    Form(&'static str),
    /// It answers another question.
    #[error("the answer is to another challenge, or its time is over")]
    Challenge,
    /// It was made for another site.
    #[error("the answer was made for another site")]
    Site,
    /// Nobody touched the key, or it did not check who did.
    #[error("the key did not verify its user")]
    UserNotVerified,
    /// The key is of a kind that is not taken.
    #[error("keys of this kind are not taken")]
    Key,
    /// The signature is wrong.
    #[error("the signature is wrong")]
    Signature,
    /// It is not one of the account's keys.
    #[error("the passkey is not one of this account's")]
    Unknown,
    /// The signature counter did not go up: somebody may have copied the key.
    #[error("the passkey's counter went back: it may have been copied")]
    Counter,
}

/// Bytes that are base64url without padding in JSON, as `PublicKeyCredential.toJSON()` writes them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base64Url(pub Vec<u8>);

impl Serialize for Base64Url {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&data_encoding::BASE64URL_NOPAD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Base64Url {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        let bytes = data_encoding::BASE64URL_NOPAD.decode(text.as_bytes());
        bytes.map(Self).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests;
