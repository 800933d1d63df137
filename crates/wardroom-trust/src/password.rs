//! Passwords: Argon2id (RFC 9106), its parameters recorded in the hash.

use argon2::{
    Algorithm, Argon2, Params, PasswordHash, PasswordHasher as _, PasswordVerifier as _, Version,
};
use secrecy::{ExposeSecret, SecretString};
use wardroom_core::Rng;

/// The shortest password that may be set, in bytes.
pub const PASSWORD_BYTES_MIN: usize = 12;
/// The longest password, in bytes.
pub const PASSWORD_BYTES_MAX: usize = 1024;

/// The cost of a hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// Memory, in KiB.
    pub memory_kib: u32,
    /// Passes.
    pub passes: u32,
    /// Lanes.
    pub lanes: u32,
}

impl Default for Cost {
    /// The least that OWASP's password storage sheet recommends for Argon2id.
    fn default() -> Self {
        Self { memory_kib: 19_456, passes: 2, lanes: 1 }
    }
}

/// Why a password could not be hashed.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// Too short or too long to be set.
    #[error("a password has 12 to 1,024 bytes")]
    Length,
    /// The cost is out of Argon2's bounds.
    #[error("the password cost is not acceptable: {0}")]
    Cost(String),
}

/// What a check came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is the password.
    Accepted {
        /// The stored hash has lower parameters than today's.
        rehash_needed: bool,
    },
    /// It is not, or there is nobody.
    Refused,
}

/// Hashes and checks passwords. Slow on purpose: the caller bounds how many at once.
#[derive(Debug)]
pub struct PasswordHasher {
    argon2: Argon2<'static>,
    /// A hash of nothing anybody knows, so that checking nobody costs as much as checking somebody.
    nobody: String,
}

impl PasswordHasher {
    /// A hasher with this cost.
    pub fn new(cost: Cost, rng: &dyn Rng) -> Result<Self, PasswordError> {
        let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, None)
            .map_err(|error| PasswordError::Cost(error.to_string()))?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let mut hasher = Self { argon2, nobody: String::new() };
        hasher.nobody = hasher.hash(&generate(rng), rng)?;
        Ok(hasher)
    }

    /// The hash of a password that is to be set, in PHC string form.
    pub fn hash(&self, password: &SecretString, rng: &dyn Rng) -> Result<String, PasswordError> {
        let bytes = password.expose_secret().as_bytes();
        if !(PASSWORD_BYTES_MIN..=PASSWORD_BYTES_MAX).contains(&bytes.len()) {
            return Err(PasswordError::Length);
        }
        let mut salt = [0_u8; 16];
        rng.fill(&mut salt);
        let hash: PasswordHash = self
            .argon2
            .hash_password_with_salt(bytes, &salt)
            .map_err(|error| PasswordError::Cost(error.to_string()))?;
        Ok(hash.to_string())
    }

    /// Checks a password against a stored hash, with the parameters that the hash records.
    pub fn verify(&self, password: &SecretString, phc: &str) -> Verdict {
        let Ok(hash) = PasswordHash::new(phc) else { return Verdict::Refused };
        match self.argon2.verify_password(password.expose_secret().as_bytes(), &hash) {
            Ok(()) => Verdict::Accepted { rehash_needed: !self.is_current(&hash) },
            Err(_) => Verdict::Refused,
        }
    }

    /// Does the work of a check for an account that does not exist.
    pub fn verify_nobody(&self, password: &SecretString) -> Verdict {
        let _ = self.verify(password, &self.nobody);
        Verdict::Refused
    }

    fn is_current(&self, hash: &PasswordHash) -> bool {
        let wanted = self.argon2.params();
        Params::try_from(hash).is_ok_and(|params| {
            params.m_cost() >= wanted.m_cost()
                && params.t_cost() >= wanted.t_cost()
                && params.p_cost() >= wanted.p_cost()
        })
    }
}

/// A password of 25 letters and digits in groups of five: 125 bits, without look-alikes.
pub fn generate(rng: &dyn Rng) -> SecretString {
    const ALPHABET: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz23456789A";
    let mut random = [0_u8; 25];
    rng.fill(&mut random);
    let mut text = String::with_capacity(29);
    for (at, byte) in random.iter().enumerate() {
        if at > 0 && at % 5 == 0 {
            text.push('-');
        }
        let letter = ALPHABET.get(usize::from(byte & 31)).copied().unwrap_or(b'a');
        text.push(char::from(letter));
    }
    SecretString::from(text)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::ambient::SystemRng;

    const CHEAP: Cost = Cost { memory_kib: 64, passes: 1, lanes: 1 };

    #[test]
    fn only_the_password_is_accepted_and_the_hash_records_its_cost() {
        let hasher = PasswordHasher::new(CHEAP, &SystemRng).unwrap();
        let password = generate(&SystemRng);
        let phc = hasher.hash(&password, &SystemRng).unwrap();
        assert!(phc.starts_with("$argon2id$v=19$m=64,t=1,p=1$"), "{phc}");
        assert_eq!(hasher.verify(&password, &phc), Verdict::Accepted { rehash_needed: false });
        assert_eq!(hasher.verify(&generate(&SystemRng), &phc), Verdict::Refused);
        assert_eq!(hasher.verify(&password, "rubbish"), Verdict::Refused);
        assert_eq!(hasher.verify_nobody(&password), Verdict::Refused);
    }

    #[test]
    fn a_hash_with_lower_cost_is_to_be_renewed() {
        let old = PasswordHasher::new(CHEAP, &SystemRng).unwrap();
        let new = PasswordHasher::new(Cost { passes: 2, ..CHEAP }, &SystemRng).unwrap();
        let password = generate(&SystemRng);
        let phc = old.hash(&password, &SystemRng).unwrap();
        assert_eq!(new.verify(&password, &phc), Verdict::Accepted { rehash_needed: true });
    }

    #[test]
    fn lengths_are_bounded() {
        let hasher = PasswordHasher::new(CHEAP, &SystemRng).unwrap();
        for bad in ["short".to_owned(), "x".repeat(1025)] {
            assert!(hasher.hash(&SecretString::from(bad), &SystemRng).is_err());
        }
    }
}
