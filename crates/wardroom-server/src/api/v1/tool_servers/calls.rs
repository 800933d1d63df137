//! `/api/v1/tool-calls`

use super::super::super::input::{QueryOf, filter, page};
use crate::{context::Ctx, error::ApiError};
use axum::{Json, extract::Path};
use data_encoding::HEXLOWER;
use serde::Deserialize;
use serde_json::Value;
use wardroom_core::{
    Action, ToolCallId,
    action::{Resource, ResourceKind},
    redact::redact,
    store::CallFilter,
    tool::call::ToolCall,
};
use wardroom_wire::{
    api::List,
    error::Problem,
    tools::{ToolCallDetail, ToolCallView},
};

/// Which calls are wanted.
#[derive(Debug, Clone, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(crate) struct CallQuery {
    /// Of this server.
    pub(crate) server: Option<String>,
    /// Of tools of this name.
    pub(crate) tool: Option<String>,
    /// That came out so.
    pub(crate) outcome: Option<String>,
    /// The caller's own only.
    pub(crate) mine: bool,
    /// Continue behind this call.
    pub(crate) after: Option<String>,
    /// At most so many, 1 to 200.
    #[param(minimum = 1, maximum = 200)]
    pub(crate) limit: Option<u32>,
}

fn view(call: &ToolCall) -> ToolCallView {
    let end = call.end.as_ref();
    let took = end.map(|end| end.at.since(call.begun_at).as_secs_f64() * 1000.0);
    ToolCallView {
        id: call.id.to_string(),
        server: call.server_name.clone(),
        tool: call.tool.clone(),
        user: call.user.to_string(),
        client: call.client.map(|client| client.to_string()),
        door: call.door.as_str().to_owned(),
        state: end.map_or("running", |end| end.outcome.as_str()).to_owned(),
        begun_at: call.begun_at.to_string(),
        ms: took,
        arguments_bytes: call.arguments_bytes,
        result_bytes: end.map(|end| end.result_bytes),
        policy: call.policy.clone(),
        problem: end.and_then(|end| end.problem.clone()),
    }
}

/// Calls of tools, newest first. Others' calls are left out where reading them is not allowed.
#[utoipa::path(
    operation_id = "tool_calls_list",
    get, path = "/api/v1/tool-calls", tag = "tool servers", params(CallQuery),
    responses((status = 200, body = List<ToolCallView>))
)]
pub(crate) async fn list(
    ctx: Ctx,
    QueryOf(query): QueryOf<CallQuery>,
) -> Result<Json<List<ToolCallView>>, ApiError> {
    load(&ctx, query).await.map(Json)
}

/// Calls.
pub(crate) async fn load(ctx: &Ctx, query: CallQuery) -> Result<List<ToolCallView>, ApiError> {
    ctx.authorise(Action::ToolCallList, &Resource::system()).await?;
    let anyones = Resource::new(ResourceKind::ToolCall, "any");
    let anyones = ctx.decide(Action::ToolCallRead, &anyones).allowed;
    let store = ctx.app.engine.store();
    let server = match query.server.as_deref().filter(|name| !name.is_empty()) {
        Some(name) => match store.lookup_tool_server(name).await? {
            Some(server) => Some(server.id),
            None => return Ok(List { items: vec![], next: None }),
        },
        None => None,
    };
    let wanted = CallFilter {
        server,
        tool: query.tool.filter(|tool| !tool.is_empty()),
        user: (query.mine || !anyones).then(|| ctx.user()).transpose()?,
        outcome: filter("outcome", query.outcome.as_deref())?,
    };
    let page = page(query.after.as_deref(), query.limit)?;
    let found = store.list_tool_calls(&wanted, page).await?;
    let readable =
        |call: &&ToolCall| ctx.decide(Action::ToolCallRead, &Resource::tool_call(call)).allowed;
    let items = found.items.iter().filter(readable).map(view).collect();
    Ok(List { items, next: found.next.map(|id| id.to_string()) })
}

/// A call with its arguments.
#[utoipa::path(
    operation_id = "tool_calls_get",
    get, path = "/api/v1/tool-calls/{id}", tag = "tool servers", params(("id" = String, Path)),
    responses((status = 200, body = ToolCallDetail), (status = 404, body = Problem))
)]
pub(crate) async fn get(
    ctx: Ctx,
    Path(id): Path<String>,
) -> Result<Json<ToolCallDetail>, ApiError> {
    detail(&ctx, &id).await.map(Json)
}

/// One call.
pub(crate) async fn detail(ctx: &Ctx, id: &str) -> Result<ToolCallDetail, ApiError> {
    let id: ToolCallId = id.parse().map_err(|_| ApiError::not_found())?;
    let call = ctx.app.engine.store().lookup_tool_call(id).await?;
    let call = call.ok_or_else(ApiError::not_found)?;
    ctx.authorise(Action::ToolCallRead, &Resource::tool_call(&call)).await?;
    let arguments = ctx.app.gateway.arguments(&call).await.map_err(ApiError::internal)?;
    let end = call.end.as_ref();
    Ok(ToolCallDetail {
        arguments: arguments.and_then(|text| shown(&text)),
        arguments_digest: HEXLOWER.encode(&call.arguments_digest),
        result_digest: end.and_then(|end| end.result_digest).map(|digest| HEXLOWER.encode(&digest)),
        call: view(&call),
    })
}

/// Names whose values are not shown.
const SECRETIVE: [&str; 8] =
    ["password", "passwd", "secret", "token", "api_key", "apikey", "authorization", "credential"];

/// Arguments without what has the name or the form of a secret.
fn shown(text: &str) -> Option<Value> {
    let mut value = serde_json::from_str(text).ok()?;
    hide(&mut value, &|text| String::from_utf8_lossy(&redact(text.as_bytes())).into_owned(), false);
    Some(value)
}

/// Arguments for whoever decides over them. SECURITY: nobody consents to what they can't see, so only texts under names
/// of secrets are left out, and how long they are is told.
pub(crate) fn shown_to_decider(text: &str) -> Option<Value> {
    let mut value = serde_json::from_str(text).ok()?;
    hide(&mut value, &str::to_owned, false);
    Some(value)
}

/// Hides texts within what has the name of a secret, and gives all others to `redact`.
fn hide(value: &mut Value, redact: &impl Fn(&str) -> String, secret: bool) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                let lower = name.to_ascii_lowercase();
                let named = SECRETIVE.iter().any(|secret| lower.contains(secret));
                hide(value, redact, secret || named);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| hide(item, redact, secret)),
        Value::String(text) if secret => {
            *text = format!("[redacted: {} characters]", text.chars().count());
        }
        Value::String(text) => *text = redact(text),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use serde_json::json;

    #[test]
    fn what_looks_like_a_secret_is_not_shown() {
        let text = json!({
            "path": "/srv/a",
            "db": {"Password": "hunter2", "hosts": [{"apiKey": "seven"}], "max_tokens": 7},
            "note": "use Bearer abcdefghijklmnop please",
        });
        let shown = shown(&text.to_string()).unwrap();
        assert_eq!(shown["path"], "/srv/a");
        assert_eq!(shown["db"]["Password"], "[redacted: 7 characters]");
        assert_eq!(shown["db"]["hosts"][0]["apiKey"], "[redacted: 5 characters]");
        assert_eq!(shown["db"]["max_tokens"], 7);
        assert!(!shown.to_string().contains("abcdefghijklmnop"), "{shown}");
    }

    #[test]
    fn nothing_hides_what_is_decided_over() {
        for note in ["x://u:", "-----BEGIN PRIVATE KEY-----"] {
            let text = json!({"note": note, "command": "rm -rf /srv", "z": "@-"}).to_string();
            assert_eq!(shown(&text).unwrap()["command"], "rm -rf /srv", "{note}");
            assert_eq!(
                shown_to_decider(&text).unwrap(),
                serde_json::from_str::<Value>(&text).unwrap()
            );
        }
    }
}
