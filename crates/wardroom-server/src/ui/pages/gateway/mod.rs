//! The gateway: who reaches which tools, how these do, and single calls.

pub(crate) mod arguments;
pub(crate) mod calls;
pub(crate) mod map;
pub(crate) mod overview;
pub(crate) mod server;
pub(crate) mod tool;
