//! `POST /node/v1/enrol`

use super::bytes;
use crate::{App, api::input::Json, error::ApiError, middleware::RequestInfo};
use axum::{Extension, extract::State, http::StatusCode};
use std::sync::Arc;
use wardroom_core::{
    JoinTokenId, Principal,
    audit::{AuditDraft, AuditOutcome},
    node::Node,
};
use wardroom_engine::{EngineError, nodes::Enrolment};
use wardroom_trust::{node_token::verify_ed25519, secret::JoinSecret};
use wardroom_wire::link::{ENROL_CONTEXT, EnrolRequest, EnrolResponse};

/// Enrols a machine that has a join token and proves that it holds its key.
pub(crate) async fn handler(
    State(app): State<Arc<App>>,
    Extension(info): Extension<RequestInfo>,
    Json(body): Json<EnrolRequest>,
) -> Result<(StatusCode, axum::Json<EnrolResponse>), ApiError> {
    match enrol(&app, &info, body).await {
        Ok(node) => {
            let node = node.id.to_string();
            let answer = EnrolResponse { node, authority: app.authority_pem.clone() };
            Ok((StatusCode::CREATED, axum::Json(answer)))
        }
        Err((error, on)) => {
            let origin = info.origin();
            let now = app.engine.now();
            let mut audit = AuditDraft::event("node.enrol", &Principal::Anonymous, &origin, now)
                .outcome(AuditOutcome::Refused, error.to_string());
            if let Some(token) = on {
                audit = audit.on(token);
            }
            app.refusals.record(&app, audit).await?;
            Err(error.into())
        }
    }
}

/// Enrols; or why not, and on which token.
async fn enrol(
    app: &App,
    info: &RequestInfo,
    body: EnrolRequest,
) -> Result<Node, (EngineError, Option<JoinTokenId>)> {
    let token = JoinSecret::parse(&body.token)
        .map_err(|_| (EngineError::JoinToken("it is not of a join token's form"), None))?;
    let on = Some(token.id());
    let form = |_| (EngineError::NodeProof("a field is not base64url of the right length"), on);
    let public_key: [u8; 32] = bytes(&body.public_key).map_err(form)?;
    let signature: [u8; 64] = bytes(&body.signature).map_err(form)?;
    let message = format!("{ENROL_CONTEXT}{}\n{}", token.id(), body.public_key);
    if !verify_ed25519(&public_key, message.as_bytes(), &signature) {
        let why = "the enrolment is not signed by the key in it";
        return Err((EngineError::NodeProof(why), on));
    }
    let enrolment =
        Enrolment { token: token.id(), secret_hash: token.hash(), name: body.name, public_key };
    app.engine.enrol(enrolment, &info.origin()).await.map_err(|error| (error, on))
}
