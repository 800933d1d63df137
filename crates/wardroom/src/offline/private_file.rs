//! A file that appears only once it is whole, and that only its owner may read.

use crate::client::Failure;
use std::{
    fs::{self, File, OpenOptions},
    io::{BufWriter, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

/// A file that is being written beside its place.
#[derive(Debug)]
pub(crate) struct PrivateFile {
    file: BufWriter<File>,
    temporary: PathBuf,
    path: PathBuf,
    kept: bool,
}

impl PrivateFile {
    /// Begins.
    pub(crate) fn create(path: &Path) -> Result<Self, Failure> {
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}.new", std::process::id()));
        let temporary = path.with_file_name(name);
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary);
        let file = file.map_err(|error| broken(path, &error))?;
        Ok(Self { file: BufWriter::new(file), temporary, path: path.to_owned(), kept: false })
    }

    /// Goes on.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.file.write_all(bytes).map_err(|error| broken(&self.path, &error))
    }

    /// Puts the file in its place.
    pub(crate) fn keep(mut self) -> Result<(), Failure> {
        let kept = self
            .file
            .flush()
            .and_then(|()| self.file.get_ref().sync_all())
            .and_then(|()| fs::rename(&self.temporary, &self.path));
        self.kept = kept.is_ok();
        kept.map_err(|error| broken(&self.path, &error))
    }
}

impl Drop for PrivateFile {
    fn drop(&mut self) {
        if !self.kept {
            let _ = fs::remove_file(&self.temporary);
        }
    }
}

fn broken(path: &Path, error: &std::io::Error) -> Failure {
    Failure::local(format!("{} can't be written: {error}", path.display()))
}
