//! `GET /sign-in`

use super::{
    assets, frame,
    pages::bare::{ArrivedPage, SignInPage},
};
use crate::{App, api::input::QueryOf, error::ApiError, sign_in::local_path};
use axum::{extract::State, http::StatusCode, response::Response};
use serde::Deserialize;
use std::sync::Arc;

/// Why the browser is here.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct SignInQuery {
    /// Where to go on.
    next: String,
    /// `1` after a try that failed.
    failed: String,
    /// `1` after a link has set a password.
    welcome: String,
}

/// The page of somebody who arrived from the provider: it goes on by itself.
pub(crate) fn arrived(next: &str) -> Result<Response, ApiError> {
    frame::html(StatusCode::OK, &ArrivedPage { assets: assets::base(), next: local_path(next) })
}

/// The sign-in page.
pub(crate) async fn page(
    State(app): State<Arc<App>>,
    QueryOf(query): QueryOf<SignInQuery>,
) -> Result<Response, ApiError> {
    let next = match local_path(&query.next) {
        "/" => String::new(),
        path => path.to_owned(),
    };
    let page = SignInPage {
        assets: assets::base(),
        failed: query.failed == "1",
        welcome: query.welcome == "1",
        outside: app.oidc.as_ref().map(|issuer| issuer.rules.label.clone()),
        forgotten: app.engine.outlets().mail,
        next,
    };
    frame::html(StatusCode::OK, &page)
}
