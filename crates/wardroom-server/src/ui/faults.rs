//! `/faults`

use super::{
    frame::{html, see_other, shell},
    pages::faults::FaultsPage,
};
use crate::{
    api::{
        input::QueryOf,
        v1::security::faults::{self, FaultQuery},
    },
    context::Ctx,
    error::ApiError,
};
use axum::{extract::Path, http::StatusCode, response::Response};

/// What went wrong inside.
pub(crate) async fn list(
    ctx: Ctx,
    QueryOf(query): QueryOf<FaultQuery>,
) -> Result<Response, ApiError> {
    let list = faults::load(&ctx, query.open).await?;
    html(StatusCode::OK, &FaultsPage { shell: shell(&ctx, "/faults"), open: query.open, list })
}

/// Somebody says that one is mended.
pub(crate) async fn resolve(
    ctx: Ctx,
    Path(fingerprint): Path<String>,
) -> Result<Response, ApiError> {
    faults::act(&ctx, &fingerprint).await?;
    Ok(see_other("/faults"))
}
