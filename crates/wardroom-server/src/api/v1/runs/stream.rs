//! `GET /api/v1/runs/{id}/stream`

use super::{
    super::events::{KEEP_ALIVE, RETRY, STREAM_TTL},
    find,
    steps::{self, StepsQuery},
};
use crate::{api::input::QueryOf, context::Ctx, error::ApiError};
use axum::{
    extract::Path,
    http::HeaderMap,
    response::sse::{Event, KeepAlive, Sse},
};
use futures_util::Stream;
use std::{collections::VecDeque, convert::Infallible, sync::Arc, time::Duration};
use tokio::{
    sync::{
        broadcast::{self, error::RecvError},
        mpsc, watch,
    },
    time::{Instant, timeout},
};
use wardroom_core::{RunId, hint::Hint};
use wardroom_engine::agents::work::Saying;
use wardroom_wire::{
    error::{ErrorCode, Problem},
    threads::SayingView,
};

/// How long a listener may take nothing.
const LISTENER_PATIENCE: Duration = Duration::from_secs(30);

/// An agent's run as Server-Sent Events: a `step` for each step, whose id is its place, and `saying` for what its model is
/// saying at the moment, with the step that it answers. The last event is `end`. Whoever was cut off goes on behind the last
/// step that they know of; what is being said is then told anew from its beginning.
#[utoipa::path(
    operation_id = "runs_stream",
    get, path = "/api/v1/runs/{id}/stream", tag = "runs",
    params(("id" = String, Path), StepsQuery, ("Last-Event-ID" = Option<String>, Header, description = "the last step that is known; counts before `after`")),
    responses(
        (status = 200, content_type = "text/event-stream", body = String),
        (status = 404, body = Problem), (status = 503, body = Problem)
    )
)]
pub(crate) async fn handler(
    ctx: Ctx,
    Path(id): Path<String>,
    QueryOf(query): QueryOf<StepsQuery>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, ApiError> {
    let after = match headers.get("last-event-id") {
        Some(last) => {
            let last = last.to_str().ok().and_then(|last| last.parse().ok());
            let wrong = || ApiError::field("Last-Event-ID", "must be the id of a step");
            Some(last.ok_or_else(wrong)?)
        }
        None => query.after,
    };
    let run = find(&ctx, &id).await?.id;
    let busy = || ApiError::say(ErrorCode::Busy, "Too many live views are open: close some.");
    let place = Arc::clone(&ctx.app.streams).try_acquire_owned().map_err(|_| busy())?;
    let mut follow = Follow {
        // Before anything is read: what happens after is heard of.
        hints: ctx.app.engine.hub().listen(),
        until: Instant::now() + STREAM_TTL,
        waiting: VecDeque::from([Event::default().retry(RETRY)]),
        ctx,
        id,
        run,
        after,
        more: true,
        saying: None,
        told: (0, 0),
        over: false,
    };
    follow.read().await?;
    let (to, from) = mpsc::channel(1);
    // By itself: a listener who takes nothing holds their place only so long, and one who left holds none.
    tokio::spawn(async move {
        loop {
            let event = tokio::select! {
                event = follow.next() => event,
                () = to.closed() => break,
            };
            let Some(event) = event else { break };
            if !matches!(timeout(LISTENER_PATIENCE, to.send(event)).await, Ok(Ok(()))) {
                break;
            }
        }
        drop(place);
    });
    let stream = futures_util::stream::unfold(from, |mut from| async {
        let event = from.recv().await?;
        Some((Ok(event), from))
    });
    Ok(Sse::new(stream).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)))
}

/// Somebody who follows a run.
struct Follow {
    ctx: Ctx,
    id: String,
    run: RunId,
    hints: broadcast::Receiver<Hint>,
    /// SECURITY: who listens proves themselves anew then.
    until: Instant,
    /// The last step that they know of.
    after: Option<u32>,
    saying: Option<watch::Receiver<Saying>>,
    /// Of which step, and how many bytes of what is being said they know.
    told: (u32, usize),
    /// What is told next: of one page of steps at most.
    waiting: VecDeque<Event>,
    /// Whether there may be more steps behind those that were read.
    more: bool,
    over: bool,
}

impl Follow {
    /// What is told next; nothing when they are to come again, or it is over.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.waiting.pop_front() {
                return Some(event);
            }
            if self.over {
                return None;
            }
            if self.more {
                self.read().await.ok()?;
                continue;
            }
            let stop = self.ctx.app.stop.clone();
            tokio::select! {
                () = stop.cancelled() => return None,
                () = tokio::time::sleep_until(self.until) => return None,
                hint = self.hints.recv() => match hint {
                    Ok(Hint::Run(run)) if run != self.run => {}
                    Ok(Hint::Run(_) | Hint::Resync) | Err(RecvError::Lagged(_)) => self.more = true,
                    Ok(_) => {}
                    Err(RecvError::Closed) => return None,
                },
                said = said(&mut self.saying) => match said {
                    true => self.hear(),
                    // Whoever carries it on from here on says it elsewhere.
                    false => (self.saying, self.more) = (None, true),
                },
            }
        }
    }

    /// Reads a page of what is new in the journal.
    async fn read(&mut self) -> Result<(), ApiError> {
        if self.saying.is_none() {
            self.saying = self.ctx.app.engine.saying(self.run);
        }
        let page = steps::load(&self.ctx, &self.id, self.after).await?;
        self.more = !page.items.is_empty() && !page.complete;
        for step in page.items {
            let event = Event::default().event("step").id(step.seq.to_string());
            self.waiting.push_back(event.json_data(&step).map_err(ApiError::internal)?);
        }
        self.after = page.next;
        if page.complete {
            self.waiting.push_back(Event::default().event("end").data("{}"));
            self.over = true;
        } else if !self.more {
            self.tell();
        }
        Ok(())
    }

    /// More is being said. The step that it answers is told first.
    fn hear(&mut self) {
        let Some(step) = self.saying.as_mut().map(|saying| saying.borrow_and_update().step) else {
            return;
        };
        if self.after.is_none_or(|after| step > after) {
            self.more = true;
        } else {
            self.tell();
        }
    }

    /// Tells what more is being said, where it answers the last step that was told: what was said to the end is a step by itself.
    fn tell(&mut self) {
        let Some(saying) = &self.saying else { return };
        let saying = saying.borrow();
        if saying.text.is_empty() || Some(saying.step) != self.after {
            return;
        }
        let (step, known) = self.told;
        let (whole, text) = match saying.text.get(known..) {
            Some("") if step == saying.step => return,
            Some(more) if step == saying.step && known > 0 => (false, more),
            _ => (true, saying.text.as_str()),
        };
        let view = SayingView { step: saying.step, whole, text: text.to_owned() };
        self.told = (saying.step, saying.text.len());
        if let Ok(event) = Event::default().event("saying").json_data(&view) {
            self.waiting.push_back(event);
        }
    }
}

/// Waits until more is said; whether it goes on.
async fn said(saying: &mut Option<watch::Receiver<Saying>>) -> bool {
    match saying {
        Some(saying) => saying.changed().await.is_ok(),
        None => std::future::pending().await,
    }
}
