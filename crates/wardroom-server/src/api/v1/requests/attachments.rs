//! `/api/v1/requests/{id}/attachments`

use super::super::super::input::{QueryOf, id};
use crate::{context::Ctx, desk::ATTACHMENT_QUOTA_BYTES, error::ApiError, view};
use axum::{
    Json,
    body::Bytes,
    extract::Path,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use wardroom_core::{Action, AttachmentId};
use wardroom_wire::{
    desk::AttachmentView,
    error::{ErrorCode, Problem},
};

/// What the file is called.
#[derive(Debug, Clone, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct AttachmentQuery {
    /// A plain file name of at most 120 characters; no path.
    pub(crate) name: String,
}

/// Add a file to a request: the body is its content, at most 10 MiB. What it is, its content says; images, PDF,
/// office documents, archives and plain text are taken.
#[utoipa::path(
    operation_id = "requests_attach",
    post, path = "/api/v1/requests/{id}/attachments", tag = "requests",
    params(("id" = String, Path), AttachmentQuery),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 201, body = AttachmentView), (status = 409, body = Problem), (status = 413, body = Problem), (status = 422, body = Problem))
)]
pub(crate) async fn add(
    ctx: Ctx,
    Path(request): Path<String>,
    QueryOf(query): QueryOf<AttachmentQuery>,
    content: Bytes,
) -> Result<(StatusCode, Json<AttachmentView>), ApiError> {
    let (request, allowed) = super::find(&ctx, &request, Action::RequestAttach).await?;
    // Each is held in memory and sealed at once: a few at a time.
    let Ok(_place) = ctx.app.uploads.try_acquire() else {
        return Err(ApiError::new(ErrorCode::Busy));
    };
    let (engine, audit) = (&ctx.app.engine, allowed.draft(&ctx));
    let attachment = engine
        .attach(&request, &query.name, &content, ctx.user()?, ATTACHMENT_QUOTA_BYTES, audit)
        .await?;
    Ok((StatusCode::CREATED, Json(view::attachment(&ctx.app, &attachment).await?)))
}

/// A file's content.
#[utoipa::path(
    operation_id = "requests_attachment",
    get, path = "/api/v1/requests/{id}/attachments/{attachment}", tag = "requests",
    params(("id" = String, Path), ("attachment" = String, Path)),
    responses((status = 200, content_type = "application/octet-stream", body = Vec<u8>), (status = 404, body = Problem))
)]
pub(crate) async fn get(
    ctx: Ctx,
    Path((request, attachment)): Path<(String, String)>,
) -> Result<Response, ApiError> {
    let (request, _) = super::find(&ctx, &request, Action::RequestRead).await?;
    let id: AttachmentId = id(&attachment)?;
    let (attachment, content) = ctx.app.engine.attachment(&request, id).await?;
    let name = ctx.app.engine.attachment_name(&attachment).await?;
    let mut headers = HeaderMap::new();
    let kind = HeaderValue::from_str(&attachment.media_type).map_err(ApiError::internal)?;
    headers.insert(header::CONTENT_TYPE, kind);
    headers.insert(header::CONTENT_DISPOSITION, disposition(&name)?);
    Ok((headers, content.to_vec()).into_response())
}

/// SECURITY: always to be saved, never to be shown in this origin (RFC 6266 §4.2, RFC 8187 for the name).
fn disposition(name: &str) -> Result<HeaderValue, ApiError> {
    let mut coded = String::new();
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'_' | b'-' => {
                coded.push(char::from(byte));
            }
            _ => coded.push_str(&format!("%{byte:02X}")),
        }
    }
    let text = format!("attachment; filename*=UTF-8''{coded}");
    HeaderValue::from_str(&text).map_err(ApiError::internal)
}

/// Remove a file from a request.
#[utoipa::path(
    operation_id = "requests_detach",
    delete, path = "/api/v1/requests/{id}/attachments/{attachment}", tag = "requests",
    params(("id" = String, Path), ("attachment" = String, Path)),
    responses((status = 204), (status = 404, body = Problem))
)]
pub(crate) async fn remove(
    ctx: Ctx,
    Path((request, attachment)): Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    detach(&ctx, &request, &attachment).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Removes it.
pub(crate) async fn detach(ctx: &Ctx, request: &str, attachment: &str) -> Result<(), ApiError> {
    let (request, allowed) = super::find(ctx, request, Action::RequestDetach).await?;
    let id: AttachmentId = id(attachment)?;
    Ok(ctx.app.engine.detach(&request, id, allowed.draft(ctx)).await?)
}
