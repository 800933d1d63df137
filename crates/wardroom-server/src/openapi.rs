//! The OpenAPI 3.1 description of the REST API.

use crate::api::v1;
use axum::{body::Bytes, http::header, response::IntoResponse};
use std::sync::LazyLock;
use utoipa::OpenApi;

#[derive(OpenApi)]
#[openapi(
    info(title = "Wardroom", description = "The control room's REST API. Authenticate with `Authorization: Bearer <API token>`; errors are problem documents (RFC 9457); lists page by `after` and `next`."),
    paths(
        v1::login::handler, v1::login::begin_passkey, v1::login::finish_passkey, v1::links::redeem,
        v1::links::ask_reset,
        v1::logout::handler, v1::whoami::handler, v1::names::handler,
        v1::sessions::refresh::handler, v1::sessions::list::handler, v1::sessions::revoke::handler,
        v1::sessions::prove::handler, v1::sessions::second_factor::handler,
        v1::sessions::second_factor::begin_passkey, v1::sessions::second_factor::finish_passkey,
        v1::account::profile::get, v1::account::profile::update, v1::account::password::handler,
        v1::account::factors::list, v1::account::factors::remove, v1::account::factors::renew_codes,
        v1::account::totp::create, v1::account::totp::confirm,
        v1::account::passkeys::begin, v1::account::passkeys::finish,
        v1::users::list::handler, v1::users::create::handler, v1::users::get::handler,
        v1::users::update::handler, v1::users::erase::handler, v1::users::state::disable,
        v1::users::state::enable, v1::users::link::handler, v1::users::reset_factors::handler, v1::users::export::handler, v1::users::export::own,
        v1::customers::list::handler, v1::customers::create::handler, v1::customers::get::handler,
        v1::customers::update::handler, v1::customers::assign::handler, v1::customers::erase::handler,
        v1::customers::disclose::handler, v1::customers::import::handler, v1::customers::export::handler,
        v1::services::list::handler, v1::services::create::handler, v1::services::get::handler,
        v1::services::update::handler, v1::services::order::handler,
        v1::requests::list::handler, v1::requests::get::handler, v1::requests::update::handler,
        v1::requests::cancel::handler, v1::requests::notes::handler, v1::requests::attachments::add,
        v1::requests::attachments::get, v1::requests::attachments::remove,
        v1::views::list, v1::views::put, v1::views::remove,
        v1::tokens::list::handler, v1::tokens::create::handler, v1::tokens::revoke::handler,
        v1::overview::handler, v1::health::handler, v1::events::handler,
        v1::nodes::list::handler, v1::nodes::get::handler, v1::nodes::label::handler,
        v1::nodes::remove::handler, v1::nodes::disable::handler, v1::nodes::enable::handler,
        v1::join_tokens::list::handler, v1::join_tokens::create::handler, v1::join_tokens::revoke::handler,
        v1::runs::submit::handler, v1::runs::list::handler, v1::runs::get::handler,
        v1::runs::output::handler, v1::runs::steps::handler, v1::runs::stream::handler, v1::runs::answer::handler, v1::runs::cancel::handler, v1::runs::replay::handler,
        v1::audit::list::handler, v1::audit::get::handler, v1::audit::proof::handler,
        v1::audit::export::handler, v1::audit::checkpoint::handler, v1::audit::verify::handler,
        v1::account::tool_accounts::list, v1::account::tool_accounts::connect, v1::account::tool_accounts::remove,
        v1::agents::list::handler, v1::agents::get::handler, v1::agents::get::version, v1::agents::put::handler,
        v1::agents::versions::handler, v1::agents::remove::handler, v1::agents::run::handler,
        v1::memories::list, v1::memories::remove, v1::memories::remove_all,
        v1::threads::list::handler, v1::threads::begin::handler, v1::threads::get::handler, v1::threads::update::handler,
        v1::threads::remove::handler, v1::threads::turns::handler, v1::threads::say::handler, v1::threads::branch::handler,
        v1::models::list::handler, v1::models::calls::list, v1::models::calls::get, v1::models::usage::handler,
        v1::budgets::list, v1::budgets::create, v1::budgets::put, v1::budgets::remove,
        v1::tool_servers::list::handler, v1::tool_servers::create::handler, v1::tool_servers::get::handler,
        v1::tool_servers::update::handler, v1::tool_servers::remove::handler, v1::tool_servers::test::handler,
        v1::tool_servers::tools::list, v1::tool_servers::tools::accept,
        v1::tool_servers::restart::handler, v1::mcp_connections::list, v1::mcp_connections::end,
        v1::tool_servers::call::handler, v1::tool_servers::calls::list, v1::tool_servers::calls::get, v1::tool_servers::usage::handler,
        v1::approvals::list, v1::approvals::get, v1::approvals::approve, v1::approvals::deny,
        v1::oauth_clients::list, v1::oauth_clients::create, v1::oauth_clients::renew, v1::oauth_clients::remove,
        v1::secrets::list, v1::secrets::create, v1::secrets::renew, v1::secrets::remove,
        v1::security::blocks::list, v1::security::blocks::create, v1::security::blocks::remove,
        v1::security::connections::handler,
        v1::security::alerts::list, v1::security::alerts::acknowledge, v1::security::alerts::test,
        v1::security::faults::list, v1::security::faults::resolve, v1::security::posture::handler,
        v1::security::keys::handler,
        v1::policy::get::handler, v1::policy::put::handler, v1::policy::put::try_handler,
        v1::policy::versions::handler, v1::policy::versions::one, v1::policy::explain::handler,
    ),
    modifiers(&Common),
    security(("token" = []))
)]
struct Document;

/// Tells how requests authenticate, and that any may be refused.
struct Common;

impl utoipa::Modify for Common {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        use utoipa::openapi::{
            ContentBuilder, Ref, RefOr, ResponseBuilder,
            security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
        };
        let scheme =
            SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build());
        openapi.components.get_or_insert_default().add_security_scheme("token", scheme);
        // Any operation may be refused before its handler: without credentials, over a bound, and so on.
        let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
        let problem = ResponseBuilder::new()
            .description("Refused or failed; the code says why")
            .content("application/problem+json", content)
            .build();
        for item in openapi.paths.paths.values_mut() {
            let operations =
                [&mut item.get, &mut item.put, &mut item.post, &mut item.patch, &mut item.delete];
            for operation in operations.into_iter().flatten() {
                let responses = &mut operation.responses.responses;
                // What an operation says of a refusal is why; its form is that of all of them.
                for (status, response) in responses.iter_mut() {
                    if let RefOr::T(response) = response
                        && !status.starts_with('2')
                    {
                        response.content.clone_from(&problem.content);
                    }
                }
                responses.insert("default".to_owned(), problem.clone().into());
            }
        }
    }
}

/// The document as pretty JSON, as it is served and kept in the repository.
pub fn openapi_json() -> String {
    Document::openapi().to_pretty_json().unwrap_or_default() + "\n"
}

/// `GET /api/openapi.json`
pub(crate) async fn handler() -> impl IntoResponse {
    static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| openapi_json().into());
    ([(header::CONTENT_TYPE, "application/json")], DOCUMENT.clone())
}
