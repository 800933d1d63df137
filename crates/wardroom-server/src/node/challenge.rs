//! `POST /node/v1/challenge`

use super::refused;
use crate::{App, api::input::Json, error::ApiError};
use axum::extract::State;
use std::sync::Arc;
use wardroom_core::NodeId;
use wardroom_wire::link::{ChallengeRequest, ChallengeResponse};

/// Gives a challenge for whatever node is named: whether it exists shows only to who can sign.
pub(crate) async fn handler(
    State(app): State<Arc<App>>,
    Json(body): Json<ChallengeRequest>,
) -> Result<axum::Json<ChallengeResponse>, ApiError> {
    let node: NodeId = body.node.parse().map_err(|_| refused("that is not a node's id"))?;
    let challenge = app.challenges.make(node, app.engine.now(), app.engine.rng());
    let challenge = challenge.map_err(ApiError::internal)?;
    Ok(axum::Json(ChallengeResponse { challenge }))
}
