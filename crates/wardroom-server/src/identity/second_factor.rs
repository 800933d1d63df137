//! Showing a second factor: codes of an authenticator, and recovery codes.

use super::refused;
use crate::{App, app::CODE_TRIES_WINDOW, error::ApiError, middleware::RequestInfo};
use data_encoding::BASE32_NOPAD;
use wardroom_core::{
    SessionId,
    audit::AuditDraft,
    change::Change,
    digest::sha256,
    identity::{Factor, FactorKind, SecretHash, User},
};
use wardroom_engine::people::{FactorSecret, NewFactor, RECOVERY_CODES};
use wardroom_trust::totp::Totp;
use wardroom_wire::error::ErrorCode;

/// A recovery code's letters: 80 bits.
const RECOVERY_LETTERS: usize = 16;

/// Accepts a code of one of `user`'s authenticators or a recovery code, and commits `change` with its use.
pub(crate) async fn show_code(
    app: &App,
    info: &RequestInfo,
    user: &User,
    code: &str,
    change: Change,
) -> Result<(), ApiError> {
    count_try(app, user)?;
    let factors = app.engine.store().list_factors(user.id).await?;
    for factor in factors.iter().filter(|factor| factor.confirmed) {
        let Some(counter) = fits(app, factor, code).await? else { continue };
        let mut change = change.clone();
        if factor.kind == FactorKind::Recovery {
            let left =
                factors.iter().filter(|other| other.kind == FactorKind::Recovery).count() - 1;
            let name = "auth.recovery_code_used";
            let (at, origin) = (app.engine.now(), info.origin());
            let audit = AuditDraft::event(name, &wardroom_core::Principal::System, &origin, at);
            change.audit.push(audit.by(user.id).on(user.id).detail("left", left));
        }
        if app.engine.use_factor(factor, counter, change).await? {
            app.code_tries.forget(user.id);
            return Ok(());
        }
    }
    let why = "the code is wrong, was used already or is too old";
    Err(refused(app, info, user.id, "auth.second_factor", why).await?)
}

/// SECURITY: at most so many tries of one account, or six digits could be guessed.
fn count_try(app: &App, user: &User) -> Result<(), ApiError> {
    app.code_tries.take(user.id, app.engine.now()).ok_or_else(|| ApiError {
        retry_after: Some(CODE_TRIES_WINDOW),
        ..ApiError::say(
            ErrorCode::TooManyRequests,
            "Too many codes were tried for this account: wait five minutes.",
        )
    })
}

/// The counter to which a code of `factor` takes it.
async fn fits(app: &App, factor: &Factor, code: &str) -> Result<Option<i64>, ApiError> {
    Ok(match factor.kind {
        FactorKind::Totp => {
            let secret = app.engine.factor_secret(factor).await?;
            let totp = Totp::parse(&secret.secret);
            totp.and_then(|totp| totp.verify(code, app.engine.now(), factor.counter))
        }
        FactorKind::Recovery => {
            (factor.handle == Some(recovery_handle(factor.user, code))).then_some(0)
        }
        FactorKind::Passkey => None,
    })
}

/// Confirms a new authenticator by its first code: from then on the account asks for a second factor. Gives
/// recovery codes when it is the account's first.
pub(crate) async fn confirm_totp(
    app: &App,
    info: &RequestInfo,
    (user, session): (&User, Option<SessionId>),
    factor: &Factor,
    code: &str,
    audit: AuditDraft,
) -> Result<Vec<String>, ApiError> {
    count_try(app, user)?;
    let why = "the code is wrong or too old";
    let counter = match fits(app, factor, code).await? {
        Some(counter) if factor.kind == FactorKind::Totp => counter,
        _ => return Err(refused(app, info, user.id, "auth.second_factor", why).await?),
    };
    if !app.engine.use_factor(factor, counter, Change::recorded(audit.clone())).await? {
        return Err(refused(app, info, user.id, "auth.second_factor", why).await?);
    }
    app.code_tries.forget(user.id);
    let first = !user.second_factor;
    app.engine.require_second_factor(user, session, Change::default()).await?;
    if first {
        recovery_codes(app, user, audit.detail("recovery_codes", RECOVERY_CODES)).await
    } else {
        Ok(vec![])
    }
}

/// New recovery codes, in place of those that the account had.
pub(crate) async fn recovery_codes(
    app: &App,
    user: &User,
    audit: AuditDraft,
) -> Result<Vec<String>, ApiError> {
    let mut codes = Vec::with_capacity(RECOVERY_CODES);
    let mut new = Vec::with_capacity(RECOVERY_CODES);
    for _ in 0..RECOVERY_CODES {
        let code = new_code(app);
        new.push(NewFactor {
            kind: FactorKind::Recovery,
            secret: FactorSecret { name: String::new(), secret: String::new() },
            handle: Some(recovery_handle(user.id, &code)),
            counter: 0,
            confirmed: true,
        });
        codes.push(code);
    }
    app.engine.add_factors(user.id, new, Some(FactorKind::Recovery), audit).await?;
    Ok(codes)
}

/// Four groups of four letters and digits.
fn new_code(app: &App) -> String {
    let mut bytes = [0_u8; RECOVERY_LETTERS * 5 / 8];
    app.engine.rng().fill(&mut bytes);
    let text = BASE32_NOPAD.encode(&bytes).to_lowercase();
    let groups: Vec<String> = text
        .as_bytes()
        .chunks(4)
        .map(|group| String::from_utf8_lossy(group).into_owned())
        .collect();
    groups.join("-")
}

/// By what a recovery code is found: 80 random bits need no slow hash.
fn recovery_handle(user: wardroom_core::UserId, code: &str) -> SecretHash {
    let plain: String =
        code.chars().filter(char::is_ascii_alphanumeric).flat_map(char::to_lowercase).collect();
    SecretHash(sha256(&[b"wardroom recovery code v1", user.uuid().as_bytes(), plain.as_bytes()]))
}
