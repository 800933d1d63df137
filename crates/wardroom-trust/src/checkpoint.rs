//! Checkpoints of the audit log: C2SP `tlog-checkpoint` bodies in C2SP `signed-note` envelopes.

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use data_encoding::{BASE64, HEXLOWER};
use std::{fmt, str::FromStr};
use wardroom_core::digest::sha256;

/// The longest note that is read, in bytes.
pub const NOTE_BYTES_MAX: usize = 16 * 1024;
/// The signature type of Ed25519 in signed notes.
const ED25519_TYPE: u8 = 1;
/// What begins a signature line: an em dash and a space.
const SIGNATURE_MARK: &str = "\u{2014} ";

/// Why a note is not acceptable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// It is not a signed checkpoint.
    #[error("it is not a signed checkpoint: {0}")]
    Form(&'static str),
    /// The wanted key did not sign it.
    #[error("it carries no signature by the log's key")]
    NoSignature,
    /// The signature by the wanted key is wrong.
    #[error("its signature is wrong: the checkpoint was altered")]
    WrongSignature,
}

/// What a signed checkpoint says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log's name.
    pub origin: String,
    /// How many records.
    pub size: u64,
    /// Their Merkle root.
    pub root: [u8; 32],
}

/// The public half of a signing key, as `name+keyid+base64(0x01 ‖ key)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    public: [u8; 32],
}

impl VerifierKey {
    fn id(&self) -> [u8; 4] {
        let digest = sha256(&[self.name.as_bytes(), &[b'\n', ED25519_TYPE], &self.public]);
        let mut id = [0_u8; 4];
        id.iter_mut().zip(digest.iter()).for_each(|(to, from)| *to = *from);
        id
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut typed = vec![ED25519_TYPE];
        typed.extend_from_slice(&self.public);
        write!(f, "{}+{}+{}", self.name, HEXLOWER.encode(&self.id()), BASE64.encode(&typed))
    }
}

impl FromStr for VerifierKey {
    type Err = CheckpointError;
    fn from_str(text: &str) -> Result<Self, CheckpointError> {
        let error = CheckpointError::Form("a verifier key is name+keyid+key");
        let mut parts = text.trim().splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(error);
        };
        let decoded = BASE64.decode(key.as_bytes()).map_err(|_| error)?;
        let public = match decoded.split_first() {
            Some((&ED25519_TYPE, rest)) => rest.try_into().map_err(|_| error)?,
            _ => return Err(error),
        };
        let key = Self { name: name.to_owned(), public };
        if !is_name(name) || HEXLOWER.encode(&key.id()) != id {
            return Err(error);
        }
        Ok(key)
    }
}

/// A key's name holds no white space and no plus sign.
fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 255
        && !name.contains(|c: char| c.is_whitespace() || c.is_control() || c == '+')
}

/// Signs checkpoints.
pub struct CheckpointSigner {
    key: Ed25519KeyPair,
    verifier: VerifierKey,
}

impl fmt::Debug for CheckpointSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CheckpointSigner").field(&self.verifier.name).finish()
    }
}

impl CheckpointSigner {
    /// A signer whose log is called `name`; `seed` is the Ed25519 private key (RFC 8032).
    pub fn new(name: &str, seed: &[u8; 32]) -> Result<Self, CheckpointError> {
        if !is_name(name) {
            return Err(CheckpointError::Form("the log's name has white space or a plus sign"));
        }
        let key = Ed25519KeyPair::from_seed_unchecked(seed)
            .map_err(|_| CheckpointError::Form("the signing key is not usable"))?;
        let public = key
            .public_key()
            .as_ref()
            .try_into()
            .map_err(|_| CheckpointError::Form("the signing key is not usable"))?;
        Ok(Self { key, verifier: VerifierKey { name: name.to_owned(), public } })
    }

    /// The public half.
    pub fn verifier_key(&self) -> VerifierKey {
        self.verifier.clone()
    }

    /// A signed note about a log of `size` records with `root`.
    pub fn sign(&self, size: u64, root: &[u8; 32]) -> String {
        let name = &self.verifier.name;
        self.sign_note(&format!("{name}\n{size}\n{}\n", BASE64.encode(root)))
    }

    /// A signed note of this text, whose last line is ended. SECURITY: the key signs checkpoints as well, so a text's
    /// second line must be no number.
    pub fn sign_note(&self, body: &str) -> String {
        let name = &self.verifier.name;
        let mut signature = self.verifier.id().to_vec();
        signature.extend_from_slice(self.key.sign(body.as_bytes()).as_ref());
        format!("{body}\n{SIGNATURE_MARK}{name} {}\n", BASE64.encode(&signature))
    }
}

/// Checks that `key` signed the checkpoint and reads it.
pub fn verify(note: &str, key: &VerifierKey) -> Result<Checkpoint, CheckpointError> {
    read_body(open_note(note, key)?)
}

/// The text of a note that `key` signed. Further signatures, such as witnesses', may stand in it and are passed over.
pub fn open_note<'a>(note: &'a str, key: &VerifierKey) -> Result<&'a str, CheckpointError> {
    if note.len() > NOTE_BYTES_MAX {
        return Err(CheckpointError::Form("it is too long"));
    }
    let at = note.rfind("\n\n").ok_or(CheckpointError::Form("it has no signatures"))?;
    let (body, signatures) = note.split_at(at + 1);
    let signatures = signatures.strip_prefix('\n').unwrap_or(signatures);
    if !signatures.ends_with('\n') {
        return Err(CheckpointError::Form("its last line is not ended"));
    }
    let mut signed = false;
    for line in signatures.lines() {
        let rest = line
            .strip_prefix(SIGNATURE_MARK)
            .ok_or(CheckpointError::Form("a signature line is malformed"))?;
        let (name, text) =
            rest.split_once(' ').ok_or(CheckpointError::Form("a signature line is malformed"))?;
        let bytes = BASE64
            .decode(text.as_bytes())
            .map_err(|_| CheckpointError::Form("a signature is not base64"))?;
        let Some((id, signature)) = bytes.split_first_chunk::<4>() else {
            return Err(CheckpointError::Form("a signature is too short"));
        };
        if name == key.name && *id == key.id() {
            UnparsedPublicKey::new(&ED25519, key.public)
                .verify(body.as_bytes(), signature)
                .map_err(|_| CheckpointError::WrongSignature)?;
            signed = true;
        }
    }
    if signed { Ok(body) } else { Err(CheckpointError::NoSignature) }
}

fn read_body(body: &str) -> Result<Checkpoint, CheckpointError> {
    let mut lines = body.lines();
    let (Some(origin), Some(size), Some(root)) = (lines.next(), lines.next(), lines.next()) else {
        return Err(CheckpointError::Form("it has fewer than three lines"));
    };
    let canonical =
        size == "0" || (!size.starts_with('0') && size.bytes().all(|b| b.is_ascii_digit()));
    let size = size
        .parse()
        .ok()
        .filter(|_| canonical)
        .ok_or(CheckpointError::Form("its size is not a number"))?;
    let root = BASE64
        .decode(root.as_bytes())
        .ok()
        .and_then(|root| root.try_into().ok())
        .ok_or(CheckpointError::Form("its root is not a SHA-256 in base64"))?;
    Ok(Checkpoint { origin: origin.to_owned(), size, root })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_note_verifies_with_its_key_only_and_only_unaltered() {
        let signer = CheckpointSigner::new("wardroom/test", &[3; 32]).unwrap();
        let key: VerifierKey = signer.verifier_key().to_string().parse().unwrap();
        let note = signer.sign(17, &[9; 32]);
        let read = verify(&note, &key).unwrap();
        assert_eq!((read.origin.as_str(), read.size, read.root), ("wardroom/test", 17, [9; 32]));
        let witnessed = format!("{note}{SIGNATURE_MARK}witness {}\n", BASE64.encode(&[1; 76]));
        assert!(verify(&witnessed, &key).is_ok());
        assert_eq!(verify(&note.replace("17", "18"), &key), Err(CheckpointError::WrongSignature));
        let other = CheckpointSigner::new("wardroom/test", &[4; 32]).unwrap().verifier_key();
        assert_eq!(verify(&note, &other), Err(CheckpointError::NoSignature));
    }

    proptest! {
        #[test]
        fn no_text_breaks_the_parsers(text in "(?s).{0,300}") {
            let key = CheckpointSigner::new("t", &[3; 32]).unwrap().verifier_key();
            prop_assert!(verify(&text, &key).is_err());
            let _ = text.parse::<VerifierKey>();
        }
    }
}
