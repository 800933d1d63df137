//! Bodies of the REST API about who is connected and who is turned away.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A network that is turned away, or was within a day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BlockView {
    /// An IPv4 address, or the /64 of an IPv6 host by its first address.
    pub network: String,
    /// Whether it is turned away now.
    pub active: bool,
    /// Why.
    pub reason: String,
    /// How often it was blocked within a day.
    pub times: u32,
    /// When it was blocked last.
    pub created_at: String,
    /// Until when.
    pub until: String,
}

/// `POST /api/v1/security/blocks`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BlockCreate {
    /// An address of the network; not one's own.
    pub address: String,
    /// Why, for people.
    #[serde(default)]
    pub reason: String,
    /// For how long, 1 to 86,400; by how often it was blocked where absent.
    #[serde(default)]
    pub seconds: Option<u64>,
}

/// Connections of one network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ConnectionView {
    /// The network.
    pub network: String,
    /// How many are open.
    pub connections: usize,
}

/// `GET /api/v1/security/connections`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ConnectionsView {
    /// Open connections of this orchestrator, those of trusted proxies left out.
    pub connections: usize,
    /// The most, per listener.
    pub connections_max: usize,
    /// The most of one network, per listener.
    pub connections_per_address_max: usize,
    /// Open links of nodes.
    pub node_links: usize,
    /// By network, most first.
    pub networks: Vec<ConnectionView>,
}

/// Something that somebody should look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AlertView {
    /// Its id.
    pub id: String,
    /// Why: a rule's name.
    pub rule: String,
    /// Why, for people.
    pub title: String,
    /// About what.
    pub subject: String,
    /// Further words.
    pub detail: String,
    /// What to do about it.
    pub advice: String,
    /// How often it was seen.
    pub count: u32,
    /// When it was seen first.
    pub first_at: String,
    /// When it was seen last.
    pub last_at: String,
    /// Who looked at it; absent while it is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledged_by: Option<String>,
    /// When.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledged_at: Option<String>,
}

/// What became of a test of where alerts go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AlertTest {
    /// How many messages were put down to be delivered; 0 where settings name no way.
    pub messages: usize,
}

/// Something that went wrong inside, as often as it did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FaultView {
    /// What makes it the same fault.
    pub fingerprint: String,
    /// Where in the program.
    pub place: String,
    /// What it said, the last time.
    pub message: String,
    /// How often.
    pub count: u64,
    /// When it was seen first.
    pub first_at: String,
    /// When last.
    pub last_at: String,
    /// The last request in which it happened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// The last run that it touched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// When somebody said that it is mended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved_at: Option<String>,
}

/// One line of the posture check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CheckView {
    /// The control that it is about, as docs/controls.toml names it.
    pub control: String,
    /// What is looked at.
    pub title: String,
    /// `pass`, `fail`, `attest` where a person must say so, or `absent` where this version has nothing of the kind.
    pub verdict: String,
    /// What was found.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub fix: String,
}

/// `GET /api/v1/security/keys`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct KeysView {
    /// The key that seals.
    pub current: u32,
    /// All keys that open.
    pub keys: Vec<u32>,
    /// Values that are still sealed under another one.
    pub values_left: u64,
    /// Keys of people that are still wrapped by another one.
    pub people_left: u64,
    /// The generation that keys of people are to have.
    pub people_generation: u32,
    /// People who have none of it yet.
    pub people_before: u64,
    /// Values that are still sealed for people under an older one.
    pub personal_left: u64,
    /// The newest key that signs tokens.
    pub token_generation: u32,
    /// Since when there is that.
    pub token_key_since: String,
}

/// `POST /api/v1/secrets`.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SecretCreate {
    /// Its name: 1 to 64 of `a-z 0-9 . _ -`, with a letter first.
    pub name: String,
    /// The value, 1 to 16,384 bytes. Nobody reads it again.
    pub value: String,
    /// What it is, for people.
    #[serde(default)]
    pub about: String,
    /// After how many days somebody is reminded to renew it, 1 to 3650.
    #[serde(default)]
    pub rotate_days: Option<u32>,
}

/// `PUT /api/v1/secrets/{name}`.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SecretRenew {
    /// The value that is used from now on.
    pub value: String,
}

/// A secret, without its value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SecretView {
    /// Its name.
    pub name: String,
    /// What it is.
    pub about: String,
    /// The number of the version that is used.
    pub version: i64,
    /// After how many days somebody is reminded to renew it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotate_days: Option<u32>,
    /// Whether somebody should renew it.
    pub due: bool,
    /// When it was made.
    pub created_at: String,
    /// When its present version was made.
    pub renewed_at: String,
}
