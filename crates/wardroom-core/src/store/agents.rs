//! The storage port of agents.

use super::StoreResult;
use crate::{
    agent::{Agent, AgentVersion, Outline},
    page::{Page, PageRequest},
};
use async_trait::async_trait;

/// Reads agents.
#[async_trait]
pub trait Agents: Send + Sync {
    /// The newest version of the agent of this name.
    async fn lookup_agent(&self, name: &str) -> StoreResult<Option<Agent>>;
    /// A version of the agent of this name.
    async fn lookup_agent_version(&self, name: &str, number: i64) -> StoreResult<Option<Agent>>;
    /// The newest versions of agents, by name.
    async fn list_agents(
        &self,
        page: PageRequest<String>,
    ) -> StoreResult<Page<(AgentVersion, Outline), String>>;
    /// The versions of the agent of this name, newest first.
    async fn list_agent_versions(
        &self,
        name: &str,
        page: PageRequest<i64>,
    ) -> StoreResult<Page<AgentVersion, i64>>;
}
