//! What is known of somebody, as an archive for them: JSON for programs, pages for people.

mod archive;
mod page;

use crate::{context::Ctx, error::ApiError};
use archive::write;
use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse as _, Response},
};
use std::{
    collections::BTreeSet,
    io,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::sync::mpsc;
use wardroom_core::UserId;
use wardroom_engine::disclosure::Piece;
use wardroom_wire::error::ErrorCode;

/// Pieces that wait to be written; a file is at most one of them.
const PIECES_WAITING_MAX: usize = 1;
/// Blocks of the archive that wait to be fetched.
const BLOCKS_WAITING_MAX: usize = 8;

/// Archives that are made at the same time, one for an account.
const EXPORTS_MAX: usize = 4;
/// How long a reader may keep an archive waiting.
const READER_PATIENCE: Duration = Duration::from_secs(30);

/// Who is being given an archive.
#[derive(Clone, Default)]
pub(crate) struct Exports(Arc<Mutex<BTreeSet<UserId>>>);

/// A place among them, for as long as it is held.
struct Place(Exports, UserId);

impl Exports {
    fn take(&self, user: UserId) -> Result<Place, ApiError> {
        let mut given = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if given.contains(&user) {
            let said = "An archive is being made for you already: wait until it is there.";
            return Err(ApiError::say(ErrorCode::Busy, said));
        }
        if given.len() >= EXPORTS_MAX {
            return Err(ApiError::new(ErrorCode::Busy));
        }
        given.insert(user);
        Ok(Place(self.clone(), user))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.1);
    }
}

/// An archive of what `give` sends, as it is made. Where something can't be read the answer breaks off, so that
/// nobody takes a part for the whole.
pub(crate) fn answer<F>(
    ctx: &Ctx,
    title: &'static str,
    give: impl FnOnce(mpsc::Sender<Piece>) -> F,
) -> Result<Response, ApiError>
where
    F: Future<Output = ()> + Send + 'static,
{
    let place = ctx.app.exports.take(ctx.user()?)?;
    let (send_piece, pieces) = mpsc::channel(PIECES_WAITING_MAX);
    let (send_block, blocks) = mpsc::channel::<io::Result<Bytes>>(BLOCKS_WAITING_MAX);
    tokio::spawn(give(send_piece));
    let at = ctx.now();
    let runtime = tokio::runtime::Handle::current();
    tokio::task::spawn_blocking(move || {
        let _place = place;
        let send = |block| {
            // Who does not read on for so long reads no more.
            let sending = tokio::time::timeout(READER_PATIENCE, send_block.send(block));
            matches!(runtime.block_on(sending), Ok(Ok(())))
        };
        write(title, at, pieces, &send);
    });
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/zip"));
    let named = HeaderValue::from_static("attachment; filename=\"wardroom-export.zip\"");
    headers.insert(header::CONTENT_DISPOSITION, named);
    let stream = futures_util::stream::unfold(blocks, |mut blocks| async move {
        blocks.recv().await.map(|block| (block, blocks))
    });
    Ok((headers, Body::from_stream(stream)).into_response())
}
