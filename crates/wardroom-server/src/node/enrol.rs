//! `POST /node/v1/enrol`

use super::{bytes, refused};
use crate::{App, api::input::Json, error::ApiError, middleware::RequestInfo};
use axum::{Extension, extract::State, http::StatusCode};
use std::sync::Arc;
use wardroom_engine::{EngineError, nodes::Enrolment};
use wardroom_trust::{node_token::verify_ed25519, secret::JoinSecret};
use wardroom_wire::link::{ENROL_CONTEXT, EnrolRequest, EnrolResponse};

/// Enrols a machine that has a join token and proves that it holds its key.
pub(crate) async fn handler(
    State(app): State<Arc<App>>,
    Extension(info): Extension<RequestInfo>,
    Json(body): Json<EnrolRequest>,
) -> Result<(StatusCode, axum::Json<EnrolResponse>), ApiError> {
    let token = JoinSecret::parse(&body.token)
        .map_err(|_| ApiError::from(EngineError::JoinToken("it is not of a join token's form")))?;
    let public_key: [u8; 32] = bytes(&body.public_key)?;
    let signature: [u8; 64] = bytes(&body.signature)?;
    let message = format!("{ENROL_CONTEXT}{}\n{}", token.id(), body.public_key);
    if !verify_ed25519(&public_key, message.as_bytes(), &signature) {
        return Err(refused("the enrolment is not signed by the key in it"));
    }
    let enrolment =
        Enrolment { token: token.id(), secret_hash: token.hash(), name: body.name, public_key };
    let node = app.engine.enrol(enrolment, &info.origin()).await?;
    let answer = EnrolResponse { node: node.id.to_string(), authority: app.authority_pem.clone() };
    Ok((StatusCode::CREATED, axum::Json(answer)))
}
