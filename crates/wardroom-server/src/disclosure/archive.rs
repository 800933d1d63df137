//! Writing the archive, block by block.

use super::page::{self, Listed};
use axum::body::Bytes;
use std::io::{self, Write};
use tokio::sync::mpsc;
use wardroom_core::Timestamp;
use wardroom_engine::disclosure::Piece;
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

/// How much is sent at a time, in bytes.
const BLOCK_BYTES: usize = 64 * 1024;

/// Sends what is written.
struct Blocks<'a, F> {
    to: &'a F,
    held: Vec<u8>,
}

impl<F: Fn(io::Result<Bytes>) -> bool> Write for Blocks<'_, F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.held.extend_from_slice(bytes);
        if self.held.len() >= BLOCK_BYTES {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.held.is_empty() {
            return Ok(());
        }
        let block = Bytes::from(std::mem::take(&mut self.held));
        if (self.to)(Ok(block)) { Ok(()) } else { Err(io::ErrorKind::BrokenPipe.into()) }
    }
}

/// Writes the archive of what comes, block by block `to` somebody, who says whether they still listen. Runs on a
/// thread of its own.
pub(super) fn write(
    title: &str,
    at: Timestamp,
    pieces: mpsc::Receiver<Piece>,
    to: &impl Fn(io::Result<Bytes>) -> bool,
) {
    if let Err(error) = fill(title, at, pieces, Blocks { to, held: vec![] })
        && error.kind() != io::ErrorKind::BrokenPipe
    {
        tracing::error!(%error, "an export broke off");
        to(Err(error));
    }
}

fn fill(
    title: &str,
    at: Timestamp,
    mut pieces: mpsc::Receiver<Piece>,
    blocks: impl Write,
) -> io::Result<()> {
    let mut archive = ZipWriter::new_stream(blocks);
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .unix_permissions(0o600);
    let mut listed = vec![];
    loop {
        // What ends without saying so broke off: whoever gave it is gone.
        let cut = || io::Error::other("what gave it ended before its time");
        match pieces.blocking_recv().ok_or_else(cut)? {
            Piece::End => break,
            Piece::Part(part) => {
                archive.start_file(format!("data/{}.json", part.name), options)?;
                serde_json::to_writer_pretty(&mut archive, &part.rows)?;
                archive.start_file(format!("{}.html", part.name), options)?;
                archive.write_all(page::table(&part).as_bytes())?;
                listed.push(Listed { name: part.name, title: part.title, rows: part.rows.len() });
            }
            Piece::File { name, content } => {
                archive.start_file(format!("files/{name}"), options)?;
                archive.write_all(&content)?;
            }
            Piece::Broken(error) => return Err(io::Error::other(error.to_string())),
        }
    }
    archive.start_file("index.html", options)?;
    archive.write_all(page::index(title, at, &listed).as_bytes())?;
    archive.finish()?.into_inner().flush()
}
