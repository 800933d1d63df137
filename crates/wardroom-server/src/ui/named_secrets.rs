//! `/secrets`

use super::{
    frame::{errors_of, html, see_other, shell},
    pages::named_secrets::{NamedSecretsPage, SecretDialog},
};
use crate::{
    api::{input::QueryOf, v1::secrets},
    context::Ctx,
    error::ApiError,
};
use axum::{Form, extract::Path, http::StatusCode, response::Response};
use serde::Deserialize;
use wardroom_wire::security::{SecretCreate, SecretRenew};

/// The fields that the dialog shows errors beside.
const FIELDS: [&str; 4] = ["name", "about", "rotate_days", "value"];

/// Which dialog is open.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct SecretQuery {
    /// `1` for a new secret.
    new: String,
    /// The name of the secret to renew.
    renew: String,
}

/// Secrets by name.
pub(crate) async fn list(
    ctx: Ctx,
    QueryOf(query): QueryOf<SecretQuery>,
) -> Result<Response, ApiError> {
    let dialog = match (query.new.as_str(), query.renew.as_str()) {
        ("1", _) => Some(SecretDialog::default()),
        (_, "") => None,
        (_, name) => Some(SecretDialog::renewal(name)),
    };
    page(&ctx, StatusCode::OK, dialog).await
}

async fn page(
    ctx: &Ctx,
    status: StatusCode,
    dialog: Option<SecretDialog>,
) -> Result<Response, ApiError> {
    let list = secrets::load(ctx).await?;
    html(status, &NamedSecretsPage { shell: shell(ctx, "/security"), list, dialog })
}

/// The form of a new secret.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct New {
    #[serde(rename = "csrf", default)]
    _csrf: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    about: String,
    #[serde(default)]
    rotate_days: String,
    #[serde(default)]
    value: String,
}

/// Keeps a value under a name.
pub(crate) async fn create(ctx: Ctx, Form(form): Form<New>) -> Result<Response, ApiError> {
    let dialog = SecretDialog {
        name: form.name.clone(),
        about: form.about.clone(),
        rotate_days: form.rotate_days.clone(),
        ..SecretDialog::default()
    };
    let made = match wanted(form) {
        Ok(body) => secrets::add(&ctx, body).await.map(drop),
        Err(error) => Err(error),
    };
    answer(&ctx, made, dialog).await
}

fn wanted(form: New) -> Result<SecretCreate, ApiError> {
    let rotate_days = match form.rotate_days.trim() {
        "" => None,
        text => {
            let wrong = |_| ApiError::field("rotate_days", "must be a whole number of days");
            Some(text.parse().map_err(wrong)?)
        }
    };
    Ok(SecretCreate { name: form.name, value: form.value, about: form.about, rotate_days })
}

/// The form of another value.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Another {
    #[serde(rename = "csrf", default)]
    _csrf: String,
    #[serde(default)]
    value: String,
}

/// Gives a secret another value.
pub(crate) async fn renew(
    ctx: Ctx,
    Path(name): Path<String>,
    Form(form): Form<Another>,
) -> Result<Response, ApiError> {
    let renewed = secrets::change(&ctx, &name, SecretRenew { value: form.value }).await;
    answer(&ctx, renewed.map(drop), SecretDialog::renewal(&name)).await
}

/// Back to the list, or the dialog again with what was wrong. SECURITY: the value is not given back.
async fn answer(
    ctx: &Ctx,
    done: Result<(), ApiError>,
    dialog: SecretDialog,
) -> Result<Response, ApiError> {
    let Err(error) = done else { return Ok(see_other("/secrets")) };
    let errors = errors_of(error, &FIELDS)?;
    page(ctx, StatusCode::UNPROCESSABLE_ENTITY, Some(SecretDialog { errors, ..dialog })).await
}

/// Forgets a secret.
pub(crate) async fn remove(ctx: Ctx, Path(name): Path<String>) -> Result<Response, ApiError> {
    secrets::forget(&ctx, &name).await?;
    Ok(see_other("/secrets"))
}
