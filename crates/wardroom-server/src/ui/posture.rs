//! `/security/posture`

use super::{
    frame::{html, shell},
    pages::posture::PosturePage,
};
use crate::{api::v1::security::posture, context::Ctx, error::ApiError};
use axum::{http::StatusCode, response::Response};

/// How this installation stands.
pub(crate) async fn page(ctx: Ctx) -> Result<Response, ApiError> {
    let checks = posture::load(&ctx).await?.items;
    html(StatusCode::OK, &PosturePage { shell: shell(&ctx, "/security"), checks })
}
