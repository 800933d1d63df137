//! Arguments as they are kept: with a salt, so that their digest tells nothing once they are gone.

use crate::{Rng, digest::sha256};
use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// Arguments and their salt. It is kept sealed; the digest stands in the open.
#[derive(Debug, Serialize, Deserialize)]
pub struct SaltedArguments {
    /// Random.
    salt: String,
    /// As they were written.
    arguments: Box<RawValue>,
}

impl SaltedArguments {
    /// Salts `arguments`.
    pub fn new(arguments: &RawValue, rng: &dyn Rng) -> Self {
        let mut salt = [0; 16];
        rng.fill(&mut salt);
        Self { salt: HEXLOWER.encode(&salt), arguments: arguments.to_owned() }
    }

    /// SHA-256 over the salt and the arguments.
    pub fn digest(&self) -> [u8; 32] {
        sha256(&[self.salt.as_bytes(), self.arguments.get().as_bytes()])
    }

    /// The arguments, as they were written.
    pub fn text(&self) -> &str {
        self.arguments.get()
    }
}
