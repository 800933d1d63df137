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
use futures_util::{Stream, StreamExt as _};
use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use wanted::Wanted;
use wardroom_core::{
    Action,
    action::Resource,
    agent::ModelName,
    audit::{AuditDraft, AuditOutcome},
    model::{Answer, AssistantPart, Event, Finish, ModelFailure, ModelFailureKind as Kind, Usage},
    principal::Credential,
};
use wardroom_engine::models::{Answering, AskError, Asker, Heard, Inquiry};
use wardroom_wire::error::ErrorCode;

/// Where they are.
pub(crate) const PREFIX: &str = "/v1/";
/// The longest request, in bytes: pictures come in it.
pub(crate) const BODY_BYTES_MAX: usize = 16 * 1024 * 1024;
/// How long all questions together may be that are being answered, in KiB.
pub(crate) const QUESTIONS_KIB_MAX: usize = 256 * 1024;
/// Pieces of an answer that wait to be read, and for how long.
const PIECES_WAITING_MAX: usize = 64;
const UNREAD_MAX: Duration = Duration::from_secs(60);
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
    let admitted = admit(&ctx, &body).await?;
    let wanted = openai::read(&body)?;
    drop(body);
    let (id, now) = (ctx.info.id.uuid().simple().to_string(), ctx.now().as_seconds());
    let (streamed, with_usage) = (wanted.streamed, wanted.with_usage);
    let answer = answer(&ctx, admitted, wanted)?;
    if streamed {
        let writing = move |model| openai_answer::Writing::new(&id, now, model, with_usage);
        return streaming(&ctx, answer, writing).await;
    }
    let whole = whole(&ctx, answer).await?;
    Ok(document(openai_answer::document(&id, now, whole)))
}

/// Asks messages, as Anthropic has them.
pub(crate) async fn messages(ctx: Ctx, body: Bytes) -> Result<Response, ApiError> {
    let admitted = admit(&ctx, &body).await?;
    let wanted = anthropic::read(&body)?;
    drop(body);
    let id = ctx.info.id.uuid().simple().to_string();
    let streamed = wanted.streamed;
    let answer = answer(&ctx, admitted, wanted)?;
    if streamed {
        let writing = move |model| anthropic_answer::Writing::new(&id, model);
        return streaming(&ctx, answer, writing).await;
    }
    let whole = whole(&ctx, answer).await?;
    Ok(document(anthropic_answer::document(&id, whole)))
}

/// What is wrong with a request's body, at this place of it.
fn wrong(place: &str, why: impl Into<String>) -> ApiError {
    ApiError::field(place, why)
}

/// A question that policy allows, before it is read.
struct Admitted {
    chain: Vec<ModelName>,
    audit: AuditDraft,
    room: OwnedSemaphorePermit,
}

/// An answer that was asked for.
struct Asked {
    answering: Answering,
    audit: AuditDraft,
    /// What the question takes of the room for all of them, until its answer is over.
    room: OwnedSemaphorePermit,
}

/// Asks policy. SECURITY: a question is read when it may be asked, and when there is room for it.
async fn admit(ctx: &Ctx, body: &[u8]) -> Result<Admitted, ApiError> {
    let name = wanted::named(body)?;
    let resource = |model: &ModelName| Resource::model(&model.provider, &model.name);
    let Some(chain) = ctx.app.engine.models().find(&name) else {
        // SECURITY: what there is not is answered as what one may not use.
        ctx.authorise(Action::ModelUse, &Resource::model("none", &name)).await?;
        return Err(no_model(&name));
    };
    let first = chain.first().map_or_else(|| Resource::model("none", ""), resource);
    let allowed = ctx.authorise(Action::ModelUse, &first).await?;
    let may = |model: &ModelName| ctx.decide(Action::ModelUse, &resource(model)).allowed;
    let chain = chain.into_iter().filter(may).collect();
    let kib = u32::try_from(body.len() / 1024 + 1).unwrap_or(u32::MAX);
    let room = Arc::clone(&ctx.app.questions).try_acquire_many_owned(kib);
    let busy = |_| ApiError::say(ErrorCode::Busy, "Too much is asked at once: try again.");
    Ok(Admitted { chain, audit: allowed.draft(ctx), room: room.map_err(busy)? })
}

/// What answers when somebody listens.
fn answer(ctx: &Ctx, admitted: Admitted, wanted: Wanted) -> Result<Asked, ApiError> {
    let Admitted { chain, audit, room } = admitted;
    let token = match ctx.proof().credential().0 {
        Credential::ApiToken(id) => Some(id),
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
        // What was sent on piece by piece can't be taken back.
        restarts: !wanted.streamed,
        room: None,
    };
    let answering = ctx.app.engine.ask_model(inquiry, audit.clone());
    Ok(Asked { answering, audit, room })
}

fn no_model(name: &str) -> ApiError {
    ApiError::say(
        ErrorCode::NotFound,
        format!("There is no model {name:?}, or none that you may use: GET /v1/models lists them."),
    )
}

/// The answer as a whole.
async fn whole(ctx: &Ctx, asked: Asked) -> Result<Whole, ApiError> {
    let Asked { mut answering, audit, room: _room } = asked;
    let mut answer = Answer::default();
    loop {
        match answering.next().await {
            Ok(Heard::Again) => answer = Answer::default(),
            Ok(Heard::Piece(event)) => {
                let over = matches!(event, Event::End { .. });
                answer.take(event).map_err(unread)?;
                if over {
                    break;
                }
            }
            Err(error) => return Err(refused(ctx, &audit, error).await),
        }
    }
    let model = name(&answering);
    let (parts, finish, usage) = answer.finish().map_err(unread)?;
    Ok(Whole { parts, finish, usage: usage.unwrap_or_default(), model })
}

/// The error of a question that came to nothing; what a budget held back is on record.
async fn refused(ctx: &Ctx, audit: &AuditDraft, error: AskError) -> ApiError {
    if let AskError::Spent(why) = &error {
        let audit = audit.clone().outcome(AuditOutcome::Refused, why.clone());
        if let Err(error) = ctx.app.refusals.record(&ctx.app, audit).await {
            return error;
        }
    }
    failed(error)
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
    asked: Asked,
    writing: impl FnOnce(String) -> W,
) -> Result<Response, ApiError> {
    let Asked { mut answering, audit, room } = asked;
    let first = loop {
        match answering.next().await {
            Ok(Heard::Piece(event)) => break event,
            Ok(Heard::Again) => {}
            Err(error) => return Err(refused(ctx, &audit, error).await),
        }
    };
    let mut writing = writing(name(&answering));
    let over = matches!(first, Event::End { .. });
    let (pieces, taken) = mpsc::channel(PIECES_WAITING_MAX);
    let _ = pieces.try_send(writing.piece(first));
    if !over {
        let stop = ctx.app.stop.clone();
        tokio::spawn(async move {
            let _room = room;
            tokio::select! {
                () = pieces.closed() => {}
                () = stop.cancelled() => {
                    let why = "the orchestrator shuts down";
                    let failure = ModelFailure::new(Kind::Unavailable, why);
                    let _ = pieces.try_send(writing.broken(&failed(AskError::Failed(failure))));
                }
                () = pass_on(answering, &pieces, &mut writing) => {}
            }
        });
    }
    let body = ReceiverStream(taken).map(Ok::<_, Infallible>);
    let mut response = Response::new(Body::from_stream(body));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// Passes pieces on as they come. SECURITY: the answer goes on by itself, so that its time holds also where nobody reads;
/// and whoever does not read for a while has left.
async fn pass_on(
    mut answering: Answering,
    pieces: &mpsc::Sender<String>,
    writing: &mut impl Writing,
) {
    loop {
        let (text, over) = match answering.next().await {
            Ok(Heard::Piece(event)) => {
                let over = matches!(event, Event::End { .. });
                (writing.piece(event), over)
            }
            // It was told not to begin anew.
            Ok(Heard::Again) => return,
            Err(error) => (writing.broken(&failed(error)), true),
        };
        if pieces.send_timeout(text, UNREAD_MAX).await.is_err() || over {
            return;
        }
    }
}

/// What comes through a channel.
struct ReceiverStream(mpsc::Receiver<String>);

impl Stream for ReceiverStream {
    type Item = String;
    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<String>> {
        self.0.poll_recv(context)
    }
}

/// Why there is no answer, for whoever asked.
fn failed(error: AskError) -> ApiError {
    let failure = match error {
        AskError::Store(error) => return error.into(),
        AskError::Spent(why) => {
            return ApiError::say(ErrorCode::BudgetSpent, crate::error::capital(&why));
        }
        // No door asks for a run.
        AskError::Limit(limit) => {
            tracing::error!(limit = limit.as_str(), "a question was bounded by a run that is none");
            return ApiError::new(ErrorCode::Internal);
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
    // SECURITY: what is between the orchestrator and its provider is for operators. Whoever asks hears what is wrong with
    // their question, and else the kind alone.
    let own = matches!(
        failure.kind,
        Kind::Invalid | Kind::ContextTooLong | Kind::Refused | Kind::NoSuchModel
    );
    let said = match failure.kind {
        Kind::RateLimited => "the provider, or the room for it here, takes no more at the moment",
        Kind::Resting => "the provider failed again and again and is left alone for a while",
        Kind::TimedOut => "the model did not answer in time",
        Kind::Broken | Kind::Cancelled => "the answer broke off, or was none",
        _ => {
            "the provider can't be asked at the moment; operators find the cause on the page of models"
        }
    };
    let said = if own && !failure.detail.is_empty() { failure.detail.as_str() } else { said };
    if matches!(failure.kind, Kind::Unauthorised | Kind::OutOfFunds) {
        tracing::error!(
            kind = failure.kind.as_str(),
            detail = failure.detail,
            "a provider of models turns the orchestrator away"
        );
    }
    ApiError {
        retry_after: failure.retry_after,
        ..ApiError::say(code, crate::error::capital(said))
    }
}
