//! Requests.

pub(crate) mod attachments;
pub(crate) mod cancel;
pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod notes;
pub(crate) mod update;

use crate::{
    api::input::id,
    context::{Authorised, Ctx},
    error::ApiError,
};
use wardroom_core::{Action, ServiceRequestId, action::Resource, desk::request::ServiceRequest};
use wardroom_engine::EngineError;
use wardroom_wire::desk::RequestView;

/// The request with this id, if the caller may do `action` to it.
pub(crate) async fn find(
    ctx: &Ctx,
    text: &str,
    action: Action,
) -> Result<(ServiceRequest, Authorised), ApiError> {
    let id: ServiceRequestId = id(text)?;
    let found = ctx.app.engine.store().lookup_request(id).await?;
    let request = found.ok_or(EngineError::NotFound("request"))?;
    let allowed = ctx.authorise(action, &Resource::request(&request)).await?;
    Ok((request, allowed))
}

/// A request for whoever may read it.
pub(crate) async fn show(ctx: &Ctx, request: &ServiceRequest) -> Result<RequestView, ApiError> {
    let (engine, store) = (&ctx.app.engine, ctx.app.engine.store());
    let works = ctx.decide(Action::RequestWork, &Resource::request(request)).allowed;
    let customer = Resource::customer(request.customer, &request.operators);
    let own = ctx.principal.customer() == Some(request.customer);
    let mut customer_name = None;
    if (own || ctx.decide(Action::CustomerRead, &customer).allowed)
        && let Some(found) = store.lookup_customer(request.customer).await?
    {
        customer_name = Some(engine.customer_profile(&found).await?.name);
    }
    let service = store.lookup_service(request.service).await?;
    let text = |at: Option<wardroom_core::Timestamp>| at.map(|at| at.to_string());
    Ok(RequestView {
        id: request.id.to_string(),
        version: request.version,
        customer: request.customer.to_string(),
        customer_name,
        service: request.service.to_string(),
        service_title: service.map(|service| service.title).unwrap_or_default(),
        state: request.state.as_str().to_owned(),
        priority: request.priority.as_str().to_owned(),
        requested_by: request.requested_by.to_string(),
        assignee: request.assignee.filter(|_| works).map(|id| id.to_string()),
        due_at: text(request.due_at),
        scheduled_for: text(request.scheduled_for),
        automatic: request.automatic,
        attention: request.attention && works,
        created_at: request.created_at.to_string(),
        updated_at: request.updated_at.to_string(),
        closed_at: text(request.closed_at),
    })
}
