//! The REST API.

pub(crate) mod input;
pub(crate) mod v1;
pub(crate) mod version;
