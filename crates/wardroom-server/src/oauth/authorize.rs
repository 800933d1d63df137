//! `GET /oauth/authorize`: where a program sends somebody's browser.

use super::{Ask, Unasked};
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
    match Ask::read(&app, query.as_bytes()).await {
        Ok(ask) => ui::grants::onward(&ask.client.name, &format!("/oauth/consent?{query}")),
        Err(Unasked::There(address)) => Ok(see_other(&address)),
        Err(Unasked::Here(error)) => Err(error),
    }
}
