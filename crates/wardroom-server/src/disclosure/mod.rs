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
use std::{io, sync::Arc};
use tokio::sync::mpsc;
use wardroom_engine::disclosure::Piece;

/// Pieces that wait to be written; a file is at most one of them.
const PIECES_WAITING_MAX: usize = 1;
/// Blocks of the archive that wait to be fetched.
const BLOCKS_WAITING_MAX: usize = 8;

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
    let place = Arc::clone(&ctx.app.streams).try_acquire_owned();
    let place = place.map_err(|_| ApiError::new(wardroom_wire::error::ErrorCode::Busy))?;
    let (send_piece, pieces) = mpsc::channel(PIECES_WAITING_MAX);
    let (send_block, blocks) = mpsc::channel::<io::Result<Bytes>>(BLOCKS_WAITING_MAX);
    tokio::spawn(give(send_piece));
    let at = ctx.now();
    tokio::task::spawn_blocking(move || {
        let _place = place;
        write(title, at, pieces, &send_block);
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
