//! `/users`

use super::{
    frame::{errors_of, html, said, see_other, shell},
    pages::{
        errors::Errors,
        users::{InviteDialog, UserPage, UsersPage},
    },
};
use crate::{
    api::{
        input::QueryOf,
        v1::{sessions, users},
    },
    context::Ctx,
    error::ApiError,
};
use axum::{Form, extract::Path, http::StatusCode, response::Response};
use serde::Deserialize;
use wardroom_core::{Action, action::Resource, identity::User};
use wardroom_wire::{
    error::ErrorCode,
    identity::{NewLink, UserCreate, UserPatch},
};

/// The fields that the pages show errors beside.
const FIELDS: [&str; 6] = ["name", "display_name", "email", "role", "groups", "customer"];

/// Which accounts, and whether to ask somebody in.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct PeopleQuery {
    role: String,
    state: String,
    /// Of this customer; a new account is one of its.
    customer: String,
    after: Option<String>,
    /// `1` opens the dialog.
    new: String,
}

/// People, newest first.
pub(crate) async fn list(
    ctx: Ctx,
    QueryOf(query): QueryOf<PeopleQuery>,
) -> Result<Response, ApiError> {
    let dialog = InviteDialog::new(query.new == "1", &query.customer);
    list_page(&ctx, StatusCode::OK, query, dialog).await
}

async fn list_page(
    ctx: &Ctx,
    status: StatusCode,
    query: PeopleQuery,
    dialog: InviteDialog,
) -> Result<Response, ApiError> {
    let later = query.after.is_some();
    let wanted = users::list::UserQuery {
        role: Some(query.role.clone()),
        state: Some(query.state.clone()),
        customer: Some(query.customer.clone()),
        after: query.after,
        limit: None,
    };
    let list = users::list::load(ctx, wanted).await?;
    let shell = shell(ctx, "/users");
    let (filter_role, filter_state, filter_customer) = (query.role, query.state, query.customer);
    let page = UsersPage { shell, list, later, filter_role, filter_state, filter_customer, dialog };
    html(status, &page)
}

/// The form of an account.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct UserForm {
    #[serde(rename = "csrf", default)]
    _csrf: String,
    #[serde(default)]
    version: i64,
    name: String,
    #[serde(default)]
    display_name: String,
    #[serde(default)]
    email: String,
    role: String,
    #[serde(default)]
    groups: String,
    #[serde(default)]
    customer: String,
}

impl UserForm {
    fn wanted(&self) -> UserCreate {
        UserCreate {
            name: self.name.clone(),
            display_name: self.display_name.clone(),
            email: self.email.clone(),
            role: self.role.clone(),
            customer: Some(self.customer.trim().to_owned()).filter(|text| !text.is_empty()),
        }
    }
}

/// What to say of an error beside the form where it happened.
fn problem_of(error: &ApiError) -> Option<String> {
    match error.code {
        ErrorCode::LastAdministrator | ErrorCode::AccountState | ErrorCode::NameTaken => {
            Some(error.detail.clone().unwrap_or_else(|| error.code.title().to_owned()))
        }
        _ => said(error),
    }
}

/// The same, to stand beside the fields where it is about one.
fn errors_beside(error: ApiError) -> Result<Errors, ApiError> {
    match error.code {
        ErrorCode::InvalidField => errors_of(error, &FIELDS),
        _ => Ok(Errors::whole(problem_of(&error).ok_or(error)?)),
    }
}

/// Asks somebody in and shows the link this once.
pub(crate) async fn invite(ctx: Ctx, Form(form): Form<UserForm>) -> Result<Response, ApiError> {
    let mut dialog = InviteDialog { wanted: form.wanted(), ..InviteDialog::new(true, "") };
    let status = match users::create::act(&ctx, form.wanted()).await {
        Ok(made) => {
            dialog.made = Some(made);
            StatusCode::OK
        }
        Err(error) => {
            dialog.errors = errors_beside(error)?;
            StatusCode::UNPROCESSABLE_ENTITY
        }
    };
    list_page(&ctx, status, PeopleQuery::default(), dialog).await
}

/// What a person's page shows beside the person.
#[derive(Default)]
struct Beside {
    wanted: Option<(UserCreate, String)>,
    link: Option<NewLink>,
    errors: Errors,
    erase_problem: Option<String>,
}

/// One person.
pub(crate) async fn show(ctx: Ctx, Path(id): Path<String>) -> Result<Response, ApiError> {
    page(&ctx, &id, Beside::default()).await
}

async fn page(ctx: &Ctx, id: &str, beside: Beside) -> Result<Response, ApiError> {
    let user = users::get::load(ctx, id).await?;
    let found = users::find(ctx, id).await?;
    let visible = ctx.decide(Action::SessionList, &Resource::user(found.id)).allowed;
    let sessions =
        if visible { Some(sessions::list::load(ctx, found.id).await?.items) } else { None };
    let failed = beside.errors.any() || beside.erase_problem.is_some();
    let status = if failed { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let (wanted, groups) = beside.wanted.unwrap_or_else(|| {
        let as_it_is = UserCreate {
            name: user.name.clone(),
            display_name: user.display_name.clone(),
            email: user.email.clone(),
            role: user.role.clone(),
            customer: user.customer.clone(),
        };
        (as_it_is, user.groups.join(" "))
    });
    let Beside { link, errors, erase_problem, .. } = beside;
    let shell = shell(ctx, "/users");
    html(status, &UserPage { shell, user, wanted, groups, sessions, link, errors, erase_problem })
}

/// Changes an account.
pub(crate) async fn change(
    ctx: Ctx,
    Path(id): Path<String>,
    Form(form): Form<UserForm>,
) -> Result<Response, ApiError> {
    let user = users::find(&ctx, &id).await?;
    let allowed = ctx.authorise(Action::UserUpdate, &Resource::user(user.id)).await?;
    let (wanted, groups) = (form.wanted(), form.groups.clone());
    let body = UserPatch {
        name: Some(form.name),
        display_name: Some(form.display_name),
        email: Some(form.email),
        role: Some(form.role),
        groups: Some(form.groups.split_whitespace().map(str::to_owned).collect()),
        customer: Some(form.customer.trim().to_owned()),
    };
    let read = User { version: form.version, ..user };
    match users::update::act(&ctx, &read, body, allowed.draft(&ctx)).await {
        Ok(_) => Ok(see_other(&format!("/users/{id}"))),
        Err(error) => {
            let errors = errors_beside(error)?;
            page(&ctx, &id, Beside { wanted: Some((wanted, groups)), errors, ..Beside::default() })
                .await
        }
    }
}

/// What came of an act on an account: its page again, with what was wrong.
async fn acted(ctx: &Ctx, id: &str, done: Result<(), ApiError>) -> Result<Response, ApiError> {
    match done {
        Ok(()) => Ok(see_other(&format!("/users/{id}"))),
        Err(error) => {
            let errors = Errors::whole(problem_of(&error).ok_or(error)?);
            page(ctx, id, Beside { errors, ..Beside::default() }).await
        }
    }
}

/// Turns an account away.
pub(crate) async fn disable(ctx: Ctx, Path(id): Path<String>) -> Result<Response, ApiError> {
    let done = users::state::act(&ctx, &id, false).await.map(drop);
    acted(&ctx, &id, done).await
}

/// Lets an account in again.
pub(crate) async fn enable(ctx: Ctx, Path(id): Path<String>) -> Result<Response, ApiError> {
    let done = users::state::act(&ctx, &id, true).await.map(drop);
    acted(&ctx, &id, done).await
}

/// Removes all second factors of an account.
pub(crate) async fn reset_factors(ctx: Ctx, Path(id): Path<String>) -> Result<Response, ApiError> {
    let done = users::reset_factors::act(&ctx, &id).await;
    acted(&ctx, &id, done).await
}

/// Makes a link that sets the account's password and shows it this once.
pub(crate) async fn link(ctx: Ctx, Path(id): Path<String>) -> Result<Response, ApiError> {
    match users::link::act(&ctx, &id).await {
        Ok(link) => page(&ctx, &id, Beside { link: Some(link), ..Beside::default() }).await,
        Err(error) => acted(&ctx, &id, Err(error)).await,
    }
}

/// The wish to erase a person.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Erasure {
    #[serde(rename = "csrf", default)]
    _csrf: String,
    confirm: String,
}

/// Erases a person whose name was typed to confirm it.
pub(crate) async fn erase(
    ctx: Ctx,
    Path(id): Path<String>,
    Form(form): Form<Erasure>,
) -> Result<Response, ApiError> {
    let view = users::get::load(&ctx, &id).await?;
    if form.confirm.trim() != view.name {
        let erase_problem = Some("This is not the person’s name. Nothing was erased.".to_owned());
        return page(&ctx, &id, Beside { erase_problem, ..Beside::default() }).await;
    }
    match users::erase::act(&ctx, &view.id).await {
        Ok(()) => Ok(see_other("/users")),
        Err(error) => {
            let erase_problem = Some(problem_of(&error).ok_or(error)?);
            page(&ctx, &id, Beside { erase_problem, ..Beside::default() }).await
        }
    }
}
