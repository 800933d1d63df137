//! `/account`

use super::{
    frame::{errors_of, html, see_other, shell, words},
    pages::{account::AccountPage, errors::Errors},
};
use crate::{
    api::v1::{account::profile, sessions, tokens, whoami},
    context::Ctx,
    error::ApiError,
    middleware::SESSION_COOKIE,
};
use axum::{
    Form,
    extract::Path,
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use serde::Deserialize;
use wardroom_core::page::PAGE_ITEMS_MAX;
use wardroom_wire::identity::{NewToken, TokenCreate, UserPatch};

/// The form for a new API token, and what came of it.
#[derive(Default)]
struct Tried {
    name: String,
    expires_in: String,
    scopes: String,
    /// What was wrong with it.
    errors: Errors,
    /// What was typed of the profile, and what was wrong with that.
    profile: Option<(String, String)>,
    profile_errors: Errors,
    made: Option<NewToken>,
}

/// Who one is, and one's API tokens.
pub(crate) async fn show(ctx: Ctx) -> Result<Response, ApiError> {
    page(&ctx, StatusCode::OK, Tried::default()).await
}

async fn page(ctx: &Ctx, status: StatusCode, tried: Tried) -> Result<Response, ApiError> {
    let me = whoami::load(ctx).await?;
    let mut user = profile::load(ctx).await?;
    let sessions = sessions::list::load(ctx, ctx.account().id).await?.items;
    let tokens = tokens::list::load(ctx, None, Some(PAGE_ITEMS_MAX)).await?;
    let Tried { name, expires_in, scopes, errors, profile, profile_errors, made } = tried;
    if let Some((display_name, email)) = profile {
        (user.display_name, user.email) = (display_name, email);
    }
    let shell = shell(ctx, "/account");
    let page = AccountPage {
        shell,
        me,
        user,
        sessions,
        tokens,
        name,
        expires_in,
        scopes,
        errors,
        profile_errors,
        made,
    };
    html(status, &page)
}

/// The form for a new API token.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    #[serde(rename = "csrf", default)]
    _csrf: String,
    name: String,
    #[serde(default)]
    expires_in: String,
    #[serde(default)]
    scopes: String,
}

/// Makes an API token and shows it this once.
pub(crate) async fn create_token(ctx: Ctx, Form(form): Form<Wanted>) -> Result<Response, ApiError> {
    let expires_in = match form.expires_in.as_str() {
        "" => Ok(None),
        text => text
            .parse()
            .map(Some)
            .map_err(|_| ApiError::field("expires_in", "must be a number of seconds")),
    };
    let made = match expires_in {
        Ok(expires_in) => {
            tokens::create::act(
                &ctx,
                TokenCreate { name: form.name.clone(), expires_in, scopes: words(&form.scopes) },
            )
            .await
        }
        Err(error) => Err(error),
    };
    let mut tried = Tried { expires_in: form.expires_in, ..Tried::default() };
    let status = match made {
        Ok(made) => {
            tried.made = Some(made);
            StatusCode::OK
        }
        Err(error) => {
            tried.name = form.name;
            tried.scopes = form.scopes;
            tried.errors = errors_of(error, &["name", "expires_in", "scopes"])?;
            StatusCode::UNPROCESSABLE_ENTITY
        }
    };
    page(&ctx, status, tried).await
}

/// Revokes an API token.
pub(crate) async fn revoke_token(ctx: Ctx, Path(id): Path<String>) -> Result<Response, ApiError> {
    tokens::revoke::act(&ctx, &id).await?;
    Ok(see_other("/account"))
}

/// How one is called and reached.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProfileForm {
    #[serde(rename = "csrf", default)]
    _csrf: String,
    display_name: String,
    email: String,
}

/// Changes one's profile.
pub(crate) async fn change_profile(
    ctx: Ctx,
    Form(form): Form<ProfileForm>,
) -> Result<Response, ApiError> {
    let typed = (form.display_name.clone(), form.email.clone());
    let wanted = UserPatch {
        display_name: Some(form.display_name),
        email: Some(form.email),
        ..UserPatch::default()
    };
    match profile::act(&ctx, wanted).await {
        Ok(_) => Ok(see_other("/account")),
        Err(error) => {
            let profile_errors = errors_of(error, &["display_name", "email"])?;
            let tried = Tried { profile: Some(typed), profile_errors, ..Tried::default() };
            page(&ctx, StatusCode::UNPROCESSABLE_ENTITY, tried).await
        }
    }
}

/// Ends a session: one's own, or that of somebody whose page one came from.
pub(crate) async fn end_session(ctx: Ctx, Path(id): Path<String>) -> Result<Response, ApiError> {
    let user = sessions::revoke::act(&ctx, &id).await?;
    Ok(see_other(&if user == ctx.account().id {
        "/account".to_owned()
    } else {
        format!("/users/{user}")
    }))
}

/// Here or everywhere.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Leaving {
    #[serde(rename = "csrf", default)]
    _csrf: String,
    #[serde(default)]
    everywhere: bool,
}

/// Signs out.
pub(crate) async fn sign_out(ctx: Ctx, Form(form): Form<Leaving>) -> Result<Response, ApiError> {
    sessions::end::act(&ctx, form.everywhere).await?;
    let mut response = see_other("/sign-in");
    let gone = format!("{SESSION_COOKIE}=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0");
    let gone = HeaderValue::from_str(&gone).map_err(ApiError::internal)?;
    response.headers_mut().insert(header::SET_COOKIE, gone);
    Ok(response)
}
