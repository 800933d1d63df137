//! Which hosts may be asked for one tool server.

use reqwest::Url;
use std::sync::Arc;

/// Its own, and those that it may lead to. What is public may be asked where none of the latter are named.
#[derive(Debug, Clone, Default)]
pub struct Egress {
    named: Arc<[String]>,
    only_named: bool,
}

/// What may be asked at a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leave {
    /// Whatever settings let be reached.
    Settings,
    /// What is public: no person named the host, the tool server did.
    Public,
    /// Nothing.
    Nothing,
}

impl Egress {
    /// The hosts of these addresses, and these.
    pub fn new<'a>(own: impl Iterator<Item = &'a str>, further: &[String]) -> Self {
        let host = |url: &str| Url::parse(url).ok()?.host_str().map(str::to_owned);
        let named = own.filter_map(host).chain(further.iter().cloned()).collect();
        Self { named, only_named: !further.is_empty() }
    }

    pub(super) fn leave(&self, url: &Url) -> Leave {
        let host = url.host_str().unwrap_or_default();
        match self.named.iter().any(|named| named == host) {
            true => Leave::Settings,
            false if self.only_named => Leave::Nothing,
            false => Leave::Public,
        }
    }
}
