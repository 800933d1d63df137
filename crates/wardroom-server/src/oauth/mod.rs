//! The authorization server: programs of others ask people for grants here (OAuth 2.1), and come by tokens.

mod ask;
pub(crate) mod authorize;
mod client;
mod consent;
mod document;
mod error;
pub(crate) mod metadata;
mod parameters;
mod resources;
pub(crate) mod revoke;
pub(crate) mod token;

pub(crate) use ask::{Ask, Unasked};
pub(crate) use consent::Question;
pub use document::{ClientDocuments, ClientDocumentsError};
pub(crate) use parameters::Parameters;

use crate::App;

impl App {
    /// The authorization server's name: where it is reached.
    pub(crate) fn issuer(&self) -> &str {
        self.public_url.trim_end_matches('/')
    }
}
