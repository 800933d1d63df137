//! The doors of the gateway: messages of the Model Context Protocol in, and what they are answered out.

mod caller;
mod channel;
mod exchange;
pub(crate) mod http;
mod reply;
mod sessions;
mod sse;
mod static_tokens;
pub(crate) mod tcp;
mod websocket;

pub(crate) use caller::McpCaller;
pub(crate) use channel::Channels;
pub(crate) use reply::Lacks;
pub(crate) use sse::Inboxes;
pub use static_tokens::{StaticToken, StaticTokenError, StaticTokens};

use crate::App;
use std::sync::Arc;
use wardroom_core::store::StoreError;
use wardroom_gateway::door::Caller;

/// What stands before a tool server's name in the path of its own endpoint.
pub(crate) const PATH: &str = "/mcp";

/// Whether there is such a tool server for the caller: what they may use nothing of is not there.
fn is_visible(app: &App, caller: &dyn Caller, name: &str) -> bool {
    let known = app.gateway.registry.server(name);
    known.is_some_and(|known| app.gateway.sees(caller, &known))
}

impl App {
    /// Looks after tool servers until the server shuts down.
    pub async fn work_gateway(self: Arc<Self>) {
        let work = Arc::clone(&self.gateway).work();
        tokio::select! {
            () = self.stop.cancelled() => {}
            () = work => {}
        }
    }

    /// Ends calls that have no end, where no other orchestrator can have any under way.
    pub async fn end_open_calls(&self) -> Result<(), StoreError> {
        self.gateway.end_open_calls().await
    }

    /// Takes over the tool servers that the store knows.
    pub(crate) async fn reload_tools(&self) -> Result<(), StoreError> {
        self.gateway.registry.reload().await
    }
}
