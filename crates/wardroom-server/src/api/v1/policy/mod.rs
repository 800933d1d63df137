//! The policy in force.

pub(crate) mod explain;
pub(crate) mod get;
pub(crate) mod put;
pub(crate) mod versions;
