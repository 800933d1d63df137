//! The table's part for browsers.

use super::Routes;
use crate::{api::v1, oauth, oidc, sign_in, ui};
use axum::http::Method;
use wardroom_core::Action;

pub(super) fn pages(r: &mut Routes) {
    r.public(Method::GET, "/assets/{hash}/{name}", ui::assets::handler, "the same for everybody");
    r.public(Method::GET, "/sign-in", ui::sign_in::page, "nobody is signed in yet");
    r.public(Method::POST, "/sign-in", sign_in::handler, "name and password prove it");
    r.public(Method::POST, "/sign-in/passkey", ui::proof::by_passkey, "a passkey proves it");
    let here = "the provider proves it";
    r.public(Method::GET, "/sign-in/oidc", oidc::sign_in::begin, "only leads to the provider");
    r.public(Method::GET, "/sign-in/oidc/callback", oidc::sign_in::callback, here);
    let signed = "a signature by the provider proves it";
    r.public(Method::POST, "/oidc/backchannel-logout", oidc::logout::handler, signed);
    r.public(Method::GET, "/forgotten", ui::secrets::forgotten, "nobody is signed in");
    let reset = "answers the same whoever is named";
    r.public(Method::POST, "/forgotten", ui::secrets::ask_reset, reset);
    r.public(Method::GET, "/welcome", ui::secrets::welcome, "says nothing about the link");
    r.public(Method::POST, "/welcome", ui::secrets::redeem, "a single-use link proves it");
    let leads = "only leads to the page that asks, or back to a registered program";
    r.public(Method::GET, "/oauth/authorize", oauth::authorize::handler, leads);
    r.secured(Method::GET, "/oauth/consent", Action::GrantCreate, ui::grants::consent);
    r.secured(Method::POST, "/oauth/consent", Action::GrantCreate, ui::grants::answer);
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
    secret_pages(r);
    client_pages(r);
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
    agent_pages(r);
    gateway_pages(r);
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

fn agent_pages(r: &mut Routes) {
    use super::DEFINITION_BODY_BYTES_MAX;
    use ui::agents::{forget, page, put, show};
    r.secured(Method::GET, "/agents", Action::AgentList, page);
    let change = Action::AgentUpdate;
    r.secured_large(Method::POST, "/agents", change, DEFINITION_BODY_BYTES_MAX, put);
    r.secured(Method::GET, "/agents/{name}", Action::AgentRead, show);
    r.secured(Method::POST, "/agents/{name}/remove", Action::AgentRemove, forget);
    use ui::agent_runs::{reply, start};
    let (run, bytes_max) = (Action::AgentRun, super::PROMPT_BODY_BYTES_MAX);
    r.secured_large(Method::POST, "/agents/{name}/run", run, bytes_max, start);
    r.secured(Method::POST, "/runs/{id}/answers", Action::RunAnswer, reply);
    use ui::threads;
    r.secured(Method::GET, "/threads", Action::ThreadList, threads::page);
    r.secured_large(Method::POST, "/threads", run, bytes_max, threads::start);
    r.secured(Method::GET, "/threads/{id}", Action::ThreadRead, threads::show);
    r.secured_large(Method::POST, "/threads/{id}/turns", run, bytes_max, threads::say);
    r.secured_large(Method::POST, "/threads/{id}/branches", run, bytes_max, threads::otherwise);
    r.secured(Method::POST, "/threads/{id}/title", Action::ThreadUpdate, threads::rename);
    r.secured(Method::POST, "/threads/{id}/remove", Action::ThreadRemove, threads::remove);
    use ui::memories;
    let forget = Action::MemoryRemove;
    r.secured(Method::GET, "/memories", Action::MemoryList, memories::page);
    r.secured(Method::POST, "/memories/{id}/remove", forget, memories::remove);
    r.secured(Method::POST, "/agents/{name}/memories/remove", forget, memories::remove_all);
    use ui::models;
    r.secured(Method::GET, "/models", Action::ModelList, models::page);
    r.secured(Method::POST, "/models/budgets", Action::BudgetCreate, models::add);
    r.secured(Method::POST, "/models/budgets/{id}/remove", Action::BudgetRemove, models::remove);
}

fn gateway_pages(r: &mut Routes) {
    use ui::gateway::{calls, overview, servers, tools};
    r.secured(Method::GET, "/gateway", Action::ToolServerList, overview::page);
    r.secured(Method::POST, "/gateway", Action::ToolServerCreate, overview::create);
    let end = Action::McpDisconnect;
    r.secured(Method::POST, "/gateway/connections/{id}/end", end, overview::disconnect);
    r.secured(Method::GET, "/gateway/calls", Action::ToolCallList, calls::list);
    r.secured(Method::GET, "/gateway/calls/{id}", Action::ToolCallRead, calls::show);
    r.secured(Method::GET, "/gateway/usage", Action::ToolCallList, calls::used);
    let (read, change) = (Action::ToolServerRead, Action::ToolServerUpdate);
    r.secured(Method::GET, "/gateway/servers/{name}", read, servers::show);
    let look = Action::ToolServerTest;
    r.secured(Method::POST, "/gateway/servers/{name}/test", look, servers::test);
    let again = Action::ToolServerRestart;
    r.secured(Method::POST, "/gateway/servers/{name}/restart", again, servers::restart);
    r.secured(Method::POST, "/gateway/servers/{name}/enable", change, servers::enable);
    r.secured(Method::POST, "/gateway/servers/{name}/disable", change, servers::disable);
    let forget = Action::ToolServerRemove;
    r.secured(Method::POST, "/gateway/servers/{name}/remove", forget, servers::remove);
    r.secured(Method::GET, "/gateway/servers/{name}/tool", read, tools::show);
    let accept = Action::ToolAccept;
    r.secured(Method::POST, "/gateway/servers/{name}/accept", accept, tools::accept);
    r.secured(Method::POST, "/gateway/servers/{name}/call", Action::ToolCall, tools::call);
    let own = ui::tool_accounts::list;
    r.secured(Method::GET, "/tool-accounts", Action::ToolAccountList, own);
    let connect = Action::ToolAccountConnect;
    r.secured(Method::POST, "/tool-accounts/{name}/connect", connect, ui::tool_accounts::connect);
    let leads = "only leads to the page that takes the answer";
    let back = ui::tool_accounts::callback;
    r.public(Method::GET, "/tool-accounts/callback/{name}", back, leads);
    r.secured(Method::GET, "/tool-accounts/{name}/finish", connect, ui::tool_accounts::finish);
    let remove = Action::ToolAccountRemove;
    r.secured(Method::POST, "/tool-accounts/{name}/remove", remove, ui::tool_accounts::remove);
    r.secured(Method::GET, "/approvals", Action::ApprovalList, ui::approvals::list);
    r.secured(Method::GET, "/approvals/{id}", Action::ApprovalRead, ui::approvals::show);
    let decide = Action::ApprovalDecide;
    r.secured(Method::POST, "/approvals/{id}/approve", decide, ui::approvals::approve);
    r.secured(Method::POST, "/approvals/{id}/deny", decide, ui::approvals::deny);
}

fn client_pages(r: &mut Routes) {
    use ui::oauth_clients as clients;
    let (create, remove) = (Action::OauthClientCreate, Action::OauthClientRemove);
    r.secured(Method::GET, "/oauth/clients", Action::OauthClientList, clients::list);
    r.secured(Method::POST, "/oauth/clients", create, clients::create);
    let renew = Action::OauthClientRenew;
    r.secured(Method::POST, "/oauth/clients/{id}/secret", renew, clients::renew);
    r.secured(Method::POST, "/oauth/clients/{id}/remove", remove, clients::remove);
}

fn secret_pages(r: &mut Routes) {
    use ui::named_secrets as secrets;
    r.secured(Method::GET, "/secrets", Action::SecretList, secrets::list);
    r.secured(Method::POST, "/secrets", Action::SecretCreate, secrets::create);
    r.secured(Method::POST, "/secrets/{name}/renew", Action::SecretRenew, secrets::renew);
    r.secured(Method::POST, "/secrets/{name}/remove", Action::SecretRemove, secrets::remove);
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
