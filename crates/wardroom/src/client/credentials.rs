//! What `login` keeps for the commands after it: one file that only its owner may read.

use super::Failure;
use rustix::process::geteuid;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{ErrorKind, Read, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

/// The largest file that is read, in bytes.
const FILE_BYTES_MAX: u64 = 64 * 1024;

/// What is kept.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Credentials {
    /// The orchestrator.
    pub(crate) server: String,
    /// The authority's certificate, an absolute path.
    #[serde(default)]
    pub(crate) ca: Option<PathBuf>,
    /// Who signed in.
    pub(crate) name: String,
    /// The session's access token.
    pub(crate) token: SecretString,
    /// What the next pair of tokens is asked for with.
    pub(crate) refresh: SecretString,
    /// When the session ends.
    pub(crate) expires_at: String,
}

/// The file's form; apart from [`Credentials`] so that only [`save`] can write a token down.
#[derive(Serialize)]
struct Written<'a> {
    server: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    ca: Option<&'a Path>,
    name: &'a str,
    token: &'a str,
    refresh: &'a str,
    expires_at: &'a str,
}

/// Reads the file; `None` when there is none.
pub(crate) fn load(path: &Path) -> Result<Option<Credentials>, Failure> {
    let broken = |reason: String| {
        Failure::usage(format!("{} can't be used: {reason}", path.display()))
            .advice("Remove it and sign in again with `wardroom login`.")
    };
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(broken(error.to_string())),
    };
    let about = file.metadata().map_err(|error| broken(error.to_string()))?;
    // SECURITY: looked at through the open file, so that it can't be exchanged in between. A file that
    // others may read has told the token already; one that others own may name their server.
    if !about.is_file() || about.uid() != geteuid().as_raw() {
        return Err(broken("it is not a regular file of yours".to_owned()));
    }
    if about.mode() & 0o077 != 0 {
        return Err(broken(
            "others may read or write it, so its token is not secret any more".to_owned(),
        )
        .advice("Revoke the token as well: `wardroom logout --everywhere`."));
    }
    let mut text = String::new();
    Read::by_ref(&mut file)
        .take(FILE_BYTES_MAX)
        .read_to_string(&mut text)
        .map_err(|error| broken(error.to_string()))?;
    // The parser's own message would repeat the line, and with it perhaps the token.
    toml::from_str(&text)
        .map(Some)
        .map_err(|_| broken("it is not of the form that `login` writes".to_owned()))
}

/// Keeps other commands of this user from refreshing the session at the same time, until it is dropped: its
/// refresh token is good once.
pub(crate) fn lock(path: &Path) -> Result<File, Failure> {
    let path = path.with_extension("lock");
    let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path);
    file.and_then(|file| file.lock().map(|()| file))
        .map_err(|error| Failure::local(format!("{} can't be locked: {error}", path.display())))
}

/// Writes the file, wholly or not at all.
pub(crate) fn save(path: &Path, credentials: &Credentials) -> Result<(), Failure> {
    let written = Written {
        server: &credentials.server,
        ca: credentials.ca.as_deref(),
        name: &credentials.name,
        token: credentials.token.expose_secret(),
        refresh: credentials.refresh.expose_secret(),
        expires_at: &credentials.expires_at,
    };
    let text = toml::to_string(&written)
        .map_err(|error| Failure::local(format!("the credentials can't be written: {error}")))?;
    write_private(path, text.as_bytes())
}

/// Writes a file that only its owner may read, wholly or not at all.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let broken = |error: std::io::Error| {
        Failure::local(format!("{} can't be written: {error}", path.display()))
    };
    let folder =
        path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !folder.exists() {
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(broken)?;
    }
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let temporary = folder.join(name);
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&temporary)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    written.map_err(broken)
}

/// Removes the file; one that is not there is removed already.
pub(crate) fn remove(path: &Path) -> Result<(), Failure> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(Failure::local(format!("{} can't be removed: {error}", path.display())))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn some() -> Credentials {
        Credentials {
            server: "https://localhost:4000".into(),
            ca: None,
            name: "ada".into(),
            token: SecretString::from("secret-text"),
            refresh: SecretString::from("refresh-text"),
            expires_at: "2026-01-01T00:00:00Z".into(),
        }
    }

    #[test]
    fn a_kept_file_is_private_and_reads_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/wardroom/credentials.toml");
        assert!(load(&path).unwrap().is_none());
        save(&path, &some()).unwrap();
        save(&path, &some()).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
        assert_eq!(fs::metadata(path.parent().unwrap()).unwrap().mode() & 0o7777, 0o700);
        assert_eq!(
            fs::read_dir(path.parent().unwrap()).unwrap().count(),
            1,
            "nothing is left beside it"
        );
        let read = load(&path).unwrap().unwrap();
        assert_eq!((read.name.as_str(), read.token.expose_secret()), ("ada", "secret-text"));
        drop(lock(&path).unwrap());
        remove(&path).unwrap();
        remove(&path).unwrap();
        assert!(load(&path).unwrap().is_none());
    }

    #[test]
    fn a_file_that_others_may_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("credentials.toml");
        save(&path, &some()).unwrap();
        for mode in [0o640, 0o604, 0o620] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let failure = load(&path).unwrap_err();
            assert!(failure.what.contains("others may read"), "{failure:?}");
        }
    }

    #[test]
    fn a_broken_file_is_not_repeated() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("credentials.toml");
        write_private(&path, b"token = \"secret-text\"\nnonsense").unwrap();
        let failure = load(&path).unwrap_err();
        assert!(!format!("{failure:?}").contains("secret-text"));
    }
}
