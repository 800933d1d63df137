//! Sessions: going on with one, proving anew whose it is, looking at them, ending them.

pub(crate) mod end;
pub(crate) mod list;
pub(crate) mod prove;
pub(crate) mod refresh;
pub(crate) mod revoke;
pub(crate) mod second_factor;

use crate::{context::Ctx, error::ApiError};
use wardroom_core::identity::Session;
use wardroom_wire::error::ErrorCode;

/// The session that the caller goes by; an API token has none.
pub(crate) fn own(ctx: &Ctx) -> Result<&Session, ApiError> {
    ctx.session().ok_or_else(|| {
        ApiError::say(
            ErrorCode::Forbidden,
            "This is for sessions: an API token has nothing to prove.",
        )
    })
}
