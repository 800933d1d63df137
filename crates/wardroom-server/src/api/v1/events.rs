//! `GET /api/v1/events`

use crate::{context::Ctx, error::ApiError};
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::{Stream, StreamExt as _};
use std::{convert::Infallible, sync::Arc, time::Duration};
use tokio::sync::broadcast::error::RecvError;
use wardroom_core::{Action, action::Resource, hint::Hint};
use wardroom_wire::error::{ErrorCode, Problem};

/// How often a comment keeps a quiet stream open.
pub(super) const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// How long a stream lasts. SECURITY: who listens proves themselves anew when they come back, so that a
/// session or token that was ended hears nothing after this.
pub(super) const STREAM_TTL: Duration = Duration::from_secs(60);
/// How soon a listener comes back.
pub(super) const RETRY: Duration = Duration::from_millis(500);

/// Live hints as Server-Sent Events: `{"kind":"run","id":"run_…"}`. A hint says only that something
/// changed; what changed is read where reading it is authorised.
#[utoipa::path(
    operation_id = "events",
    get, path = "/api/v1/events", tag = "overview",
    responses((status = 200, content_type = "text/event-stream", body = String), (status = 503, body = Problem))
)]
pub(crate) async fn handler(
    ctx: Ctx,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, ApiError> {
    let busy = || ApiError::say(ErrorCode::Busy, "Too many live views are open: close some.");
    let place = Arc::clone(&ctx.app.streams).try_acquire_owned().map_err(|_| busy())?;
    let hints = ctx.app.engine.hub().listen();
    let sees_all = ctx.may(Action::NodeList);
    let stop = ctx.app.stop.clone();
    let end = tokio::time::Instant::now() + STREAM_TTL;
    let first = futures_util::stream::once(async { Ok(Event::default().retry(RETRY)) });
    let state = (hints, place, ctx, stop);
    let stream =
        futures_util::stream::unfold(state, move |(mut hints, place, ctx, stop)| async move {
            loop {
                let hint = tokio::select! {
                    () = stop.cancelled() => return None,
                    () = tokio::time::sleep_until(end) => return None,
                    hint = hints.recv() => hint,
                };
                let data = match hint {
                    Ok(Hint::Resync) | Err(RecvError::Lagged(_)) => {
                        Some("{\"kind\":\"all\"}".to_owned())
                    }
                    Ok(hint) if visible(&ctx, sees_all, hint).await => {
                        serde_json::to_string(&hint).ok()
                    }
                    Ok(_) => None,
                    Err(RecvError::Closed) => return None,
                };
                if let Some(data) = data {
                    return Some((Ok(Event::default().data(data)), (hints, place, ctx, stop)));
                }
            }
        });
    Ok(Sse::new(first.chain(stream)).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)))
}

/// Whether the caller may know that this changed.
async fn visible(ctx: &Ctx, sees_nodes: bool, hint: Hint) -> bool {
    match hint {
        Hint::Node(_) => sees_nodes && ctx.may(Action::NodeRead),
        Hint::Audit | Hint::Blocks => ctx.may(Action::AuditRead),
        Hint::Run(id) => match ctx.app.engine.store().lookup_run(id).await {
            Ok(Some(run)) => match ctx.run_resource(&run).await {
                Ok(resource) => ctx.decide(Action::RunRead, &resource).allowed,
                Err(_) => false,
            },
            _ => false,
        },
        Hint::Request(id) => match ctx.app.engine.store().lookup_request(id).await {
            Ok(Some(request)) => {
                ctx.decide(Action::RequestRead, &Resource::request(&request)).allowed
            }
            _ => false,
        },
        Hint::Customer(id) => match ctx.app.engine.customer(id).await {
            Ok(customer) => {
                let resource = Resource::customer(customer.id, &customer.operators);
                ctx.decide(Action::CustomerRead, &resource).allowed
            }
            Err(_) => false,
        },
        Hint::Approval(id) => match ctx.app.engine.store().lookup_approval(id).await {
            Ok(Some(approval)) => {
                ctx.decide(Action::ApprovalRead, &Resource::approval(&approval)).allowed
            }
            _ => false,
        },
        Hint::Services => ctx.may(Action::ServiceList),
        Hint::Tools => ctx.may(Action::ToolServerList),
        Hint::Policy => ctx.may(Action::PolicyRead),
        Hint::Person(_) | Hint::People => ctx.may(Action::UserList),
        Hint::Queue(_)
        | Hint::Cancel(_)
        | Hint::Sever(_)
        | Hint::Here
        | Hint::Halt(_)
        | Hint::Resync => false,
    }
}
