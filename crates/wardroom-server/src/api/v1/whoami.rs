//! `GET /api/v1/whoami`

use crate::{context::Ctx, error::ApiError, view};
use axum::Json;
use wardroom_core::{Action, Principal, action::Resource, principal::Credential};
use wardroom_wire::{
    error::{ErrorCode, Problem},
    identity::Whoami,
};

/// Who the caller is and what they may do.
#[utoipa::path(
    operation_id = "whoami",
    get, path = "/api/v1/whoami", tag = "account",
    responses((status = 200, body = Whoami), (status = 401, body = Problem))
)]
pub(crate) async fn handler(ctx: Ctx) -> Result<Json<Whoami>, ApiError> {
    load(&ctx).await.map(Json)
}

/// Who the caller is.
pub(crate) async fn load(ctx: &Ctx) -> Result<Whoami, ApiError> {
    let Principal::User { id, name, role, credential, .. } = &ctx.principal else {
        return Err(ApiError::new(ErrorCode::Unauthenticated));
    };
    ctx.authorise(Action::UserRead, &Resource::user(*id)).await?;
    let credential = match credential {
        Credential::Session(_) => "session",
        Credential::ApiToken(_) => "token",
        Credential::Outside(_) => "outside",
        Credential::Run(_) => "run",
    };
    Ok(Whoami {
        id: id.to_string(),
        name: name.clone(),
        role: role.to_string(),
        credential: credential.to_owned(),
        standing: view::standing(&ctx.app, ctx.account(), ctx.proof().standing).await?,
        may: Action::ALL
            .iter()
            .filter(|action| ctx.may(**action))
            .map(ToString::to_string)
            .collect(),
    })
}
