//! Reading the file: only if nobody else could have written it.

use super::{AllowList, Mistake, parse};
use std::{
    fs,
    io::{self, Read as _},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

/// The largest allow-list, in bytes.
pub const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// Why an allow-list is not used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It can't be read.
    #[error("{path} can't be read")]
    Io {
        /// Where it is.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// Somebody else could have written it.
    #[error("{path} is not trusted: {reason}")]
    Trust {
        /// What is not trusted.
        path: PathBuf,
        /// Why, and what to do.
        reason: String,
    },
    /// It has mistakes.
    #[error("{path} is not valid (mistakes: {}); `wardroom-node check {path}` names them", mistakes.len())]
    Mistakes {
        /// Where it is.
        path: PathBuf,
        /// All of them.
        mistakes: Vec<Mistake>,
    },
}

/// Reads and checks the file.
pub fn read(path: &Path) -> Result<AllowList, FileError> {
    let io = |source| FileError::Io { path: path.to_owned(), source };
    let link = fs::symlink_metadata(path).map_err(io)?;
    if !link.is_file() {
        return Err(trust(path, "it is not a regular file (a symbolic link is not followed)"));
    }
    let mut file = fs::File::open(path).map_err(io)?;
    // What was opened is what is checked, whatever happens to the name.
    check_owner(path, &file.metadata().map_err(io)?)?;
    let folder =
        path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let metadata = fs::metadata(folder).map_err(io)?;
    // A sticky folder such as /tmp lets others add files, but not replace ours.
    if metadata.mode() & 0o1000 == 0 {
        check_owner(folder, &metadata)?;
    }
    let mut text = String::new();
    let length = file.by_ref().take(FILE_BYTES_MAX + 1).read_to_string(&mut text).map_err(io)?;
    if length as u64 > FILE_BYTES_MAX {
        return Err(trust(path, "it is larger than 1 MiB"));
    }
    parse(&text).map_err(|mistakes| FileError::Mistakes { path: path.to_owned(), mistakes })
}

fn trust(path: &Path, reason: impl Into<String>) -> FileError {
    FileError::Trust { path: path.to_owned(), reason: reason.into() }
}

fn check_owner(path: &Path, metadata: &fs::Metadata) -> Result<(), FileError> {
    let own = rustix::process::geteuid().as_raw();
    if metadata.uid() != 0 && metadata.uid() != own {
        return Err(trust(
            path,
            format!("it belongs to user {}: run chown root {}", metadata.uid(), path.display()),
        ));
    }
    if metadata.mode() & 0o022 != 0 {
        return Err(trust(path, format!("others may write it: run chmod go-w {}", path.display())));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_file_that_others_may_write_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("commands.toml");
        fs::write(&path, super::super::SAMPLE).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        read(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o664)).unwrap();
        assert!(matches!(read(&path), Err(FileError::Trust { .. })));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let link = folder.path().join("link.toml");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert!(matches!(read(&link), Err(FileError::Trust { .. })));
    }
}
