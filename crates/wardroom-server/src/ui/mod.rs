//! The dashboard: pages rendered on the server, which work without scripts.
//!
//! `pages/` holds what is shown, the files here bring it: each handler asks the same functions as
//! the REST API and turns their answer into a page or into a redirect. An [`ApiError`] leaves as it
//! does there; the edge gives it to [`error_page`].
//!
//! | method | path | action | handler |
//! |---|---|---|---|
//! | GET | `/assets/{hash}/{name}` | public: the same for everybody | [`assets::handler`] |
//! | GET | `/sign-in` | public: nobody is signed in yet | [`sign_in::page`] |
//! | GET | `/` | `RunList` (who may not see the overview is sent to the runs) | [`overview::page`] |
//! | GET | `/nodes` | `NodeList` | [`nodes::list`] |
//! | GET | `/nodes/{id}` | `NodeRead` | [`nodes::show`] |
//! | POST | `/nodes/{id}/disable` | `NodeDisable` | [`nodes::disable`] |
//! | POST | `/nodes/{id}/enable` | `NodeEnable` | [`nodes::enable`] |
//! | POST | `/nodes/{id}/remove` | `NodeRemove` | [`nodes::remove`] |
//! | GET | `/nodes/{id}/commands/{name}` | `NodeRead` | [`commands::form`] |
//! | POST | `/nodes/{id}/commands/{name}` | `RunSubmit` | [`commands::submit`] |
//! | GET | `/runs` | `RunList` | [`runs::list`] |
//! | GET | `/runs/{id}` | `RunRead` | [`runs::show`] |
//! | POST | `/runs/{id}/cancel` | `RunCancel` | [`runs::cancel`] |
//! | POST | `/runs/{id}/replay` | `RunReplay` | [`runs::replay`] |
//! | GET | `/audit` | `AuditRead` | [`audit::list`] |
//! | GET | `/audit/{index}` | `AuditRead` | [`audit::show`] |
//! | POST | `/audit/verify` | `AuditVerify` | [`audit::verify`] |
//! | GET | `/join-tokens` | `JoinTokenList` | [`join_tokens::list`] |
//! | POST | `/join-tokens` | `JoinTokenCreate` | [`join_tokens::create`] |
//! | POST | `/join-tokens/{id}/revoke` | `JoinTokenRevoke` | [`join_tokens::revoke`] |
//! | GET | `/account` | `UserRead` | [`account::show`] |
//! | POST | `/account/tokens` | `TokenCreate` | [`account::create_token`] |
//! | POST | `/account/tokens/{id}/revoke` | `TokenRevoke` | [`account::revoke_token`] |
//! | POST | `/account/sign-out` | `SessionEnd` | [`account::sign_out`] |
//!
//! `POST /sign-in` belongs to the crate's `sign_in` module.

pub(crate) mod account;
pub(crate) mod assets;
pub(crate) mod audit;
pub(crate) mod commands;
mod errors;
mod frame;
pub(crate) mod join_tokens;
pub(crate) mod nodes;
pub(crate) mod overview;
mod pages;
pub(crate) mod runs;
pub(crate) mod sign_in;

pub(crate) use errors::error_page;
