//! What programs look up before they ask (RFC 8414, RFC 9728).

use crate::App;
use axum::{Json, extract::State};
use serde_json::{Value, json};
use std::sync::Arc;
use wardroom_core::{Action, oauth::is_grantable};

/// Where the API's metadata is.
pub(crate) const RESOURCE_PATH: &str = "/.well-known/oauth-protected-resource/api";

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
    }))
}

/// The API as a resource.
pub(crate) async fn resource(State(app): State<Arc<App>>) -> Json<Value> {
    Json(json!({
        "resource": app.api_resource(),
        "resource_name": "Wardroom",
        "authorization_servers": [app.issuer()],
        "scopes_supported": scopes(),
        "bearer_methods_supported": ["header"],
    }))
}
