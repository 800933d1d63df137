//! Who is connected, who is turned away, what somebody should look at.

pub(crate) mod alerts;
pub(crate) mod blocks;
pub(crate) mod connections;
pub(crate) mod faults;
pub(crate) mod keys;
pub(crate) mod posture;
