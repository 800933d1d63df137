//! Where programs ask language models with keys of Wardroom's, in the words of the APIs that they know. No key of a
//! provider ever leaves the orchestrator.

mod anthropic;
mod anthropic_answer;
mod catalogue;
mod openai;
mod openai_answer;
mod problem;
mod wanted;

pub(crate) use catalogue::{get as model, list as models};
pub(crate) use problem::problem;

use crate::{context::Ctx, error::ApiError};
use axum::{
    body::{Body, Bytes},
    http::{HeaderValue, header},
    response::Response,
};
use futures_util::stream;
use std::{convert::Infallible, sync::Arc, time::Duration};
use wanted::Wanted;
use wardroom_core::{
    Action,
    action::Resource,
    agent::ModelName,
    model::{Answer, AssistantPart, Event, Finish, ModelFailure, ModelFailureKind as Kind, Usage},
};
use wardroom_engine::models::{Answering, AskError, Asker, Heard, Inquiry};
use wardroom_wire::error::ErrorCode;

/// Where they are.
pub(crate) const PREFIX: &str = "/v1/";
/// The longest request, in bytes: pictures come in it.
pub(crate) const BODY_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Answers that are on their way piece by piece.
pub(crate) const ANSWERS_MAX: usize = 4096;
/// How long an answer may take.
pub(crate) const TIME_MAX: Duration = Duration::from_secs(600);
/// How often a model is asked in all, and the pause before the second time.
const ATTEMPTS_MAX: u32 = 3;
const BACKOFF: Duration = Duration::from_millis(500);

/// A dialect in which answers are written.
trait Writing: Send + 'static {
    /// What is sent for a piece.
    fn piece(&mut self, event: Event) -> String;
    /// What is sent where it breaks off.
    fn broken(&self, error: &ApiError) -> String;
}

/// An answer that came whole.
struct Whole {
    parts: Vec<AssistantPart>,
    finish: Finish,
    usage: Usage,
    /// Who gave it, as `provider/model`.
    model: String,
}

/// Asks chat completions, as OpenAI has them.
pub(crate) async fn chat_completions(ctx: Ctx, body: Bytes) -> Result<Response, ApiError> {
    let wanted = openai::read(&body)?;
    let (streamed, with_usage) = (wanted.streamed, wanted.with_usage);
    let (answering, id) = begin(&ctx, wanted).await?;
    let now = ctx.now().as_seconds();
    if streamed {
        let writing = |model| openai_answer::Writing::new(&id, now, model, with_usage);
        return streaming(&ctx, answering, writing).await;
    }
    let whole = whole(answering).await?;
    Ok(document(openai_answer::document(&id, now, whole)))
}

/// Asks messages, as Anthropic has them.
pub(crate) async fn messages(ctx: Ctx, body: Bytes) -> Result<Response, ApiError> {
    let wanted = anthropic::read(&body)?;
    let streamed = wanted.streamed;
    let (answering, id) = begin(&ctx, wanted).await?;
    if streamed {
        let writing = |model| anthropic_answer::Writing::new(&id, model);
        return streaming(&ctx, answering, writing).await;
    }
    let whole = whole(answering).await?;
    Ok(document(anthropic_answer::document(&id, whole)))
}

/// What is wrong with a request's body, at this place of it.
fn wrong(place: &str, why: impl Into<String>) -> ApiError {
    ApiError::field(place, why)
}

/// Asks policy, and gives what answers when somebody listens; and the answer's id.
async fn begin(ctx: &Ctx, wanted: Wanted) -> Result<(Answering, String), ApiError> {
    let models = ctx.app.engine.models();
    let resource = |model: &ModelName| Resource::model(&model.provider, &model.name);
    let chain = models.find(&wanted.model);
    let chain = match chain {
        Some(chain) => chain,
        None => {
            // SECURITY: what there is not is answered as what one may not use.
            ctx.authorise(Action::ModelUse, &Resource::model("none", &wanted.model)).await?;
            return Err(no_model(&wanted.model));
        }
    };
    let first = chain.first().map(resource).unwrap_or_else(|| Resource::model("none", ""));
    let allowed = ctx.authorise(Action::ModelUse, &first).await?;
    let may = |model: &ModelName| ctx.decide(Action::ModelUse, &resource(model)).allowed;
    let chain: Vec<_> = chain.into_iter().filter(may).collect();
    let token = match ctx.proof().credential().0 {
        wardroom_core::principal::Credential::ApiToken(id) => Some(id),
        _ => None,
    };
    let asker = Asker {
        user: ctx.user()?,
        customer: ctx.principal.customer(),
        token,
        client: ctx.client(),
        agent: None,
        run: None,
        door: ctx.info.door,
    };
    let inquiry = Inquiry {
        asker,
        ask: wanted.ask,
        chain,
        attempts_max: ATTEMPTS_MAX,
        backoff: BACKOFF,
        time: TIME_MAX,
        restarts: false,
    };
    let id = ctx.info.id.uuid().simple().to_string();
    Ok((ctx.app.engine.ask_model(inquiry, allowed.draft(ctx)), id))
}

fn no_model(name: &str) -> ApiError {
    ApiError::say(
        ErrorCode::NotFound,
        format!("There is no model {name:?}, or none that you may use: GET /v1/models lists them."),
    )
}

/// The answer as a whole.
async fn whole(mut answering: Answering) -> Result<Whole, ApiError> {
    let mut answer = Answer::default();
    loop {
        match answering.next().await.map_err(failed)? {
            Heard::Again => answer = Answer::default(),
            Heard::Piece(event) => {
                let over = matches!(event, Event::End { .. });
                answer.take(event).map_err(unread)?;
                if over {
                    break;
                }
            }
        }
    }
    let model = name(&answering);
    let (parts, finish, usage) = answer.finish().map_err(unread)?;
    Ok(Whole { parts, finish, usage: usage.unwrap_or_default(), model })
}

fn name(answering: &Answering) -> String {
    answering.model().map(|model| format!("{}/{}", model.provider, model.name)).unwrap_or_default()
}

fn unread(error: wardroom_core::model::AnswerError) -> ApiError {
    failed(AskError::Failed(ModelFailure::new(Kind::Broken, error.to_string())))
}

fn document(value: serde_json::Value) -> Response {
    let mut response = Response::new(Body::from(value.to_string()));
    let kind = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

/// The answer as it comes. What fails before its first piece is answered with a status of its own.
async fn streaming<W: Writing>(
    ctx: &Ctx,
    mut answering: Answering,
    writing: impl FnOnce(String) -> W,
) -> Result<Response, ApiError> {
    let busy = || ApiError::say(ErrorCode::Busy, "Too many answers are on their way: try again.");
    let place = Arc::clone(&ctx.app.answers).try_acquire_owned().map_err(|_| busy())?;
    let first = loop {
        if let Heard::Piece(event) = answering.next().await.map_err(failed)? {
            break event;
        }
    };
    let mut writing = writing(name(&answering));
    let over = matches!(first, Event::End { .. });
    let opening = writing.piece(first);
    let stop = ctx.app.stop.clone();
    let state = (Some(opening), (!over).then_some(answering), writing, place, stop);
    let body = stream::unfold(state, |(opening, answering, mut writing, place, stop)| async move {
        if let Some(text) = opening {
            return Some((Ok::<_, Infallible>(text), (None, answering, writing, place, stop)));
        }
        let mut answering = answering?;
        let heard = tokio::select! {
            () = stop.cancelled() => {
                let why = "the orchestrator shuts down";
                Err(AskError::Failed(ModelFailure::new(Kind::Unavailable, why)))
            }
            heard = answering.next() => heard,
        };
        match heard {
            Ok(Heard::Piece(event)) => {
                let over = matches!(event, Event::End { .. });
                let text = writing.piece(event);
                Some((Ok(text), (None, (!over).then_some(answering), writing, place, stop)))
            }
            // It was told not to begin anew.
            Ok(Heard::Again) => None,
            Err(error) => {
                let text = writing.broken(&failed(error));
                Some((Ok(text), (None, None, writing, place, stop)))
            }
        }
    });
    let mut response = Response::new(Body::from_stream(body));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// Why there is no answer, for whoever asked.
fn failed(error: AskError) -> ApiError {
    let failure = match error {
        AskError::Store(error) => return error.into(),
        AskError::Spent(why) => {
            return ApiError::say(ErrorCode::BudgetSpent, crate::error::capital(&why));
        }
        AskError::Failed(failure) => failure,
    };
    let code = match failure.kind {
        Kind::RateLimited => ErrorCode::ModelBusy,
        Kind::Unavailable | Kind::Resting | Kind::OutOfFunds | Kind::Unauthorised => {
            ErrorCode::ModelUnavailable
        }
        Kind::TimedOut => ErrorCode::TimedOut,
        Kind::Broken | Kind::Cancelled => ErrorCode::ModelFailed,
        Kind::ContextTooLong => ErrorCode::ContextTooLong,
        Kind::Refused => ErrorCode::ModelRefused,
        Kind::NoSuchModel => ErrorCode::NotFound,
        Kind::Invalid => ErrorCode::ModelRefused,
    };
    // SECURITY: what is between the orchestrator and its provider is for operators: whoever asks hears the kind alone.
    let own = matches!(failure.kind, Kind::Unauthorised | Kind::OutOfFunds);
    let said = match failure.detail.as_str() {
        "" => failure.kind.as_str().to_owned(),
        _ if own => "the provider takes no questions from here at the moment; operators find the cause in the log".to_owned(),
        detail => detail.to_owned(),
    };
    if own {
        tracing::error!(
            kind = failure.kind.as_str(),
            detail = failure.detail,
            "a provider of models turns the orchestrator away"
        );
    }
    ApiError {
        retry_after: failure.retry_after,
        ..ApiError::say(code, crate::error::capital(&said))
    }
}
