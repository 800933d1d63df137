//! What an OpenID provider says, verified: ID tokens, logout tokens, session tokens, and the way to it by
//! authorization code with PKCE. What is fetched is fetched by others; nothing here talks to anybody.

mod claims;
mod flow;
mod keys;
#[cfg(test)]
mod tests;

pub use claims::{IdToken, LogoutToken, SessionToken, Verifier};
pub use flow::{Attempt, Metadata};
pub use keys::KeySet;

/// Why something of a provider is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OidcError {
    /// It is signed by a key that is not known: its issuer may have new ones.
    #[error("it is signed by a key that the issuer does not publish")]
    UnknownKey,
    /// It is not what it should be.
    #[error("{0}")]
    Refused(&'static str),
    /// It can't be read.
    #[error("{0}")]
    Form(String),
}

/// Refuses unless `sound`.
fn demand(sound: bool, why: &'static str) -> Result<(), OidcError> {
    if sound { Ok(()) } else { Err(OidcError::Refused(why)) }
}
