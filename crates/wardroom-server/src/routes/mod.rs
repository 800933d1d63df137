//! The one route table. A route names its action, or says why it needs none.

mod api;
mod pages;

use crate::{App, middleware, models, node};
use api::api;
use axum::{
    Router,
    handler::Handler,
    http::Method,
    routing::{MethodFilter, on},
};
use pages::pages;
use std::sync::Arc;
use tower_http::limit::RequestBodyLimitLayer;
use wardroom_core::Action;

/// The longest body with an agent's file in it, in bytes: a form or JSON writes some characters with several.
const DEFINITION_BODY_BYTES_MAX: usize = 4 * wardroom_engine::agents::DEFINITION_BYTES_MAX;
/// The longest request of an agent, in bytes: what it is asked, as JSON.
const PROMPT_BODY_BYTES_MAX: usize = 4 * wardroom_engine::agents::work::PROMPT_BYTES_MAX;

/// A route as the table has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteInfo {
    /// The method.
    pub method: Method,
    /// The path, with `{names}`.
    pub path: &'static str,
    /// The action, or why the route is public.
    pub access: Access,
}

/// What a route asks of its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// An authenticated principal whom policy allows this.
    Action(Action),
    /// Nothing, for this reason.
    Public(&'static str),
}

/// The table while it is being written.
struct Routes {
    router: Router<Arc<App>>,
    app: Arc<App>,
    table: Vec<RouteInfo>,
}

impl Routes {
    /// A route that only an authenticated and authorised principal reaches.
    fn secured<H, T>(&mut self, method: Method, path: &'static str, action: Action, handler: H)
    where
        H: Handler<T, Arc<App>>,
        T: 'static,
    {
        let bytes_max = self.app.limits.body_bytes_max;
        self.secured_large(method, path, action, bytes_max, handler);
    }

    /// The same with a bound of its own for the body.
    fn secured_large<H, T>(
        &mut self,
        method: Method,
        path: &'static str,
        action: Action,
        bytes_max: usize,
        handler: H,
    ) where
        H: Handler<T, Arc<App>>,
        T: 'static,
    {
        let guard = middleware::guard(Arc::clone(&self.app), action, bytes_max);
        let route = on(filter(&method), handler).route_layer(axum::middleware::from_fn(
            move |request, next| guard.clone().run(request, next),
        ));
        let route = route.route_layer(RequestBodyLimitLayer::new(bytes_max));
        self.add(method, path, route, Access::Action(action));
    }

    /// A route of a conversation: its handler ends when its client is gone.
    fn secured_attached<H, T>(
        &mut self,
        method: Method,
        path: &'static str,
        action: Action,
        handler: H,
    ) where
        H: Handler<T, Arc<App>>,
        T: 'static,
    {
        let bytes_max = self.app.limits.message_bytes_max;
        self.attached(method, path, action, bytes_max, handler);
    }

    /// A question to a model: it is not answered any more when its client is gone.
    fn secured_question<H, T>(&mut self, path: &'static str, handler: H)
    where
        H: Handler<T, Arc<App>>,
        T: 'static,
    {
        self.attached(Method::POST, path, Action::ModelUse, models::BODY_BYTES_MAX, handler);
    }

    fn attached<H, T>(
        &mut self,
        method: Method,
        path: &'static str,
        action: Action,
        bytes_max: usize,
        handler: H,
    ) where
        H: Handler<T, Arc<App>>,
        T: 'static,
    {
        let guard = middleware::guard(Arc::clone(&self.app), action, bytes_max).attached();
        let route = on(filter(&method), handler).route_layer(axum::middleware::from_fn(
            move |request, next| guard.clone().run(request, next),
        ));
        let route = route.route_layer(RequestBodyLimitLayer::new(bytes_max));
        self.add(method, path, route, Access::Action(action));
    }

    /// A route that anybody reaches; `reason` says why that is safe.
    fn public<H, T>(&mut self, method: Method, path: &'static str, handler: H, reason: &'static str)
    where
        H: Handler<T, Arc<App>>,
        T: 'static,
    {
        let bound = RequestBodyLimitLayer::new(self.app.limits.body_bytes_max);
        let route = on(filter(&method), handler).route_layer(bound);
        self.add(method, path, route, Access::Public(reason));
    }

    fn add(
        &mut self,
        method: Method,
        path: &'static str,
        route: axum::routing::MethodRouter<Arc<App>>,
        access: Access,
    ) {
        self.router = std::mem::take(&mut self.router).route(path, route);
        self.table.push(RouteInfo { method, path, access });
    }
}

fn filter(method: &Method) -> MethodFilter {
    match *method {
        Method::POST => MethodFilter::POST,
        Method::PUT => MethodFilter::PUT,
        Method::PATCH => MethodFilter::PATCH,
        Method::DELETE => MethodFilter::DELETE,
        _ => MethodFilter::GET,
    }
}

/// The routes for people and programs.
pub(crate) fn people(app: &Arc<App>) -> Router<Arc<App>> {
    let mut routes = Routes { router: Router::new(), app: Arc::clone(app), table: vec![] };
    api(&mut routes);
    pages(&mut routes);

    routes.router
}

/// The routes for nodes.
pub(crate) fn nodes(app: &Arc<App>) -> Router<Arc<App>> {
    let mut routes = Routes { router: Router::new(), app: Arc::clone(app), table: vec![] };
    node_doors(&mut routes);
    routes.router
}

/// The routes of a listener that is for WebSockets alone.
pub(crate) fn sockets(app: &Arc<App>) -> Router<Arc<App>> {
    use crate::mcp::http::get;
    let mut routes = Routes { router: Router::new(), app: Arc::clone(app), table: vec![] };
    for path in ["/", "/mcp", "/mcp/{server}"] {
        routes.secured_attached(Method::GET, path, Action::McpConnect, get);
    }
    routes.router
}

/// Every route there is.
pub fn route_table(app: &Arc<App>) -> Vec<RouteInfo> {
    let mut routes = Routes { router: Router::new(), app: Arc::clone(app), table: vec![] };
    api(&mut routes);
    pages(&mut routes);

    node_doors(&mut routes);
    routes.table
}

fn node_doors(r: &mut Routes) {
    use wardroom_wire::link::{CHALLENGE_PATH, ENROL_PATH, LINK_PATH, TOKEN_PATH};
    r.public(
        Method::POST,
        ENROL_PATH,
        node::enrol::handler,
        "a single-use join token and a signature prove it",
    );
    r.public(
        Method::POST,
        CHALLENGE_PATH,
        node::challenge::handler,
        "gives a random text and tells nothing",
    );
    r.public(
        Method::POST,
        TOKEN_PATH,
        node::token::handler,
        "a signature by the node's key proves it",
    );
    r.public(
        Method::GET,
        LINK_PATH,
        node::link::handler,
        "the node's access token proves it before the upgrade",
    );
}
