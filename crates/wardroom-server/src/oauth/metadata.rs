//! What programs look up before they ask (RFC 8414, RFC 9728).

use crate::{App, error::ApiError};
use axum::{
    Json,
    extract::{Path, State},
    response::{IntoResponse as _, Response},
};
use serde_json::{Value, json};
use std::sync::Arc;
use wardroom_core::{Action, oauth::is_grantable, tool::server::is_name};
use wardroom_gateway::upstream;

/// Where metadata of resources is: the resource's own path stands behind it (RFC 9728 §3.1).
pub(crate) const RESOURCES: &str = "/.well-known/oauth-protected-resource";
/// What a client of the gateway asks for to use tools.
pub(crate) const MCP_SCOPES: [&str; 4] = [
    Action::McpConnect.as_str(),
    Action::ToolCall.as_str(),
    Action::ResourceRead.as_str(),
    Action::PromptRead.as_str(),
];

fn scopes() -> Vec<&'static str> {
    let grantable = Action::ALL.iter().filter(|action| is_grantable(**action));
    grantable.map(|action| action.as_str()).collect()
}

/// The authorization server.
pub(crate) async fn server(State(app): State<Arc<App>>) -> Json<Value> {
    let issuer = app.issuer();
    let secrets = json!(["client_secret_basic", "client_secret_post", "none"]);
    Json(json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/oauth/authorize"),
        "token_endpoint": format!("{issuer}/oauth/token"),
        "token_endpoint_auth_methods_supported": secrets,
        "revocation_endpoint": format!("{issuer}/oauth/revoke"),
        "revocation_endpoint_auth_methods_supported": secrets,
        "scopes_supported": scopes(),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "refresh_token", "client_credentials"],
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": true,
        "client_id_metadata_document_supported": !app.client_documents.is_empty(),
    }))
}

/// What the gateway is as a client of others for a tool server (OAuth Client ID Metadata Document, draft 00): its address
/// is its id. SECURITY: made of the name alone, so that it tells nobody which tool servers there are.
pub(crate) async fn gateway_client(
    State(app): State<Arc<App>>,
    Path(server): Path<String>,
) -> Response {
    if !is_name(&server) {
        return ApiError::not_found().into_response();
    }
    Json(upstream::client_document(app.issuer(), &server)).into_response()
}

fn resource(app: &App, resource: &str, scopes: &[&str]) -> Json<Value> {
    Json(json!({
        "resource": resource,
        "resource_name": "Wardroom",
        "authorization_servers": [app.issuer()],
        "scopes_supported": scopes,
        "bearer_methods_supported": ["header"],
    }))
}

/// The API as a resource.
pub(crate) async fn api(State(app): State<Arc<App>>) -> Json<Value> {
    resource(&app, &app.api_resource(), &scopes())
}

/// The gateway as a resource. SECURITY: the same for every name, so that it tells nobody which tool servers there are.
pub(crate) async fn gateway(State(app): State<Arc<App>>, server: Option<Path<String>>) -> Response {
    let name = server.as_ref().map(|Path(name)| name.as_str());
    let wanted = app.mcp_resource(name);
    if !app.is_resource(&wanted) {
        return ApiError::not_found().into_response();
    }
    resource(&app, &wanted, &MCP_SCOPES).into_response()
}
