//! What holds at every door, before anybody is known: whose address it is, whether it is turned away,
//! how much it may ask, and whether a request has the form of an attack.

mod address;
mod blocks;
mod filter;
mod rates;

pub(crate) use address::client_address;
pub(crate) use blocks::Blocks;
pub(crate) use filter::{Filter, Found};
pub use filter::{FilterError, FilterMode, FilterRules};
pub(crate) use rates::{Left, Rates};

use axum::http::HeaderName;
use ipnet::IpNet;
use std::time::Duration;

/// What holds at every door. Each part is a setting.
#[derive(Debug, Clone)]
pub struct DoorRules {
    /// Proxies whose word about the client's address is taken.
    pub trusted_proxies: Vec<IpNet>,
    /// Networks that are never blocked.
    pub block_exempt: Vec<IpNet>,
    /// Failed attempts of one network within [`DoorRules::failure_window`] after which it is blocked; never
    /// where absent.
    pub failed_attempts_max: Option<u32>,
    /// See there.
    pub failure_window: Duration,
    /// How long the first block lasts.
    pub block_ttl: Duration,
    /// A further header that carries an API token.
    pub token_header: Option<HeaderName>,
    /// Requests of one address within a minute; any number where absent.
    pub address_per_minute: Option<u32>,
    /// Requests of one account or token within a minute; any number where absent.
    pub principal_per_minute: Option<u32>,
    /// What to do with requests that have the form of an attack.
    pub filter: FilterRules,
}

impl Default for DoorRules {
    fn default() -> Self {
        Self {
            trusted_proxies: vec![],
            block_exempt: vec![],
            failed_attempts_max: Some(10),
            failure_window: Duration::from_secs(600),
            block_ttl: Duration::from_secs(900),
            token_header: None,
            address_per_minute: Some(1200),
            principal_per_minute: Some(3000),
            filter: FilterRules::default(),
        }
    }
}

impl DoorRules {
    /// Whether an address is a trusted proxy's.
    pub(crate) fn trusts(&self, address: std::net::IpAddr) -> bool {
        within(&self.trusted_proxies, address)
    }
}

fn within(networks: &[IpNet], address: std::net::IpAddr) -> bool {
    let address = address.to_canonical();
    networks.iter().any(|network| network.contains(&address))
}
