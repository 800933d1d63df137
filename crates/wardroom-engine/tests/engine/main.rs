//! The engine against nodes that the tests play.
#![allow(
    unreachable_pub,
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod approving;
mod giving;
mod holding;
mod keys;
mod people;
mod stopping;
mod time;
mod watching;
mod world;
