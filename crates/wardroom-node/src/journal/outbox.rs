//! Short outputs that wait for their acknowledgement, many in one file: a file for each would cost a
//! sync for each.

use super::Pieces;
use data_encoding::BASE64;
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File, OpenOptions},
    io::{self, BufRead as _, BufReader, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

/// What is recorded is taken out once the file has grown to this, in bytes.
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    run: String,
    output: Vec<(bool, String)>,
}

#[derive(Debug)]
pub(super) struct Outbox {
    path: PathBuf,
    file: File,
    bytes: u64,
    live: BTreeSet<String>,
    /// A write or a sync failed and could not be undone: what the disk has is unknown.
    broken: bool,
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)
}

/// The entries of a file for which `wanted` holds, as they stand; a torn last one is passed over.
fn scan(path: &Path, mut take: impl FnMut(&str, Entry)) -> io::Result<()> {
    let mut reader = BufReader::new(File::open(path)?);
    let mut text = String::new();
    while reader.read_line(&mut text)? > 0 {
        if let Ok(entry) = serde_json::from_str(&text) {
            take(&text, entry);
        }
        text.clear();
    }
    Ok(())
}

impl Outbox {
    /// Opens it; gives the outputs of the runs in `wanted`.
    pub(super) fn open(
        path: PathBuf,
        wanted: &BTreeSet<String>,
    ) -> io::Result<(Self, BTreeMap<String, Pieces>)> {
        let file = open(&path)?;
        let mut found = BTreeMap::new();
        scan(&path, |_, entry| {
            let pieces = entry
                .output
                .into_iter()
                .map(|(stderr, text)| Some((stderr, BASE64.decode(text.as_bytes()).ok()?)));
            if let Some(pieces) = pieces.collect::<Option<Pieces>>()
                && wanted.contains(&entry.run)
            {
                found.insert(entry.run, pieces);
            }
        })?;
        let mut outbox =
            Self { path, file, bytes: 0, live: found.keys().cloned().collect(), broken: false };
        // Also takes a torn end out, which would spoil the next entry.
        outbox.compact()?;
        Ok((outbox, found))
    }

    /// Appends outputs and syncs. After a failure the file is as it was before.
    pub(super) fn append<'a>(
        &mut self,
        outputs: impl Iterator<Item = (&'a str, &'a Pieces)>,
    ) -> io::Result<()> {
        let mut text = String::new();
        let mut runs = Vec::new();
        for (run, output) in outputs.filter(|(_, output)| !output.is_empty()) {
            let output =
                output.iter().map(|(stderr, bytes)| (*stderr, BASE64.encode(bytes))).collect();
            text.push_str(
                &serde_json::to_string(&Entry { run: run.to_owned(), output })
                    .map_err(io::Error::other)?,
            );
            text.push('\n');
            runs.push(run.to_owned());
        }
        if text.is_empty() {
            return Ok(());
        }
        if let Err(error) = self.file.write_all(text.as_bytes()) {
            // A half-written line must not stand before the next one.
            self.broken = self.file.set_len(self.bytes).is_err();
            return Err(error);
        }
        if let Err(error) = self.file.sync_data() {
            self.broken = true;
            return Err(error);
        }
        self.bytes += text.len() as u64;
        self.live.extend(runs);
        Ok(())
    }

    /// Whether what the disk has is unknown, so that nothing may be built on it.
    pub(super) fn is_broken(&self) -> bool {
        self.broken
    }

    /// The output of a run is not needed any more.
    pub(super) fn forget(&mut self, run: &str) {
        if !self.live.remove(run) {
            return;
        }
        let cleaned = if self.live.is_empty() {
            // Nothing is lost by a truncation that a crash undoes: what is not live is passed over.
            self.file.set_len(0).map(|()| self.bytes = 0)
        } else if self.bytes > FILE_BYTES_MAX {
            self.compact()
        } else {
            Ok(())
        };
        if let Err(error) = cleaned {
            tracing::error!(%error, "the outbox could not be cleaned; it goes on growing");
        }
    }

    /// Writes the file anew with what is live.
    fn compact(&mut self) -> io::Result<()> {
        let new = self.path.with_extension("new");
        let mut text = String::new();
        scan(&self.path, |line, entry| {
            if self.live.contains(&entry.run) {
                text.push_str(line.trim_end());
                text.push('\n');
            }
        })?;
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        file.write_all(text.as_bytes())?;
        file.sync_data()?;
        fs::rename(&new, &self.path)?;
        if let Some(folder) = self.path.parent() {
            File::open(folder)?.sync_all()?;
        }
        self.file = open(&self.path)?;
        self.bytes = text.len() as u64;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;

    #[test]
    fn what_is_live_is_found_again_behind_a_torn_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("outbox");
        let (mut outbox, found) = Outbox::open(path.clone(), &BTreeSet::new()).unwrap();
        assert!(found.is_empty());
        let one: Pieces = vec![(false, b"a\0\xff".to_vec()), (true, b"b".to_vec())];
        let two: Pieces = vec![(false, b"c".to_vec())];
        outbox.append([("one", &one), ("two", &two), ("none", &vec![])].into_iter()).unwrap();
        outbox.forget("two");
        fs::OpenOptions::new()
            .append(true)
            .open(&path)
            .unwrap()
            .write_all(b"{\"run\":\"th")
            .unwrap();
        let wanted: BTreeSet<String> = ["one", "three"].map(String::from).into();
        let (mut outbox, found) = Outbox::open(path.clone(), &wanted).unwrap();
        assert_eq!(found, BTreeMap::from([("one".to_owned(), one)]));
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 1);
        outbox.forget("one");
        assert_eq!(fs::metadata(&path).unwrap().len(), 0);
    }
}
