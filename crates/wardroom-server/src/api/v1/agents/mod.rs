//! `/api/v1/agents`

pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod put;
pub(crate) mod remove;
pub(crate) mod run;
pub(crate) mod versions;

use crate::{
    context::{Authorised, Ctx},
    error::ApiError,
};
use wardroom_core::{
    Action,
    action::Resource,
    agent::{Agent, AgentVersion, Outline},
};
use wardroom_wire::agents::{AgentVersionView, AgentView};

/// The agent of this name, if the caller may do `action` to it.
pub(crate) async fn find(
    ctx: &Ctx,
    name: &str,
    action: Action,
) -> Result<(Agent, Authorised), ApiError> {
    let found = ctx.app.engine.store().lookup_agent(name).await?;
    let agent = found.ok_or_else(ApiError::not_found)?;
    let allowed = ctx.authorise(action, &Resource::agent(&agent.definition.name)).await?;
    Ok((agent, allowed))
}

/// An agent as the API tells it.
pub(crate) fn view(version: &AgentVersion, outline: Outline) -> AgentView {
    AgentView {
        name: outline.name,
        description: outline.description,
        icon: outline.icon,
        tags: outline.tags,
        mode: outline.mode.as_str().to_owned(),
        model: format!("{}/{}", outline.model.provider, outline.model.name),
        version: version_view(version),
    }
}

/// A version as the API tells it.
pub(crate) fn version_view(version: &AgentVersion) -> AgentVersionView {
    AgentVersionView {
        number: version.number,
        digest: version.digest.clone(),
        note: version.note.clone(),
        author: version.author.to_string(),
        created_at: version.created_at.to_string(),
    }
}
