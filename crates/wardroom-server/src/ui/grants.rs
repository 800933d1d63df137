//! `/oauth/consent`: a program of others asks somebody what it may do in their name.

use super::{
    assets,
    frame::{html, see_other},
    pages::grants::{Asked, ConsentPage, OnwardPage},
};
use crate::{
    context::Ctx,
    error::ApiError,
    oauth::{Ask, Parameters, Unasked},
};
use axum::{extract::RawQuery, http::StatusCode, response::Response};
use secrecy::ExposeSecret as _;
use std::time::Duration;
use url::Url;
use wardroom_core::{
    Action,
    action::Resource,
    identity::SessionKind,
    oauth::{Grant, OauthCode},
};
use wardroom_trust::secret::CodeSecret;
use wardroom_wire::error::ErrorCode;

/// How long a code is good (RFC 6749 §4.1.2).
const CODE_TTL: Duration = Duration::from_secs(60);

/// What the form gives back of the program's request.
const CARRIED: [&str; 8] = [
    "client_id",
    "redirect_uri",
    "response_type",
    "scope",
    "state",
    "code_challenge",
    "code_challenge_method",
    "resource",
];

/// A page that leads on by itself.
pub(crate) fn onward(client: &str, next: &str) -> Result<Response, ApiError> {
    html(StatusCode::OK, &OnwardPage { assets: assets::base(), client, next })
}

/// What is asked for, if the person's own browser asks and policy lets them grant anything.
async fn asked(ctx: &Ctx, encoded: &[u8]) -> Result<Result<Ask, Response>, ApiError> {
    ctx.authorise(Action::GrantCreate, &Resource::user(ctx.account().id)).await?;
    if ctx.session().is_none_or(|session| session.kind != SessionKind::Browser) {
        let said = "Only a person in a browser can grant this.";
        return Err(ApiError::say(ErrorCode::Forbidden, said));
    }
    match Ask::read(&ctx.app, encoded).await {
        Ok(mut ask) => {
            // Nobody grants what they may not do, and no more than they were shown.
            let may = |scope: &String| scope.parse().is_ok_and(|action: Action| ctx.may(action));
            ask.scopes.retain(may);
            Ok(Ok(ask))
        }
        Err(Unasked::There(address)) => Ok(Err(see_other(&address))),
        Err(Unasked::Here(error)) => Err(error),
    }
}

/// Asks.
pub(crate) async fn consent(ctx: Ctx, RawQuery(query): RawQuery) -> Result<Response, ApiError> {
    let query = query.unwrap_or_default();
    let ask = match asked(&ctx, query.as_bytes()).await? {
        Ok(ask) => ask,
        Err(response) => return Ok(response),
    };
    if ask.scopes.is_empty() {
        return Ok(see_other(&none(&ctx, &ask)));
    }
    let actions = ask.scopes.iter().filter_map(|scope| scope.parse::<Action>().ok());
    let parameters = Parameters::read(query.as_bytes());
    let carried =
        |name: &&'static str| Some((*name, parameters.as_ref().ok()?.get(name)?.to_owned()));
    let page = ConsentPage {
        assets: assets::base(),
        csrf: ctx.csrf().to_owned(),
        client: ask.client.name.clone(),
        place: place(&ask.redirect_uri),
        name: ctx.app.engine.profile(ctx.account()).await?.name,
        asked: actions
            .map(|action| Asked { name: action.as_str(), about: action.about() })
            .collect(),
        lasts: lasts(ctx.app.accounts.session_ttl),
        carried: CARRIED.iter().filter_map(carried).collect(),
    };
    html(StatusCode::OK, &page)
}

/// A time in words, in days where it is some.
fn lasts(time: Duration) -> String {
    match time.as_secs().div_ceil(3600) {
        1 => "an hour".to_owned(),
        hours @ 2..48 => format!("{hours} hours"),
        hours => format!("{} days", hours.div_ceil(24)),
    }
}

/// Where an answer goes, for people: the host, or the whole where there is none.
fn place(uri: &str) -> String {
    let host = Url::parse(uri).ok().and_then(|url| url.host_str().map(str::to_owned));
    host.unwrap_or_else(|| uri.to_owned())
}

fn none(ctx: &Ctx, ask: &Ask) -> String {
    let said = "the person may do nothing of what was asked for";
    ask.refuse(&ctx.app, "access_denied", said)
}

/// Takes the answer, and leads the browser back to the program with it. A page leads there and not a redirection: a
/// form's answer may not lead to another site here.
pub(crate) async fn answer(ctx: Ctx, body: axum::body::Bytes) -> Result<Response, ApiError> {
    let ask = match asked(&ctx, &body).await? {
        Ok(ask) => ask,
        Err(response) => return Ok(response),
    };
    let allow = Parameters::read(&body).is_ok_and(|form| form.get("decision") == Some("allow"));
    let address = if !allow {
        ask.refuse(&ctx.app, "access_denied", "the person did not grant it")
    } else if ask.scopes.is_empty() {
        none(&ctx, &ask)
    } else {
        grant(&ctx, &ask).await?
    };
    onward(&ask.client.name, &address)
}

async fn grant(ctx: &Ctx, ask: &Ask) -> Result<String, ApiError> {
    let user = ctx.account().id;
    let allowed = ctx.authorise(Action::GrantCreate, &Resource::user(user)).await?;
    let session = ctx.session().ok_or_else(|| ApiError::new(ErrorCode::Forbidden))?;
    let engine = &ctx.app.engine;
    let secret = CodeSecret::generate(engine.rng());
    let code = OauthCode {
        secret_hash: secret.hash(),
        user,
        session: session.id,
        grant: Grant {
            client: ask.client.id,
            scopes: ask.scopes.clone(),
            resource: ask.resource.clone(),
        },
        redirect_uri: ask.redirect_uri.clone(),
        challenge: ask.challenge.clone(),
        expires_at: ctx.now().plus(CODE_TTL),
    };
    engine.add_oauth_code(code, allowed.draft(ctx)).await?;
    Ok(ask.answer(&ctx.app, &[("code", secret.expose().expose_secret())]))
}
