//! Version 1 of the REST API: one file per operation.

pub(crate) mod audit;
pub(crate) mod events;
pub(crate) mod health;
pub(crate) mod join_tokens;
pub(crate) mod login;
pub(crate) mod logout;
pub(crate) mod nodes;
pub(crate) mod overview;
pub(crate) mod policy;
pub(crate) mod runs;
pub(crate) mod session;
pub(crate) mod tokens;
pub(crate) mod whoami;
