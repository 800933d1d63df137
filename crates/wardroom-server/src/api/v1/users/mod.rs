//! Accounts.

pub(crate) mod create;
pub(crate) mod erase;
pub(crate) mod export;
pub(crate) mod get;
pub(crate) mod link;
pub(crate) mod list;
pub(crate) mod reset_factors;
pub(crate) mod state;
pub(crate) mod update;

use crate::{context::Ctx, error::ApiError};
use wardroom_core::identity::{User, UserState};

/// The account with this id or sign-in name. One that was erased is not there.
pub(crate) async fn find(ctx: &Ctx, text: &str) -> Result<User, ApiError> {
    let engine = &ctx.app.engine;
    let found = match text.parse() {
        Ok(id) => engine.store().lookup_user(id).await?,
        Err(_) => engine.user_by_name(text).await?,
    };
    found.filter(|user| user.state != UserState::Erased).ok_or_else(ApiError::not_found)
}
