//! `/gateway`: tool servers, tools, calls

pub(crate) mod calls;
pub(crate) mod overview;
pub(crate) mod servers;
pub(crate) mod tools;
