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
struct Blocks<'a> {
    to: &'a mpsc::Sender<io::Result<Bytes>>,
    held: Vec<u8>,
}

impl Write for Blocks<'_> {
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
        self.to.blocking_send(Ok(block)).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

/// Writes the archive of what comes. Runs on a thread of its own.
pub(super) fn write(
    title: &str,
    at: Timestamp,
    pieces: mpsc::Receiver<Piece>,
    to: &mpsc::Sender<io::Result<Bytes>>,
) {
    if let Err(error) = fill(title, at, pieces, Blocks { to, held: vec![] })
        && error.kind() != io::ErrorKind::BrokenPipe
    {
        tracing::error!(%error, "an export broke off");
        let _ = to.blocking_send(Err(error));
    }
}

fn fill(
    title: &str,
    at: Timestamp,
    mut pieces: mpsc::Receiver<Piece>,
    blocks: Blocks<'_>,
) -> io::Result<()> {
    let mut archive = ZipWriter::new_stream(blocks);
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .unix_permissions(0o600);
    let mut listed = vec![];
    while let Some(piece) = pieces.blocking_recv() {
        match piece {
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
