//! API tokens of one's own account.

pub(crate) mod create;
pub(crate) mod list;
pub(crate) mod revoke;
