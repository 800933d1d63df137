//! Proving who somebody is: passwords on a bounded pool, second factors, sessions, API tokens.

mod api_tokens;
mod links;
mod passkeys;
mod passwords;
mod pool;
mod reset;
mod rules;
mod second_factor;
mod sessions;
mod sign_in;
mod standing;

pub(crate) use api_tokens::{WantedToken, issue_token};
pub(crate) use links::redeem;
pub(crate) use passkeys::{Ceremonies, Relying};
pub(crate) use passwords::{change_password, hash_new};
pub(crate) use pool::PasswordPool;
use pool::Waiting;
pub(crate) use reset::ask_reset;
pub use rules::AccountRules;
pub(crate) use second_factor::{confirm_totp, recovery_codes, show_code};
pub(crate) use sessions::{
    Opened, end_spent, open_grant, open_session, open_session_outside, refresh,
};
pub(crate) use sign_in::{check_password, prove_again, sign_in};
pub(crate) use standing::Standing;

use wardroom_core::{
    UserId,
    audit::{AuditDraft, AuditOutcome},
};
use wardroom_wire::error::ErrorCode;

use crate::{App, error::ApiError, middleware::RequestInfo};

impl App {
    /// In which queue the password of a request for this name waits.
    fn queue_of<'a>(&self, info: &RequestInfo, name: &'a str) -> Waiting<'a> {
        let suspect = self.blocks.failed_lately(info.client, self.engine.now());
        Waiting { address: info.client, suspect, name }
    }
}

/// Records that somebody did not prove to be `user`, and says so.
async fn refused(
    app: &App,
    info: &RequestInfo,
    user: UserId,
    action: &str,
    why: &str,
) -> Result<ApiError, ApiError> {
    let now = app.engine.now();
    let audit =
        AuditDraft::event(action, &wardroom_core::Principal::Anonymous, &info.origin(), now)
            .on(user)
            .outcome(AuditOutcome::Refused, why);
    app.refusals.record(app, audit).await?;
    Ok(ApiError::say(ErrorCode::ProofRefused, crate::error::capital(why)))
}
