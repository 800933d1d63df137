//! The table's part for programs.

use super::Routes;
use crate::{api::v1, docs, health, models, oauth, openapi};
use axum::http::Method;
use wardroom_core::Action;

#[expect(clippy::too_many_lines, reason = "a table is read as a whole")]
pub(super) fn api(r: &mut Routes) {
    r.public(Method::GET, "/health/live", health::live, "says only that the process answers");
    r.public(
        Method::GET,
        "/health/ready",
        health::ready,
        "says only whether requests can be served",
    );
    r.public(Method::GET, "/api/openapi.json", openapi::handler, "the same for everybody");
    r.public(Method::GET, "/docs/errors/{code}", docs::handler, "the same for everybody");
    let same = "the same for everybody";
    let server = oauth::metadata::server;
    r.public(Method::GET, "/.well-known/oauth-authorization-server", server, same);
    let (of_api, of_tools) = (oauth::metadata::api, oauth::metadata::gateway);
    r.public(Method::GET, "/.well-known/oauth-protected-resource/api", of_api, same);
    r.public(Method::GET, "/.well-known/oauth-protected-resource/mcp", of_tools, same);
    r.public(Method::GET, "/.well-known/oauth-protected-resource/mcp/{server}", of_tools, same);
    let own = oauth::metadata::gateway_client;
    r.public(Method::GET, "/oauth/gateway-client/{server}", own, same);
    let proof = "a code, a refresh token or a client's secret proves it";
    r.public(Method::POST, "/oauth/token", oauth::token::handler, proof);
    let own = "the client proves itself, and ends only what is its own";
    r.public(Method::POST, "/oauth/revoke", oauth::revoke::handler, own);
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
    r.secured(Method::GET, "/api/v1/names", Action::NameList, v1::names::handler);
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
    agents(r);
    threads(r);
    memories(r);
    language_models(r);
    gateway(r);
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
    r.secured(Method::GET, "/api/v1/runs/{id}/steps", Action::RunSteps, v1::runs::steps::handler);
    r.secured(Method::GET, "/api/v1/runs/{id}/stream", Action::RunSteps, v1::runs::stream::handler);
    r.secured(
        Method::POST,
        "/api/v1/runs/{id}/answers",
        Action::RunAnswer,
        v1::runs::answer::handler,
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

fn language_models(r: &mut Routes) {
    r.secured_question("/v1/chat/completions", models::chat_completions);
    r.secured_question("/v1/messages", models::messages);
    r.secured(Method::GET, "/v1/models", Action::ModelList, models::models);
    r.secured(Method::GET, "/v1/models/{*model}", Action::ModelList, models::model);
    r.secured(Method::GET, "/api/v1/models", Action::ModelList, v1::models::list::handler);
    r.secured(Method::GET, "/api/v1/model-calls", Action::ModelCallList, v1::models::calls::list);
    r.secured(
        Method::GET,
        "/api/v1/model-calls/{id}",
        Action::ModelCallRead,
        v1::models::calls::get,
    );
    r.secured(
        Method::GET,
        "/api/v1/model-usage",
        Action::ModelCallList,
        v1::models::usage::handler,
    );
    r.secured(Method::GET, "/api/v1/budgets", Action::BudgetList, v1::budgets::list);
    r.secured(Method::POST, "/api/v1/budgets", Action::BudgetCreate, v1::budgets::create);
    r.secured(Method::PUT, "/api/v1/budgets/{id}", Action::BudgetUpdate, v1::budgets::put);
    r.secured(Method::DELETE, "/api/v1/budgets/{id}", Action::BudgetRemove, v1::budgets::remove);
}

fn agents(r: &mut Routes) {
    use super::DEFINITION_BODY_BYTES_MAX;
    use v1::agents::{get, list, put, remove, run, versions};
    r.secured(Method::GET, "/api/v1/agents", Action::AgentList, list::handler);
    let read = Action::AgentRead;
    r.secured(Method::GET, "/api/v1/agents/{name}", read, get::handler);
    let (change, bytes_max) = (Action::AgentUpdate, DEFINITION_BODY_BYTES_MAX);
    r.secured_large(Method::PUT, "/api/v1/agents/{name}", change, bytes_max, put::handler);
    r.secured(Method::DELETE, "/api/v1/agents/{name}", Action::AgentRemove, remove::handler);
    let (start, bytes_max) = (Action::AgentRun, super::PROMPT_BODY_BYTES_MAX);
    r.secured_large(Method::POST, "/api/v1/agents/{name}/runs", start, bytes_max, run::handler);
    r.secured(Method::GET, "/api/v1/agents/{name}/versions", read, versions::handler);
    r.secured(Method::GET, "/api/v1/agents/{name}/versions/{number}", read, get::version);
}

fn threads(r: &mut Routes) {
    use v1::threads::{begin, branch, get, list, remove, say, turns, update};
    let (start, bytes_max) = (Action::AgentRun, super::PROMPT_BODY_BYTES_MAX);
    r.secured(Method::GET, "/api/v1/threads", Action::ThreadList, list::handler);
    r.secured_large(Method::POST, "/api/v1/threads", start, bytes_max, begin::handler);
    r.secured(Method::GET, "/api/v1/threads/{id}", Action::ThreadRead, get::handler);
    r.secured(Method::PATCH, "/api/v1/threads/{id}", Action::ThreadUpdate, update::handler);
    r.secured(Method::DELETE, "/api/v1/threads/{id}", Action::ThreadRemove, remove::handler);
    r.secured(Method::GET, "/api/v1/threads/{id}/turns", Action::ThreadRead, turns::handler);
    r.secured_large(Method::POST, "/api/v1/threads/{id}/turns", start, bytes_max, say::handler);
    r.secured_large(
        Method::POST,
        "/api/v1/threads/{id}/branches",
        start,
        bytes_max,
        branch::handler,
    );
}

fn memories(r: &mut Routes) {
    use v1::memories::{list, remove, remove_all};
    r.secured(Method::GET, "/api/v1/memories", Action::MemoryList, list);
    r.secured(Method::DELETE, "/api/v1/memories/{id}", Action::MemoryRemove, remove);
    r.secured(Method::DELETE, "/api/v1/agents/{name}/memories", Action::MemoryRemove, remove_all);
}

fn gateway(r: &mut Routes) {
    use crate::mcp::http;
    use v1::account::tool_accounts;
    use v1::tool_servers::{
        call, calls, create, get, list, remove, restart, test, tools, update, usage,
    };
    r.secured(Method::GET, "/api/v1/tool-servers", Action::ToolServerList, list::handler);
    r.secured(Method::POST, "/api/v1/tool-servers", Action::ToolServerCreate, create::handler);
    r.secured(Method::GET, "/api/v1/tool-servers/{name}", Action::ToolServerRead, get::handler);
    let change = Action::ToolServerUpdate;
    r.secured(Method::PATCH, "/api/v1/tool-servers/{name}", change, update::handler);
    let forget = Action::ToolServerRemove;
    r.secured(Method::DELETE, "/api/v1/tool-servers/{name}", forget, remove::handler);
    let look = Action::ToolServerTest;
    r.secured(Method::POST, "/api/v1/tool-servers/{name}/test", look, test::handler);
    let again = Action::ToolServerRestart;
    r.secured(Method::POST, "/api/v1/tool-servers/{name}/restart", again, restart::handler);
    let connections = v1::mcp_connections::list;
    r.secured(Method::GET, "/api/v1/mcp/connections", Action::SecurityRead, connections);
    let end = v1::mcp_connections::end;
    r.secured(Method::DELETE, "/api/v1/mcp/connections/{id}", Action::McpDisconnect, end);
    let read = Action::ToolServerRead;
    r.secured(Method::GET, "/api/v1/tool-servers/{name}/tools", read, tools::list);
    let accept = Action::ToolAccept;
    r.secured(Method::POST, "/api/v1/tool-servers/{name}/tools/accept", accept, tools::accept);
    r.secured(Method::POST, "/api/v1/tool-servers/{name}/call", Action::ToolCall, call::handler);
    let own = Action::ToolAccountList;
    r.secured(Method::GET, "/api/v1/account/tool-servers", own, tool_accounts::list);
    r.secured(
        Method::POST,
        "/api/v1/account/tool-servers/{name}/connect",
        Action::ToolAccountConnect,
        tool_accounts::connect,
    );
    let forget = Action::ToolAccountRemove;
    r.secured(Method::DELETE, "/api/v1/account/tool-servers/{name}", forget, tool_accounts::remove);
    r.secured(Method::GET, "/api/v1/tool-calls", Action::ToolCallList, calls::list);
    r.secured(Method::GET, "/api/v1/tool-calls/{id}", Action::ToolCallRead, calls::get);
    r.secured(Method::GET, "/api/v1/tool-usage", Action::ToolCallList, usage::handler);
    use v1::approvals;
    r.secured(Method::GET, "/api/v1/approvals", Action::ApprovalList, approvals::list);
    r.secured(Method::GET, "/api/v1/approvals/{id}", Action::ApprovalRead, approvals::get);
    let decide = Action::ApprovalDecide;
    r.secured(Method::POST, "/api/v1/approvals/{id}/approve", decide, approvals::approve);
    r.secured(Method::POST, "/api/v1/approvals/{id}/deny", decide, approvals::deny);
    let connect = Action::McpConnect;
    r.secured_attached(Method::POST, "/mcp", connect, http::post);
    r.secured_attached(Method::GET, "/mcp", connect, http::get);
    r.secured_attached(Method::DELETE, "/mcp", connect, http::delete);
    r.secured_attached(Method::POST, "/mcp/{server}", connect, http::post);
    r.secured_attached(Method::GET, "/mcp/{server}", connect, http::get);
    r.secured_attached(Method::DELETE, "/mcp/{server}", connect, http::delete);
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
    use v1::security::{alerts, blocks, connections, faults, keys, posture};
    use v1::{oauth_clients, secrets};
    let (create, remove) = (Action::OauthClientCreate, Action::OauthClientRemove);
    r.secured(Method::GET, "/api/v1/oauth/clients", Action::OauthClientList, oauth_clients::list);
    r.secured(Method::POST, "/api/v1/oauth/clients", create, oauth_clients::create);
    r.secured(
        Method::POST,
        "/api/v1/oauth/clients/{id}/secret",
        Action::OauthClientRenew,
        oauth_clients::renew,
    );
    r.secured(Method::DELETE, "/api/v1/oauth/clients/{id}", remove, oauth_clients::remove);
    r.secured(Method::GET, "/api/v1/secrets", Action::SecretList, secrets::list);
    r.secured(Method::POST, "/api/v1/secrets", Action::SecretCreate, secrets::create);
    r.secured(Method::PUT, "/api/v1/secrets/{name}", Action::SecretRenew, secrets::renew);
    r.secured(Method::DELETE, "/api/v1/secrets/{name}", Action::SecretRemove, secrets::remove);
    let read = Action::SecurityRead;
    r.secured(Method::GET, "/api/v1/security/connections", read, connections::handler);
    r.secured(Method::GET, "/api/v1/security/blocks", read, blocks::list);
    r.secured(Method::POST, "/api/v1/security/blocks", Action::BlockCreate, blocks::create);
    r.secured(Method::GET, "/api/v1/security/keys", read, keys::handler);
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
