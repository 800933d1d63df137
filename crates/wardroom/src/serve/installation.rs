//! An installation: its folder, its key ring, its database and the keys that are sealed in it.

use crate::{config::Config, is_there};
use anyhow::{Context as _, bail};
use secrecy::SecretString;
use std::{
    fs,
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::Arc,
};
use wardroom_core::{
    Clock as _, Origin, Principal, Rng as _, Role,
    audit::AuditDraft,
    change::{Change, Write},
    hint::HintSink,
    identity::{SealedKey, User, UserState},
    person::Profile,
    store::{PersonKeys, Store, StoreError},
};
use wardroom_engine::{
    hub::Hub,
    people::new_account,
    token_keys::{is_token_seed, new_token_seed, token_seeds},
};
use wardroom_trust::{
    ambient::{SystemClock, SystemRng},
    authority::Authority,
    checkpoint::CheckpointSigner,
    keyring::{self, KeyRing},
    password::{self, PasswordHasher},
    seal::{Sealer, purpose_of_key},
    token_key::TokenKeys,
    vault::Vault,
};
use zeroize::Zeroizing;

/// The first administrator's name.
pub(crate) const ADMIN: &str = "admin";
/// Where the first administrator's password is kept until somebody takes it away.
pub(crate) const PASSWORD_FILE: &str = "admin-password";
/// Keys the blind indexes of what is known of people.
const INDEX_KEY: &str = "index_key";
/// Where clients find the authority's certificate.
pub(crate) const AUTHORITY_FILE: &str = "authority.pem";

/// An installation that was opened.
pub(crate) struct Installation {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) sealer: Arc<Sealer>,
    pub(crate) signer: Arc<CheckpointSigner>,
    pub(crate) authority: Arc<Authority>,
    pub(crate) vault: Arc<Vault>,
    pub(crate) token_keys: Arc<TokenKeys>,
}

/// Whether an installation was begun in this folder.
pub(crate) fn exists(data: &Path, config: &Config) -> bool {
    data.join(keyring::FILE).exists() || (is_given(config) && data.join(AUTHORITY_FILE).exists())
}

/// Refuses a folder that is not there, by name.
pub(crate) fn must_be_there(data: &Path) -> anyhow::Result<()> {
    anyhow::ensure!(
        is_there(data),
        "there is no installation in {}: give its folder with --data or WARDROOM_DATA, or make one with `wardroom init`",
        data.display()
    );
    Ok(())
}

/// Makes the folder, only for its owner, or checks that it is so.
pub(crate) fn private_folder(data: &Path) -> anyhow::Result<()> {
    if !data.exists() {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(data)
            .with_context(|| format!("the data folder {} can't be made", data.display()))?;
    }
    let metadata = fs::metadata(data)
        .with_context(|| format!("the data folder {} can't be looked at", data.display()))?;
    if metadata.mode() & 0o077 != 0 {
        bail!(
            "others may enter the data folder {0} (mode {1:o}): run chmod 700 {0}",
            data.display(),
            metadata.mode() & 0o777
        );
    }
    Ok(())
}

/// Makes a new installation: key ring, database, keys, the first administrator. Gives the file with
/// the administrator's password.
pub(crate) async fn create(data: &Path, config: &Config) -> anyhow::Result<PathBuf> {
    private_folder(data)?;
    let ring = match given_ring(config)? {
        Some(ring) => ring,
        None => KeyRing::create(data, &SystemRng)?,
    };
    let sealer = Arc::new(Sealer::new(ring));
    let options = config.store()?;
    wardroom_store::migrate(&options).await?;
    let store = wardroom_store::open(&options, Arc::new(Hub::default())).await?;
    let now = SystemClock.now();
    let mut tag = [0_u8; 4];
    SystemRng.fill(&mut tag);
    let tag = u32::from_be_bytes(tag);
    let authority = Authority::generate(&format!("Wardroom authority {tag:08x}"), now)?;
    let index = random();
    let keys = [
        ("authority_certificate", authority.certificate().to_vec()),
        ("authority_key", authority.key_pkcs8().to_vec()),
        ("audit_origin", format!("wardroom/{tag:08x}").into_bytes()),
        ("audit_seed", random().to_vec()),
        (INDEX_KEY, index.to_vec()),
    ];
    let password = password::generate(&SystemRng);
    let hasher = PasswordHasher::new(config.password_cost()?, &SystemRng)?;
    let keys_of_people: Arc<dyn PersonKeys> = store.clone();
    let vault = Vault::new(sealer.clone(), keys_of_people, Arc::new(SystemRng), &index);
    let profile = Profile { name: ADMIN.to_owned(), ..Profile::default() };
    let admin = new_account(&vault, &SystemRng, now, profile, Role::Admin).await?;
    let admin = User {
        state: UserState::Active,
        password_hash: hasher.hash(&password, &SystemRng)?,
        // It lies in a file: the first sign-in sets an own one.
        password_temporary: true,
        ..admin
    };
    let audit =
        AuditDraft::event("installation.created", &Principal::System, &Origin::CONSOLE, now)
            .detail("administrator", admin.id);
    let mut change = Change::recorded(audit).write(Write::AddUser(admin));
    change.writes.push(Write::AddSealedKey(new_token_seed(&sealer, &SystemRng, 1, now)?));
    for (name, plain) in keys {
        let sealed = sealer.seal(&purpose_of_key(name), &Zeroizing::new(plain), &SystemRng)?;
        change.writes.push(Write::AddSealedKey(SealedKey {
            name: name.to_owned(),
            sealed,
            created_at: now,
        }));
    }
    match store.commit(change).await {
        Ok(()) => {}
        Err(StoreError::Duplicate(_)) => {
            bail!(
                "the database already belongs to an installation whose key ring is not here: restore {} from your backup",
                keyring::FILE
            )
        }
        Err(error) => return Err(error.into()),
    }
    write_private(&data.join(AUTHORITY_FILE), authority.certificate_pem().as_bytes(), 0o644)?;
    let file = data.join(PASSWORD_FILE);
    use secrecy::ExposeSecret as _;
    write_private(&file, format!("{}\n", password.expose_secret()).as_bytes(), 0o600)?;
    Ok(file)
}

fn random() -> Zeroizing<[u8; 32]> {
    let mut bytes = Zeroizing::new([0_u8; 32]);
    SystemRng.fill(&mut *bytes);
    bytes
}

/// Writes a file whole or not at all.
pub(crate) fn write_private(path: &Path, bytes: &[u8], mode: u32) -> anyhow::Result<()> {
    use std::io::Write as _;
    let beside = path.with_extension("new");
    let _ = fs::remove_file(&beside);
    let written = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(&beside)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&beside, path));
    written.with_context(|| format!("{} can't be written", path.display()))
}

/// Whether the key ring comes from outside the data folder.
fn is_given(config: &Config) -> bool {
    config.text("encryption_key").is_some() || config.path("encryption_key_file").is_some()
}

/// The key ring from a file or the environment, where one of them is set.
fn given_ring(config: &Config) -> anyhow::Result<Option<KeyRing>> {
    let secret = match (config.path("encryption_key_file"), config.text("encryption_key")) {
        (Some(_), Some(_)) => {
            bail!("encryption_key and encryption_key_file are both set: take one away")
        }
        (Some(file), None) => fs::read_to_string(&file)
            .with_context(|| format!("encryption_key_file {} can't be read", file.display()))?,
        (None, Some(text)) => text.to_owned(),
        (None, None) => return Ok(None),
    };
    Ok(Some(KeyRing::from_secret(&SecretString::from(secret))?))
}

/// The key ring of an installation that is there.
pub(crate) fn ring(data: &Path, config: &Config) -> anyhow::Result<KeyRing> {
    match given_ring(config)? {
        Some(ring) => Ok(ring),
        None => Ok(KeyRing::load(data)?),
    }
}

impl Installation {
    /// Opens an installation. Makes nothing: a missing key is an error, never a new key.
    pub(crate) async fn open(data: &Path, config: &Config, hub: Arc<Hub>) -> anyhow::Result<Self> {
        let (store, sealer) = connect(data, config, hub).await?;
        Self::read(store, sealer).await
    }

    /// The same, to be served: one from before gets the keys that it does not have yet.
    pub(crate) async fn open_to_serve(
        data: &Path,
        config: &Config,
        hub: Arc<Hub>,
    ) -> anyhow::Result<Self> {
        let (store, sealer) = connect(data, config, hub).await?;
        add_newer_keys(&*store, &sealer).await?;
        Self::read(store, sealer).await
    }

    async fn read(store: Arc<dyn Store>, sealer: Arc<Sealer>) -> anyhow::Result<Self> {
        let certificate = key(&*store, &sealer, "authority_certificate").await?;
        let authority_key = key(&*store, &sealer, "authority_key").await?;
        let origin = key(&*store, &sealer, "audit_origin").await?;
        let origin =
            String::from_utf8(origin.to_vec()).context("the audit log's name is damaged")?;
        let audit_seed = seed(&*store, &sealer, "audit_seed").await?;
        let index = seed(&*store, &sealer, INDEX_KEY).await?;
        let keys_of_people: Arc<dyn PersonKeys> = store.clone();
        let vault = Vault::new(sealer.clone(), keys_of_people, Arc::new(SystemRng), &index);
        let seeds = token_seeds(&*store, &sealer).await?;
        let token_keys = TokenKeys::new(&seeds).context(
            "the database has no key that signs tokens, or none that the key ring opens: `wardroom serve` makes one where it is from before there were any",
        )?;
        Ok(Self {
            signer: Arc::new(CheckpointSigner::new(&origin, &audit_seed)?),
            authority: Arc::new(Authority::load(certificate.to_vec(), &authority_key)?),
            vault: Arc::new(vault),
            token_keys: Arc::new(token_keys),
            sealer,
            store,
        })
    }
}

/// Adds keys that an installation from before does not have. SECURITY: an index key is never made where
/// something was indexed with one: nobody could be found again.
async fn add_newer_keys(store: &dyn Store, sealer: &Sealer) -> anyhow::Result<()> {
    let now = SystemClock.now();
    let mut change = Change::default();
    if store.lookup_sealed_key(INDEX_KEY).await?.is_none() {
        if store.list_unsealed_users(1).await?.is_empty() {
            bail!(
                "the database has accounts, but the key {INDEX_KEY:?} by which they are found is gone: restore the database from a backup"
            );
        }
        let sealed = sealer.seal(&purpose_of_key(INDEX_KEY), &*random(), &SystemRng)?;
        let key = SealedKey { name: INDEX_KEY.to_owned(), sealed, created_at: now };
        change.writes.push(Write::AddSealedKey(key));
    }
    let keys = store.list_sealed_keys().await?;
    if !keys.iter().any(|key| is_token_seed(&key.name)) {
        let key = new_token_seed(sealer, &SystemRng, 1, now)?;
        change.writes.push(Write::AddSealedKey(key));
    }
    if change.writes.is_empty() {
        return Ok(());
    }
    let made: Vec<&str> = change.writes.iter().filter_map(made).collect();
    let record = AuditDraft::event("installation.keys", &Principal::System, &Origin::CONSOLE, now);
    change.audit.push(record.detail("made", made.join(" ")));
    match store.commit(change).await {
        // Another orchestrator did it at the same moment.
        Ok(()) | Err(StoreError::Duplicate(_)) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// The name of the key that a write makes.
fn made(write: &Write) -> Option<&str> {
    if let Write::AddSealedKey(key) = write { Some(&key.name) } else { None }
}

/// The store and what opens what is sealed in it.
async fn connect(
    data: &Path,
    config: &Config,
    hub: Arc<Hub>,
) -> anyhow::Result<(Arc<dyn Store>, Arc<Sealer>)> {
    private_folder(data)?;
    let sealer = Arc::new(Sealer::new(ring(data, config)?));
    let hints: Arc<dyn HintSink> = hub;
    Ok((wardroom_store::open(&config.store()?, hints).await?, sealer))
}

async fn key(store: &dyn Store, sealer: &Sealer, name: &str) -> anyhow::Result<Zeroizing<Vec<u8>>> {
    let sealed = store
        .lookup_sealed_key(name)
        .await?
        .with_context(|| format!("the database has no key {name:?}: it was never set up; run `wardroom up` or `wardroom init`"))?;
    sealer.open(&purpose_of_key(name), &sealed.sealed).with_context(|| {
        format!("the key {name:?} can't be opened: the key ring is not this database's")
    })
}

async fn seed(
    store: &dyn Store,
    sealer: &Sealer,
    name: &str,
) -> anyhow::Result<Zeroizing<[u8; 32]>> {
    let bytes = key(store, sealer, name).await?;
    let seed: [u8; 32] = bytes
        .as_slice()
        .try_into()
        .ok()
        .with_context(|| format!("the key {name:?} has the wrong length"))?;
    Ok(Zeroizing::new(seed))
}
