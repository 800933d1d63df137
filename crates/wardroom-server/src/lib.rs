//! The doors: REST API, dashboard, node link, health and metrics.
//!
//! Every request takes the one road: principal, limits, typed input, policy, then the engine. This
//! crate must never contain SQL and never decides what a role may do; it asks policy.

mod api;
mod app;
mod context;
mod deputies;
mod desk;
mod disclosure;
mod docs;
mod doors;
mod error;
mod gen_ai;
mod health;
mod identity;
mod listen;
mod mcp;
mod metrics;
mod middleware;
mod models;
mod named_secrets;
mod node;
mod oauth;
mod oidc;
mod openapi;
mod places;
mod policies;
pub mod posture;
mod qr;
mod redirect;
mod routes;
mod sign_in;
mod tries;
mod ui;
mod view;
mod watch;

pub use app::{App, AppParts, Limits};
pub use doors::{DoorRules, FilterError, FilterMode, FilterRules};
pub use identity::AccountRules;
pub use listen::{ListenError, Listener};
pub use mcp::{StaticToken, StaticTokenError, StaticTokens};
pub use metrics::serve_metrics;
pub use oauth::{ClientDocuments, ClientDocumentsError};
pub use oidc::OidcRules;
pub use openapi::openapi_json;
pub use policies::PolicySource;
pub use redirect::serve_redirects;
pub use routes::{RouteInfo, route_table};
pub use wardroom_gateway::outbound::{BreakerRules, Outbound, OutboundError, Reach};
pub use watch::{Delivery, FaultLog, MailRules, Tracker, Webhook};
#[cfg(feature = "otlp")]
pub use watch::{TraceRules, open_traces};
