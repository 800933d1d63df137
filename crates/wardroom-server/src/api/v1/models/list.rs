//! `GET /api/v1/models`

use crate::{context::Ctx, error::ApiError};
use axum::Json;
use wardroom_core::{Action, action::Resource, agent::ModelName};
use wardroom_engine::models::Provider;
use wardroom_wire::models::{ModelsView, ProviderFailureView, ProviderView, RouteView};

/// SECURITY: what a provider says when it fails is for those who look after the installation.
fn view(provider: &Provider, in_words: bool) -> ProviderView {
    let (parts, health) = (provider.parts(), provider.health());
    let failure = health.last_failure.map(|(at, failure)| ProviderFailureView {
        kind: failure.kind.as_str().to_owned(),
        detail: if in_words { failure.detail } else { String::new() },
        at: at.to_string(),
    });
    ProviderView {
        name: parts.name.clone(),
        kind: parts.kind.to_owned(),
        models: parts.models.clone(),
        played: parts.played,
        prices: parts.prices.version().to_owned(),
        breaker: health.breaker.as_str().to_owned(),
        asked: health.asked,
        waiting: health.waiting,
        parallel_max: parts.parallel_max,
        last_failure: failure,
    }
}

/// Who runs language models, and how they do. Keys and addresses are never told.
#[utoipa::path(
    operation_id = "models_list",
    get, path = "/api/v1/models", tag = "models",
    responses((status = 200, body = ModelsView))
)]
pub(crate) async fn handler(ctx: Ctx) -> Result<Json<ModelsView>, ApiError> {
    load(&ctx).await.map(Json)
}

/// Providers and routes.
pub(crate) async fn load(ctx: &Ctx) -> Result<ModelsView, ApiError> {
    ctx.authorise(Action::ModelList, &Resource::system()).await?;
    let models = ctx.app.engine.models();
    let in_words = ctx.may(Action::HealthRead);
    let named = |model: &ModelName| format!("{}/{}", model.provider, model.name);
    let route = |(name, chain): (&str, &[ModelName])| RouteView {
        name: name.to_owned(),
        models: chain.iter().map(named).collect(),
    };
    Ok(ModelsView {
        providers: models.iter().map(|provider| view(provider, in_words)).collect(),
        routes: models.routes().map(route).collect(),
    })
}
