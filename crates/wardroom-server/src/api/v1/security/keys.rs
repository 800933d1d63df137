//! `GET /api/v1/security/keys`

use crate::{context::Ctx, error::ApiError};
use axum::Json;
use wardroom_core::{Action, action::Resource};
use wardroom_wire::security::KeysView;

/// Which keys there are, and how far a renewal is.
#[utoipa::path(
    operation_id = "security_keys",
    get, path = "/api/v1/security/keys", tag = "security",
    responses((status = 200, body = KeysView))
)]
pub(crate) async fn handler(ctx: Ctx) -> Result<Json<KeysView>, ApiError> {
    ctx.authorise(Action::SecurityRead, &Resource::system()).await?;
    let status = ctx.app.engine.key_status().await?;
    Ok(Json(KeysView {
        current: status.current,
        keys: status.keys,
        values_left: status.values_left,
        people_left: status.people_left,
        people_generation: status.people_generation,
        people_before: status.people_before,
        personal_left: status.personal_left,
        token_generation: status.token_generation,
        token_key_since: status.token_key_since.to_string(),
    }))
}
