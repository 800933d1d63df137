//! The audit log.

pub(crate) mod checkpoint;
pub(crate) mod export;
pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod proof;
pub(crate) mod verify;
