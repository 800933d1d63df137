//! `POST /api/v1/session/second-factor`, and the same with a passkey.

use super::{super::super::input::Json, own};
use crate::{
    context::Ctx,
    error::ApiError,
    identity::{Standing, show_code},
    view,
};
use wardroom_core::{
    Action,
    action::Resource,
    change::{Change, Write},
    identity::Session,
};
use wardroom_wire::{
    error::Problem,
    identity::{Ceremony, CodeRequest, PasskeyAnswer, StandingView},
};

/// Show the second factor that a session still needs: a code.
#[utoipa::path(
    operation_id = "session_second_factor",
    post, path = "/api/v1/session/second-factor", tag = "account", request_body = CodeRequest,
    responses((status = 200, body = StandingView), (status = 401, body = Problem))
)]
pub(crate) async fn handler(
    ctx: Ctx,
    Json(body): Json<CodeRequest>,
) -> Result<axum::Json<StandingView>, ApiError> {
    by_code(&ctx, &body.code).await.map(axum::Json)
}

/// Takes a code as the session's second factor.
pub(crate) async fn by_code(ctx: &Ctx, code: &str) -> Result<StandingView, ApiError> {
    let (session, user) = (own(ctx)?, ctx.account());
    let allowed = ctx.authorise(Action::SessionProve, &Resource::user(user.id)).await?;
    let prove = Write::ProveSession { id: session.id, at: ctx.now(), second_factor: true };
    let change = Change::recorded(allowed.draft(ctx).on(session.id)).write(prove);
    show_code(&ctx.app, &ctx.info, user, code, change).await?;
    standing(ctx, session).await
}

/// Begin to show a passkey of one's own.
#[utoipa::path(
    operation_id = "session_passkey_begin",
    post, path = "/api/v1/session/passkey", tag = "account",
    responses((status = 200, body = Ceremony), (status = 404, body = Problem))
)]
pub(crate) async fn begin_passkey(ctx: Ctx) -> Result<axum::Json<Ceremony>, ApiError> {
    ctx.authorise(Action::SessionProve, &Resource::user(ctx.account().id)).await?;
    ctx.app.ask_passkey(Some(ctx.account())).await.map(axum::Json)
}

/// Prove by a passkey who one is: as the second factor that the session still needs, or anew.
#[utoipa::path(
    operation_id = "session_passkey_finish",
    post, path = "/api/v1/session/passkey/finish", tag = "account", request_body = PasskeyAnswer,
    responses((status = 200, body = StandingView), (status = 401, body = Problem))
)]
pub(crate) async fn finish_passkey(
    ctx: Ctx,
    Json(body): Json<PasskeyAnswer>,
) -> Result<axum::Json<StandingView>, ApiError> {
    let session = own(&ctx)?;
    let allowed = ctx.authorise(Action::SessionProve, &Resource::user(session.user)).await?;
    let audit = allowed.draft(&ctx).on(session.id);
    ctx.app.prove_by_passkey(&ctx.info, session, &body, audit).await?;
    standing(&ctx, session).await.map(axum::Json)
}

/// How the session stands once its second factor was shown.
async fn standing(ctx: &Ctx, session: &Session) -> Result<StandingView, ApiError> {
    let proved = Session { second_factor: true, ..session.clone() };
    let standing = Standing::of(&ctx.app.accounts, ctx.account(), &proved, ctx.now());
    view::standing(&ctx.app, ctx.account(), standing).await
}
