//! The one wrapper of every secured route: who asks, is it their own request, may they.

use super::{RequestInfo, authenticate::authenticate, csrf};
use crate::{App, context::Ctx, error::ApiError};
use axum::{
    extract::Request,
    http::Method,
    middleware::Next,
    response::{IntoResponse, Response},
};
use std::sync::Arc;
use wardroom_core::{
    Action, Principal,
    action::{Resource, ResourceKind},
    principal::Credential,
};
use wardroom_wire::error::ErrorCode;

/// A guard for one route.
#[derive(Clone)]
pub(crate) struct Guard {
    app: Arc<App>,
    action: Action,
}

/// A guard for the route of `action`.
pub(crate) fn guard(app: Arc<App>, action: Action) -> Guard {
    Guard { app, action }
}

impl Guard {
    /// Runs the handler if the request may pass.
    pub(crate) async fn run(self, request: Request, next: Next) -> Response {
        match self.admit(request).await {
            Ok((ctx, request)) => {
                let response = next.run(request).await;
                // SECURITY: a handler that never asked policy about what it touched fails closed.
                if response.status().is_success() && !ctx.was_authorised() {
                    tracing::error!(action = %self.action, "a handler answered without asking policy");
                    return ApiError::new(ErrorCode::Internal).into_response();
                }
                response
            }
            Err(error) => error.into_response(),
        }
    }

    async fn admit(&self, request: Request) -> Result<(Ctx, Request), ApiError> {
        let info = request
            .extensions()
            .get::<RequestInfo>()
            .cloned()
            .ok_or_else(|| ApiError::new(ErrorCode::Internal))?;
        let proof = authenticate(&self.app, &info, request.headers()).await?;
        let Principal::User { credential, .. } = &proof.principal else {
            return Err(ApiError::new(ErrorCode::Unauthenticated));
        };
        let changes = !matches!(*request.method(), Method::GET | Method::HEAD);
        let request = match credential {
            Credential::Session(_) if changes => {
                csrf::check(&self.app, &info, &proof, request).await?
            }
            _ => request,
        };
        let ctx = Ctx::new(
            Arc::clone(&self.app),
            proof.principal,
            info.origin(),
            self.action,
            &proof.csrf,
        );
        if self.action.resource_kind() == ResourceKind::System {
            ctx.authorise(self.action, &Resource::system()).await?;
        }
        let mut request = request;
        request.extensions_mut().insert(ctx.clone());
        Ok((ctx, request))
    }
}
