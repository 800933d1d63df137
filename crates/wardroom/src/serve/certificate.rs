//! The server's certificate: an operator's own, or one by the installation's authority, kept fresh.

use crate::config::Config;
use std::{
    collections::BTreeSet,
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime},
};
use tokio_util::sync::CancellationToken;
use wardroom_core::Clock as _;
use wardroom_trust::{
    ambient::SystemClock,
    authority::{Authority, SERVER_TTL, read_identity},
    tls::ServerCertificate,
};

/// How often files are looked at.
const LOOK: Duration = Duration::from_secs(5);

/// The operator's certificate and key files, where they are set.
fn files(config: &Config) -> Option<(PathBuf, PathBuf)> {
    config.path("tls_certificate_file").zip(config.path("tls_key_file"))
}

/// The certificate to start with.
pub(crate) fn obtain(
    config: &Config,
    authority: &Authority,
    names: &BTreeSet<String>,
) -> anyhow::Result<Arc<ServerCertificate>> {
    let identity = match files(config) {
        Some((chain, key)) => read_identity(&chain, &key)?,
        None => authority.issue(&names.iter().cloned().collect::<Vec<_>>(), SystemClock.now())?,
    };
    Ok(ServerCertificate::new(identity)?)
}

/// Exchanges the certificate when its files change, or when two thirds of its time are over.
pub(crate) async fn keep_fresh(
    certificate: Arc<ServerCertificate>,
    config: Config,
    authority: Arc<Authority>,
    names: Vec<String>,
    stop: CancellationToken,
) {
    let changed =
        |path: &PathBuf| std::fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
    let files = files(&config);
    let look =
        |files: &Option<(PathBuf, PathBuf)>| -> Option<(Option<SystemTime>, Option<SystemTime>)> {
            files.as_ref().map(|(chain, key)| (changed(chain), changed(key)))
        };
    let mut seen = look(&files);
    let mut issued = SystemClock.now();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(LOOK) => {}
        }
        let fresh = match &files {
            Some((chain, key)) => {
                let now = look(&files);
                if now == seen {
                    continue;
                }
                seen = now;
                read_identity(chain, key)
            }
            None if SystemClock.now().since(issued) > SERVER_TTL * 2 / 3 => {
                issued = SystemClock.now();
                authority.issue(&names, issued)
            }
            None => continue,
        };
        match fresh.and_then(|identity| certificate.replace(identity)) {
            Ok(()) => tracing::info!("the server's certificate was exchanged"),
            Err(error) => {
                tracing::error!(%error, "the new certificate is not used; the old one stays")
            }
        }
    }
}
