//! What stands between a connection and a handler.

mod authenticate;
mod csrf;
mod edge;
mod guard;
mod refusals;
mod rest;

pub(crate) use authenticate::{
    ByRun, Held, Proof, SESSION_COOKIE, Shown, by_run, by_shown, by_token,
};
pub(crate) use csrf::own_origin;
pub(crate) use edge::{Peer, RequestInfo, is_own_host, wrap};
pub(crate) use guard::guard;
pub(crate) use refusals::RefusalLog;
