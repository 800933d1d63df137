//! The one route table. A route names its action, or says why it needs none.

use crate::{App, api::v1, docs, health, middleware, node, openapi, sign_in, ui};
use axum::{
    Router,
    handler::Handler,
    http::Method,
    routing::{MethodFilter, on},
};
use std::sync::Arc;
use tower_http::limit::RequestBodyLimitLayer;
use wardroom_core::Action;

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

#[expect(clippy::too_many_lines, reason = "a table is read as a whole")]
fn api(r: &mut Routes) {
    r.public(Method::GET, "/health/live", health::live, "says only that the process answers");
    r.public(
        Method::GET,
        "/health/ready",
        health::ready,
        "says only whether requests can be served",
    );
    r.public(Method::GET, "/api/openapi.json", openapi::handler, "the same for everybody");
    r.public(Method::GET, "/docs/errors/{code}", docs::handler, "the same for everybody");
    r.public(Method::POST, "/api/v1/login", v1::login::handler, "name and password prove it");
    r.public(
        Method::POST,
        "/api/v1/login/passkey",
        v1::login::begin_passkey,
        "gives a random text and tells nothing",
    );
    r.public(
        Method::POST,
        "/api/v1/login/passkey/finish",
        v1::login::finish_passkey,
        "a passkey's signature proves it",
    );
    r.public(
        Method::POST,
        "/api/v1/session/refresh",
        v1::sessions::refresh::handler,
        "a session's refresh token proves it",
    );
    r.public(
        Method::POST,
        "/api/v1/links/redeem",
        v1::links::redeem,
        "a single-use link's secret proves it",
    );
    r.public(
        Method::POST,
        "/api/v1/password-reset",
        v1::links::ask_reset,
        "answers the same whoever is named; what it does goes to the account's own address",
    );
    r.secured(Method::GET, "/api/v1/whoami", Action::UserRead, v1::whoami::handler);
    r.secured(Method::POST, "/api/v1/logout", Action::SessionEnd, v1::logout::handler);
    r.secured(Method::GET, "/api/v1/overview", Action::OverviewRead, v1::overview::handler);
    r.secured(Method::GET, "/api/v1/health", Action::HealthRead, v1::health::handler);
    r.secured(Method::GET, "/api/v1/events", Action::EventsRead, v1::events::handler);
    r.secured(Method::GET, "/api/v1/tokens", Action::TokenList, v1::tokens::list::handler);
    r.secured(Method::POST, "/api/v1/tokens", Action::TokenCreate, v1::tokens::create::handler);
    r.secured(
        Method::DELETE,
        "/api/v1/tokens/{id}",
        Action::TokenRevoke,
        v1::tokens::revoke::handler,
    );
    identity(r);
    security(r);
    desk(r);
    r.secured(Method::GET, "/api/v1/nodes", Action::NodeList, v1::nodes::list::handler);
    r.secured(Method::GET, "/api/v1/nodes/{id}", Action::NodeRead, v1::nodes::get::handler);
    r.secured(Method::PATCH, "/api/v1/nodes/{id}", Action::NodeLabel, v1::nodes::label::handler);
    r.secured(Method::DELETE, "/api/v1/nodes/{id}", Action::NodeRemove, v1::nodes::remove::handler);
    r.secured(
        Method::POST,
        "/api/v1/nodes/{id}/disable",
        Action::NodeDisable,
        v1::nodes::disable::handler,
    );
    r.secured(
        Method::POST,
        "/api/v1/nodes/{id}/enable",
        Action::NodeEnable,
        v1::nodes::enable::handler,
    );
    r.secured(
        Method::GET,
        "/api/v1/join-tokens",
        Action::JoinTokenList,
        v1::join_tokens::list::handler,
    );
    r.secured(
        Method::POST,
        "/api/v1/join-tokens",
        Action::JoinTokenCreate,
        v1::join_tokens::create::handler,
    );
    r.secured(
        Method::DELETE,
        "/api/v1/join-tokens/{id}",
        Action::JoinTokenRevoke,
        v1::join_tokens::revoke::handler,
    );
    r.secured(Method::POST, "/api/v1/runs", Action::RunSubmit, v1::runs::submit::handler);
    r.secured(Method::GET, "/api/v1/runs", Action::RunList, v1::runs::list::handler);
    r.secured(Method::GET, "/api/v1/runs/{id}", Action::RunRead, v1::runs::get::handler);
    r.secured(
        Method::GET,
        "/api/v1/runs/{id}/output",
        Action::RunOutput,
        v1::runs::output::handler,
    );
    r.secured(
        Method::POST,
        "/api/v1/runs/{id}/cancel",
        Action::RunCancel,
        v1::runs::cancel::handler,
    );
    r.secured(
        Method::POST,
        "/api/v1/runs/{id}/replay",
        Action::RunReplay,
        v1::runs::replay::handler,
    );
    r.secured(Method::GET, "/api/v1/audit/records", Action::AuditRead, v1::audit::list::handler);
    r.secured(
        Method::GET,
        "/api/v1/audit/records/{index}",
        Action::AuditRead,
        v1::audit::get::handler,
    );
    r.secured(
        Method::GET,
        "/api/v1/audit/records/{index}/proof",
        Action::AuditExport,
        v1::audit::proof::handler,
    );
    r.secured(Method::GET, "/api/v1/audit/export", Action::AuditExport, v1::audit::export::handler);
    r.secured(
        Method::GET,
        "/api/v1/audit/checkpoint",
        Action::AuditExport,
        v1::audit::checkpoint::handler,
    );
    r.secured(
        Method::POST,
        "/api/v1/audit/verify",
        Action::AuditVerify,
        v1::audit::verify::handler,
    );
    r.secured(Method::GET, "/api/v1/policy", Action::PolicyRead, v1::policy::get::handler);
    r.secured(Method::PUT, "/api/v1/policy", Action::PolicyUpdate, v1::policy::put::handler);
    r.secured(Method::POST, "/api/v1/policy/try", Action::PolicyRead, v1::policy::put::try_handler);
    let versions = v1::policy::versions::handler;
    r.secured(Method::GET, "/api/v1/policy/versions", Action::PolicyRead, versions);
    let version = v1::policy::versions::one;
    r.secured(Method::GET, "/api/v1/policy/versions/{number}", Action::PolicyRead, version);
    r.secured(
        Method::POST,
        "/api/v1/policy/explain",
        Action::PolicyRead,
        v1::policy::explain::handler,
    );
}

fn identity(r: &mut Routes) {
    use v1::{account, sessions, users};
    r.secured(Method::GET, "/api/v1/sessions", Action::SessionList, sessions::list::handler);
    r.secured(
        Method::DELETE,
        "/api/v1/sessions/{id}",
        Action::SessionRevoke,
        sessions::revoke::handler,
    );
    let prove = Action::SessionProve;
    r.secured(Method::POST, "/api/v1/session/prove", prove, sessions::prove::handler);
    r.secured(
        Method::POST,
        "/api/v1/session/second-factor",
        prove,
        sessions::second_factor::handler,
    );
    r.secured(
        Method::POST,
        "/api/v1/session/passkey",
        prove,
        sessions::second_factor::begin_passkey,
    );
    let finish = sessions::second_factor::finish_passkey;
    r.secured(Method::POST, "/api/v1/session/passkey/finish", prove, finish);
    r.secured(Method::GET, "/api/v1/account", Action::UserRead, account::profile::get);
    r.secured(Method::GET, "/api/v1/account/export", Action::UserExport, users::export::own);
    r.secured(Method::PATCH, "/api/v1/account", Action::ProfileUpdate, account::profile::update);
    r.secured(
        Method::POST,
        "/api/v1/account/password",
        Action::PasswordChange,
        account::password::handler,
    );
    r.secured(Method::GET, "/api/v1/account/factors", Action::FactorList, account::factors::list);
    r.secured(
        Method::DELETE,
        "/api/v1/account/factors/{id}",
        Action::FactorRemove,
        account::factors::remove,
    );
    let add = Action::FactorAdd;
    r.secured(Method::POST, "/api/v1/account/factors/totp", add, account::totp::create);
    r.secured(Method::POST, "/api/v1/account/factors/{id}/confirm", add, account::totp::confirm);
    r.secured(Method::POST, "/api/v1/account/factors/passkey", add, account::passkeys::begin);
    r.secured(
        Method::POST,
        "/api/v1/account/factors/passkey/finish",
        add,
        account::passkeys::finish,
    );
    r.secured(Method::POST, "/api/v1/account/recovery-codes", add, account::factors::renew_codes);
    r.secured(Method::GET, "/api/v1/users", Action::UserList, users::list::handler);
    r.secured(Method::POST, "/api/v1/users", Action::UserCreate, users::create::handler);
    r.secured(Method::GET, "/api/v1/users/{id}", Action::UserRead, users::get::handler);
    r.secured(Method::PATCH, "/api/v1/users/{id}", Action::UserUpdate, users::update::handler);
    r.secured(Method::DELETE, "/api/v1/users/{id}", Action::UserErase, users::erase::handler);
    r.secured(
        Method::POST,
        "/api/v1/users/{id}/disable",
        Action::UserDisable,
        users::state::disable,
    );
    r.secured(Method::POST, "/api/v1/users/{id}/enable", Action::UserEnable, users::state::enable);
    r.secured(Method::POST, "/api/v1/users/{id}/link", Action::UserLink, users::link::handler);
    let export = Action::UserExport;
    r.secured(Method::GET, "/api/v1/users/{id}/export", export, users::export::handler);
    let reset = users::reset_factors::handler;
    r.secured(Method::POST, "/api/v1/users/{id}/reset-factors", Action::UserResetFactors, reset);
}

fn security(r: &mut Routes) {
    use v1::security::{alerts, blocks, connections, faults, posture};
    let read = Action::SecurityRead;
    r.secured(Method::GET, "/api/v1/security/connections", read, connections::handler);
    r.secured(Method::GET, "/api/v1/security/blocks", read, blocks::list);
    r.secured(Method::POST, "/api/v1/security/blocks", Action::BlockCreate, blocks::create);
    r.secured(Method::GET, "/api/v1/security/posture", read, posture::handler);
    r.secured(Method::GET, "/api/v1/security/alerts", read, alerts::list);
    let look = Action::AlertAcknowledge;
    r.secured(Method::POST, "/api/v1/security/alerts/{id}/acknowledge", look, alerts::acknowledge);
    r.secured(Method::POST, "/api/v1/security/alerts/test", Action::AlertTest, alerts::test);
    r.secured(Method::GET, "/api/v1/security/faults", Action::FaultRead, faults::list);
    let resolve = Action::FaultResolve;
    r.secured(
        Method::POST,
        "/api/v1/security/faults/{fingerprint}/resolve",
        resolve,
        faults::resolve,
    );
    let lift = Action::BlockLift;
    r.secured(Method::DELETE, "/api/v1/security/blocks/{network}", lift, blocks::remove);
}

fn desk(r: &mut Routes) {
    use crate::desk::TABLE_BYTES_MAX;
    use v1::{customers, requests, services, views};
    use wardroom_engine::desk::ATTACHMENT_BYTES_MAX;
    let (read, list) = (Action::CustomerRead, Action::CustomerList);
    r.secured(Method::GET, "/api/v1/customers", list, customers::list::handler);
    r.secured(
        Method::POST,
        "/api/v1/customers",
        Action::CustomerCreate,
        customers::create::handler,
    );
    let export = Action::CustomerExport;
    r.secured(Method::GET, "/api/v1/customers/export", export, customers::export::handler);
    let import = Action::CustomerImport;
    let handler = customers::import::handler;
    r.secured_large(Method::POST, "/api/v1/customers/import", import, TABLE_BYTES_MAX, handler);
    r.secured(Method::GET, "/api/v1/customers/{id}", read, customers::get::handler);
    let update = Action::CustomerUpdate;
    r.secured(Method::PATCH, "/api/v1/customers/{id}", update, customers::update::handler);
    let erase = Action::CustomerErase;
    r.secured(Method::DELETE, "/api/v1/customers/{id}", erase, customers::erase::handler);
    let (disclose, handler) = (Action::CustomerDisclose, customers::disclose::handler);
    r.secured(Method::GET, "/api/v1/customers/{id}/disclosure", disclose, handler);
    let assign = Action::CustomerAssign;
    r.secured(Method::PUT, "/api/v1/customers/{id}/operators", assign, customers::assign::handler);
    r.secured(Method::GET, "/api/v1/services", Action::ServiceList, services::list::handler);
    r.secured(Method::POST, "/api/v1/services", Action::ServiceCreate, services::create::handler);
    r.secured(Method::GET, "/api/v1/services/{id}", Action::ServiceRead, services::get::handler);
    let update = Action::ServiceUpdate;
    r.secured(Method::PATCH, "/api/v1/services/{id}", update, services::update::handler);
    let order = Action::ServiceOrder;
    r.secured(Method::POST, "/api/v1/services/{id}/order", order, services::order::handler);
    r.secured(Method::GET, "/api/v1/requests", Action::RequestList, requests::list::handler);
    r.secured(Method::GET, "/api/v1/requests/{id}", Action::RequestRead, requests::get::handler);
    let work = Action::RequestWork;
    r.secured(Method::PATCH, "/api/v1/requests/{id}", work, requests::update::handler);
    let cancel = Action::RequestCancel;
    r.secured(Method::POST, "/api/v1/requests/{id}/cancel", cancel, requests::cancel::handler);
    let note = Action::RequestNote;
    r.secured(Method::POST, "/api/v1/requests/{id}/notes", note, requests::notes::handler);
    r.secured_large(
        Method::POST,
        "/api/v1/requests/{id}/attachments",
        Action::RequestAttach,
        ATTACHMENT_BYTES_MAX,
        requests::attachments::add,
    );
    r.secured(
        Method::GET,
        "/api/v1/requests/{id}/attachments/{attachment}",
        Action::RequestRead,
        requests::attachments::get,
    );
    r.secured(
        Method::DELETE,
        "/api/v1/requests/{id}/attachments/{attachment}",
        Action::RequestDetach,
        requests::attachments::remove,
    );
    r.secured(Method::GET, "/api/v1/views", Action::ViewList, views::list);
    r.secured(Method::PUT, "/api/v1/views", Action::ViewSave, views::put);
    r.secured(Method::DELETE, "/api/v1/views/{id}", Action::ViewRemove, views::remove);
}

fn pages(r: &mut Routes) {
    r.public(Method::GET, "/assets/{hash}/{name}", ui::assets::handler, "the same for everybody");
    r.public(Method::GET, "/sign-in", ui::sign_in::page, "nobody is signed in yet");
    r.public(Method::POST, "/sign-in", sign_in::handler, "name and password prove it");
    r.public(Method::POST, "/sign-in/passkey", ui::proof::by_passkey, "a passkey proves it");
    r.public(Method::GET, "/forgotten", ui::secrets::forgotten, "nobody is signed in");
    let reset = "answers the same whoever is named";
    r.public(Method::POST, "/forgotten", ui::secrets::ask_reset, reset);
    r.public(Method::GET, "/welcome", ui::secrets::welcome, "says nothing about the link");
    r.public(Method::POST, "/welcome", ui::secrets::redeem, "a single-use link proves it");
    people_pages(r);
    desk_pages(r);
    r.secured(Method::GET, "/policy", Action::PolicyRead, ui::policy::page);
    r.secured(Method::POST, "/policy/try", Action::PolicyRead, ui::policy::try_out);
    r.secured(Method::POST, "/policy", Action::PolicyUpdate, ui::policy::put);
    r.secured(Method::GET, "/security", Action::SecurityRead, ui::security::page);
    r.secured(Method::GET, "/security/posture", Action::SecurityRead, ui::posture::page);
    r.secured(Method::POST, "/security/blocks", Action::BlockCreate, ui::security::block);
    r.secured(Method::POST, "/security/blocks/lift", Action::BlockLift, ui::security::lift);
    let look = Action::AlertAcknowledge;
    r.secured(Method::POST, "/security/alerts/{id}/acknowledge", look, ui::security::acknowledge);
    r.secured(Method::POST, "/security/alerts/test", Action::AlertTest, ui::security::test);
    r.secured(Method::GET, "/faults", Action::FaultRead, ui::faults::list);
    let resolve = Action::FaultResolve;
    r.secured(Method::POST, "/faults/{fingerprint}/resolve", resolve, ui::faults::resolve);
    r.secured(Method::GET, "/", Action::RunList, ui::overview::page);
    r.secured(Method::GET, "/nodes", Action::NodeList, ui::nodes::list);
    r.secured(Method::GET, "/nodes/{id}", Action::NodeRead, ui::nodes::show);
    r.secured(Method::POST, "/nodes/{id}/disable", Action::NodeDisable, ui::nodes::disable);
    r.secured(Method::POST, "/nodes/{id}/enable", Action::NodeEnable, ui::nodes::enable);
    r.secured(Method::POST, "/nodes/{id}/remove", Action::NodeRemove, ui::nodes::remove);
    r.secured(Method::GET, "/nodes/{id}/commands/{name}", Action::NodeRead, ui::commands::form);
    r.secured(Method::POST, "/nodes/{id}/commands/{name}", Action::RunSubmit, ui::commands::submit);
    r.secured(Method::GET, "/runs", Action::RunList, ui::runs::list);
    r.secured(Method::GET, "/runs/{id}", Action::RunRead, ui::runs::show);
    r.secured(Method::POST, "/runs/{id}/cancel", Action::RunCancel, ui::runs::cancel);
    r.secured(Method::POST, "/runs/{id}/replay", Action::RunReplay, ui::runs::replay);
    r.secured(Method::GET, "/audit", Action::AuditRead, ui::audit::list);
    r.secured(Method::GET, "/audit/{index}", Action::AuditRead, ui::audit::show);
    r.secured(Method::POST, "/audit/verify", Action::AuditVerify, ui::audit::verify);
    r.secured(Method::GET, "/join-tokens", Action::JoinTokenList, ui::join_tokens::list);
    r.secured(Method::POST, "/join-tokens", Action::JoinTokenCreate, ui::join_tokens::create);
    r.secured(
        Method::POST,
        "/join-tokens/{id}/revoke",
        Action::JoinTokenRevoke,
        ui::join_tokens::revoke,
    );
    r.secured(Method::GET, "/account", Action::UserRead, ui::account::show);
    r.secured(Method::POST, "/account/tokens", Action::TokenCreate, ui::account::create_token);
    r.secured(
        Method::POST,
        "/account/tokens/{id}/revoke",
        Action::TokenRevoke,
        ui::account::revoke_token,
    );
    r.secured(Method::POST, "/account/sign-out", Action::SessionEnd, ui::account::sign_out);
}

fn desk_pages(r: &mut Routes) {
    use crate::desk::TABLE_BYTES_MAX;
    use ui::{customers, requests, services};
    let (create, import) = (Action::CustomerCreate, Action::CustomerImport);
    r.secured(Method::GET, "/customers", Action::CustomerList, customers::list);
    r.secured(Method::POST, "/customers", create, customers::create);
    r.secured(Method::GET, "/customers/new", create, customers::new);
    r.secured(Method::GET, "/customers/import", import, customers::import_page);
    // A form's encoding makes a table up to three times as long.
    let bytes_max = 3 * TABLE_BYTES_MAX;
    r.secured_large(Method::POST, "/customers/import", import, bytes_max, customers::import);
    r.secured(
        Method::GET,
        "/customers/export",
        Action::CustomerExport,
        v1::customers::export::handler,
    );
    r.secured(Method::GET, "/customers/{id}", Action::CustomerRead, customers::show);
    let (disclose, handler) = (Action::CustomerDisclose, v1::customers::disclose::handler);
    r.secured(Method::GET, "/customers/{id}/disclosure", disclose, handler);
    r.secured(Method::POST, "/customers/{id}/change", Action::CustomerUpdate, customers::change);
    r.secured(Method::POST, "/customers/{id}/operators", Action::CustomerAssign, customers::assign);
    r.secured(Method::POST, "/customers/{id}/erase", Action::CustomerErase, customers::erase);
    let (create, update) = (Action::ServiceCreate, Action::ServiceUpdate);
    r.secured(Method::GET, "/services", Action::ServiceList, services::list);
    r.secured(Method::POST, "/services", create, services::create);
    r.secured(Method::GET, "/services/new", create, services::new);
    r.secured(Method::GET, "/services/{id}", Action::ServiceRead, services::show);
    r.secured(Method::GET, "/services/{id}/edit", update, services::edit);
    r.secured(Method::POST, "/services/{id}/change", update, services::change);
    r.secured(Method::POST, "/services/{id}/publish", update, services::publish);
    r.secured(Method::POST, "/services/{id}/retire", update, services::retire);
    r.secured(Method::POST, "/services/{id}/order", Action::ServiceOrder, services::order);
    r.secured(Method::GET, "/requests", Action::RequestList, requests::list);
    r.secured(Method::GET, "/requests/{id}", Action::RequestRead, requests::show);
    r.secured(Method::POST, "/requests/{id}/change", Action::RequestWork, requests::change);
    r.secured(Method::POST, "/requests/{id}/cancel", Action::RequestCancel, requests::cancel);
    r.secured(Method::POST, "/requests/{id}/notes", Action::RequestNote, requests::note);
    let one = "/requests/{id}/attachments/{attachment}";
    r.secured(Method::GET, one, Action::RequestRead, v1::requests::attachments::get);
    let gone = "/requests/{id}/attachments/{attachment}/remove";
    r.secured(Method::POST, gone, Action::RequestDetach, requests::detach);
    r.secured(Method::POST, "/views", Action::ViewSave, requests::keep);
    r.secured(Method::POST, "/views/{id}/remove", Action::ViewRemove, requests::forget);
}

fn people_pages(r: &mut Routes) {
    use ui::{proof, secrets, users};
    let prove = Action::SessionProve;
    r.secured(Method::GET, "/sign-in/second-factor", prove, proof::second_factor);
    r.secured(Method::POST, "/sign-in/second-factor", prove, proof::show_second_factor);
    r.secured(Method::GET, "/account/prove", prove, proof::prove);
    r.secured(Method::POST, "/account/prove", prove, proof::proved);
    r.secured(Method::GET, "/account/password", Action::PasswordChange, secrets::password);
    r.secured(Method::POST, "/account/password", Action::PasswordChange, secrets::set_password);
    r.secured(Method::GET, "/account/second-factor", Action::FactorList, secrets::second_factors);
    let add = Action::FactorAdd;
    r.secured(Method::POST, "/account/second-factor/totp", add, secrets::add_totp);
    r.secured(Method::POST, "/account/second-factor/{id}/confirm", add, secrets::confirm_totp);
    r.secured(Method::POST, "/account/recovery-codes", add, secrets::renew_codes);
    let remove = Action::FactorRemove;
    r.secured(Method::POST, "/account/second-factor/{id}/remove", remove, secrets::remove_factor);
    r.secured(Method::POST, "/account/profile", Action::ProfileUpdate, ui::account::change_profile);
    let end = Action::SessionRevoke;
    r.secured(Method::POST, "/account/sessions/{id}/end", end, ui::account::end_session);
    r.secured(Method::GET, "/users", Action::UserList, users::list);
    r.secured(Method::POST, "/users", Action::UserCreate, users::invite);
    r.secured(Method::GET, "/users/{id}", Action::UserRead, users::show);
    let export = Action::UserExport;
    r.secured(Method::GET, "/users/{id}/export", export, v1::users::export::handler);
    r.secured(Method::GET, "/account/export", export, v1::users::export::own);
    r.secured(Method::POST, "/users/{id}/change", Action::UserUpdate, users::change);
    r.secured(Method::POST, "/users/{id}/disable", Action::UserDisable, users::disable);
    r.secured(Method::POST, "/users/{id}/enable", Action::UserEnable, users::enable);
    r.secured(Method::POST, "/users/{id}/link", Action::UserLink, users::link);
    let reset = Action::UserResetFactors;
    r.secured(Method::POST, "/users/{id}/reset-factors", reset, users::reset_factors);
    r.secured(Method::POST, "/users/{id}/erase", Action::UserErase, users::erase);
}
