//! Keys of providers: named in settings, read when they are used, shown to nobody else.

use secrecy::SecretString;
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use wardroom_core::{
    Clock, Timestamp,
    model::{ModelFailure, ModelFailureKind as Kind},
    store::Store,
};
use wardroom_trust::seal::{Sealer, purpose_of_secret};

/// After how long a key is read anew: one that was renewed is used from then on.
const READ_ANEW: Duration = Duration::from_secs(10);

/// Reads a key out of a file or the environment. SECURITY: what it says of its failure has no part of the key in it.
pub type ReadKey = Arc<dyn Fn() -> Result<SecretString, String> + Send + Sync>;

/// Where a provider's key comes from.
#[derive(Clone)]
pub enum KeySource {
    /// It needs none.
    Nothing,
    /// A file, or the environment.
    Outside(ReadKey),
    /// A named secret.
    Secret(String),
}

/// Reads named secrets.
#[derive(Clone)]
pub struct Keys {
    /// Where they are kept.
    pub store: Arc<dyn Store>,
    /// Opens them.
    pub sealer: Arc<Sealer>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// A provider's key, kept for a moment.
pub(super) struct Key {
    source: KeySource,
    keys: Keys,
    held: Mutex<Option<(Timestamp, Arc<SecretString>)>>,
}

impl Key {
    pub(super) fn new(source: KeySource, keys: Keys) -> Self {
        Self { source, keys, held: Mutex::default() }
    }

    /// The key as it is now; nothing where none is needed.
    pub(super) async fn get(&self) -> Result<Option<Arc<SecretString>>, ModelFailure> {
        let now = self.keys.clock.now();
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((read_at, key)) = held
            && now < read_at.plus(READ_ANEW)
        {
            return Ok(Some(key));
        }
        let no = |why: String| ModelFailure::new(Kind::Unauthorised, why);
        let key = match &self.source {
            KeySource::Nothing => return Ok(None),
            KeySource::Outside(read) => read().map_err(no)?,
            KeySource::Secret(name) => self.secret(name).await?,
        };
        let key = Arc::new(key);
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = Some((now, Arc::clone(&key)));
        Ok(Some(key))
    }

    /// A key that was not taken is read anew the next time.
    pub(super) fn forget(&self) {
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    async fn secret(&self, name: &str) -> Result<SecretString, ModelFailure> {
        let inside = |error: String| {
            ModelFailure::new(Kind::Unauthorised, format!("its key can't be read: {error}"))
        };
        let version = self.keys.store.lookup_secret_version(name).await;
        let version = version.map_err(|error| inside(error.to_string()))?.ok_or_else(|| {
            ModelFailure::new(Kind::Unauthorised, format!("there is no secret {name:?}"))
        })?;
        let purpose = purpose_of_secret(&version.name, version.number);
        let plain = self.keys.sealer.open(&purpose, &version.sealed);
        let plain = plain.map_err(|error| inside(error.to_string()))?;
        Ok(SecretString::from(String::from_utf8_lossy(&plain).trim()))
    }
}
