//! Who is connected, who is turned away.

pub(crate) mod blocks;
pub(crate) mod connections;
