//! `/api/v1/security/blocks`

use super::super::super::input::Json;
use crate::{context::Ctx, error::ApiError, places::network};
use axum::{extract::Path, http::StatusCode};
use std::{net::IpAddr, time::Duration};
use wardroom_core::{
    Action, Timestamp,
    action::Resource,
    block::{BLOCK_TTL_MAX, Block},
    store::StoreError,
};
use wardroom_wire::{
    api::List,
    error::Problem,
    security::{BlockCreate, BlockView},
};

/// Blocks that one answer has.
const SHOWN_MAX: u32 = 1000;
/// The longest reason, in characters.
const REASON_CHARS_MAX: usize = 200;

/// Networks that are turned away, or were within a day, newest first.
#[utoipa::path(
    operation_id = "blocks_list",
    get, path = "/api/v1/security/blocks", tag = "security",
    responses((status = 200, body = List<BlockView>))
)]
pub(crate) async fn list(ctx: Ctx) -> Result<axum::Json<List<BlockView>>, ApiError> {
    load(&ctx).await.map(axum::Json)
}

/// Networks that are turned away, or were within a day.
pub(crate) async fn load(ctx: &Ctx) -> Result<List<BlockView>, ApiError> {
    ctx.authorise(Action::SecurityRead, &Resource::system()).await?;
    let now = ctx.now();
    let found = ctx.app.engine.store().list_blocks(now, SHOWN_MAX).await?;
    Ok(List { items: found.iter().map(|block| view(block, now)).collect(), next: None })
}

fn view(block: &Block, now: Timestamp) -> BlockView {
    BlockView {
        network: block.network.clone(),
        active: now < block.until,
        reason: block.reason.clone(),
        times: block.times,
        created_at: block.created_at.to_string(),
        until: block.until.to_string(),
    }
}

/// Turn a network away: an IPv4 address, or the /64 of an IPv6 address.
#[utoipa::path(
    operation_id = "blocks_create",
    post, path = "/api/v1/security/blocks", tag = "security", request_body = BlockCreate,
    responses((status = 201, body = BlockView), (status = 422, body = Problem))
)]
pub(crate) async fn create(
    ctx: Ctx,
    Json(body): Json<BlockCreate>,
) -> Result<(StatusCode, axum::Json<BlockView>), ApiError> {
    Ok((StatusCode::CREATED, axum::Json(block(&ctx, body).await?)))
}

/// Turns a network away.
pub(crate) async fn block(ctx: &Ctx, body: BlockCreate) -> Result<BlockView, ApiError> {
    let allowed = ctx.authorise(Action::BlockCreate, &Resource::system()).await?;
    let network = network(address(&body.address)?);
    let reason = body.reason.trim();
    if reason.chars().count() > REASON_CHARS_MAX || reason.chars().any(char::is_control) {
        return Err(ApiError::field("reason", "must be at most 200 characters"));
    }
    let ttl = body.seconds.map(Duration::from_secs);
    if ttl.is_some_and(|ttl| ttl.is_zero() || ttl > BLOCK_TTL_MAX) {
        return Err(ApiError::field("seconds", "must be 1 to 86,400"));
    }
    if network == crate::places::network(ctx.info.client) {
        return Err(ApiError::field("address", "is your own: you would turn yourself away"));
    }
    let reason = if reason.is_empty() { "an operator turned it away" } else { reason };
    let audit = allowed.draft(ctx).detail("reason", reason);
    let made = ctx.app.blocks.block(&ctx.app, network, reason.to_owned(), ttl, audit).await?;
    Ok(view(&made, ctx.now()))
}

/// Let a blocked network in again.
#[utoipa::path(
    operation_id = "blocks_lift",
    delete, path = "/api/v1/security/blocks/{network}", tag = "security", params(("network" = String, Path)),
    responses((status = 204), (status = 404, body = Problem))
)]
pub(crate) async fn remove(ctx: Ctx, Path(network): Path<String>) -> Result<StatusCode, ApiError> {
    lift(&ctx, &network).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lets a network in again.
pub(crate) async fn lift(ctx: &Ctx, text: &str) -> Result<(), ApiError> {
    let allowed = ctx.authorise(Action::BlockLift, &Resource::system()).await?;
    let network = network(address(text)?);
    match ctx.app.blocks.lift(&ctx.app, network, allowed.draft(ctx)).await {
        Ok(()) => Ok(()),
        Err(StoreError::Conflict(_)) => Err(ApiError::not_found()),
        Err(error) => Err(error.into()),
    }
}

fn address(text: &str) -> Result<IpAddr, ApiError> {
    let bare = text.trim().trim_end_matches("/64");
    bare.parse().map_err(|_| ApiError::field("address", "must be an IPv4 or IPv6 address"))
}
