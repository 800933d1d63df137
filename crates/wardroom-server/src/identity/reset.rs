//! Links that set a new password, by e-mail, for whoever asks.

use crate::{App, middleware::RequestInfo, view::link_url};
use std::sync::Arc;
use wardroom_core::{Principal, audit::AuditDraft, identity::UserState};

/// The longest name that is looked up, in characters.
const NAME_CHARS_MAX: usize = 254;

/// Writes a link to an account, if there is one of this name or address and it can be written to. SECURITY: nobody
/// learns whether there is: the answer does not wait for what is done here.
pub(crate) fn ask_reset(app: &Arc<App>, info: &RequestInfo, name: &str) {
    let (app, info, name) = (Arc::clone(app), *info, name.trim().to_owned());
    if name.is_empty() || name.chars().count() > NAME_CHARS_MAX {
        return;
    }
    let Ok(place) = Arc::clone(&app.changes).try_acquire_owned() else { return };
    tokio::spawn(async move {
        let _place = place;
        if let Err(error) = write(&app, &info, &name).await {
            tracing::warn!(%error, "a link for a new password could not be written");
        }
    });
}

async fn write(
    app: &App,
    info: &RequestInfo,
    name: &str,
) -> Result<(), wardroom_engine::EngineError> {
    let found = app.engine.user_by_login(name).await?;
    let Some(user) = found.filter(|user| user.state == UserState::Active) else { return Ok(()) };
    if user.email_index.is_none() || app.resets.take(user.id, app.engine.now()).is_none() {
        return Ok(());
    }
    let now = app.engine.now();
    let audit = AuditDraft::event("user.link", &Principal::Anonymous, &info.origin(), now);
    let url = |secret: &_| link_url(app, secret);
    app.engine.mail_pass(&user, app.accounts.reset_ttl, url, audit).await
}
