//! The chain of lines.

use super::Line;
use wardroom_core::digest::sha256_hex;

/// What is wrong with a chain of lines.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChainFault {
    /// A line is not one.
    #[error("line {0} is not a line of a node's log")]
    Form(u64),
    /// A line does not continue the one before.
    #[error(
        "line {0} does not continue the line before it: a line was altered, removed or moved here"
    )]
    Broken(u64),
}

/// Checks that every line continues the one before; gives how many there are. The first line may
/// continue an older file.
pub fn verify<'a>(lines: impl Iterator<Item = &'a str>) -> Result<u64, ChainFault> {
    let mut before: Option<(String, u64)> = None;
    let mut count = 0;
    for text in lines {
        count += 1;
        let line: Line = serde_json::from_str(text).map_err(|_| ChainFault::Form(count))?;
        if before.as_ref().is_some_and(|(hash, seq)| line.prev != *hash || line.seq != seq + 1) {
            return Err(ChainFault::Broken(count));
        }
        before = Some((sha256_hex(text.as_bytes()), line.seq));
    }
    Ok(count)
}
