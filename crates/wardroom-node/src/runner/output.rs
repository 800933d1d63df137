//! A run's output until the orchestrator has it: in memory and the outbox while it is short, in a
//! file of its own when it is long.

use crate::journal::{INLINE_BYTES_MAX, Pieces};
use data_encoding::BASE64;
use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::{FileExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use wardroom_wire::link::CHUNK_BYTES_MAX;

/// Before each piece in the file: its length (4, little-endian) and whether it is on standard error.
const HEAD_BYTES: u64 = 5;
/// The place of every so many pieces is kept in memory; the ones between are found by their heads.
const MARK_EVERY: u32 = 64;

/// The pieces, in order.
#[derive(Debug)]
pub struct Output {
    path: PathBuf,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    /// All pieces while they are few bytes; empty once they are in the file.
    inline: Pieces,
    inline_bytes: usize,
    file: Option<Arc<File>>,
    /// Where each [`MARK_EVERY`]th piece begins in the file.
    marks: Vec<u64>,
    /// The piece after the one that was read last, and where it begins.
    next: (u32, u64),
    count: u32,
    end: u64,
}

impl Output {
    /// Nothing so far; a long output goes to `folder`.
    pub fn new(folder: &Path, run: &str) -> Self {
        Self { path: folder.join(run).with_extension("output"), kept: Mutex::default() }
    }

    /// What an earlier process kept: the short pieces, or `chunks` in the file.
    pub fn found(
        folder: &Path,
        run: &str,
        chunks: u32,
        in_file: bool,
        short: Pieces,
    ) -> io::Result<Self> {
        let output = Self::new(folder, run);
        if in_file {
            output.lock().reopen(&output.path, chunks)?;
        } else if short.len() == chunks as usize {
            output.lock().inline = short;
        } else {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "pieces are missing in the outbox",
            ));
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
            let told = kept.next.0 > 0;
            match kept.inline.last_mut() {
                // Small pieces become one while nobody has been told of the one before.
                Some((last, piece)) if *last == stderr && !told => piece.extend_from_slice(&bytes),
                _ => kept.inline.push((stderr, bytes)),
            }
            return Ok(());
        }
        if kept.file.is_none() {
            let mut options = OpenOptions::new();
            options.read(true).write(true).create(true).truncate(true).mode(0o600);
            let file = options.open(&self.path)?;
            // Moved as a whole or not at all: somebody may have been told of the pieces.
            let mut moved = Kept { file: Some(Arc::new(file)), ..Kept::default() };
            for (stderr, bytes) in &kept.inline {
                moved.append(*stderr, bytes)?;
            }
            *kept = moved;
        }
        kept.append(stderr, &bytes)
    }

    /// How many pieces there are.
    pub fn chunks(&self) -> u32 {
        let kept = self.lock();
        u32::try_from(kept.inline.len()).unwrap_or(u32::MAX).max(kept.count)
    }

    /// Whether they are in a file.
    pub fn in_file(&self) -> bool {
        self.lock().file.is_some()
    }

    /// The piece `number`, in base64, if it is there.
    pub fn piece(&self, number: u32) -> io::Result<Option<(bool, String)>> {
        let mut kept = self.lock();
        if let Some((stderr, bytes)) = kept.inline.get(number as usize) {
            let piece = (*stderr, BASE64.encode(bytes));
            kept.next.0 = kept.next.0.max(number + 1);
            return Ok(Some(piece));
        }
        if number >= kept.count {
            return Ok(None);
        }
        kept.read(number)
    }

    /// What is short enough for the outbox; empty where it is in a file.
    pub fn short(&self) -> Pieces {
        self.lock().inline.clone()
    }

    /// Makes a long output durable, without holding the daemon up.
    pub async fn sync(&self) -> io::Result<()> {
        let Some(file) = self.lock().file.clone() else { return Ok(()) };
        let folder = self.path.parent().map(Path::to_owned).unwrap_or_default();
        let synced = tokio::task::spawn_blocking(move || {
            file.sync_data().and_then(|()| File::open(folder)?.sync_all())
        });
        synced.await.map_err(io::Error::other)?
    }

    /// Removes the file.
    pub fn remove(&self) {
        if self.lock().file.take().is_some()
            && let Err(error) = fs::remove_file(&self.path)
        {
            tracing::warn!(%error, path = %self.path.display(), "a recorded output could not be removed");
        }
    }
}

impl Kept {
    fn append(&mut self, stderr: bool, bytes: &[u8]) -> io::Result<()> {
        let length = u32::try_from(bytes.len()).map_err(io::Error::other)?;
        let Some(file) = &self.file else { return Err(io::Error::other("the file is not open")) };
        let mut framed = Vec::with_capacity(bytes.len() + 5);
        framed.extend_from_slice(&length.to_le_bytes());
        framed.push(u8::from(stderr));
        framed.extend_from_slice(bytes);
        // At its place, so that a half-written piece of a full disk is overwritten by the next.
        file.write_all_at(&framed, self.end)?;
        self.counted(self.end + framed.len() as u64);
        Ok(())
    }

    /// There is one more piece, which ends at `end`.
    fn counted(&mut self, end: u64) {
        if self.count.is_multiple_of(MARK_EVERY) {
            self.marks.push(self.end);
        }
        self.count += 1;
        self.end = end;
    }

    /// Length and stream of the piece that begins at `at`.
    fn head(&self, at: u64) -> io::Result<(u32, bool)> {
        let file = self.file.as_ref().ok_or_else(|| io::Error::other("the file is not open"))?;
        let mut head = [0; 5];
        file.read_exact_at(&mut head, at)?;
        let [a, b, c, d, stderr] = head;
        let length = u32::from_le_bytes([a, b, c, d]);
        if length as usize > CHUNK_BYTES_MAX {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the kept output is damaged"));
        }
        Ok((length, stderr != 0))
    }

    fn read(&mut self, number: u32) -> io::Result<Option<(bool, String)>> {
        let mark = (number / MARK_EVERY) as usize;
        let (mut at, mut from) = match self.next {
            (next, place) if next == number => (place, number),
            _ => (self.marks.get(mark).copied().unwrap_or(0), number - number % MARK_EVERY),
        };
        while from < number {
            at += HEAD_BYTES + u64::from(self.head(at)?.0);
            from += 1;
        }
        let (length, stderr) = self.head(at)?;
        let mut bytes = vec![0; length as usize];
        let file = self.file.as_ref().ok_or_else(|| io::Error::other("the file is not open"))?;
        file.read_exact_at(&mut bytes, at + HEAD_BYTES)?;
        self.next = (number + 1, at + HEAD_BYTES + u64::from(length));
        Ok(Some((stderr, BASE64.encode(&bytes))))
    }

    fn reopen(&mut self, path: &Path, chunks: u32) -> io::Result<()> {
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        let length = file.metadata()?.len();
        self.file = Some(Arc::new(file));
        while self.count < chunks {
            let end = self.end + HEAD_BYTES + u64::from(self.head(self.end)?.0);
            if end > length {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.counted(end);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn output_comes_back_as_it_was_in_any_order_and_after_a_restart(
            sizes in prop::collection::vec((any::<bool>(), 1_usize..3000), 1..200),
            reads in prop::collection::vec(0_usize..200, 0..50),
        ) {
            let folder = tempfile::tempdir().unwrap();
            let output = Output::new(folder.path(), "run");
            let mut all = Vec::new();
            for (at, (stderr, size)) in sizes.iter().enumerate() {
                let bytes = vec![u8::try_from(at % 251).unwrap(); *size];
                all.push((*stderr, bytes.clone()));
                output.push(*stderr, bytes).unwrap();
            }
            let again = Output::found(folder.path(), "run", output.chunks(), output.in_file(), output.short()).unwrap();
            for output in [&output, &again] {
                let mut first: Vec<(bool, String)> = Vec::new();
                while let Some(piece) = output.piece(u32::try_from(first.len()).unwrap()).unwrap() {
                    first.push(piece);
                }
                prop_assert_eq!(first.len(), output.chunks() as usize);
                for number in &reads {
                    let piece = output.piece(u32::try_from(*number).unwrap()).unwrap();
                    prop_assert_eq!(piece.as_ref(), first.get(*number));
                }
                for stream in [true, false] {
                    let read: Vec<u8> = first.iter().filter(|piece| piece.0 == stream)
                        .flat_map(|piece| BASE64.decode(piece.1.as_bytes()).unwrap()).collect();
                    let written: Vec<u8> =
                        all.iter().filter(|piece| piece.0 == stream).flat_map(|piece| piece.1.clone()).collect();
                    prop_assert_eq!(read, written);
                }
            }
        }
    }

    #[test]
    fn a_piece_that_somebody_was_told_of_does_not_change() {
        let folder = tempfile::tempdir().unwrap();
        let output = Output::new(folder.path(), "run");
        output.push(false, b"a".to_vec()).unwrap();
        assert_eq!(output.piece(0).unwrap(), Some((false, BASE64.encode(b"a"))));
        output.push(false, b"b".to_vec()).unwrap();
        assert_eq!(
            (output.chunks(), output.piece(1).unwrap()),
            (2, Some((false, BASE64.encode(b"b"))))
        );
    }
}
