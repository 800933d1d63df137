//! Verifies a receipt: that one record stands at its place in a log that somebody signed.

use super::{Trusted, read_text};
use crate::client::Failure;
use data_encoding::HEXLOWER;
use serde::Serialize;
use std::path::Path;
use wardroom_core::audit::{
    export::LINE_BYTES_MAX,
    merkle::{Hash, leaf_hash, verify_inclusion},
};
use wardroom_trust::checkpoint::{self, VerifierKey};
use wardroom_wire::api::AuditProof;

/// The only form there is.
const FORMAT: &str = "wardroom-audit-proof/1";
/// The largest receipt: a record, 64 hashes and a note.
const RECEIPT_BYTES_MAX: u64 = LINE_BYTES_MAX as u64 * 4;

/// What a receipt proves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Proved {
    /// Whether it proves it.
    pub(crate) sound: bool,
    /// The record's index.
    pub(crate) index: u64,
    /// The log's name; empty when nothing is proved.
    pub(crate) origin: String,
    /// How many records the log had.
    pub(crate) size: u64,
    /// Why it proves nothing.
    pub(crate) finding: Option<String>,
    /// Whose key was used.
    pub(crate) trusted: Trusted,
}

/// Verifies the receipt in `path`.
pub(crate) fn verify(path: &Path, key: Option<&VerifierKey>) -> Result<Proved, Failure> {
    let text = read_text(path, RECEIPT_BYTES_MAX)?;
    let not_one = |reason: String| {
        Failure::usage(format!("{} is not an audit receipt: {reason}", path.display()))
            .advice("`wardroom audit proof INDEX --out FILE` gets one.")
    };
    let proof: AuditProof =
        serde_json::from_str(&text).map_err(|error| not_one(error.to_string()))?;
    if proof.format != FORMAT {
        return Err(not_one(format!(
            "its format is {:?}; this program reads {FORMAT:?}",
            proof.format
        )));
    }
    let trusted = if key.is_some() { Trusted::Given } else { Trusted::Itself };
    let key = match key {
        Some(key) => key.clone(),
        None => proof
            .verifier_key
            .parse()
            .map_err(|error| not_one(format!("its verifier key: {error}")))?,
    };
    Ok(match check(&proof, &key) {
        Ok((origin, size)) => {
            Proved { sound: true, index: proof.index, origin, size, finding: None, trusted }
        }
        Err(finding) => Proved {
            sound: false,
            index: proof.index,
            origin: String::new(),
            size: 0,
            finding: Some(finding),
            trusted,
        },
    })
}

/// The log's name and size, or why the receipt is not good.
fn check(proof: &AuditProof, key: &VerifierKey) -> Result<(String, u64), String> {
    let signed = checkpoint::verify(&proof.checkpoint, key)
        .map_err(|error| format!("its checkpoint: {error}"))?;
    let mut path: Vec<Hash> = Vec::with_capacity(proof.path.len());
    for text in &proof.path {
        let hash = HEXLOWER.decode(text.as_bytes()).ok().and_then(|hash| hash.try_into().ok());
        path.push(
            hash.ok_or("its path holds something that is not a SHA-256 in lower-case hexadecimal")?,
        );
    }
    let leaf = leaf_hash(proof.record.as_bytes());
    if verify_inclusion(&leaf, proof.index, signed.size, &path, &signed.root) {
        Ok((signed.origin, signed.size))
    } else {
        Err(format!(
            "the record, its index {} and its path do not lead to the signed root: one of them was altered",
            proof.index
        ))
    }
}
