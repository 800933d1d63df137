//! `/customers`

use super::{
    frame::{errors_of, html, name_ids, said, see_other, shell},
    pages::customers::{CustomerForm, CustomerPage, CustomersPage, ImportPage, NewCustomerPage},
};
use crate::{
    api::{
        input::QueryOf,
        v1::{
            customers::{self, list::CustomerQuery},
            requests::{self, list::RequestQuery},
            users::{self, list::UserQuery},
            views,
        },
    },
    context::Ctx,
    error::ApiError,
};
use axum::{Form, extract::Path, http::StatusCode, response::Response};
use serde::Deserialize;
use std::collections::BTreeMap;
use wardroom_core::{Action, action::Resource};
use wardroom_wire::{
    api::List,
    desk::{CustomerCreate, CustomerPatch, CustomerView},
};

/// The fields that the page shows errors beside.
const FIELDS: [&str; 5] = ["name", "email", "phone", "notes", "fields"];
/// Requests and accounts of a customer that its page shows.
const SHOWN: u32 = 20;

/// Customers, newest first.
pub(crate) async fn list(
    ctx: Ctx,
    QueryOf(query): QueryOf<CustomerQuery>,
) -> Result<Response, ApiError> {
    let (text, later) = (query.text.clone().unwrap_or_default(), query.after.is_some());
    let mine = query.operator.as_deref() == Some("me");
    let (status, list, problem) = match customers::list::load(&ctx, query).await {
        Ok(list) => (StatusCode::OK, list, None),
        Err(error) => {
            let problem = Some(said(&error).ok_or(error)?);
            (StatusCode::UNPROCESSABLE_ENTITY, List { items: vec![], next: None }, problem)
        }
    };
    let views = views::load(&ctx, Some("customers")).await?;
    let shell = shell(&ctx, "/customers");
    html(status, &CustomersPage { shell, list, text, mine, later, views, problem })
}

/// The form of a customer.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Typed {
    #[serde(rename = "csrf")]
    _csrf: String,
    version: i64,
    name: String,
    email: String,
    phone: String,
    notes: String,
    fields: String,
}

impl Typed {
    fn wanted(&self) -> Result<CustomerCreate, ApiError> {
        Ok(CustomerCreate {
            name: self.name.clone(),
            email: self.email.clone(),
            phone: self.phone.clone(),
            notes: self.notes.clone(),
            fields: lines(&self.fields, "fields")?,
        })
    }

    /// The form as it stood, with what was wrong.
    fn form(self, error: ApiError) -> Result<CustomerForm, ApiError> {
        let errors = errors_of(error, &FIELDS)?;
        let Self { name, email, phone, notes, fields, .. } = self;
        let wanted = CustomerCreate { name, email, phone, notes, fields: BTreeMap::new() };
        Ok(CustomerForm { wanted, fields, errors })
    }
}

/// Lines of the form `name=value`.
pub(super) fn lines(text: &str, field: &str) -> Result<BTreeMap<String, String>, ApiError> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines
        .map(|line| match line.split_once('=') {
            Some((name, value)) => Ok((name.trim().to_owned(), value.trim().to_owned())),
            None => Err(ApiError::field(field, "has a line that is not name=value")),
        })
        .collect()
}

/// The form of a new customer.
pub(crate) async fn new(ctx: Ctx) -> Result<Response, ApiError> {
    ctx.authorise(Action::CustomerCreate, &Resource::system()).await?;
    let page = NewCustomerPage { shell: shell(&ctx, "/customers"), form: CustomerForm::default() };
    html(StatusCode::OK, &page)
}

/// Makes a customer.
pub(crate) async fn create(ctx: Ctx, Form(typed): Form<Typed>) -> Result<Response, ApiError> {
    let made = match typed.wanted() {
        Ok(wanted) => customers::create::act(&ctx, wanted).await,
        Err(error) => {
            ctx.authorise(Action::CustomerCreate, &Resource::system()).await?;
            Err(error)
        }
    };
    match made {
        Ok(made) => Ok(see_other(&format!("/customers/{}", made.id))),
        Err(error) => {
            let form = typed.form(error)?;
            let page = NewCustomerPage { shell: shell(&ctx, "/customers"), form };
            html(StatusCode::UNPROCESSABLE_ENTITY, &page)
        }
    }
}

/// What a customer's page shows beside the customer.
#[derive(Default)]
struct Beside {
    form: Option<CustomerForm>,
    operators: Option<(String, String)>,
    erase_problem: Option<String>,
}

/// One customer.
pub(crate) async fn show(ctx: Ctx, Path(id): Path<String>) -> Result<Response, ApiError> {
    page(&ctx, &id, Beside::default()).await
}

fn form_of(view: &CustomerView) -> CustomerForm {
    let CustomerView { name, email, phone, notes, fields, .. } = view.clone();
    let lines: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let wanted = CustomerCreate { name, email, phone, notes, fields };
    CustomerForm { wanted, fields: lines.join("\n"), ..CustomerForm::default() }
}

async fn page(ctx: &Ctx, id: &str, beside: Beside) -> Result<Response, ApiError> {
    let (found, _) = customers::find(ctx, id, Action::CustomerRead).await?;
    let customer = customers::show(ctx, &found).await?;
    let resource = Resource::customer(found.id, &found.operators);
    let may = |action: Action| ctx.decide(action, &resource).allowed;
    let of = Some(customer.id.clone());
    let query = RequestQuery { customer: of.clone(), limit: Some(SHOWN), ..Default::default() };
    let requests = requests::list::load(ctx, query).await?.items;
    let users = if ctx.may(Action::UserList) {
        let query = UserQuery { customer: of, limit: Some(SHOWN), ..Default::default() };
        Some(users::list::load(ctx, query).await?.items)
    } else {
        None
    };
    let mut shell = shell(ctx, "/customers");
    name_ids(ctx, &mut shell, customer.operators.clone()).await?;
    let failed =
        beside.form.is_some() || beside.operators.is_some() || beside.erase_problem.is_some();
    let names: Vec<String> = customer.operators.iter().map(|id| shell.called(id)).collect();
    let (operators, operators_problem) = match beside.operators {
        Some((typed, problem)) => (typed, Some(problem)),
        None => (names.join(" "), None),
    };
    let status = if failed { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let page = CustomerPage {
        shell,
        form: beside.form.unwrap_or_else(|| form_of(&customer)),
        customer,
        operators,
        operators_problem,
        users,
        requests,
        erase_problem: beside.erase_problem,
        may_change: may(Action::CustomerUpdate),
        may_assign: may(Action::CustomerAssign),
        may_erase: may(Action::CustomerErase),
    };
    html(status, &page)
}

/// Changes what is known of a customer.
pub(crate) async fn change(
    ctx: Ctx,
    Path(id): Path<String>,
    Form(typed): Form<Typed>,
) -> Result<Response, ApiError> {
    let (found, _) = customers::find(&ctx, &id, Action::CustomerUpdate).await?;
    let changed = match typed.wanted() {
        Ok(wanted) => {
            let body = CustomerPatch {
                name: Some(wanted.name),
                email: Some(wanted.email),
                phone: Some(wanted.phone),
                notes: Some(wanted.notes),
                fields: Some(wanted.fields),
            };
            let version = typed.version;
            customers::update::act(&ctx, &id, body, |_| Ok(version)).await
        }
        Err(error) => Err(error),
    };
    match changed {
        Ok(_) => Ok(see_other(&format!("/customers/{}", found.id))),
        Err(error) => {
            let form = Some(typed.form(error)?);
            page(&ctx, &id, Beside { form, ..Beside::default() }).await
        }
    }
}

/// Who looks after a customer.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Operators {
    #[serde(rename = "csrf", default)]
    _csrf: String,
    #[serde(default)]
    operators: String,
}

/// Says who looks after a customer.
pub(crate) async fn assign(
    ctx: Ctx,
    Path(id): Path<String>,
    Form(typed): Form<Operators>,
) -> Result<Response, ApiError> {
    let names: Vec<String> = typed.operators.split_whitespace().map(str::to_owned).collect();
    match customers::assign::act(&ctx, &id, &names).await {
        Ok(_) => Ok(see_other(&format!("/customers/{id}"))),
        Err(error) => {
            let problem = said(&error).ok_or(error)?;
            let operators = Some((typed.operators, problem));
            page(&ctx, &id, Beside { operators, ..Beside::default() }).await
        }
    }
}

/// The wish to erase a customer.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Erasure {
    #[serde(rename = "csrf", default)]
    _csrf: String,
    confirm: String,
}

/// Erases a customer whose name was typed to confirm it.
pub(crate) async fn erase(
    ctx: Ctx,
    Path(id): Path<String>,
    Form(form): Form<Erasure>,
) -> Result<Response, ApiError> {
    let (found, _) = customers::find(&ctx, &id, Action::CustomerErase).await?;
    let name = customers::show(&ctx, &found).await?.name;
    let erased = if form.confirm.trim() == name {
        customers::erase::act(&ctx, &id).await.map_err(|error| said(&error).ok_or(error))
    } else {
        Err(Ok("This is not the customer’s name. Nothing was erased.".to_owned()))
    };
    match erased {
        Ok(()) => Ok(see_other("/customers")),
        Err(problem) => {
            let erase_problem = Some(problem?);
            page(&ctx, &id, Beside { erase_problem, ..Beside::default() }).await
        }
    }
}

/// A table to import.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Table {
    #[serde(rename = "csrf")]
    _csrf: String,
    table: String,
    /// `yes` makes the customers; otherwise what is wrong is told.
    make: String,
}

/// The page on which a table is imported.
pub(crate) async fn import_page(ctx: Ctx) -> Result<Response, ApiError> {
    ctx.authorise(Action::CustomerImport, &Resource::system()).await?;
    let shell = shell(&ctx, "/customers");
    let table = String::new();
    html(StatusCode::OK, &ImportPage { shell, table, report: None, problem: None })
}

/// Imports a table, or tells what is wrong with it.
pub(crate) async fn import(ctx: Ctx, Form(typed): Form<Table>) -> Result<Response, ApiError> {
    let dry_run = typed.make != "yes";
    let (report, problem) = match customers::import::act(&ctx, &typed.table, dry_run).await {
        Ok(report) if report.made > 0 => return Ok(see_other("/customers")),
        Ok(report) => (Some(report), None),
        Err(error) => (None, Some(said(&error).ok_or(error)?)),
    };
    let wrong = problem.is_some() || report.as_ref().is_some_and(|one| !one.problems.is_empty());
    let status = if wrong { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let shell = shell(&ctx, "/customers");
    html(status, &ImportPage { shell, table: typed.table, report, problem })
}
