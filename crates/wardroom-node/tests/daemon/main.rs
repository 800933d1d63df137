//! The real daemon against a scripted orchestrator: enrolment, offers, delivery, crashes, bad input.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    unreachable_pub,
    reason = "tests"
)]

mod allowlist;
mod crash;
mod delivery;
mod enrolment;
mod fake;
mod frames;
mod hostile;
mod log;
mod machine;
mod offers;
mod tool_servers;
