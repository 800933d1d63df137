//! The key ring: the key-encryption keys under which everything else is sealed.

use data_encoding::{BASE64, HEXLOWER_PERMISSIVE};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    fs,
    io::{self, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};
use wardroom_core::Rng;
use zeroize::Zeroizing;

/// The file's name within the data folder.
pub const FILE: &str = "keyring.toml";

/// Why the key ring can't be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyRingError {
    /// It is not there.
    #[error(
        "the key ring {path} is missing: without it nothing that is stored can be read; restore it from your backup"
    )]
    Missing {
        /// Where it should be.
        path: PathBuf,
    },
    /// Others may read it.
    #[error(
        "the key ring {path} may be read by others (mode {mode:o}): run chmod 600 {path} and find out who read it"
    )]
    Exposed {
        /// Where it is.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// It is there already.
    #[error("the key ring {path} exists already")]
    Exists {
        /// Where it is.
        path: PathBuf,
    },
    /// It can't be read or written.
    #[error("the key ring {path} can't be used: {source}")]
    Io {
        /// Where it is.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// It is damaged.
    #[error("the key ring is not acceptable: {0}")]
    Form(String),
}

/// Key-encryption keys by id; one of them seals, all open.
pub struct KeyRing {
    current: u32,
    /// The generation that keys of people are to have.
    people: u32,
    /// The generation of keys that sign tokens which is to be there.
    tokens: u32,
    keys: BTreeMap<u32, Zeroizing<[u8; 32]>>,
}

impl std::fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyRing").field("current", &self.current).finish_non_exhaustive()
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    current: u32,
    #[serde(default = "first")]
    people: u32,
    #[serde(default = "first")]
    tokens: u32,
    keys: BTreeMap<String, String>,
}

const fn first() -> u32 {
    1
}

impl KeyRing {
    /// A new ring with one key.
    pub fn generate(rng: &dyn Rng) -> Self {
        let mut key = Zeroizing::new([0_u8; 32]);
        rng.fill(&mut *key);
        Self { current: 1, people: first(), tokens: first(), keys: BTreeMap::from([(1, key)]) }
    }

    /// Makes a new ring in `folder`; refuses to replace one.
    pub fn create(folder: &Path, rng: &dyn Rng) -> Result<Self, KeyRingError> {
        let path = folder.join(FILE);
        let ring = Self::generate(rng);
        let text = ring.text()?;
        let written =
            fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).and_then(
                |mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()),
            );
        match written {
            Ok(()) => Ok(ring),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                Err(KeyRingError::Exists { path })
            }
            Err(source) => Err(KeyRingError::Io { path, source }),
        }
    }

    /// The same ring with another key, which seals from now on. The others still open.
    pub fn with_new_key(&self, rng: &dyn Rng) -> Result<Self, KeyRingError> {
        let mut key = Zeroizing::new([0_u8; 32]);
        rng.fill(&mut *key);
        let current = next(self.keys.keys().next_back().copied().unwrap_or_default())?;
        let mut keys = self.keys.clone();
        keys.insert(current, key);
        Ok(Self { current, keys, ..*self })
    }

    /// The same ring, by which people get keys of another generation.
    pub fn with_new_people(&self) -> Result<Self, KeyRingError> {
        Ok(Self { people: next(self.people)?, keys: self.keys.clone(), ..*self })
    }

    /// Whether the keys that both rings have are the same ones.
    pub fn agrees_with(&self, other: &Self) -> bool {
        let same = |(id, key): (&u32, &Zeroizing<[u8; 32]>)| {
            other.key(*id).is_none_or(|known| {
                aws_lc_rs::constant_time::verify_slices_are_equal(known, &**key).is_ok()
            })
        };
        self.keys.iter().all(same)
    }

    /// The same ring, by which there are keys of this generation that sign tokens.
    pub fn with_tokens(&self, generation: u32) -> Self {
        Self { tokens: generation, keys: self.keys.clone(), ..*self }
    }

    /// The same ring without a key; nothing where there is none, or it is the one that seals.
    pub fn without(&self, id: u32) -> Option<Self> {
        let mut keys = self.keys.clone();
        (id != self.current && keys.remove(&id).is_some()).then_some(Self { keys, ..*self })
    }

    /// Puts the ring into its file's place, whole or not at all.
    pub fn replace(&self, path: &Path) -> Result<(), KeyRingError> {
        let io = |source| KeyRingError::Io { path: path.to_owned(), source };
        let next = path.with_extension("next");
        let _ = fs::remove_file(&next);
        let text = self.text()?;
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&next)
            .map_err(io)?;
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(io)?;
        fs::rename(&next, path).map_err(io)?;
        let folder = path.parent().unwrap_or(Path::new("."));
        fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(io)
    }

    fn text(&self) -> Result<Zeroizing<String>, KeyRingError> {
        let keys =
            self.keys.iter().map(|(id, key)| (id.to_string(), BASE64.encode(&**key))).collect();
        let (current, people, tokens) = (self.current, self.people, self.tokens);
        let text = toml::to_string(&File { current, people, tokens, keys })
            .map_err(|error| KeyRingError::Form(error.to_string()))?;
        Ok(Zeroizing::new(text))
    }

    /// The ids of its keys.
    pub fn ids(&self) -> Vec<u32> {
        self.keys.keys().copied().collect()
    }

    /// Reads the ring in `folder`. Never makes one.
    pub fn load(folder: &Path) -> Result<Self, KeyRingError> {
        let path = folder.join(FILE);
        let metadata = match fs::symlink_metadata(&path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(KeyRingError::Missing { path });
            }
            Err(source) => return Err(KeyRingError::Io { path, source }),
        };
        let mode = metadata.mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(KeyRingError::Exposed { path, mode });
        }
        let text = fs::read_to_string(&path)
            .map_err(|source| KeyRingError::Io { path: path.clone(), source })?;
        Self::parse(&Zeroizing::new(text), &path.display().to_string())
    }

    fn parse(text: &str, place: &str) -> Result<Self, KeyRingError> {
        // SECURITY: a parser's message quotes the line, and the line is the key.
        let file: File = toml::from_str(text)
            .map_err(|_| KeyRingError::Form(format!("{place} is not a key ring file")))?;
        let mut keys = BTreeMap::new();
        for (id, text) in &file.keys {
            let id =
                id.parse().map_err(|_| KeyRingError::Form("a key's id is not a number".into()))?;
            keys.insert(id, strong_key(text)?);
        }
        Self::checked((file.current, file.people, file.tokens), keys)
    }

    /// A ring that comes from outside: one key of 32 bytes in base64 or hexadecimal, or a ring's file.
    pub fn from_secret(secret: &SecretString) -> Result<Self, KeyRingError> {
        if secret.expose_secret().trim_start().starts_with("current") {
            return Self::parse(secret.expose_secret(), "the key that was given");
        }
        Self::checked(
            (1, first(), first()),
            BTreeMap::from([(1, strong_key(secret.expose_secret().trim())?)]),
        )
    }

    fn checked(
        (current, people, tokens): (u32, u32, u32),
        keys: BTreeMap<u32, Zeroizing<[u8; 32]>>,
    ) -> Result<Self, KeyRingError> {
        if keys.contains_key(&current) {
            Ok(Self { current, people: people.max(first()), tokens: tokens.max(first()), keys })
        } else {
            Err(KeyRingError::Form("its current key is not among its keys".into()))
        }
    }

    /// The id of the key that seals.
    pub fn current(&self) -> u32 {
        self.current
    }

    /// The generation that keys of people are to have.
    pub fn people(&self) -> u32 {
        self.people
    }

    /// The generation of keys that sign tokens which is to be there.
    pub fn tokens(&self) -> u32 {
        self.tokens
    }

    pub(crate) fn key(&self, id: u32) -> Option<&[u8; 32]> {
        self.keys.get(&id).map(|key| &**key)
    }
}

/// The number after this one.
fn next(number: u32) -> Result<u32, KeyRingError> {
    let full = || KeyRingError::Form(format!("there is no number after {number}: use a lower one"));
    number.checked_add(1).ok_or_else(full)
}

/// 32 bytes that are not obviously made up.
fn strong_key(text: &str) -> Result<Zeroizing<[u8; 32]>, KeyRingError> {
    let decoded = HEXLOWER_PERMISSIVE
        .decode(text.as_bytes())
        .or_else(|_| BASE64.decode(text.as_bytes()))
        .map(Zeroizing::new)
        .map_err(|_| KeyRingError::Form("a key is neither base64 nor hexadecimal".into()))?;
    let key: [u8; 32] = decoded.as_slice().try_into().map_err(|_| {
        KeyRingError::Form(
            "a key has exactly 32 bytes; make one with: openssl rand -base64 32".into(),
        )
    })?;
    let distinct = key.iter().collect::<std::collections::BTreeSet<_>>().len();
    if distinct < 8 {
        return Err(KeyRingError::Form(
            "a key is too regular to be random; make one with: openssl rand -base64 32".into(),
        ));
    }
    Ok(Zeroizing::new(key))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::ambient::SystemRng;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_ring_is_made_once_and_read_only_while_it_is_private() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(KeyRing::load(folder.path()), Err(KeyRingError::Missing { .. })));
        let made = KeyRing::create(folder.path(), &SystemRng).unwrap();
        assert!(matches!(
            KeyRing::create(folder.path(), &SystemRng),
            Err(KeyRingError::Exists { .. })
        ));
        assert_eq!(KeyRing::load(folder.path()).unwrap().key(1), made.key(1));
        let path = folder.path().join(FILE);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(KeyRing::load(folder.path()), Err(KeyRingError::Exposed { .. })));
    }

    #[test]
    fn a_ring_gets_keys_and_loses_old_ones() {
        let folder = tempfile::tempdir().unwrap();
        let first = KeyRing::create(folder.path(), &SystemRng).unwrap();
        let second = first.with_new_key(&SystemRng).unwrap();
        assert_eq!((second.current(), second.ids()), (2, vec![1, 2]));
        assert_eq!(second.key(1), first.key(1));
        assert!(first.agrees_with(&second) && second.agrees_with(&first));
        let other = KeyRing::generate(&SystemRng);
        assert!(!first.agrees_with(&other), "another key of the same number");
        let full = KeyRing {
            people: u32::MAX,
            keys: BTreeMap::from([(u32::MAX, Zeroizing::new([0; 32]))]),
            ..other
        };
        assert!(full.with_new_key(&SystemRng).is_err() && full.with_new_people().is_err());
        let path = folder.path().join(FILE);
        second.replace(&path).unwrap();
        let read = KeyRing::load(folder.path()).unwrap();
        assert_eq!((read.current(), read.key(2)), (2, second.key(2)));
        let text = SecretString::from(fs::read_to_string(&path).unwrap());
        assert_eq!(KeyRing::from_secret(&text).unwrap().ids(), [1, 2]);
        assert!(read.without(2).is_none(), "it seals");
        assert!(read.without(3).is_none(), "there is none");
        assert_eq!(read.without(1).unwrap().ids(), [2]);
    }

    #[test]
    fn weak_keys_are_refused_without_being_repeated() {
        for weak in ["", "secret", &"00".repeat(32), &"ab".repeat(31)] {
            let error = KeyRing::from_secret(&SecretString::from(weak)).unwrap_err().to_string();
            assert!(weak.is_empty() || !error.contains(weak), "{error}");
        }
        assert!(
            KeyRing::from_secret(&SecretString::from(BASE64.encode(&(0..32).collect::<Vec<u8>>())))
                .is_ok()
        );
    }
}
