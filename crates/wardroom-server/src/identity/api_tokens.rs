//! API tokens: what is wanted of one, and making it.

use crate::{App, error::ApiError};
use std::{collections::BTreeSet, time::Duration};
use wardroom_core::{
    Action, ApiTokenId, Timestamp,
    audit::AuditDraft,
    change::{Change, Write},
    identity::ApiToken,
    principal::Credential,
    store::StoreError,
};
use wardroom_trust::secret::ApiSecret;
use wardroom_wire::{error::ErrorCode, identity::TokenCreate};

/// The shortest life of an API token.
const TOKEN_TTL_MIN: Duration = Duration::from_secs(60);
/// The longest.
const TOKEN_TTL_MAX: Duration = Duration::from_secs(90 * 86_400);
/// Where nobody says.
const TOKEN_TTL_DEFAULT: Duration = Duration::from_secs(12 * 3600);

/// An API token that somebody wants.
pub(crate) struct WantedToken {
    name: String,
    ttl: Duration,
    scopes: Vec<String>,
}

impl WantedToken {
    /// Checks what is wanted.
    pub(crate) fn new(wanted: TokenCreate) -> Result<Self, ApiError> {
        let name = wanted.name.trim();
        if name.is_empty() || name.chars().count() > 64 || name.chars().any(char::is_control) {
            return Err(ApiError::field("name", "must be 1 to 64 characters"));
        }
        let ttl = wanted.expires_in.map_or(TOKEN_TTL_DEFAULT, Duration::from_secs);
        if !(TOKEN_TTL_MIN..=TOKEN_TTL_MAX).contains(&ttl) {
            return Err(ApiError::field("expires_in", "must be 60 to 7,776,000 seconds"));
        }
        let mut scopes = BTreeSet::new();
        for scope in &wanted.scopes {
            let action: Action =
                scope.parse().map_err(|error| ApiError::field("scopes", format!("{error}")))?;
            scopes.insert(action.as_str().to_owned());
        }
        Ok(Self { name: name.to_owned(), ttl, scopes: scopes.into_iter().collect() })
    }

    /// The scopes.
    pub(crate) fn scopes(&self) -> &[String] {
        &self.scopes
    }
}

/// Makes an API token for `user`; `audit` is the record of it, without target. Where another token asks
/// for it, it ends with that one, and only while that proof holds is it made.
pub(crate) async fn issue_token(
    app: &App,
    user: wardroom_core::UserId,
    wanted: WantedToken,
    proof: Option<(Credential, Timestamp)>,
    audit: AuditDraft,
) -> Result<(ApiToken, ApiSecret), ApiError> {
    let now = app.engine.now();
    let mut expires_at = now.plus(wanted.ttl);
    let mut change = Change::default();
    if let Some((credential, ends_at)) = proof {
        if let Credential::ApiToken(_) = credential {
            expires_at = expires_at.min(ends_at);
        }
        // SECURITY: signing out everywhere must not be outrun by a token that is just being made.
        change.writes.push(Write::RequireCredential(credential));
    }
    let secret = ApiSecret::generate(app.engine.rng());
    let token = ApiToken {
        id: ApiTokenId::new(now, app.engine.rng()),
        secret_hash: secret.hash(),
        user,
        name: wanted.name,
        scopes: wanted.scopes,
        created_at: now,
        expires_at,
        used_at: None,
    };
    let audit = audit.on(token.id).detail("expires_at", token.expires_at);
    change.audit.push(match token.scopes.as_slice() {
        [] => audit,
        scopes => audit.detail("scopes", scopes.join(" ")),
    });
    match app.engine.commit(change.write(Write::AddApiToken(token.clone()))).await {
        Ok(()) => Ok((token, secret)),
        Err(StoreError::Conflict(_)) => Err(ApiError::new(ErrorCode::Unauthenticated)),
        Err(error) => Err(error.into()),
    }
}
