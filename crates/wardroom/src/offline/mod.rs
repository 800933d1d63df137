//! What can be looked at without an orchestrator: exports, receipts, policies.
//!
//! Nothing here may open a connection: whoever doubts an orchestrator must be able to check what it
//! gave on a machine that it can't reach.

mod ahead;
pub(crate) mod compare;
mod lines;
pub(crate) mod policy;
mod private_file;
pub(crate) mod proof;
pub(crate) mod verify;

pub(crate) use private_file::PrivateFile;

use crate::client::Failure;
use serde::Serialize;
use std::{fs, path::Path};
use wardroom_core::audit::export::SignedRoot;
use wardroom_trust::checkpoint::{self, NOTE_BYTES_MAX, VerifierKey};

/// Whose key a verification rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Trusted {
    /// One that was given.
    Given,
    /// The one that the document names itself: shows alteration, not who signed.
    Itself,
}

/// A verifier key: its text, or a file with it.
pub(crate) fn key(text: &str) -> Result<VerifierKey, Failure> {
    if let Ok(key) = text.parse() {
        return Ok(key);
    }
    let wrong = || {
        Failure::usage("the key is neither a verifier key nor a file with one")
            .advice("It has the form name+keyid+base64, as in an export's first line.")
    };
    let content = read_text(Path::new(text), NOTE_BYTES_MAX as u64).map_err(|_| wrong())?;
    content.trim().parse().map_err(|_| wrong())
}

/// Checks that `key` signed `note`, and gives what it says.
fn signed_root(note: &str, key: &VerifierKey) -> Result<SignedRoot, String> {
    checkpoint::verify(note, key)
        .map(|checkpoint| SignedRoot { size: checkpoint.size, root: checkpoint.root })
        .map_err(|error| error.to_string())
}

/// A small text file.
pub(crate) fn read_text(path: &Path, bytes_max: u64) -> Result<String, Failure> {
    let broken =
        |reason: String| Failure::usage(format!("{} can't be read: {reason}", path.display()));
    let size = fs::metadata(path).map_err(|error| broken(error.to_string()))?.len();
    if size > bytes_max {
        return Err(broken(format!("it is longer than {bytes_max} bytes")));
    }
    fs::read_to_string(path).map_err(|error| broken(error.to_string()))
}

#[cfg(test)]
mod tests;
