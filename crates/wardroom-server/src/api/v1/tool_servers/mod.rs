//! `/api/v1/tool-servers`

pub(crate) mod call;
pub(crate) mod calls;
pub(crate) mod create;
pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod remove;
pub(crate) mod restart;
pub(crate) mod test;
pub(crate) mod tools;
pub(crate) mod update;
pub(crate) mod usage;

use super::nodes;
use crate::{context::Ctx, error::ApiError};
use wardroom_core::{
    Action,
    action::Resource,
    tool::{
        server::{OauthParty, ServerLimits, Shown, ToolServer, Way},
        toolbox::{Tool, ToolState},
    },
};
use wardroom_gateway::registry::{Health, KeepError, Known};
use wardroom_wire::{
    error::ErrorCode,
    tools::{
        OauthPartyShape, ServerHealth, ServerLimitsShape, ShownShape, ToolServerView, WayShape,
    },
};

/// The tool server of this name, if the caller may do `action` to it.
pub(crate) async fn find(
    ctx: &Ctx,
    name: &str,
    action: Action,
) -> Result<(ToolServer, crate::context::Authorised), ApiError> {
    let found = ctx.app.engine.store().lookup_tool_server(name).await?;
    let server = found.ok_or_else(ApiError::not_found)?;
    let allowed = ctx.authorise(action, &Resource::tool_server(&server.name)).await?;
    Ok((server, allowed))
}

/// A secret that a server is shown goes where whoever registers the server says: they must be allowed to use it.
async fn may_use(ctx: &Ctx, shown: &Shown) -> Result<(), ApiError> {
    for name in shown.secrets() {
        let allowed = ctx.authorise(Action::SecretUse, &Resource::secret(name)).await;
        allowed.map_err(|error| error.or_field("secret", "there is no such secret"))?;
    }
    Ok(())
}

/// How a server is to be reached. A node is one that whoever says so may see.
async fn way(ctx: &Ctx, shape: WayShape) -> Result<Way, ApiError> {
    match shape {
        WayShape::Http { url, egress } => Ok(Way::Http { url, egress }),
        WayShape::Node { node, entry } => {
            let missing = |error: ApiError| error.or_field("node", "there is no such node");
            let found = nodes::find(ctx, &node).await.map_err(missing)?;
            ctx.authorise(Action::NodeRead, &Resource::node(&found)).await.map_err(missing)?;
            Ok(Way::Node { node: found.id, entry })
        }
    }
}

fn shown(shape: ShownShape) -> Shown {
    match shape {
        ShownShape::Nothing => Shown::Nothing,
        ShownShape::Bearer { secret } => Shown::Bearer { secret },
        ShownShape::Header { name, secret } => Shown::Header { name, secret },
        ShownShape::Environment { secrets } => Shown::Environment { secrets },
        ShownShape::Client { client, scopes } => Shown::Client { client: party(client), scopes },
        ShownShape::Account { client, scopes } => {
            Shown::Account { client: client.map(party), scopes }
        }
    }
}

fn party(shape: OauthPartyShape) -> OauthParty {
    OauthParty { issuer: shape.issuer, id: shape.id, secret: shape.secret }
}

fn party_shape(party: &OauthParty) -> OauthPartyShape {
    let OauthParty { issuer, id, secret } = party.clone();
    OauthPartyShape { issuer, id, secret }
}

fn limits(shape: ServerLimitsShape) -> ServerLimits {
    ServerLimits {
        call_ms_max: shape.call_ms_max,
        concurrent_max: shape.concurrent_max,
        waiting_max: shape.waiting_max,
        arguments_bytes_max: shape.arguments_bytes_max,
        result_bytes_max: shape.result_bytes_max,
        calls_per_minute: shape.calls_per_minute,
    }
}

/// What the last look found.
pub(crate) fn health_view(health: &Health, known: Option<&Known>) -> ServerHealth {
    let state = match (&health.at, &health.problem) {
        (None, _) => "unknown",
        (Some(_), None) => "ready",
        (Some(_), Some(_)) => "failing",
    };
    let facts = health.facts.as_ref();
    let software = facts.and_then(|facts| {
        let name = facts.info.text("name")?;
        let version = facts.info.text("version").unwrap_or_default();
        // A server says so of itself, and may say anything.
        Some(format!("{name} {version}").chars().filter(|c| !c.is_control()).take(100).collect())
    });
    ServerHealth {
        state: state.to_owned(),
        breaker: known.map_or("closed", |known| known.upstream.breaker().as_str()).to_owned(),
        looked_at: health.at.map(|at| at.to_string()),
        problem: health.problem.clone(),
        era: facts.map(|facts| facts.era.as_str().to_owned()),
        protocol_version: facts.map(|facts| facts.version.to_owned()),
        software,
        instances: known
            .and_then(|known| known.upstream.instances())
            .and_then(|count| u32::try_from(count).ok()),
    }
}

/// A server as the API tells it.
pub(crate) fn view(ctx: &Ctx, server: &ToolServer, tools: &[Tool]) -> ToolServerView {
    let known = ctx.app.gateway.registry.server(&server.name);
    let health = known.as_ref().map(|known| known.health()).unwrap_or_default();
    let count =
        |wanted: &[ToolState]| tools.iter().filter(|tool| wanted.contains(&tool.state())).count();
    let limits = server.limits;
    ToolServerView {
        name: server.name.clone(),
        about: server.about.clone(),
        way: match &server.way {
            Way::Http { url, egress } => {
                WayShape::Http { url: url.clone(), egress: egress.clone() }
            }
            Way::Node { node, entry } => {
                WayShape::Node { node: node.to_string(), entry: entry.clone() }
            }
        },
        shown: match &server.shown {
            Shown::Nothing => ShownShape::Nothing,
            Shown::Bearer { secret } => ShownShape::Bearer { secret: secret.clone() },
            Shown::Header { name, secret } => {
                ShownShape::Header { name: name.clone(), secret: secret.clone() }
            }
            Shown::Environment { secrets } => ShownShape::Environment { secrets: secrets.clone() },
            Shown::Client { client, scopes } => {
                ShownShape::Client { client: party_shape(client), scopes: scopes.clone() }
            }
            Shown::Account { client, scopes } => ShownShape::Account {
                client: client.as_ref().map(party_shape),
                scopes: scopes.clone(),
            },
        },
        limits: ServerLimitsShape {
            call_ms_max: limits.call_ms_max,
            concurrent_max: limits.concurrent_max,
            waiting_max: limits.waiting_max,
            arguments_bytes_max: limits.arguments_bytes_max,
            result_bytes_max: limits.result_bytes_max,
            calls_per_minute: limits.calls_per_minute,
        },
        enabled: server.enabled,
        version: server.version,
        created_at: server.created_at.to_string(),
        health: health_view(&health, known.as_deref()),
        tools_accepted: count(&[ToolState::Accepted]),
        tools_waiting: count(&[ToolState::New, ToolState::Changed]),
    }
}

impl From<KeepError> for ApiError {
    fn from(error: KeepError) -> Self {
        match error {
            KeepError::Field(error) => Self::field(&error.field, error.reason),
            KeepError::Full => Self::say(
                ErrorCode::LimitReached,
                "There are as many tool servers as there may be: forget one first.",
            ),
            KeepError::Conflict => {
                Self::say(ErrorCode::Conflict, "It changed meanwhile: read it again, then repeat.")
            }
            KeepError::Store(error) => error.into(),
        }
    }
}
