//! A run's output until the orchestrator has it: in memory and the journal while it is short, in a
//! file of its own when it is long.

use crate::journal::INLINE_BYTES_MAX;
use data_encoding::BASE64;
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Before each piece in the file: its length (4, little-endian) and whether it is on standard error.
const HEAD_BYTES: u64 = 5;

/// The pieces, in order.
#[derive(Debug)]
pub struct Output {
    path: PathBuf,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    /// All pieces while they are few bytes; empty once they are in the file.
    inline: Vec<(bool, Vec<u8>)>,
    inline_bytes: usize,
    file: Option<File>,
    /// Where each piece begins in the file, its length and its stream.
    index: Vec<(u64, u32, bool)>,
    end: u64,
}

impl Output {
    /// Nothing so far; a long output goes to `folder`.
    pub fn new(folder: &Path, run: &str) -> Self {
        Self { path: folder.join(format!("{run}.output")), kept: Mutex::default() }
    }

    /// What an earlier process kept: the short pieces from the journal, or `chunks` in the file.
    pub fn found(
        folder: &Path,
        run: &str,
        chunks: u32,
        short: &[(bool, String)],
    ) -> io::Result<Self> {
        let output = Self::new(folder, run);
        {
            let mut kept = output.lock();
            if chunks as usize == short.len() {
                for (stderr, text) in short {
                    let bytes = BASE64.decode(text.as_bytes()).map_err(io::Error::other)?;
                    kept.inline.push((*stderr, bytes));
                }
            } else {
                kept.reopen(&output.path, chunks)?;
            }
        }
        Ok(output)
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps one more piece.
    pub fn push(&self, stderr: bool, bytes: Vec<u8>) -> io::Result<()> {
        let mut kept = self.lock();
        if kept.file.is_none() && kept.inline_bytes + bytes.len() <= INLINE_BYTES_MAX {
            kept.inline_bytes += bytes.len();
            kept.inline.push((stderr, bytes));
            return Ok(());
        }
        if kept.file.is_none() {
            let file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&self.path)?;
            kept.file = Some(file);
            for (stderr, bytes) in std::mem::take(&mut kept.inline) {
                kept.append(stderr, &bytes)?;
            }
        }
        kept.append(stderr, &bytes)
    }

    /// How many pieces there are.
    pub fn chunks(&self) -> u32 {
        let kept = self.lock();
        u32::try_from(kept.inline.len().max(kept.index.len())).unwrap_or(u32::MAX)
    }

    /// The piece `number`, in base64, if it is there.
    pub fn piece(&self, number: u32) -> io::Result<Option<(bool, String)>> {
        let mut kept = self.lock();
        if let Some((stderr, bytes)) = kept.inline.get(number as usize) {
            return Ok(Some((*stderr, BASE64.encode(bytes))));
        }
        let Some(&(at, length, stderr)) = kept.index.get(number as usize) else { return Ok(None) };
        let end = kept.end;
        let Some(file) = &mut kept.file else { return Ok(None) };
        let mut bytes = vec![0; length as usize];
        file.seek(SeekFrom::Start(at))?;
        file.read_exact(&mut bytes)?;
        file.seek(SeekFrom::Start(end))?;
        Ok(Some((stderr, BASE64.encode(&bytes))))
    }

    /// Makes it durable; gives what is short enough for the journal.
    pub fn seal(&self) -> io::Result<Vec<(bool, String)>> {
        let kept = self.lock();
        if let Some(file) = &kept.file {
            file.sync_all()?;
        }
        Ok(kept.inline.iter().map(|(stderr, bytes)| (*stderr, BASE64.encode(bytes))).collect())
    }

    /// Removes the file.
    pub fn remove(&self) {
        if self.lock().file.take().is_some() {
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl Kept {
    fn append(&mut self, stderr: bool, bytes: &[u8]) -> io::Result<()> {
        let length = u32::try_from(bytes.len()).map_err(io::Error::other)?;
        let Some(file) = &mut self.file else {
            return Err(io::Error::other("the file is not open"));
        };
        let mut framed = Vec::with_capacity(bytes.len() + 5);
        framed.extend_from_slice(&length.to_le_bytes());
        framed.push(u8::from(stderr));
        framed.extend_from_slice(bytes);
        file.write_all(&framed)?;
        self.index.push((self.end + HEAD_BYTES, length, stderr));
        self.end += framed.len() as u64;
        Ok(())
    }

    fn reopen(&mut self, path: &Path, chunks: u32) -> io::Result<()> {
        let mut file = OpenOptions::new().read(true).write(true).open(path)?;
        let length = file.metadata()?.len();
        while self.index.len() < chunks as usize {
            let mut head = [0; 5];
            file.read_exact(&mut head)?;
            let [a, b, c, d, stderr] = head;
            let bytes = u32::from_le_bytes([a, b, c, d]);
            let at = self.end + HEAD_BYTES;
            self.end = at + u64::from(bytes);
            if self.end > length {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.index.push((at, bytes, stderr != 0));
            file.seek(SeekFrom::Start(self.end))?;
        }
        self.file = Some(file);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn long_output_survives_a_restart_piece_by_piece() {
        let folder = tempfile::tempdir().unwrap();
        let output = Output::new(folder.path(), "run");
        let pieces: Vec<(bool, Vec<u8>)> =
            (0..10_u8).map(|at| (at % 2 == 0, vec![at; 4096])).collect();
        for (stderr, bytes) in &pieces {
            output.push(*stderr, bytes.clone()).unwrap();
        }
        let short = output.seal().unwrap();
        assert!(short.is_empty() && output.chunks() == 10);
        let again = Output::found(folder.path(), "run", 10, &short).unwrap();
        for (at, (stderr, bytes)) in pieces.iter().enumerate() {
            let piece = again.piece(u32::try_from(at).unwrap()).unwrap().unwrap();
            assert_eq!(piece, (*stderr, BASE64.encode(bytes)));
        }
        assert_eq!(again.piece(10).unwrap(), None);
    }
}
