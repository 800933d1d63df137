//! `GET /v1/models`, `GET /v1/models/{model}`: the models that the caller may use, in the words of both APIs.

use crate::{context::Ctx, error::ApiError};
use axum::{Json, extract::Path};
use serde_json::{Value, json};
use wardroom_core::{Action, action::Resource, agent::ModelName};

/// The models that the caller may use.
pub(crate) async fn list(ctx: Ctx) -> Result<Json<Value>, ApiError> {
    let named = usable(&ctx).await?;
    let data: Vec<_> = named.iter().map(|(name, owner)| entry(name, owner)).collect();
    let (first, last) = (named.first().map(|(name, _)| name), named.last().map(|(name, _)| name));
    Ok(Json(
        json!({"object": "list", "data": data, "has_more": false, "first_id": first, "last_id": last}),
    ))
}

/// One of them.
pub(crate) async fn get(ctx: Ctx, Path(name): Path<String>) -> Result<Json<Value>, ApiError> {
    let found = usable(&ctx).await?.into_iter().find(|(known, _)| *known == name);
    let (name, owner) = found.ok_or_else(|| super::no_model(&name))?;
    Ok(Json(entry(&name, &owner)))
}

fn entry(name: &str, owner: &str) -> Value {
    json!({
        "id": name, "object": "model", "created": 0, "owned_by": owner,
        "type": "model", "display_name": name, "created_at": "1970-01-01T00:00:00Z",
    })
}

/// Routes, and the models that providers list, with whom they lead to.
async fn usable(ctx: &Ctx) -> Result<Vec<(String, String)>, ApiError> {
    ctx.authorise(Action::ModelList, &Resource::system()).await?;
    let models = ctx.app.engine.models();
    let may = |model: &ModelName| {
        ctx.decide(Action::ModelUse, &Resource::model(&model.provider, &model.name)).allowed
    };
    let routes = models.routes().filter(|(_, chain)| chain.first().is_some_and(may));
    let routes = routes.map(|(name, chain)| {
        let owner = chain.first().map(|model| model.provider.clone());
        (name.to_owned(), owner.unwrap_or_default())
    });
    let listed = models.iter().flat_map(|provider| {
        let parts = provider.parts();
        let named =
            move |name: &String| ModelName { provider: parts.name.clone(), name: name.clone() };
        parts.models.iter().map(named)
    });
    let listed = listed
        .filter(may)
        .map(|model| (format!("{}/{}", model.provider, model.name), model.provider));
    Ok(routes.chain(listed).collect())
}
