//! The key ring's file: watched while the orchestrator serves, so that a new key seals without a restart; and what
//! `wardroom keys` does to it.

use super::installation::{self, Installation};
use crate::{config::Config, say};
use anyhow::{Context as _, bail};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};
use tokio_util::sync::CancellationToken;
use wardroom_engine::hub::Hub;
use wardroom_trust::{ambient::SystemRng, keyring, seal::Sealer, token_key::KEPT_MAX};

/// How often the file is looked at.
const LOOK: Duration = Duration::from_secs(2);

/// The ring's file, where it is one.
fn file(data: &Path, config: &Config) -> Option<PathBuf> {
    match (config.path("encryption_key_file"), config.text("encryption_key")) {
        (Some(file), _) => Some(file),
        (None, Some(_)) => None,
        (None, None) => Some(data.join(keyring::FILE)),
    }
}

/// Takes a changed ring over. One that can't be read, or that lacks a key that is in use, is not taken.
pub(crate) async fn follow(
    sealer: Arc<Sealer>,
    data: PathBuf,
    config: Config,
    stop: CancellationToken,
) {
    let Some(path) = file(&data, &config) else { return };
    let changed = || -> Option<SystemTime> { std::fs::metadata(&path).ok()?.modified().ok() };
    let mut seen = changed();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(LOOK) => {}
        }
        let now = changed();
        if now == seen {
            continue;
        }
        seen = now;
        match installation::ring(&data, &config) {
            Ok(ring) if !sealer.agrees_with(&ring) => {
                tracing::error!(
                    "the new key ring has another key under a known number; the one before stays"
                )
            }
            Ok(ring) if ring.ids().contains(&sealer.current()) => {
                tracing::info!(current = ring.current(), "the key ring was taken over");
                sealer.replace(ring);
            }
            Ok(_) => {
                tracing::error!("the new key ring lacks the key that seals; the one before stays")
            }
            Err(error) => tracing::error!(
                error = format!("{error:#}"),
                "the new key ring is not taken; the one before stays"
            ),
        }
    }
}

/// What is renewed.
#[derive(Debug, Clone, Copy)]
pub(crate) enum What {
    /// The key that seals.
    Sealing,
    /// The keys of people and customers.
    People,
    /// The keys that sign tokens.
    Tokens,
}

/// Adds a key, which seals from now on; or has people be given others, or tokens be signed by another.
pub(crate) async fn rotate(data: &Path, config: &Config, what: What) -> anyhow::Result<()> {
    installation::must_be_there(data)?;
    let Some(path) = file(data, config) else {
        bail!(
            "the key comes from the environment: put it into a file that encryption_key_file names, then it can be renewed"
        );
    };
    let ring = installation::ring(data, config)?;
    match what {
        What::Sealing => {
            let ring = ring.with_new_key(&SystemRng)?;
            ring.replace(&path)?;
            say(&format!(
                "Key {} seals from now on. What older keys sealed is sealed anew while the orchestrator runs, which takes it over within seconds: wardroom security keys. Back up {} now; the keys of before open old backups.",
                ring.current(),
                path.display()
            ))
        }
        What::People => {
            let ring = ring.with_new_people()?;
            ring.replace(&path)?;
            say(&format!(
                "People and customers get keys of generation {}, and what is known of them is sealed anew, while the orchestrator runs: wardroom security keys. Their older keys stay: the audit log and what runs printed keep what was sealed under them.",
                ring.people()
            ))
        }
        What::Tokens => {
            let open = Installation::open(data, config, Arc::new(Hub::default())).await?;
            let kept = open.token_keys.numbers();
            if kept.len() >= KEPT_MAX {
                bail!(
                    "there are {KEPT_MAX} keys already whose tokens are still good: wait an hour, then try again"
                );
            }
            let wanted = ring.tokens().max(kept.first().copied().unwrap_or_default());
            let ring = ring.with_tokens(wanted.saturating_add(1));
            ring.replace(&path)?;
            say(&format!(
                "Key {} signs tokens five minutes after the orchestrator made it: wardroom security keys. The one before goes when what it signed has ended, an hour later.",
                ring.tokens()
            ))
        }
    }
}

/// Takes an old key out, when nothing is sealed under it any more.
pub(crate) async fn retire(data: &Path, config: &Config, id: u32) -> anyhow::Result<()> {
    installation::must_be_there(data)?;
    let Some(path) = file(data, config) else {
        bail!("the key comes from the environment: take it out there");
    };
    let open = Installation::open(data, config, Arc::new(Hub::default())).await?;
    let ring = installation::ring(data, config)?;
    let current = ring.current();
    let left = open.store.count_sealed_otherwise(current).await?
        + open.store.count_wrapped_otherwise(current).await?;
    if left > 0 {
        bail!(
            "{left} values are still sealed under an older key: let the orchestrator run until `wardroom security keys` says that none is left"
        );
    }
    let ring = ring
        .without(id)
        .with_context(|| format!("key {id} is not there, or is the one that seals"))?;
    ring.replace(&path)?;
    say(&format!(
        "Key {id} is out of the ring. Backups from before need it: keep an old copy of the ring with them, apart."
    ))
}
