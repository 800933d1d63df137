//! Following the file while the daemon runs: a sound new list replaces the old one as a whole, a
//! broken one changes nothing but raises an alert.

use super::{AllowList, FileError, read};
use std::{os::unix::fs::MetadataExt as _, path::Path, sync::Arc, time::Duration};
use tokio::sync::watch::{self, Receiver};

/// How often the file is looked at.
const LOOK: Duration = Duration::from_secs(2);

/// The list in force.
#[derive(Debug, Clone, Default)]
pub struct Current {
    /// The list.
    pub list: Arc<AllowList>,
    /// Why the file on disk is not it.
    pub alert: Option<String>,
}

/// Follows `path`, beginning with what it holds now.
pub fn watch(path: &Path) -> Result<Receiver<Current>, FileError> {
    // Before it is read: an edit in between must not go unnoticed.
    let mut seen = stamp(path);
    let first = Current { list: Arc::new(read(path)?), alert: None };
    let (sender, receiver) = watch::channel(first);
    let path = path.to_owned();
    tokio::spawn(async move {
        while !sender.is_closed() {
            tokio::time::sleep(LOOK).await;
            let now = stamp(&path);
            if now == seen {
                continue;
            }
            seen = now;
            match read(&path) {
                Ok(list) => {
                    tracing::info!(digest = list.digest, "the allow-list was read anew");
                    sender.send_replace(Current { list: Arc::new(list), alert: None });
                }
                Err(error) => {
                    tracing::error!(%error, "the new allow-list is not used; the old one stays in force");
                    let alert = format!(
                        "the allow-list on disk is not used, an older one is in force: {error}"
                    );
                    sender.send_modify(|current| current.alert = Some(alert));
                }
            }
        }
    });
    Ok(receiver)
}

/// What changes when the file does.
fn stamp(path: &Path) -> Option<(u64, i64, i64, u64, u32)> {
    let metadata = std::fs::symlink_metadata(path).ok()?;
    Some((
        metadata.ino(),
        metadata.ctime(),
        metadata.ctime_nsec(),
        metadata.size(),
        metadata.mode(),
    ))
}
