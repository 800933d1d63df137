//! Version 1 of the REST API: one file per operation.

pub(crate) mod account;
pub(crate) mod approvals;
pub(crate) mod audit;
pub(crate) mod customers;
pub(crate) mod events;
pub(crate) mod health;
pub(crate) mod join_tokens;
pub(crate) mod links;
pub(crate) mod login;
pub(crate) mod logout;
pub(crate) mod mcp_connections;
pub(crate) mod nodes;
pub(crate) mod oauth_clients;
pub(crate) mod overview;
pub(crate) mod policy;
pub(crate) mod requests;
pub(crate) mod runs;
pub(crate) mod secrets;
pub(crate) mod security;
pub(crate) mod services;
pub(crate) mod sessions;
pub(crate) mod tokens;
pub(crate) mod tool_servers;
pub(crate) mod users;
pub(crate) mod views;
pub(crate) mod whoami;
