//! `GET /api/v1/runs/{id}/steps`

use crate::{api::input::QueryOf, context::Ctx, error::ApiError};
use axum::{Json, extract::Path};
use serde::Deserialize;
use wardroom_core::{
    Action,
    model::{AssistantPart, Message, Spend, UserPart},
    run::{Run, RunState},
    steps::{Awaited, Ended, Entry},
};
use wardroom_engine::{agents::work::Step, runs::sentence};
use wardroom_wire::{
    agents::{StepCallView, StepView, StepsPage},
    error::Problem,
};

/// Steps in one answer.
const STEPS_MAX: u32 = 100;

/// Where to go on.
#[derive(Debug, Clone, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct StepsQuery {
    /// Go on behind this, as `next` of the answer before said.
    pub(super) after: Option<u32>,
}

/// What an agent was asked, thought, did and answered in a run, in order, as far as it is there.
#[utoipa::path(
    operation_id = "runs_steps",
    get, path = "/api/v1/runs/{id}/steps", tag = "runs", params(("id" = String, Path), StepsQuery),
    responses((status = 200, body = StepsPage), (status = 404, body = Problem))
)]
pub(crate) async fn handler(
    ctx: Ctx,
    Path(id): Path<String>,
    QueryOf(query): QueryOf<StepsQuery>,
) -> Result<Json<StepsPage>, ApiError> {
    load(&ctx, &id, query.after).await.map(Json)
}

/// A stretch of a run's steps.
pub(crate) async fn load(ctx: &Ctx, text: &str, after: Option<u32>) -> Result<StepsPage, ApiError> {
    let run = super::find(ctx, text).await?;
    ctx.authorise(Action::RunSteps, &ctx.run_resource(&run).await?).await?;
    let steps = ctx.app.engine.list_steps(&run, after.unwrap_or(0), STEPS_MAX).await?;
    // The run was read before its steps: when it was over then, all that there is was there now.
    let complete = run.state.is_terminal() && steps.next.is_none();
    let last = steps.items.last().map(|step| step.kept.seq);
    let told_before = after.is_some() && steps.items.is_empty();
    // Told now or before: it is no other one's place to say it again.
    let has_end = |step: &Step| matches!(step.entry, Entry::Ended { .. });
    let is_told = steps.items.last().is_some_and(has_end);
    let is_new = |step: &Step| after.is_none_or(|after| step.kept.seq > after);
    let mut items: Vec<StepView> = steps.items.into_iter().filter(is_new).map(view).collect();
    if complete && !told_before && !is_told {
        items.extend(end_of(&run, last));
    }
    let next = items.last().map(|step| step.seq).or(after);
    Ok(StepsPage { items, next, complete })
}

/// The end of a run that ended while nobody carried it on: it stands behind its journal.
fn end_of(run: &Run, last: Option<u32>) -> Option<StepView> {
    let ended = match run.state {
        RunState::Cancelled => "cancelled",
        RunState::TimedOut => "timed_out",
        RunState::Failed => "failed",
        _ => return None,
    };
    run.work.as_ref()?;
    Some(StepView {
        seq: last?.saturating_add(1),
        at: run.finished_at?.to_string(),
        kind: "ended".to_owned(),
        ended: Some(ended.to_owned()),
        text: run.outcome.as_ref().map(sentence),
        ..StepView::default()
    })
}

/// A step as the API tells it.
fn view(step: Step) -> StepView {
    let mut view =
        StepView { seq: step.kept.seq, at: step.kept.at.to_string(), ..StepView::default() };
    describe(&mut view, step.entry);
    view
}

fn describe(view: &mut StepView, entry: Entry) {
    let (kind, text) = match entry {
        Entry::Begun { messages, labels, reading, .. } => {
            (view.seen, view.reads) = (names(labels.names()), reading.is_some());
            ("begun", messages.last().map(said_last))
        }
        Entry::Asked { call, .. } => {
            view.model_call = Some(call.to_string());
            ("asked", None)
        }
        Entry::Answered { parts, usage, cost_micros, .. } => {
            (view.tokens, view.cost_micros) = (Some(usage.total()), Some(cost_micros));
            let mut said = String::new();
            for part in parts {
                match part {
                    AssistantPart::Text { text } => said.push_str(&text),
                    AssistantPart::ToolCall { id, name, arguments } => {
                        view.calls.push(StepCallView { id, name, arguments });
                    }
                    AssistantPart::Thought { .. } => {}
                }
            }
            ("answered", Some(said))
        }
        Entry::SummedUp { text, usage, cost_micros } => {
            (view.tokens, view.cost_micros) = (Some(usage.total()), Some(cost_micros));
            ("summed_up", Some(text))
        }
        Entry::Unanswered { failure, detail, spend } => {
            (view.tokens, view.cost_micros) = (Some(spend.tokens), Some(spend.cost_micros));
            view.failure = Some(failure.as_str().to_owned());
            ("unanswered", Some(detail))
        }
        Entry::Called { id, call, .. } => {
            (view.call, view.tool_call) = (Some(id), call.map(|call| call.to_string()));
            ("called", None)
        }
        Entry::Returned { id, text, is_error, labels, spend, held } => {
            if spend != Spend::default() {
                (view.tokens, view.cost_micros) = (Some(spend.tokens), Some(spend.cost_micros));
            }
            (view.call, view.is_error) = (Some(id), Some(is_error));
            view.held = held.map(|held| held.name);
            view.seen = names(labels.names());
            ("returned", Some(text))
        }
        Entry::Waits { id, on } => {
            view.call = Some(id);
            ("waits", waits(view, on))
        }
        Entry::Heard { id } => {
            view.call = Some(id);
            ("heard", None)
        }
        Entry::Ended { how } => ("ended", ended(view, how)),
    };
    (view.kind, view.text) = (kind.to_owned(), text);
}

fn waits(view: &mut StepView, on: Awaited) -> Option<String> {
    let (kind, text) = match on {
        Awaited::Consent { approval } => {
            view.approval = Some(approval.to_string());
            ("consent", None)
        }
        Awaited::Answer { question } => ("answer", Some(question)),
        Awaited::Doubt => ("doubt", None),
        Awaited::Run { run } => {
            view.run = Some(run.to_string());
            ("run", None)
        }
    };
    view.waits_for = Some(kind.to_owned());
    text
}

fn ended(view: &mut StepView, how: Ended) -> Option<String> {
    let (kind, text) = match how {
        Ended::Answered { text } => ("answered", Some(text)),
        Ended::Refused { text } => ("refused", Some(text)),
        Ended::Limit { limit } => {
            view.failure = Some(limit.as_str().to_owned());
            ("limit", None)
        }
        Ended::Failed { failure, detail } => {
            view.failure = Some(failure.as_str().to_owned());
            ("failed", Some(detail))
        }
        Ended::Cancelled => ("cancelled", None),
    };
    view.ended = Some(kind.to_owned());
    text
}

fn said_last(message: &Message) -> String {
    let Message::User { parts } = message else { return String::new() };
    parts.iter().filter_map(UserPart::text).collect()
}

fn names(names: Vec<&str>) -> Vec<String> {
    names.into_iter().map(ToOwned::to_owned).collect()
}
