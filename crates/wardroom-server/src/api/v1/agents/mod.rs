//! `/api/v1/agents`

pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod put;
pub(crate) mod remove;
pub(crate) mod versions;

use crate::{
    context::{Authorised, Ctx},
    error::ApiError,
};
use wardroom_core::{
    Action,
    action::Resource,
    agent::{Agent, Mode},
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
pub(crate) fn view(agent: &Agent) -> AgentView {
    let definition = &agent.definition;
    AgentView {
        name: definition.name.clone(),
        description: definition.description.clone(),
        icon: definition.icon.clone(),
        tags: definition.tags.clone(),
        mode: match definition.mode {
            Mode::Autonomous => "autonomous",
            Mode::Continuous => "continuous",
            Mode::Collaborative => "collaborative",
        }
        .to_owned(),
        model: format!("{}/{}", definition.model.provider, definition.model.name),
        version: version(agent),
    }
}

/// A version as the API tells it.
pub(crate) fn version(agent: &Agent) -> AgentVersionView {
    AgentVersionView {
        number: agent.number,
        digest: agent.digest.clone(),
        note: agent.note.clone(),
        author: agent.author.to_string(),
        created_at: agent.created_at.to_string(),
    }
}
