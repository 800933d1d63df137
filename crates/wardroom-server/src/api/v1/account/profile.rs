//! `GET` and `PATCH /api/v1/account`

use super::super::super::input::Json;
use crate::{context::Ctx, error::ApiError, view};
use wardroom_core::{Action, action::Resource};
use wardroom_engine::people::UserChange;
use wardroom_wire::{
    error::{ErrorCode, Problem},
    identity::{UserPatch, UserView},
};

/// One's own account.
#[utoipa::path(
    operation_id = "account_get",
    get, path = "/api/v1/account", tag = "account",
    responses((status = 200, body = UserView))
)]
pub(crate) async fn get(ctx: Ctx) -> Result<axum::Json<UserView>, ApiError> {
    load(&ctx).await.map(axum::Json)
}

/// One's own account.
pub(crate) async fn load(ctx: &Ctx) -> Result<UserView, ApiError> {
    ctx.authorise(Action::UserRead, &Resource::user(ctx.account().id)).await?;
    view::user(&ctx.app, ctx.account()).await
}

/// Change how one is called and reached oneself. Name and role are an administrator's to change.
#[utoipa::path(
    operation_id = "account_update",
    patch, path = "/api/v1/account", tag = "account", request_body = UserPatch,
    responses((status = 200, body = UserView), (status = 422, body = Problem))
)]
pub(crate) async fn update(
    ctx: Ctx,
    Json(body): Json<UserPatch>,
) -> Result<axum::Json<UserView>, ApiError> {
    act(&ctx, body).await.map(axum::Json)
}

/// Changes it.
pub(crate) async fn act(ctx: &Ctx, body: UserPatch) -> Result<UserView, ApiError> {
    let user = ctx.account();
    let allowed = ctx.authorise(Action::ProfileUpdate, &Resource::user(user.id)).await?;
    let given = [
        ("name", body.name.is_some()),
        ("role", body.role.is_some()),
        ("groups", body.groups.is_some()),
    ];
    for (field, given) in given {
        if given {
            return Err(ApiError::field(field, "can be changed by an administrator only"));
        }
    }
    // SECURITY: whoever gets messages can set a new password: a token must not choose who that is.
    if body.email.is_some() && ctx.session().is_none() {
        return Err(ApiError::say(
            ErrorCode::Forbidden,
            "An e-mail address is changed in a session, not by a token: sign in.",
        ));
    }
    let wanted =
        UserChange { display_name: body.display_name, email: body.email, ..UserChange::default() };
    let changed = ctx.app.engine.change_user(user, wanted, allowed.draft(ctx)).await?;
    view::user(&ctx.app, &changed).await
}
