//! The server's certificate: an operator's own, or one by the installation's authority, kept fresh.

use super::installation;
use crate::config::Config;
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};
use tokio_util::sync::CancellationToken;
use wardroom_core::{
    Clock as _,
    watch::alert::{EXPIRY_NOTICE, Rule, Sighting},
};
use wardroom_engine::Engine;
use wardroom_server::posture::Check;
use wardroom_trust::{
    ambient::SystemClock,
    authority::{Authority, SERVER_TTL, file_ends_at, read_identity},
    tls::ServerCertificate,
};

/// How often files are looked at.
const LOOK: Duration = Duration::from_secs(5);

/// How often ends are looked at.
const WARN: Duration = Duration::from_secs(6 * 3600);

/// The operator's certificate and key files, where they are set.
fn files(config: &Config) -> Option<(PathBuf, PathBuf)> {
    config.path("tls_certificate_file").zip(config.path("tls_key_file"))
}

/// Certificates whose end somebody has to see to: the operator's own, and the installation's authority. What the
/// authority issues is renewed by itself.
fn watched(data: &Path, config: &Config) -> Vec<PathBuf> {
    let own = files(config).map(|(chain, _)| chain);
    own.into_iter().chain([data.join(installation::AUTHORITY_FILE)]).collect()
}

/// How long the certificates are still good for.
pub(crate) fn check(data: &Path, config: &Config) -> Check {
    let title = "Certificates do not end soon";
    let fix = "Put a new certificate into tls_certificate_file and tls_key_file: it is served without a restart. For the authority, make a new installation's and let the nodes join again.";
    let now = SystemClock.now();
    let mut found = vec![];
    let mut good = true;
    for file in watched(data, config) {
        match file_ends_at(&file) {
            Ok(end) => {
                good &= end.since(now) > EXPIRY_NOTICE;
                found.push(format!("{} ends {end}", file.display()));
            }
            Err(error) => {
                good = false;
                found.push(error.to_string());
            }
        }
    }
    Check::demand("N-1", title, good, found.join("; "), fix)
}

/// Gives an alert in time before a certificate ends.
pub(crate) async fn warn(
    engine: Arc<Engine>,
    data: PathBuf,
    config: Config,
    stop: CancellationToken,
) {
    let mut tick = tokio::time::interval(WARN);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = tick.tick() => {}
        }
        for file in watched(&data, &config) {
            let at = engine.now();
            let Ok(end) = file_ends_at(&file) else { continue };
            if end.since(at) > EXPIRY_NOTICE {
                continue;
            }
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            let (rule, subject) = (Rule::Expiring, format!("certificate {name}"));
            let seen = Sighting { rule, subject, detail: format!("it ends {end}"), at };
            if let Err(error) = engine.raise(seen).await {
                tracing::warn!(%error, "that a certificate ends soon could not be told; it is tried again");
            }
        }
    }
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
