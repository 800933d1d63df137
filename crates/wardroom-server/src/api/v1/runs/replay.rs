//! `POST /api/v1/runs/{id}/replay`

use super::submit::{by_labels, one_node};
use crate::{context::Ctx, error::ApiError, named_secrets, view};
use axum::{Json, extract::Path, http::StatusCode};
use wardroom_core::{
    Action,
    action::Resource,
    run::{Refusal, Target},
};
use wardroom_engine::EngineError;
use wardroom_wire::{api::RunView, error::Problem};

/// Submit a run that ended without success anew, with the same values. The caller must be allowed to
/// run the command there now.
#[utoipa::path(
    operation_id = "runs_replay",
    post, path = "/api/v1/runs/{id}/replay", tag = "runs", params(("id" = String, Path)),
    responses((status = 202, body = RunView), (status = 404, body = Problem), (status = 409, body = Problem),
        (status = 422, body = Problem))
)]
pub(crate) async fn handler(
    ctx: Ctx,
    Path(id): Path<String>,
) -> Result<(StatusCode, Json<RunView>), ApiError> {
    Ok((StatusCode::ACCEPTED, Json(act(&ctx, &id).await?)))
}

/// Submits a run anew.
pub(crate) async fn act(ctx: &Ctx, text: &str) -> Result<RunView, ApiError> {
    let run = super::find(ctx, text).await?;
    let allowed = ctx.authorise(Action::RunReplay, &ctx.run_resource(&run).await?).await?;
    // SECURITY: replaying asks for the right to submit as well, as it is today.
    let (asked, _, wanted) = match &run.target {
        Target::Node { node } => one_node(ctx, &node.to_string(), &run.command).await?,
        Target::OneOf { labels } => by_labels(ctx, labels.clone(), &run.command, false).await?,
        Target::AllOf { labels } => by_labels(ctx, labels.clone(), &run.command, true).await?,
        Target::Here {} => {
            let why = "an agent's run is not repeated: start the agent again";
            return Err(EngineError::NotRepeated(why.to_owned()).into());
        }
    };
    // SECURITY: so does a secret that is used by its name: whoever repeats the run may use it today.
    let values = ctx.app.engine.values_left(&run).await?.unwrap_or_default();
    let open = |name: &&String| !named_secrets::is_secret(&asked, &run.command, name);
    if let Some(name) = values.secret.keys().find(open) {
        let why = "was secret and is not any more where it would run: submit the command anew";
        return Err(ApiError::field(&format!("parameters.{name}"), why));
    }
    let may = |secret: &Resource| ctx.decide(Action::SecretUse, secret).allowed;
    let named = ("secrets", &values.named);
    named_secrets::check(&ctx.app, (&asked, &run.command), named, may).await?;
    let (engine, user) = (&ctx.app.engine, ctx.user()?);
    let replayed = engine.replay(run.id, (asked, wanted), user, allowed.draft(ctx)).await?;
    // SECURITY: where somebody else was quicker, the run is theirs, and not for everybody to see.
    if !ctx.decide(Action::RunRead, &ctx.run_resource(&replayed).await?).allowed {
        return Err(EngineError::RunState(Refusal::Over).into());
    }
    view::run(ctx, &replayed).await
}
