//! `POST /api/v1/session/prove`

use super::{super::super::input::Json, own};
use crate::{context::Ctx, error::ApiError, identity, view};
use secrecy::SecretString;
use wardroom_core::{Action, action::Resource};
use wardroom_wire::{
    error::Problem,
    identity::{ProveRequest, StandingView},
};

/// Prove anew who one is, for what needs a fresh proof.
#[utoipa::path(
    operation_id = "session_prove",
    post, path = "/api/v1/session/prove", tag = "account", request_body = ProveRequest,
    responses((status = 200, body = StandingView), (status = 401, body = Problem))
)]
pub(crate) async fn handler(
    ctx: Ctx,
    Json(body): Json<ProveRequest>,
) -> Result<axum::Json<StandingView>, ApiError> {
    act(&ctx, body).await.map(axum::Json)
}

/// Proves it.
pub(crate) async fn act(ctx: &Ctx, body: ProveRequest) -> Result<StandingView, ApiError> {
    let (session, user) = (own(ctx)?, ctx.account());
    let allowed = ctx.authorise(Action::SessionProve, &Resource::user(user.id)).await?;
    let audit = allowed.draft(ctx).on(session.id);
    let password = SecretString::from(body.password);
    let code = body.code.as_deref();
    let standing =
        identity::prove_again(&ctx.app, &ctx.info, (session, user), password, code, audit).await?;
    view::standing(&ctx.app, user, standing).await
}
