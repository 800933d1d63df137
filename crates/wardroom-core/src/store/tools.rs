//! The storage port of tool servers, their tools and calls of these.

use super::StoreResult;
use crate::{
    Timestamp, ToolCallId, ToolServerId, UserId,
    page::{Page, PageRequest},
    tool::{
        account::ToolAccount,
        call::{CallOutcome, ToolCall},
        server::ToolServer,
        toolbox::Tool,
        usage::{Usage, UsageFilter},
    },
};
use async_trait::async_trait;

/// Which calls are wanted. An empty filter wants all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CallFilter {
    /// Of this server.
    pub server: Option<ToolServerId>,
    /// Of tools of this name.
    pub tool: Option<String>,
    /// In this account's name.
    pub user: Option<UserId>,
    /// That ended so.
    pub outcome: Option<CallOutcome>,
}

/// Reads tool servers, tools and calls.
#[async_trait]
pub trait Tools: Send + Sync {
    /// Every tool server, by name.
    async fn list_tool_servers(&self) -> StoreResult<Vec<ToolServer>>;
    /// A tool server by its name.
    async fn lookup_tool_server(&self, name: &str) -> StoreResult<Option<ToolServer>>;
    /// A server's tools, by name; also those that it does not offer any more.
    async fn list_tools(&self, server: ToolServerId) -> StoreResult<Vec<Tool>>;
    /// Somebody's account at a tool server.
    async fn lookup_tool_account(
        &self,
        server: ToolServerId,
        user: UserId,
    ) -> StoreResult<Option<ToolAccount>>;
    /// Somebody's accounts at tool servers.
    async fn list_tool_accounts(&self, user: UserId) -> StoreResult<Vec<ToolAccount>>;
    /// A call.
    async fn lookup_tool_call(&self, id: ToolCallId) -> StoreResult<Option<ToolCall>>;
    /// Calls, newest first.
    async fn list_tool_calls(
        &self,
        filter: &CallFilter,
        page: PageRequest<ToolCallId>,
    ) -> StoreResult<Page<ToolCall, ToolCallId>>;
    /// How much tools were used: groups of calls, those with the most first.
    async fn tool_usage(&self, filter: UsageFilter) -> StoreResult<Vec<Usage>>;
    /// Calls that began before `before` and have no end; at most `limit`.
    async fn list_open_tool_calls(
        &self,
        before: Timestamp,
        limit: u32,
    ) -> StoreResult<Vec<ToolCall>>;
}
