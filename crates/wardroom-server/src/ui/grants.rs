//! `/oauth/consent`: a program of others asks somebody what it may do in their name.

use super::{
    assets,
    frame::{html, see_other},
    pages::grants::{Asked, ConsentPage, OnwardPage},
};
use crate::{
    context::Ctx,
    error::ApiError,
    oauth::{Parameters, Question, Unasked},
};
use axum::{extract::RawQuery, http::StatusCode, response::Response};
use std::time::Duration;
use url::Url;
use wardroom_core::Action;
use wardroom_wire::error::ErrorCode;

/// A page that leads on by itself.
pub(crate) fn onward(client: &str, next: &str) -> Result<Response, ApiError> {
    html(StatusCode::OK, &OnwardPage { assets: assets::base(), client, next })
}

/// Asks.
pub(crate) async fn consent(ctx: Ctx, RawQuery(query): RawQuery) -> Result<Response, ApiError> {
    let query = query.unwrap_or_default();
    let (asker, ask) = match Question::put(&ctx, &query).await {
        Ok(question) => (question.asker(), question.ask),
        Err(Unasked::There(address)) => return Ok(see_other(&address)),
        Err(Unasked::Here(error)) => return Err(error),
    };
    let actions = ask.scopes.iter().filter_map(|scope| scope.parse::<Action>().ok());
    let page = ConsentPage {
        assets: assets::base(),
        csrf: ctx.csrf().to_owned(),
        client: ask.client.name.clone(),
        place: place(&ask.redirect_uri),
        document: ask.client.document.clone(),
        near: !ask.redirect_uri.starts_with("https://"),
        asker,
        name: ctx.app.engine.profile(ctx.account()).await?.name,
        asked: actions
            .map(|action| Asked { name: action.as_str(), about: action.about() })
            .collect(),
        most: lasts(ctx.app.accounts.session_ttl),
        idle: lasts(ctx.app.accounts.session_idle),
        shown: ask.scopes.join(" "),
        query,
    };
    html(StatusCode::OK, &page)
}

/// A time in words, in days where it is some.
fn lasts(time: Duration) -> String {
    match time.as_secs().div_ceil(3600) {
        0 | 1 => "an hour".to_owned(),
        hours @ 2..48 => format!("{hours} hours"),
        hours => format!("{} days", hours.div_ceil(24)),
    }
}

/// Where an answer goes, for people: the host where it proves who is there, else the whole address.
fn place(uri: &str) -> String {
    let secure = Url::parse(uri).ok().filter(|url| url.scheme() == "https");
    let host = secure.and_then(|url| url.host_str().map(str::to_owned));
    host.unwrap_or_else(|| uri.to_owned())
}

/// Takes the answer, and leads the browser back to the program with it. A page leads there and not a redirection: a
/// form's answer may not lead to another site here.
pub(crate) async fn answer(
    ctx: Ctx,
    RawQuery(query): RawQuery,
    form: Parameters,
) -> Result<Response, ApiError> {
    let question = match Question::put(&ctx, &query.unwrap_or_default()).await {
        Ok(question) => question,
        Err(Unasked::There(address)) => return onward("the program", &address),
        Err(Unasked::Here(error)) => return Err(error),
    };
    if form.get("asker").unwrap_or_default() != question.asker() {
        let said = "The program says something else of itself now than it did on the page. Nothing was granted: go back to the program and begin anew.";
        return Err(ApiError::say(ErrorCode::BadRequest, said));
    }
    let address = match form.get("decision") {
        Some("allow") => question.granted(&ctx, form.get("shown").unwrap_or_default()).await?,
        _ => question.denied(&ctx),
    };
    onward(&question.ask.client.name, &address)
}
