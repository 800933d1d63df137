//! The folder beneath which every run has its own.

use crate::sandbox::RunAs;
use anyhow::Context as _;
use rustix::fs::{AtFlags, FlockOperation, Mode, OFlags, fchown, flock, mkdirat, openat, statat};
use std::{
    fs::{self, File},
    io,
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

/// The folder, held open.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
    folder: File,
}

impl Scratch {
    /// Opens the folder of `node`, making it where it is missing, and empties it of what an earlier
    /// process left there: that belongs to runs that are over. A root daemon needs one that the commands'
    /// user can walk through; its own folder `data` is closed to that user.
    pub fn open(data: &Path, node: &str) -> anyhow::Result<Self> {
        let root = rustix::process::geteuid().is_root();
        let (path, mode) = if root {
            (PathBuf::from(format!("/var/tmp/wardroom-{node}")), 0o711)
        } else {
            (data.join("scratch"), 0o700)
        };
        match fs::DirBuilder::new().mode(mode).create(&path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error.into()),
            _ => {}
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let folder = rustix::fs::open(&path, flags, Mode::empty())
            .with_context(|| format!("{} can't be opened", path.display()))?;
        let folder = File::from(folder);
        let found = folder.metadata()?;
        // SECURITY: anybody may have made something of this name in a folder that is open to all.
        anyhow::ensure!(
            found.uid() == rustix::process::geteuid().as_raw() && found.mode() & 0o022 == 0,
            "{} is not this node's: remove it",
            path.display()
        );
        folder.set_permissions(fs::Permissions::from_mode(mode))?;
        // What cleans up temporary folders leaves locked ones alone (systemd tmpfiles.d(5)).
        flock(&folder, FlockOperation::NonBlockingLockShared)?;
        for entry in fs::read_dir(&path)?.flatten() {
            remove_all(&entry.path());
        }
        Ok(Self { path, folder })
    }

    /// Makes the folder of a run, which only `run_as` may enter.
    pub fn make(&self, name: &str, run_as: RunAs) -> anyhow::Result<PathBuf> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let path = self.path.join(name);
        let (own, now) = (self.folder.metadata()?, fs::symlink_metadata(&self.path)?);
        // SECURITY: by its name somebody else's folder could be meant by now.
        anyhow::ensure!(
            (own.dev(), own.ino()) == (now.dev(), now.ino()),
            "{} was removed: start the node again",
            self.path.display()
        );
        mkdirat(&self.folder, name, Mode::RWXU).with_context(|| path.display().to_string())?;
        if rustix::process::geteuid().is_root() {
            let made = openat(&self.folder, name, flags, Mode::empty())?;
            let (uid, gid) =
                (rustix::fs::Uid::from_raw(run_as.uid), rustix::fs::Gid::from_raw(run_as.gid));
            fchown(&made, Some(uid), Some(gid))?;
        }
        Ok(path)
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Removes the folder of a run, beside the daemon's own work: a program may leave much in it.
    pub async fn remove(&self, path: PathBuf) {
        let removing = tokio::task::spawn_blocking(move || remove_all(&path));
        let _ = removing.await;
    }
}

/// Removes a tree, also one whose folders were closed by their owner.
fn remove_all(path: &Path) {
    if fs::remove_dir_all(path).is_ok() {
        return;
    }
    open_up(path);
    if let Err(error) = fs::remove_dir_all(path) {
        tracing::warn!(%error, folder = %path.display(), "a run's folder could not be removed");
    }
}

/// Opens every folder of a tree to its owner; links are left alone.
fn open_up(path: &Path) {
    let mut folders = vec![path.to_owned()];
    while let Some(folder) = folders.pop() {
        let kind = statat(rustix::fs::CWD, &folder, AtFlags::SYMLINK_NOFOLLOW);
        let is_folder = kind.is_ok_and(|found| {
            rustix::fs::FileType::from_raw_mode(found.st_mode) == rustix::fs::FileType::Directory
        });
        if is_folder && fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).is_ok() {
            let entries = fs::read_dir(&folder).into_iter().flatten().flatten();
            folders.extend(entries.map(|entry| entry.path()));
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn what_was_closed_goes_as_well_and_a_folder_that_was_put_there_is_not_used() {
        let data = tempfile::tempdir().unwrap();
        let node = format!("test-{}", std::process::id());
        let run_as = RunAs { uid: 65_534, gid: 65_534 };
        let scratch = Scratch::open(data.path(), &node).unwrap();
        let made = scratch.make("run.1", run_as).unwrap();
        fs::create_dir(made.join("closed")).unwrap();
        fs::write(made.join("closed/file"), "x").unwrap();
        fs::set_permissions(made.join("closed"), fs::Permissions::from_mode(0o000)).unwrap();
        remove_all(&made);
        assert!(!made.exists());
        let path = scratch.path().to_owned();
        fs::rename(&path, path.with_extension("old")).unwrap();
        fs::create_dir(&path).unwrap();
        assert!(scratch.make("run.2", run_as).is_err());
        for left in [path.with_extension("old"), path] {
            remove_all(&left);
        }
    }
}
