//! How much tools are used, by whom, and how they do.

use crate::{Door, OauthClientId, Timestamp, UserId, named::named};

/// The most groups that are told of at once: those with the most calls.
pub const GROUPS_MAX: u32 = 500;

named! {
    /// What calls are put together by.
    UsageBy = "tool, user, client, flow" {
        /// By server and tool.
        Tool = "tool",
        /// By account.
        User = "user",
        /// By account and the program that acts in its name.
        Client = "client",
        /// By account, program, way in and server.
        Flow = "flow",
    }
}

/// Which calls are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UsageFilter {
    /// What they are put together by.
    pub by: UsageBy,
    /// That began at this time or later.
    pub since: Timestamp,
    /// In this account's name.
    pub user: Option<UserId>,
}

/// Calls that have something in common; what differs among them is absent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Usage {
    /// The server's name.
    pub server: Option<String>,
    /// The tool.
    pub tool: Option<String>,
    /// The account.
    pub user: Option<UserId>,
    /// The program.
    pub client: Option<OauthClientId>,
    /// The way in.
    pub door: Option<Door>,
    /// How many calls.
    pub calls: u64,
    /// That have no end yet.
    pub running: u64,
    /// That did not succeed.
    pub errors: u64,
    /// Of arguments and answers.
    pub bytes: u64,
    /// How long they took together, in microseconds.
    pub micros: u64,
    /// How long half of them took at most, in microseconds.
    pub p50: Option<u64>,
    /// How long 99 of 100 took at most, in microseconds.
    pub p99: Option<u64>,
}
