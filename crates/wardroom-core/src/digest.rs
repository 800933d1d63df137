//! SHA-256 over what must be recognised again without being kept.

use crate::command::Parameters;
use aws_lc_rs::digest::{Context, SHA256};
use data_encoding::HEXLOWER;

/// SHA-256 of `parts`, one behind the other.
pub fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(part);
    }
    let mut hash = [0; 32];
    // A SHA-256 has 32 bytes; copying pairs needs no way to fail.
    for (to, from) in hash.iter_mut().zip(context.finish().as_ref()) {
        *to = *from;
    }
    hash
}

/// SHA-256 of `bytes`, hexadecimal.
pub fn sha256_hex(bytes: &[u8]) -> String {
    HEXLOWER.encode(&sha256(&[bytes]))
}

/// SHA-256 over `salt`, a line feed and the canonical JSON of a command's values as they were given (names
/// sorted), hexadecimal. SECURITY: it stands in logs and secrets are among the values: without the run's
/// salt, which is kept with them, a short one could be found by trying.
pub fn parameters_digest(salt: &str, values: &Parameters) -> String {
    // Texts, integers and booleans under text keys: serialising can't fail.
    let json = serde_json::to_vec(values).unwrap_or_default();
    HEXLOWER.encode(&sha256(&[salt.as_bytes(), b"\n", &json]))
}
