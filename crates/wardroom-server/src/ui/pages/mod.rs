//! What the pages show: view structs over the wire types, and their templates. Nothing here knows
//! HTTP, the store or policy; the handlers beside this folder bring what is shown.

pub(crate) mod account;
pub(crate) mod approvals;
pub(crate) mod audit;
pub(crate) mod bare;
pub(crate) mod chart;
pub(crate) mod command;
pub(crate) mod customers;
pub(crate) mod errors;
pub(crate) mod faults;
pub(crate) mod format;
pub(crate) mod gateway;
pub(crate) mod grants;
pub(crate) mod join_tokens;
pub(crate) mod named_secrets;
pub(crate) mod node;
pub(crate) mod nodes;
pub(crate) mod oauth_clients;
pub(crate) mod order;
pub(crate) mod output;
pub(crate) mod overview;
pub(crate) mod pattern;
pub(crate) mod policy;
pub(crate) mod posture;
pub(crate) mod proof;
pub(crate) mod record;
pub(crate) mod requests;
pub(crate) mod run;
pub(crate) mod runs;
pub(crate) mod security;
pub(crate) mod services;
pub(crate) mod shell;
pub(crate) mod timeline;
pub(crate) mod tool_accounts;
pub(crate) mod users;
