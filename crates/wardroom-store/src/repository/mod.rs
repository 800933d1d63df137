//! The repository, written once. Each macro expands to the same body for one engine's driver; `$1`
//! placeholders work in both, and what differs between them is an argument.

mod agents;
mod approvals;
mod audit;
mod desk;
mod desk_writes;
mod identities;
mod identity_writes;
mod journal;
mod memories;
mod models;
mod nodes;
mod oauth;
mod person_keys;
pub(crate) mod personal;
mod runs;
mod threads;
mod tool_accounts;
mod tools;
mod watch;
mod watch_writes;
mod writes;

pub(crate) use agents::{agent_writes, agents};
pub(crate) use approvals::{approval_writes, approvals};
pub(crate) use audit::audit_log;
pub(crate) use desk::desk;
pub(crate) use desk_writes::{desk_writes, number};
pub(crate) use identities::identities;
pub(crate) use identity_writes::identity_writes;
pub(crate) use journal::{journal_writes, journals};
pub(crate) use memories::{memories, memory_writes};
pub(crate) use models::{model_writes, models};
pub(crate) use nodes::nodes;
pub(crate) use oauth::{oauth, oauth_writes};
pub(crate) use person_keys::person_keys;
pub(crate) use runs::runs;
pub(crate) use threads::{thread_writes, threads};
pub(crate) use tool_accounts::tool_account_writes;
pub(crate) use tools::{tool_writes, tools};
pub(crate) use watch::watch;
pub(crate) use watch_writes::watch_writes;
pub(crate) use writes::{statement, writes};

use serde::{Serialize, de::DeserializeOwned};
use wardroom_core::{
    Timestamp,
    store::{StoreError, StoreResult},
};

/// A guarded write that touched nothing met another state than it was made for.
pub(crate) fn guarded(what: &'static str, touched: u64) -> StoreResult<()> {
    if touched == 0 { Err(StoreError::Conflict(what)) } else { Ok(()) }
}

/// Rows that one statement takes at most.
const ROWS_MAX: usize = 256;

/// Rows in parts of 256, 128, 64 and so on: few statements for many rows, and few different ones, which stay prepared.
pub(crate) fn in_powers<T>(rows: &[T]) -> impl Iterator<Item = &[T]> {
    let mut left = rows;
    std::iter::from_fn(move || {
        let size = left.len().checked_ilog2().map_or(0, |power| 1 << power).min(ROWS_MAX);
        let (part, rest) = left.split_at_checked(size)?;
        left = rest;
        (!part.is_empty()).then_some(part)
    })
}

/// A value as JSON text.
pub(crate) fn json<T: Serialize>(value: &T) -> StoreResult<String> {
    serde_json::to_string(value).map_err(|error| StoreError::Other(error.to_string()))
}

/// A value out of JSON text.
pub(crate) fn parse<T: DeserializeOwned>(what: &'static str, text: &str) -> StoreResult<T> {
    serde_json::from_str(text)
        .map_err(|error| StoreError::Corrupt { what, reason: error.to_string() })
}

/// A value out of its text form.
pub(crate) fn named<T: std::str::FromStr>(what: &'static str, text: &str) -> StoreResult<T> {
    text.parse().map_err(|_| StoreError::Corrupt { what, reason: format!("{text:?} is not known") })
}

/// Bytes of a fixed length.
pub(crate) fn fixed<const N: usize>(what: &'static str, bytes: Vec<u8>) -> StoreResult<[u8; N]> {
    bytes.try_into().map_err(|bytes: Vec<u8>| StoreError::Corrupt {
        what,
        reason: format!("{} bytes instead of {N}", bytes.len()),
    })
}

/// An unsigned number out of a column.
pub(crate) fn unsigned<T: TryFrom<i64>>(what: &'static str, value: i64) -> StoreResult<T> {
    T::try_from(value)
        .map_err(|_| StoreError::Corrupt { what, reason: format!("{value} is out of range") })
}

/// A number into a column; what does not fit is cut to the largest that does.
pub(crate) fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// The smallest UUIDv7 of a time, so that a stretch of time is a stretch of the primary key.
pub(crate) fn first_id_at(at: Timestamp) -> uuid::Uuid {
    let millis = u64::try_from(at.as_micros() / 1000).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, &[0; 10]).into_uuid()
}

/// A text for LIKE in which nothing is special, `\` being the escape.
pub(crate) fn like(text: &str) -> String {
    let mut pattern = String::from("%");
    for c in text.chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}
