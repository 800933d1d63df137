//! `/sign-in/second-factor`, `/sign-in/passkey` and `/account/prove`

use super::{
    assets,
    frame::{html, said},
    pages::proof::{ProvePage, SecondFactorPage},
};
use crate::{
    App,
    api::{
        input::{Json, QueryOf},
        v1::sessions,
    },
    context::Ctx,
    error::ApiError,
    middleware::{RequestInfo, own_origin},
    sign_in::{local_path, see_other, with_cookie},
    view,
};
use axum::{
    Extension, Form,
    extract::State,
    http::{HeaderMap, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use std::sync::Arc;
use wardroom_core::{Action, action::Resource, identity::SessionKind};
use wardroom_wire::{
    error::ErrorCode,
    identity::{PasskeyAnswer, ProveRequest},
};

/// Where to go on.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Next {
    pub(crate) next: String,
}

/// A code, and where to go on.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CodeForm {
    #[serde(rename = "csrf", default)]
    _csrf: String,
    #[serde(default)]
    pub(crate) next: String,
    pub(crate) code: String,
}

/// Asks for the second factor that the session still needs.
pub(crate) async fn second_factor(
    ctx: Ctx,
    QueryOf(query): QueryOf<Next>,
) -> Result<Response, ApiError> {
    second_factor_page(&ctx, &query.next, None).await
}

async fn second_factor_page(
    ctx: &Ctx,
    next: &str,
    problem: Option<String>,
) -> Result<Response, ApiError> {
    ctx.authorise(Action::SessionProve, &Resource::user(ctx.account().id)).await?;
    let standing = view::standing(&ctx.app, ctx.account(), ctx.proof().standing).await?;
    if standing.needs != "second_factor" {
        return Ok(see_other(local_path(next)));
    }
    let status = if problem.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let page = SecondFactorPage {
        assets: assets::base(),
        csrf: ctx.csrf().to_owned(),
        next: local_path(next).to_owned(),
        passkey: standing.factors.iter().any(|kind| kind == "passkey"),
        problem,
    };
    html(status, &page)
}

/// Takes a code.
pub(crate) async fn show_second_factor(
    ctx: Ctx,
    Form(form): Form<CodeForm>,
) -> Result<Response, ApiError> {
    match sessions::second_factor::by_code(&ctx, &form.code).await {
        Ok(_) => Ok(see_other(local_path(&form.next))),
        Err(error) => {
            let problem = proof_problem(&error).ok_or(error)?;
            second_factor_page(&ctx, &form.next, Some(problem)).await
        }
    }
}

/// What to say of a proof that failed.
pub(super) fn proof_problem(error: &ApiError) -> Option<String> {
    match error.code {
        ErrorCode::ProofRefused | ErrorCode::Busy | ErrorCode::TooManyRequests => {
            error.detail.clone()
        }
        _ => said(error),
    }
}

/// A password and perhaps a code.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProveForm {
    #[serde(rename = "csrf", default)]
    _csrf: String,
    #[serde(default)]
    next: String,
    password: String,
    #[serde(default)]
    code: Option<String>,
}

/// Asks for a fresh proof.
pub(crate) async fn prove(ctx: Ctx, QueryOf(query): QueryOf<Next>) -> Result<Response, ApiError> {
    prove_page(&ctx, &query.next, None).await
}

async fn prove_page(ctx: &Ctx, next: &str, problem: Option<String>) -> Result<Response, ApiError> {
    ctx.authorise(Action::SessionProve, &Resource::user(ctx.account().id)).await?;
    let standing = view::standing(&ctx.app, ctx.account(), ctx.proof().standing).await?;
    let status = if problem.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let page = ProvePage {
        assets: assets::base(),
        csrf: ctx.csrf().to_owned(),
        next: local_path(next).to_owned(),
        minutes: ctx.app.accounts.fresh_for.as_secs() / 60,
        outside: match ctx.account().password_hash.is_empty() {
            true => ctx.app.oidc.as_ref().map(|issuer| issuer.rules.label.clone()),
            false => None,
        },
        factor: ctx.account().second_factor,
        passkey: standing.factors.iter().any(|kind| kind == "passkey"),
        problem,
    };
    html(status, &page)
}

/// Takes a proof.
pub(crate) async fn proved(ctx: Ctx, Form(form): Form<ProveForm>) -> Result<Response, ApiError> {
    let body = ProveRequest { password: form.password, code: form.code };
    match sessions::prove::act(&ctx, body).await {
        Ok(_) => Ok(see_other(local_path(&form.next))),
        Err(error) => {
            let problem = proof_problem(&error).ok_or(error)?;
            prove_page(&ctx, &form.next, Some(problem)).await
        }
    }
}

/// Opens a browser's session by a passkey.
pub(crate) async fn by_passkey(
    State(app): State<Arc<App>>,
    Extension(info): Extension<RequestInfo>,
    headers: HeaderMap,
    uri: Uri,
    Json(body): Json<PasskeyAnswer>,
) -> Result<Response, ApiError> {
    // SECURITY: another site must not sign a browser in.
    if own_origin(&app, &headers, &uri).is_err() {
        return Err(ApiError::new(ErrorCode::CrossSite));
    }
    let agent =
        headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default();
    let opened = app.sign_in_by_passkey(&info, &body, SessionKind::Browser, agent).await?;
    let standing = opened.standing_view(&app).await?;
    with_cookie(&app, &opened, axum::Json(standing).into_response())
}
