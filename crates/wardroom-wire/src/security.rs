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
