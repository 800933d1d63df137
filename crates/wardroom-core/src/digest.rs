//! SHA-256 over what must be recognised again without being kept.

use crate::command::Parameters;
use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

/// SHA-256 of `bytes`, hexadecimal.
pub fn sha256_hex(bytes: &[u8]) -> String {
    HEXLOWER.encode(&Sha256::digest(bytes))
}

/// SHA-256 over the canonical JSON of a command's values (names sorted), hexadecimal.
pub fn parameters_digest(values: &Parameters) -> String {
    // Texts, integers and booleans under text keys: serialising can't fail.
    sha256_hex(&serde_json::to_vec(values).unwrap_or_default())
}
