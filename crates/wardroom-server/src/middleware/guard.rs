//! The one wrapper of every secured route: who asks, is it their own request, may they.

use super::{RequestInfo, authenticate::authenticate, csrf};
use crate::{App, context::Ctx, doors::Left, error::ApiError, ui};
use axum::{
    extract::{MatchedPath, Request},
    http::Method,
    middleware::Next,
    response::{IntoResponse, Response},
};
use std::sync::Arc;
use tracing::Instrument as _;
use wardroom_core::{
    Action, Door,
    action::{Resource, ResourceKind},
};
use wardroom_wire::error::ErrorCode;

/// A guard for one route.
#[derive(Clone)]
pub(crate) struct Guard {
    app: Arc<App>,
    action: Action,
    /// The bound of the route's body.
    bytes_max: usize,
    /// Whether what changes something goes on when its client is gone.
    detached: bool,
}

/// A guard for the route of `action`, whose body is bounded.
pub(crate) fn guard(app: Arc<App>, action: Action, bytes_max: usize) -> Guard {
    Guard { app, action, bytes_max, detached: true }
}

impl Guard {
    /// The handler ends when its client is gone, which it takes for a wish: it must leave nothing half done.
    pub(crate) fn attached(self) -> Self {
        Self { detached: false, ..self }
    }

    /// Runs the handler if the request may pass.
    pub(crate) async fn run(self, request: Request, next: Next) -> Response {
        match self.admit(request).await {
            Ok((ctx, left, request)) => {
                let mut response = match self.detached {
                    true => run(&ctx.app, request, next).await,
                    false => next.run(request).await,
                };
                if let Some(left) = left {
                    response.extensions_mut().insert(left);
                }
                let status = response.status();
                let refused = status.is_client_error() || status.is_server_error();
                // SECURITY: a handler that never asked policy about what it touched fails closed.
                if !refused && !ctx.was_authorised() {
                    tracing::error!(action = %self.action, "a handler answered without asking policy");
                    return ApiError::new(ErrorCode::Internal).into_response();
                }
                response
            }
            Err(error) => error.into_response(),
        }
    }

    async fn admit(&self, request: Request) -> Result<(Ctx, Option<Left>, Request), ApiError> {
        let info = request
            .extensions()
            .get::<RequestInfo>()
            .cloned()
            .ok_or_else(|| ApiError::new(ErrorCode::Internal))?;
        let proof = authenticate(&self.app, &info, request.headers()).await?;
        let left = self.app.rates.principal(proof.party())?;
        let request = if proof.is_cookie() && changes(request.method()) {
            csrf::check(&self.app, &info, &proof, request, self.bytes_max).await?
        } else {
            request
        };
        proof.standing.admit(self.action)?;
        let form = changes(request.method()) && info.door == Door::Dashboard;
        let route = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str);
        let page = form.then(|| ui::page_of(route, request.uri().path()));
        let ctx = Ctx::new(Arc::clone(&self.app), proof, info, self.action, page);
        ctx.require(self.action).await?;
        if self.action.resource_kind() == ResourceKind::System {
            ctx.authorise(self.action, &Resource::system()).await?;
        }
        let mut request = request;
        request.extensions_mut().insert(ctx.clone());
        Ok((ctx, left, request))
    }
}

fn changes(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD)
}

/// Runs the handler. What changes something goes on to its end when its client is gone or its time is
/// over: cut off between a commit and what must follow, it would leave things half done.
async fn run(app: &App, request: Request, next: Next) -> Response {
    if !changes(request.method()) {
        return next.run(request).await;
    }
    let Ok(place) = Arc::clone(&app.changes).try_acquire_owned() else {
        return ApiError::new(ErrorCode::Busy).into_response();
    };
    let work = async move {
        let _place = place;
        next.run(request).await
    };
    match tokio::spawn(work.in_current_span()).await {
        Ok(response) => response,
        Err(error) => ApiError::internal(error).into_response(),
    }
}
