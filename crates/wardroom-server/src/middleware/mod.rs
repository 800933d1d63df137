//! What stands between a connection and a handler.

mod authenticate;
mod csrf;
mod edge;
mod guard;
mod refusals;
mod rest;

pub(crate) use authenticate::{Held, Proof, SESSION_COOKIE};
pub(crate) use csrf::own_origin;
pub(crate) use edge::{Peer, RequestInfo, wrap};
pub(crate) use guard::guard;
pub(crate) use refusals::RefusalLog;
