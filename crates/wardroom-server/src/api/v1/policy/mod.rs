//! The policy in force.

pub(crate) mod explain;
pub(crate) mod get;
