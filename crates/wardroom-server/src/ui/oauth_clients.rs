//! `/oauth/clients`

use super::{
    frame::{errors_of, html, name_ids, see_other, shell, words},
    pages::oauth_clients::{ClientDialog, OauthClientsPage},
};
use crate::{
    api::{input::QueryOf, v1::oauth_clients as clients},
    context::Ctx,
    error::ApiError,
};
use axum::{Form, extract::Path, http::StatusCode, response::Response};
use serde::Deserialize;
use wardroom_wire::oauth::{OauthClientCreate, OauthClientView};

/// The fields that the dialog shows errors beside.
const FIELDS: [&str; 5] = ["name", "redirect_uris", "scopes", "confidential", "acts_as"];

/// Whether the dialog is open.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ClientQuery {
    /// `1` for a new client.
    new: String,
}

/// Programs of others, newest first.
pub(crate) async fn list(
    ctx: Ctx,
    QueryOf(query): QueryOf<ClientQuery>,
) -> Result<Response, ApiError> {
    let dialog = (query.new == "1").then(ClientDialog::default);
    page(&ctx, StatusCode::OK, dialog).await
}

async fn page(
    ctx: &Ctx,
    status: StatusCode,
    dialog: Option<ClientDialog>,
) -> Result<Response, ApiError> {
    let list = clients::load(ctx).await?;
    let mut shell = shell(ctx, "/security");
    let first =
        |client: &OauthClientView| client.document.is_some().then(|| client.created_by.clone());
    let ids =
        list.items.iter().filter_map(|client| client.acts_as.clone().or_else(|| first(client)));
    let ids = ids.collect();
    name_ids(ctx, &mut shell, ids).await?;
    html(status, &OauthClientsPage { shell, list, dialog })
}

/// The form of a new client.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct New {
    #[serde(rename = "csrf", default)]
    _csrf: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    redirect_uris: String,
    #[serde(default)]
    scopes: String,
    #[serde(default)]
    confidential: bool,
    #[serde(default)]
    acts_as: String,
}

/// Registers a program and shows its secret this once.
pub(crate) async fn create(ctx: Ctx, Form(form): Form<New>) -> Result<Response, ApiError> {
    let acts_as = Some(form.acts_as.trim().to_owned()).filter(|id| !id.is_empty());
    let wanted = OauthClientCreate {
        name: form.name.clone(),
        redirect_uris: words(&form.redirect_uris),
        scopes: words(&form.scopes),
        confidential: form.confidential,
        acts_as,
    };
    let dialog = ClientDialog {
        name: form.name,
        redirect_uris: form.redirect_uris,
        scopes: form.scopes,
        confidential: form.confidential,
        acts_as: form.acts_as,
        ..ClientDialog::default()
    };
    match clients::add(&ctx, wanted).await {
        Ok(made) => {
            let shown = ClientDialog { made: Some(made), ..ClientDialog::default() };
            page(&ctx, StatusCode::OK, Some(shown)).await
        }
        Err(error) => {
            let errors = errors_of(error, &FIELDS)?;
            let dialog = ClientDialog { errors, ..dialog };
            page(&ctx, StatusCode::UNPROCESSABLE_ENTITY, Some(dialog)).await
        }
    }
}

/// Gives a program another secret and shows it this once.
pub(crate) async fn renew(ctx: Ctx, Path(id): Path<String>) -> Result<Response, ApiError> {
    let made = Some(clients::change(&ctx, &id).await?);
    page(&ctx, StatusCode::OK, Some(ClientDialog { made, ..ClientDialog::default() })).await
}

/// Forgets a program.
pub(crate) async fn remove(ctx: Ctx, Path(id): Path<String>) -> Result<Response, ApiError> {
    clients::forget(&ctx, &id).await?;
    Ok(see_other("/oauth/clients"))
}
