//! `GET /api/v1/runs/{id}/output`

use super::super::super::input::QueryOf;
use crate::{context::Ctx, error::ApiError};
use axum::{Json, extract::Path};
use data_encoding::BASE64;
use serde::Deserialize;
use wardroom_core::{Action, store::OUTPUT_CHUNKS_MAX};
use wardroom_trust::vault::SEALED_BYTES_MORE;
use wardroom_wire::{
    api::{OutputPage, OutputView},
    error::Problem,
    link::{CHUNK_BYTES_MAX, Stream},
};

/// The most output in one answer, in bytes before base64.
const PAGE_BYTES_MAX: u64 = 512 * 1024;

/// Where to go on.
#[derive(Debug, Clone, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct OutputQuery {
    /// Go on behind this, as `next` of the answer before said.
    after: Option<String>,
}

/// What a run printed, in order, as far as it is there.
#[utoipa::path(
    operation_id = "runs_output",
    get, path = "/api/v1/runs/{id}/output", tag = "runs", params(("id" = String, Path), OutputQuery),
    responses((status = 200, body = OutputPage), (status = 404, body = Problem))
)]
pub(crate) async fn handler(
    ctx: Ctx,
    Path(id): Path<String>,
    QueryOf(query): QueryOf<OutputQuery>,
) -> Result<Json<OutputPage>, ApiError> {
    load(&ctx, &id, query.after).await.map(Json)
}

/// A stretch of a run's output.
pub(crate) async fn load(
    ctx: &Ctx,
    text: &str,
    after: Option<String>,
) -> Result<OutputPage, ApiError> {
    let run = super::find(ctx, text).await?;
    ctx.authorise(Action::RunOutput, &ctx.run_resource(&run).await?).await?;
    let from = after.as_deref().map_or(Ok((0, 0)), position)?;
    let found = ctx.app.engine.store().list_output(run.id, from, PAGE_BYTES_MAX).await?;
    let next = found.last().map_or(from, |chunk| (chunk.fence, chunk.seq + 1));
    // The run was read before its output: when it was over then, all that there is was there now. A page that
    // had room for one more piece has the last one.
    let piece = (CHUNK_BYTES_MAX + SEALED_BYTES_MORE) as u64;
    let bytes: u64 = found.iter().map(|chunk| chunk.bytes.len() as u64).sum();
    let room = found.len() < OUTPUT_CHUNKS_MAX && bytes + piece <= PAGE_BYTES_MAX;
    let complete = run.state.is_terminal() && room;
    let opened = ctx.app.engine.open_output(&run, found).await?;
    let chunks = opened
        .into_iter()
        .map(|chunk| OutputView {
            run: run.id.to_string(),
            attempt: chunk.fence,
            seq: chunk.seq,
            stream: if chunk.stderr { Stream::Stderr } else { Stream::Stdout },
            data: BASE64.encode(&chunk.bytes),
        })
        .collect();
    Ok(OutputPage { chunks, next: format!("{}.{}", next.0, next.1), complete })
}

fn position(text: &str) -> Result<(i64, u32), ApiError> {
    text.split_once('.')
        .and_then(|(fence, seq)| Some((fence.parse().ok()?, seq.parse().ok()?)))
        .ok_or_else(|| ApiError::field("after", "must be what `next` of the answer before said"))
}
