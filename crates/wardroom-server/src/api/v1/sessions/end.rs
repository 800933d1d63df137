//! Ending what proves an account.

use crate::{context::Ctx, error::ApiError};
use wardroom_core::{
    Action,
    action::Resource,
    change::{Change, Write},
    principal::Credential,
    store::StoreError,
};

/// Ends the caller's session or token, or all of the account's.
pub(crate) async fn act(ctx: &Ctx, everywhere: bool) -> Result<(), ApiError> {
    let user = ctx.user()?;
    let allowed = ctx.authorise(Action::SessionEnd, &Resource::user(user)).await?;
    let audit = allowed.draft(ctx).on(user).detail("everywhere", everywhere);
    let mut change = Change::recorded(audit);
    if everywhere {
        change.writes.push(Write::RemoveSessionsOf { user, but: None });
        change.writes.push(Write::RemoveApiTokensOf(user));
    } else {
        match ctx.proof().credential().0 {
            Credential::Session(id) => change.writes.push(Write::RemoveSession(id)),
            Credential::ApiToken(id) => change.writes.push(Write::RemoveApiToken(id)),
            // It is the provider's: nothing here holds it.
            Credential::Outside(_) | Credential::Run(_) => {}
        }
    }
    match ctx.app.engine.commit(change).await {
        // It was ended by another request in the same moment.
        Ok(()) | Err(StoreError::Conflict(_)) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
