//! `/account/password`, `/account/second-factor`, `/account/recovery-codes` and `/welcome`

use super::{
    assets,
    frame::html,
    pages::{
        bare::ForgottenPage,
        proof::{PasswordPage, SecondFactorsPage, WelcomePage, Wrong},
    },
    proof::{CodeForm, Next, proof_problem},
};
use crate::{
    App,
    api::{
        input::QueryOf,
        v1::account::{factors, password, totp},
    },
    context::Ctx,
    error::ApiError,
    identity::{self, AccountRules, Standing},
    middleware::{RequestInfo, own_origin},
    sign_in::{local_path, see_other},
};
use axum::{
    Extension, Form,
    extract::{Path, State},
    http::{HeaderMap, StatusCode, Uri},
    response::Response,
};
use secrecy::SecretString;
use serde::Deserialize;
use std::sync::Arc;
use wardroom_core::{Action, action::Resource};
use wardroom_wire::{
    error::ErrorCode,
    identity::{NewTotp, PasswordChange},
};

/// The rules for a new password, for people.
fn rules_text(rules: &AccountRules) -> String {
    let passwords = &rules.passwords;
    let mut text = format!("At least {} characters", passwords.chars_min);
    if passwords.classes_min > 1 {
        text.push_str(&format!(
            ", of at least {} kinds: small and capital letters, digits, others",
            passwords.classes_min
        ));
    }
    text.push_str(". Nothing common, nothing with your name in it");
    if passwords.history > 0 {
        text.push_str(&format!(", and none of your last {}", passwords.history));
    }
    text + "."
}

/// What is wrong with single fields; other errors have a page of their own.
fn wrong_fields(error: ApiError) -> Result<Wrong, ApiError> {
    if error.fields.is_empty() {
        return Err(error);
    }
    Ok(error.fields.into_iter().map(|field| (field.field, field.reason)).collect())
}

fn not_the_same(new: &str, again: &str) -> Option<Wrong> {
    (new != again).then(|| vec![("again".to_owned(), "is not the same".to_owned())])
}

/// The form of one's own password.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PasswordForm {
    #[serde(rename = "csrf", default)]
    _csrf: String,
    #[serde(default)]
    next: String,
    current: String,
    new: String,
    again: String,
}

/// Asks for a new password.
pub(crate) async fn password(
    ctx: Ctx,
    QueryOf(query): QueryOf<Next>,
) -> Result<Response, ApiError> {
    password_page(&ctx, &query.next, vec![]).await
}

async fn password_page(ctx: &Ctx, next: &str, wrong: Wrong) -> Result<Response, ApiError> {
    ctx.authorise(Action::PasswordChange, &Resource::user(ctx.account().id)).await?;
    let status = if wrong.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let rules = &ctx.app.accounts;
    let page = PasswordPage {
        assets: assets::base(),
        csrf: ctx.csrf().to_owned(),
        next: local_path(next).to_owned(),
        forced: ctx.proof().standing == Standing::SetPassword,
        chars_min: rules.passwords.chars_min,
        rules: rules_text(rules),
        wrong,
    };
    html(status, &page)
}

/// Sets one's password.
pub(crate) async fn set_password(
    ctx: Ctx,
    Form(form): Form<PasswordForm>,
) -> Result<Response, ApiError> {
    if let Some(wrong) = not_the_same(&form.new, &form.again) {
        return password_page(&ctx, &form.next, wrong).await;
    }
    let body = PasswordChange { current: form.current, new: form.new };
    match password::act(&ctx, body).await {
        Ok(()) if form.next.is_empty() || form.next == "/" => {
            let forced = ctx.proof().standing == Standing::SetPassword;
            Ok(see_other(if forced { "/" } else { "/account" }))
        }
        Ok(()) => Ok(see_other(local_path(&form.next))),
        Err(error) => password_page(&ctx, &form.next, wrong_fields(error)?).await,
    }
}

/// What a page of second factors shows beside them.
#[derive(Default)]
struct Shown {
    name: String,
    made: Option<NewTotp>,
    codes: Vec<String>,
    problem: Option<String>,
}

/// One's second factors.
pub(crate) async fn second_factors(
    ctx: Ctx,
    QueryOf(query): QueryOf<Next>,
) -> Result<Response, ApiError> {
    factors_page(&ctx, &query.next, Shown::default()).await
}

async fn factors_page(ctx: &Ctx, next: &str, shown: Shown) -> Result<Response, ApiError> {
    let factors = factors::load(ctx).await?;
    let forced = ctx.proof().standing == Standing::SetSecondFactor;
    let next = match local_path(next) {
        "/" if !forced => "/account/second-factor",
        path => path,
    };
    let failed = shown.problem.is_some();
    let page = SecondFactorsPage {
        assets: assets::base(),
        csrf: ctx.csrf().to_owned(),
        next: next.to_owned(),
        now: ctx.now(),
        forced,
        passkeys: ctx.app.relying.is_there(),
        factors,
        name: shown.name,
        made: shown.made,
        codes: shown.codes,
        problem: shown.problem,
    };
    html(if failed { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK }, &page)
}

/// The name of a new second factor.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FactorForm {
    #[serde(rename = "csrf", default)]
    _csrf: String,
    #[serde(default)]
    next: String,
    name: String,
}

/// Begins to add an authenticator and shows its secret this once.
pub(crate) async fn add_totp(ctx: Ctx, Form(form): Form<FactorForm>) -> Result<Response, ApiError> {
    let shown = match totp::add(&ctx, &form.name).await {
        Ok(made) => Shown { made: Some(made), ..Shown::default() },
        Err(error) => {
            let problem = Some(proof_problem(&error).ok_or(error)?);
            Shown { name: form.name, problem, ..Shown::default() }
        }
    };
    factors_page(&ctx, &form.next, shown).await
}

/// Confirms an authenticator.
pub(crate) async fn confirm_totp(
    ctx: Ctx,
    Path(id): Path<String>,
    Form(form): Form<CodeForm>,
) -> Result<Response, ApiError> {
    match totp::confirm_by(&ctx, &id, &form.code).await {
        Ok(confirmed) if confirmed.recovery_codes.is_empty() => {
            Ok(see_other(local_path(&form.next)))
        }
        Ok(confirmed) => {
            let shown = Shown { codes: confirmed.recovery_codes, ..Shown::default() };
            factors_page(&ctx, &form.next, shown).await
        }
        Err(error) => {
            let problem = proof_problem(&error).ok_or(error)?;
            let problem = Some(format!("{problem} Begin anew: remove what is not confirmed."));
            factors_page(&ctx, &form.next, Shown { problem, ..Shown::default() }).await
        }
    }
}

/// Removes a second factor.
pub(crate) async fn remove_factor(ctx: Ctx, Path(id): Path<String>) -> Result<Response, ApiError> {
    factors::take_away(&ctx, &id).await?;
    Ok(see_other("/account/second-factor"))
}

/// Makes new recovery codes and shows them this once.
pub(crate) async fn renew_codes(ctx: Ctx) -> Result<Response, ApiError> {
    let codes = factors::new_codes(&ctx).await?;
    factors_page(&ctx, "", Shown { codes, ..Shown::default() }).await
}

/// What a link to the welcome page carries.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct WelcomeQuery {
    link: String,
}

/// The form of the welcome page.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WelcomeForm {
    link: String,
    new: String,
    again: String,
}

/// Asks for a password. Says nothing about the link before it is used.
pub(crate) async fn welcome(
    State(app): State<Arc<App>>,
    QueryOf(query): QueryOf<WelcomeQuery>,
) -> Result<Response, ApiError> {
    welcome_page(&app, query.link, vec![], None)
}

fn welcome_page(
    app: &App,
    link: String,
    wrong: Wrong,
    problem: Option<String>,
) -> Result<Response, ApiError> {
    let failed = problem.is_some() || !wrong.is_empty();
    let page = WelcomePage {
        assets: assets::base(),
        link,
        chars_min: app.accounts.passwords.chars_min,
        rules: rules_text(&app.accounts),
        wrong,
        problem,
    };
    html(if failed { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK }, &page)
}

/// Sets the password that a link is for.
pub(crate) async fn redeem(
    State(app): State<Arc<App>>,
    Extension(info): Extension<RequestInfo>,
    headers: HeaderMap,
    uri: Uri,
    Form(form): Form<WelcomeForm>,
) -> Result<Response, ApiError> {
    if own_origin(&app, &headers, &uri).is_err() {
        return Err(ApiError::new(ErrorCode::CrossSite));
    }
    if let Some(wrong) = not_the_same(&form.new, &form.again) {
        return welcome_page(&app, form.link, wrong, None);
    }
    match identity::redeem(&app, &info, &form.link, SecretString::from(form.new)).await {
        Ok(_) => Ok(see_other("/sign-in?welcome=1")),
        Err(error) if error.code == ErrorCode::LinkRefused => {
            welcome_page(&app, form.link, vec![], error.detail)
        }
        Err(error) => welcome_page(&app, form.link, wrong_fields(error)?, None),
    }
}

/// Who wants a new password.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ForgottenForm {
    name: String,
}

/// Asks who has forgotten the password.
pub(crate) async fn forgotten(State(app): State<Arc<App>>) -> Result<Response, ApiError> {
    forgotten_page(&app, false)
}

fn forgotten_page(app: &App, asked: bool) -> Result<Response, ApiError> {
    if !app.engine.outlets().mail {
        return Err(ApiError::not_found());
    }
    let minutes = app.accounts.reset_ttl.as_secs() / 60;
    html(StatusCode::OK, &ForgottenPage { assets: assets::base(), asked, minutes })
}

/// Has a link sent, if there is somebody to send it to.
pub(crate) async fn ask_reset(
    State(app): State<Arc<App>>,
    Extension(info): Extension<RequestInfo>,
    headers: HeaderMap,
    uri: Uri,
    Form(form): Form<ForgottenForm>,
) -> Result<Response, ApiError> {
    if own_origin(&app, &headers, &uri).is_err() {
        return Err(ApiError::new(ErrorCode::CrossSite));
    }
    let page = forgotten_page(&app, true)?;
    identity::ask_reset(&app, &info, &form.name);
    Ok(page)
}
