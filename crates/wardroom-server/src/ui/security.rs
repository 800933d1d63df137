//! `/security`

use super::{
    frame::{errors_of, html, ids_of_records, name_ids, see_other, shell},
    pages::{errors::Errors, security::SecurityPage},
};
use crate::{
    api::v1::{
        audit,
        security::{self, alerts::AlertQuery},
    },
    context::Ctx,
    error::ApiError,
};
use axum::{Form, extract::Path, http::StatusCode, response::Response};
use serde::Deserialize;
use wardroom_core::Action;
use wardroom_wire::security::BlockCreate;

/// How many alerts the page shows.
const ALERTS_SHOWN: u32 = 50;
/// How many refusals the page shows.
const REFUSALS_SHOWN: u32 = 10;

/// Who is connected, who is turned away, what was refused.
pub(crate) async fn page(ctx: Ctx) -> Result<Response, ApiError> {
    let nothing = BlockCreate { address: String::new(), reason: String::new(), seconds: None };
    show(&ctx, nothing, Errors::default()).await
}

async fn show(ctx: &Ctx, wanted: BlockCreate, errors: Errors) -> Result<Response, ApiError> {
    let blocks = security::blocks::load(ctx).await?.items;
    let connections = security::connections::load(ctx).await?;
    let alerts = security::alerts::load(ctx, AlertQuery::open(ALERTS_SHOWN)).await?;
    let outlets = &ctx.app.engine.outlets().alerts;
    let outlets = outlets.iter().map(|channel| channel.as_str()).collect::<Vec<_>>().join(" and ");
    let query = audit::list::AuditQuery {
        outcome: Some("refused".to_owned()),
        limit: Some(REFUSALS_SHOWN),
        ..Default::default()
    };
    let refused = match ctx.may(Action::AuditRead) {
        true => audit::list::load(ctx, query).await?.items,
        false => vec![],
    };
    let mut shell = shell(ctx, "/security");
    let about = alerts.items.iter().map(|alert| alert.subject.clone());
    let ids = ids_of_records(&refused).into_iter().chain(about).collect();
    name_ids(ctx, &mut shell, ids).await?;
    let status = if errors.any() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    html(
        status,
        &SecurityPage { shell, alerts, outlets, blocks, connections, refused, wanted, errors },
    )
}

/// The form that turns a network away.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BlockForm {
    #[serde(rename = "csrf", default)]
    _csrf: String,
    address: String,
    #[serde(default)]
    reason: String,
}

/// Turns a network away.
pub(crate) async fn block(ctx: Ctx, Form(form): Form<BlockForm>) -> Result<Response, ApiError> {
    let wanted = BlockCreate { address: form.address, reason: form.reason, seconds: None };
    match security::blocks::block(&ctx, wanted.clone()).await {
        Ok(_) => Ok(see_other("/security")),
        Err(error) => {
            let errors = errors_of(error, &["address", "reason"])?;
            show(&ctx, wanted, errors).await
        }
    }
}

/// The network that is let in again.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LiftForm {
    #[serde(rename = "csrf", default)]
    _csrf: String,
    network: String,
}

/// Lets a network in again.
pub(crate) async fn lift(ctx: Ctx, Form(form): Form<LiftForm>) -> Result<Response, ApiError> {
    security::blocks::lift(&ctx, &form.network).await?;
    Ok(see_other("/security"))
}

/// Somebody looked at an alert.
pub(crate) async fn acknowledge(ctx: Ctx, Path(id): Path<String>) -> Result<Response, ApiError> {
    security::alerts::act(&ctx, &id).await?;
    Ok(see_other("/security"))
}

/// Sends a message to wherever alerts go.
pub(crate) async fn test(ctx: Ctx) -> Result<Response, ApiError> {
    security::alerts::try_out(&ctx).await?;
    Ok(see_other("/security"))
}
