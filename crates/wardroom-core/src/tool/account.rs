//! A person's account at a tool server, which they let the gateway use in their name.

use crate::{Timestamp, ToolAccountId, ToolServerId, UserId};

/// What a person connected. Tokens are within what is sealed under their key, and with them the server for which they
/// are good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolAccount {
    /// Its id: another one with each time that it is connected.
    pub id: ToolAccountId,
    /// The tool server.
    pub server: ToolServerId,
    /// Whose.
    pub user: UserId,
    /// The authorization server that gave the tokens.
    pub issuer: String,
    /// What it gave them for, in its own words; nothing where it did not say.
    pub scopes: Vec<String>,
    /// The tokens, sealed.
    pub sealed: Vec<u8>,
    /// Counts renewals, from 1.
    pub version: i64,
    /// When it was connected.
    pub connected_at: Timestamp,
}

/// A change of a person's account at a tool server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToolAccountWrite {
    /// Connected, in place of the one before. Its server must be there, and its holder active.
    Connect(Box<ToolAccount>),
    /// Tokens were renewed: fails when they were renewed since.
    Renew(Box<ToolAccount>),
    /// It goes, whoever's it is. Fails when it is not there in this version.
    Remove {
        /// Which.
        id: ToolAccountId,
        /// As it was read.
        version: i64,
    },
    /// All of somebody's go.
    RemoveOf(UserId),
}
