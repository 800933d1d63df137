//! `GET /oauth/authorize`: where a program sends somebody's browser.

use super::{Ask, Parameters, Unasked, ask::nobody};
use crate::{App, error::ApiError, sign_in::see_other, ui};
use axum::{
    extract::{RawQuery, State},
    response::Response,
};
use std::sync::Arc;

/// Leads on to the page that asks, or back to the program with what is wrong. A page leads there and not a
/// redirection: the browser came from another site, and on the way on from there it would not send the session's
/// cookie, which is for this site alone.
pub(crate) async fn handler(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let query = query.unwrap_or_default();
    let parameters = Parameters::read(query.as_bytes());
    let next = format!("/oauth/consent?{query}");
    let named = parameters.get("client_id").unwrap_or_default();
    // Its document is read once it is known who is asked.
    if app.client_documents.believes(named) {
        return ui::grants::onward(named, &next);
    }
    let asked = match app.known_client(named).await? {
        Some(client) if client.document.is_none() => Ask::read(&app, client, &parameters),
        _ => Err(nobody(named)),
    };
    match asked {
        Ok(ask) => ui::grants::onward(&ask.client.name, &next),
        Err(Unasked::There(address)) => Ok(see_other(&address)),
        Err(Unasked::Here(error)) => Err(error),
    }
}
