//! `GET /api/v1/model-calls`, `GET /api/v1/model-calls/{id}`

use super::{dollars, millis};
use crate::{
    api::input::{QueryOf, filter, id, page},
    context::Ctx,
    error::ApiError,
};
use axum::{Json, extract::Path};
use serde::Deserialize;
use wardroom_core::{
    Action, ModelCallId,
    action::{Resource, ResourceKind},
    model::ModelCall,
    store::ModelCallFilter,
};
use wardroom_wire::{api::List, error::Problem, models::ModelCallView};

/// Which questions.
#[derive(Debug, Clone, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(crate) struct CallsQuery {
    /// Continue behind this, as `next` of the page before said.
    pub(crate) after: Option<String>,
    /// At most so many items, 1 to 200.
    #[param(minimum = 1, maximum = 200)]
    pub(crate) limit: Option<u32>,
    /// Of this account.
    pub(crate) user: Option<String>,
    /// Of this run.
    pub(crate) run: Option<String>,
    /// To this provider.
    pub(crate) provider: Option<String>,
}

fn view(call: &ModelCall) -> ModelCallView {
    let end = call.end.as_ref();
    let usage = end.map(|end| end.usage).unwrap_or_default();
    let state = match end.map(|end| end.failure) {
        None => "running",
        Some(None) => "answered",
        Some(Some(failure)) => failure.as_str(),
    };
    ModelCallView {
        id: call.id.to_string(),
        user: call.user.to_string(),
        customer: call.customer.map(|id| id.to_string()),
        token: call.token.map(|id| id.to_string()),
        client: call.client.map(|id| id.to_string()),
        agent: call.agent.clone(),
        run: call.run.map(|id| id.to_string()),
        door: call.door.as_str().to_owned(),
        model: format!("{}/{}", call.provider, call.model),
        state: state.to_owned(),
        begun_at: call.begun_at.to_string(),
        ended_at: end.map(|end| end.at.to_string()),
        first_ms: end.and_then(|end| end.first_micros).map(millis),
        input_tokens: usage.input_tokens,
        cache_read_tokens: usage.cache_read_tokens,
        cache_write_tokens: usage.cache_write_tokens,
        output_tokens: usage.output_tokens,
        cost_usd: dollars(end.map_or(call.held.cost_micros, |end| end.cost_micros)),
        estimated: end.is_some_and(|end| end.estimated),
        prices: call.prices.clone(),
    }
}

/// Questions to language models, newest first. Others' are left out where reading them is not allowed.
#[utoipa::path(
    operation_id = "model_calls_list",
    get, path = "/api/v1/model-calls", tag = "models", params(CallsQuery),
    responses((status = 200, body = List<ModelCallView>), (status = 422, body = Problem))
)]
pub(crate) async fn list(
    ctx: Ctx,
    QueryOf(query): QueryOf<CallsQuery>,
) -> Result<Json<List<ModelCallView>>, ApiError> {
    load(&ctx, query).await.map(Json)
}

/// Questions.
pub(crate) async fn load(ctx: &Ctx, query: CallsQuery) -> Result<List<ModelCallView>, ApiError> {
    ctx.authorise(Action::ModelCallList, &Resource::system()).await?;
    let anyones = Resource::anothers(ResourceKind::ModelCall);
    let anyones = ctx.decide(Action::ModelCallRead, &anyones).allowed;
    let mut user = filter("user", query.user.as_deref())?;
    // SECURITY: whoever reads only their own is shown no place at which others' stand.
    if !anyones {
        let own = ctx.user()?;
        if user.is_some_and(|user| user != own) {
            return Ok(List { items: vec![], next: None });
        }
        user = Some(own);
    }
    let run = filter("run", query.run.as_deref())?;
    let wanted = ModelCallFilter { user, run, provider: query.provider };
    let page = page::<ModelCallId>(query.after.as_deref(), query.limit)?;
    let found = ctx.app.engine.store().list_model_calls(&wanted, page).await?;
    let readable =
        |call: &&ModelCall| ctx.decide(Action::ModelCallRead, &Resource::model_call(call)).allowed;
    Ok(List {
        items: found.items.iter().filter(readable).map(view).collect(),
        next: found.next.map(|id| id.to_string()),
    })
}

/// What a question to a language model took.
#[utoipa::path(
    operation_id = "model_calls_get",
    get, path = "/api/v1/model-calls/{id}", tag = "models", params(("id" = String, Path)),
    responses((status = 200, body = ModelCallView), (status = 404, body = Problem))
)]
pub(crate) async fn get(
    ctx: Ctx,
    Path(text): Path<String>,
) -> Result<Json<ModelCallView>, ApiError> {
    let found = ctx.app.engine.store().lookup_model_call(id(&text)?).await?;
    let call = found.ok_or_else(ApiError::not_found)?;
    ctx.authorise(Action::ModelCallRead, &Resource::model_call(&call)).await?;
    Ok(Json(view(&call)))
}
