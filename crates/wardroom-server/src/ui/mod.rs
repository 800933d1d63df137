//! The dashboard: pages rendered on the server, which work without scripts.
//!
//! `pages/` holds what is shown, the files here bring it: each handler asks the same functions as
//! the REST API and turns their answer into a page or into a redirect. An [`ApiError`] leaves as it
//! does there; the edge gives it to [`error_page`].
//!
//! Which page needs which action is in the route table.
//!
//! `POST /sign-in` belongs to the crate's `sign_in` module.

pub(crate) mod account;
pub(crate) mod agent_runs;
pub(crate) mod agents;
pub(crate) mod approvals;
pub(crate) mod assets;
pub(crate) mod audit;
pub(crate) mod commands;
pub(crate) mod customers;
mod errors;
pub(crate) mod faults;
mod frame;
pub(crate) mod gateway;
pub(crate) mod grants;
pub(crate) mod join_tokens;
pub(crate) mod memories;
pub(crate) mod models;
pub(crate) mod named_secrets;
pub(crate) mod nodes;
pub(crate) mod oauth_clients;
pub(crate) mod overview;
mod pages;
pub(crate) mod policy;
pub(crate) mod posture;
pub(crate) mod proof;
pub(crate) mod requests;
pub(crate) mod runs;
pub(crate) mod secrets;
pub(crate) mod security;
pub(crate) mod services;
pub(crate) mod sign_in;
pub(crate) mod threads;
pub(crate) mod tool_accounts;
pub(crate) mod users;

pub(crate) use errors::{error_page, page_of};
