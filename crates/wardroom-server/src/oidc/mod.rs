//! Sign-in through an OpenID provider outside.

mod admit;
mod issuer;
pub(crate) mod logout;
mod rules;
pub(crate) mod sign_in;

pub(crate) use admit::by_session_token;
pub(crate) use issuer::Issuer;
pub use rules::OidcRules;
