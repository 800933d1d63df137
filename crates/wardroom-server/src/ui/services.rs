//! `/services`

use super::{
    customers::lines,
    frame::{errors_of, html, name_ids, said, see_other, shell},
    pages::{
        errors::Errors,
        format as f,
        order::OrderForm,
        services::{OrderTerms, ServiceDraft, ServiceEditPage, ServicePage, ServicesPage},
    },
};
use crate::{
    api::{
        input::QueryOf,
        v1::{
            customers::{self, list::CustomerQuery},
            services::{self, list::ServiceQuery},
        },
    },
    context::Ctx,
    error::ApiError,
};
use axum::{Form, extract::Path, http::StatusCode, response::Response};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use wardroom_core::{Action, action::Resource, page::PAGE_ITEMS_MAX};
use wardroom_wire::desk::{
    OrderCreate, ServiceFulfilment, ServiceLimits, ServicePatch, ServiceView,
};

/// The fields that the pages show errors beside.
const ORDER_FIELDS: [&str; 4] = ["customer", "priority", "due_at", "scheduled_for"];
const DRAFT_FIELDS: [&str; 13] = [
    "name",
    "title",
    "description",
    "form",
    "fulfilment.command",
    "fulfilment.node",
    "fulfilment.labels",
    "fulfilment.fixed",
    "fulfilment.secrets",
    "deadline_seconds",
    "audience",
    "limits",
    "state",
];

/// Services by name.
pub(crate) async fn list(
    ctx: Ctx,
    QueryOf(query): QueryOf<ServiceQuery>,
) -> Result<Response, ApiError> {
    let (state, later) = (query.state.clone().unwrap_or_default(), query.after.is_some());
    let list = services::list::load(&ctx, query).await?;
    html(StatusCode::OK, &ServicesPage { shell: shell(&ctx, "/services"), list, state, later })
}

/// One service with its form.
pub(crate) async fn show(ctx: Ctx, Path(id): Path<String>) -> Result<Response, ApiError> {
    let service = services::get::load(&ctx, &id).await?;
    let form = OrderForm::new(&service.form);
    page(&ctx, service, form, OrderTerms::default(), Errors::default()).await
}

async fn page(
    ctx: &Ctx,
    service: ServiceView,
    form: OrderForm,
    terms: OrderTerms,
    errors: Errors,
) -> Result<Response, ApiError> {
    let (found, _) = services::find(ctx, &service.id, Action::ServiceRead).await?;
    let may_order = service.state == "published"
        && ctx.decide(Action::ServiceOrder, &Resource::service(&found)).allowed;
    let for_others = ctx.principal.customer().is_none();
    let customers = if for_others && may_order && ctx.may(Action::CustomerList) {
        let query = CustomerQuery { limit: Some(PAGE_ITEMS_MAX), ..Default::default() };
        customers::list::load(ctx, query).await?.items
    } else {
        vec![]
    };
    let wrong = errors.any() || form.fields.iter().any(|field| field.error.is_some());
    let status = if wrong { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let mut key = [0_u8; 16];
    ctx.app.engine.rng().fill(&mut key);
    let key = data_encoding::HEXLOWER.encode(&key);
    let mut shell = shell(ctx, "/services");
    let author = service.inside.as_ref().map(|inside| inside.author.clone());
    name_ids(ctx, &mut shell, author.into_iter().collect()).await?;
    let page =
        ServicePage { shell, service, form, terms, for_others, customers, may_order, key, errors };
    html(status, &page)
}

/// What a browser's field for a time holds, as the API takes it: the dashboard's times are UTC.
pub(super) fn time(text: &str) -> Option<String> {
    let text = text.trim();
    match text.len() {
        0 => None,
        16 => Some(format!("{text}:00Z")),
        _ => Some(text.to_owned()),
    }
}

/// Orders a service.
pub(crate) async fn order(
    ctx: Ctx,
    Path(id): Path<String>,
    Form(typed): Form<BTreeMap<String, String>>,
) -> Result<Response, ApiError> {
    let (found, _) = services::find(&ctx, &id, Action::ServiceOrder).await?;
    let service = services::show(&ctx, &found)?;
    let text = |name: &str| typed.get(name).cloned().unwrap_or_default();
    let terms = OrderTerms {
        customer: text("customer"),
        priority: text("priority"),
        due_at: text("due_at"),
        scheduled_for: text("scheduled_for"),
    };
    let mut form = OrderForm::new(&service.form);
    let some = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
    let body = OrderCreate {
        customer: some(&terms.customer),
        values: form.values(&typed),
        priority: some(&terms.priority),
        due_at: time(&terms.due_at),
        scheduled_for: time(&terms.scheduled_for),
    };
    let key = typed.get("key").filter(|key| !key.is_empty()).cloned();
    match services::order::act(&ctx, &id, body, key).await {
        Ok(made) => Ok(see_other(&format!("/requests/{}", made.id))),
        Err(mut error) => {
            let fields = error.fields.drain(..).map(|field| (field.field, field.reason)).collect();
            let others = form.blame(fields);
            let errors =
                if form.fields.iter().any(|field| field.error.is_some()) && others.is_empty() {
                    Errors::default()
                } else if others.is_empty() {
                    errors_of(error, &ORDER_FIELDS)?
                } else {
                    Errors::of_fields(others, &ORDER_FIELDS)
                };
            page(&ctx, service, form, terms, errors).await
        }
    }
}

/// The form of a service's text.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Typed {
    #[serde(rename = "csrf")]
    _csrf: String,
    version: i64,
    name: String,
    title: String,
    description: String,
    form: String,
    kind: String,
    command: String,
    place: String,
    at: String,
    fixed: String,
    secrets: String,
    deadline_seconds: String,
    audience: String,
    open_max: String,
    per_day_max: String,
}

impl Typed {
    fn wanted(&self) -> Result<ServicePatch, ApiError> {
        let form = match self.form.trim() {
            "" => Value::Object(serde_json::Map::new()),
            text => serde_json::from_str(text)
                .map_err(|error| ApiError::field("form", format!("is not JSON: {error}")))?,
        };
        let number = |text: &str, field: &str| -> Result<u32, ApiError> {
            text.trim().parse().map_err(|_| ApiError::field(field, "must be whole numbers"))
        };
        let limits = ServiceLimits {
            open_max: number(&self.open_max, "limits")?,
            per_day_max: number(&self.per_day_max, "limits")?,
        };
        let audience: Vec<String> = self.audience.split_whitespace().map(str::to_owned).collect();
        Ok(ServicePatch {
            name: Some(self.name.trim().to_owned()),
            title: Some(self.title.trim().to_owned()),
            description: Some(self.description.trim().replace("\r\n", "\n")),
            state: None,
            audience: Some((!audience.is_empty()).then_some(audience)),
            form: Some(form),
            fulfilment: Some(self.fulfilment()?),
            limits: Some(limits),
        })
    }

    fn fulfilment(&self) -> Result<ServiceFulfilment, ApiError> {
        if self.kind != "command" {
            return Ok(ServiceFulfilment::Manual);
        }
        let deadline_seconds = match self.deadline_seconds.trim() {
            "" => None,
            text => Some(
                text.parse()
                    .map_err(|_| ApiError::field("deadline_seconds", "must be a whole number"))?,
            ),
        };
        let at = Some(self.at.trim().to_owned()).filter(|at| !at.is_empty());
        let (node, labels) = if self.place == "labels" { (None, at) } else { (at, None) };
        let fixed = lines(&self.fixed, "fulfilment.fixed")?;
        let value = |text: String| match serde_json::from_str::<Value>(&text) {
            Ok(value @ (Value::Bool(_) | Value::Number(_))) => value,
            _ => Value::String(text),
        };
        Ok(ServiceFulfilment::Command {
            command: self.command.trim().to_owned(),
            node,
            labels,
            fixed: fixed.into_iter().map(|(name, text)| (name, value(text))).collect(),
            secrets: lines(&self.secrets, "fulfilment.secrets")?,
            deadline_seconds,
        })
    }

    fn draft(self) -> ServiceDraft {
        ServiceDraft {
            name: self.name,
            title: self.title,
            description: self.description,
            form: self.form,
            kind: self.kind,
            command: self.command,
            place: self.place,
            at: self.at,
            fixed: self.fixed,
            secrets: self.secrets,
            deadline_seconds: self.deadline_seconds,
            audience: self.audience,
            open_max: self.open_max,
            per_day_max: self.per_day_max,
        }
    }
}

/// A form to begin with.
const EXAMPLE: &str = r#"{
  "type": "object",
  "required": ["text"],
  "x-order": ["text"],
  "properties": {
    "text": {"type": "string", "title": "Text", "maxLength": 200}
  }
}"#;

/// The page of a new service.
pub(crate) async fn new(ctx: Ctx) -> Result<Response, ApiError> {
    ctx.authorise(Action::ServiceCreate, &Resource::system()).await?;
    let draft = ServiceDraft {
        form: EXAMPLE.to_owned(),
        kind: "manual".to_owned(),
        place: "node".to_owned(),
        open_max: "20".to_owned(),
        per_day_max: "100".to_owned(),
        ..ServiceDraft::default()
    };
    let page = ServiceEditPage {
        shell: shell(&ctx, "/services"),
        service: None,
        draft,
        errors: Errors::default(),
    };
    html(StatusCode::OK, &page)
}

/// Makes a service.
pub(crate) async fn create(ctx: Ctx, Form(typed): Form<Typed>) -> Result<Response, ApiError> {
    ctx.authorise(Action::ServiceCreate, &Resource::system()).await?;
    let made = match typed.wanted() {
        Ok(wanted) => {
            let body = wardroom_wire::desk::ServiceCreate {
                name: wanted.name.unwrap_or_default(),
                title: wanted.title.unwrap_or_default(),
                description: wanted.description.unwrap_or_default(),
                audience: wanted.audience.flatten(),
                form: wanted.form,
                fulfilment: wanted.fulfilment,
                limits: wanted.limits,
            };
            services::create::act(&ctx, body).await
        }
        Err(error) => Err(error),
    };
    match made {
        Ok(made) => Ok(see_other(&format!("/services/{}", made.name))),
        Err(error) => edit_page(&ctx, None, typed.draft(), errors_of(error, &DRAFT_FIELDS)?),
    }
}

fn edit_page(
    ctx: &Ctx,
    service: Option<ServiceView>,
    draft: ServiceDraft,
    errors: Errors,
) -> Result<Response, ApiError> {
    let status = if errors.any() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    html(status, &ServiceEditPage { shell: shell(ctx, "/services"), service, draft, errors })
}

/// The page on which a service is written.
pub(crate) async fn edit(ctx: Ctx, Path(id): Path<String>) -> Result<Response, ApiError> {
    let (found, _) = services::find(&ctx, &id, Action::ServiceUpdate).await?;
    let service = services::show(&ctx, &found)?;
    let draft = draft_of(&service);
    edit_page(&ctx, Some(service), draft, Errors::default())
}

fn draft_of(service: &ServiceView) -> ServiceDraft {
    let mut draft = ServiceDraft {
        name: service.name.clone(),
        title: service.title.clone(),
        description: service.description.clone(),
        form: serde_json::to_string_pretty(&service.form).unwrap_or_default(),
        kind: "manual".to_owned(),
        place: "node".to_owned(),
        ..ServiceDraft::default()
    };
    let Some(inside) = &service.inside else { return draft };
    draft.audience = inside.audience.as_ref().map(|ids| ids.join("\n")).unwrap_or_default();
    draft.open_max = inside.limits.open_max.to_string();
    draft.per_day_max = inside.limits.per_day_max.to_string();
    if let ServiceFulfilment::Command { command, node, labels, fixed, secrets, deadline_seconds } =
        &inside.fulfilment
    {
        draft.kind = "command".to_owned();
        draft.command.clone_from(command);
        draft.place = if labels.is_some() { "labels" } else { "node" }.to_owned();
        draft.at = node.as_ref().or(labels.as_ref()).cloned().unwrap_or_default();
        let fixed: Vec<String> =
            fixed.iter().map(|(name, value)| format!("{name}={}", f::value(value))).collect();
        draft.fixed = fixed.join("\n");
        let secrets: Vec<String> =
            secrets.iter().map(|(parameter, name)| format!("{parameter}={name}")).collect();
        draft.secrets = secrets.join("\n");
        draft.deadline_seconds = deadline_seconds.map(|n| n.to_string()).unwrap_or_default();
    }
    draft
}

/// Changes a service.
pub(crate) async fn change(
    ctx: Ctx,
    Path(id): Path<String>,
    Form(typed): Form<Typed>,
) -> Result<Response, ApiError> {
    let (found, _) = services::find(&ctx, &id, Action::ServiceUpdate).await?;
    let version = typed.version;
    let changed = match typed.wanted() {
        Ok(wanted) => services::update::act(&ctx, &id, wanted, |_| Ok(version)).await,
        Err(error) => Err(error),
    };
    match changed {
        Ok(changed) => Ok(see_other(&format!("/services/{}", changed.name))),
        Err(error) => {
            let service = services::show(&ctx, &found)?;
            edit_page(&ctx, Some(service), typed.draft(), errors_of(error, &DRAFT_FIELDS)?)
        }
    }
}

/// Lets a service be ordered.
pub(crate) async fn publish(ctx: Ctx, Path(id): Path<String>) -> Result<Response, ApiError> {
    set_state(&ctx, &id, "published").await
}

/// Lets a service be ordered no more.
pub(crate) async fn retire(ctx: Ctx, Path(id): Path<String>) -> Result<Response, ApiError> {
    set_state(&ctx, &id, "retired").await
}

async fn set_state(ctx: &Ctx, id: &str, state: &str) -> Result<Response, ApiError> {
    let body = ServicePatch { state: Some(state.to_owned()), ..ServicePatch::default() };
    match services::update::act(ctx, id, body, Ok).await {
        Ok(changed) => Ok(see_other(&format!("/services/{}", changed.name))),
        Err(error) => {
            let problem = said(&error).ok_or(error)?;
            let service = services::get::load(ctx, id).await?;
            let form = OrderForm::new(&service.form);
            page(ctx, service, form, OrderTerms::default(), Errors::whole(problem)).await
        }
    }
}
