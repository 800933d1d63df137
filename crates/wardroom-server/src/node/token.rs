//! `POST /node/v1/token`

use super::{bytes, refused};
use crate::{App, api::input::Json, error::ApiError, middleware::RequestInfo};
use axum::{Extension, extract::State};
use std::sync::{Arc, PoisonError};
use wardroom_core::{
    NodeId, Principal,
    audit::{AuditDraft, AuditOutcome},
};
use wardroom_trust::node_token::verify_ed25519;
use wardroom_wire::link::{CHALLENGE_CONTEXT, TokenRequest, TokenResponse};

/// Turns a signed challenge into a short-lived access token.
pub(crate) async fn handler(
    State(app): State<Arc<App>>,
    Extension(info): Extension<RequestInfo>,
    Json(body): Json<TokenRequest>,
) -> Result<axum::Json<TokenResponse>, ApiError> {
    match prove(&app, &body).await {
        Ok(node) => {
            let now = app.engine.now();
            let issued =
                app.node_tokens.issue(node, now, app.engine.rng()).map_err(ApiError::internal)?;
            Ok(axum::Json(TokenResponse {
                token: issued,
                expires_in: app.node_tokens.ttl().as_secs(),
            }))
        }
        Err((error, why)) => {
            let audit = AuditDraft::event(
                "node.token",
                &Principal::Anonymous,
                &info.origin(),
                app.engine.now(),
            )
            .on(body.node.chars().take(64).collect::<String>())
            .outcome(AuditOutcome::Refused, why);
            app.refusals.record(&app, audit).await?;
            Err(error)
        }
    }
}

/// The node that signed the challenge, if it may come in.
async fn prove(app: &App, body: &TokenRequest) -> Result<NodeId, (ApiError, &'static str)> {
    let no = |why: &'static str| (refused(why), why);
    let id: NodeId = body.node.parse().map_err(|_| no("that is not a node's id"))?;
    let now = app.engine.now();
    let nonce = app
        .challenges
        .check(&body.challenge, id, now)
        .map_err(|_| no("the challenge is not ours or too old"))?;
    let signature: [u8; 64] =
        bytes(&body.signature).map_err(|error| (error, "the signature has the wrong form"))?;
    let node = app
        .engine
        .store()
        .lookup_node(id)
        .await
        .map_err(|error| (error.into(), "the store could not be asked"))?
        .ok_or_else(|| no("the node is not known"))?;
    let message = format!("{CHALLENGE_CONTEXT}{}", body.challenge);
    if !verify_ed25519(&node.public_key, message.as_bytes(), &signature) {
        return Err(no("the challenge is not signed by the node's key"));
    }
    if node.disabled {
        return Err(no("the node is disabled"));
    }
    // SECURITY: a challenge is spent only once its signature is right, so nobody can spend another's.
    let fresh = app.spent.lock().unwrap_or_else(PoisonError::into_inner).spend(id, nonce, now);
    if !fresh {
        return Err(no("the challenge was used already, or the node asks too often"));
    }
    Ok(id)
}
