//! Runs.

pub(crate) mod answer;
pub(crate) mod cancel;
pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod output;
pub(crate) mod replay;
pub(crate) mod steps;
pub(crate) mod stream;
pub(crate) mod submit;

use crate::{api::input::id, context::Ctx, error::ApiError};
use wardroom_core::run::Run;

/// The run with this id, whoever may see it.
pub(crate) async fn find(ctx: &Ctx, text: &str) -> Result<Run, ApiError> {
    ctx.app.engine.store().lookup_run(id(text)?).await?.ok_or_else(ApiError::not_found)
}
