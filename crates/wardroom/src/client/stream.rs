//! An agent's run as it goes on: its steps, and what its model is saying. A lost connection is gone on with where it broke off.

use super::{Api, Failure, follow::Patience, http::segment};
use std::{collections::VecDeque, sync::Arc, time::Duration};
use wardroom_gateway::outbound::{SseEvent, SseReader};
use wardroom_wire::{agents::StepView, threads::SayingView};

/// The longest event, in bytes: a step with what a tool gave back.
const EVENT_BYTES_MAX: usize = 16 * 1024 * 1024;
/// The pause before a stream that ended is opened again: the orchestrator ends it from time to time, to hear again who listens.
const OPEN_PAUSE: Duration = Duration::from_millis(100);

/// What is told of a run.
#[derive(Debug)]
pub(super) enum Told {
    /// Something happened.
    Step(Box<StepView>),
    /// Its model says something.
    Saying(SayingView),
    /// Nothing more will come.
    End,
}

/// A run that is followed.
pub(super) struct RunStream {
    path: String,
    after: Option<u32>,
    response: Option<reqwest::Response>,
    reader: SseReader,
    waiting: VecDeque<Told>,
    patience: Patience,
}

impl RunStream {
    /// Follows the run `id` from its beginning.
    pub(super) fn of(id: &str) -> Result<Self, Failure> {
        Ok(Self {
            path: format!("/api/v1/runs/{}/stream", segment(id)?),
            after: None,
            response: None,
            reader: SseReader::default(),
            waiting: VecDeque::new(),
            patience: Patience::default(),
        })
    }

    /// What is told next; `lost` hears why the orchestrator can't be reached.
    pub(super) async fn next(
        &mut self,
        api: &Arc<Api>,
        lost: &mut impl FnMut(&str),
    ) -> Result<Told, Failure> {
        loop {
            while let Some(told) = self.waiting.pop_front() {
                if let Told::Step(step) = &told {
                    if self.after.is_some_and(|after| step.seq <= after) {
                        continue;
                    }
                    self.after = Some(step.seq);
                }
                return Ok(told);
            }
            let Some(response) = &mut self.response else {
                let after = self.after.map(|after| format!("?after={after}")).unwrap_or_default();
                let path = format!("{}{after}", self.path);
                let open = async |api: &Arc<Api>| api.stream(&path).await;
                self.response = Some(self.patience.ask(api, lost, open).await?);
                self.reader = SseReader::default();
                continue;
            };
            match response.chunk().await {
                Ok(Some(chunk)) => {
                    let long = |_| Failure::local("an event of the stream has no end".to_owned());
                    let events = self.reader.take(&chunk, EVENT_BYTES_MAX).map_err(long)?;
                    self.waiting.extend(events.into_iter().filter_map(told));
                }
                Ok(None) | Err(_) => {
                    self.response = None;
                    tokio::time::sleep(OPEN_PAUSE).await;
                }
            }
        }
    }
}

/// What an event says; nothing of one that a newer orchestrator made up.
fn told(event: SseEvent) -> Option<Told> {
    match event.name.as_deref() {
        Some("step") => serde_json::from_slice(&event.data).ok().map(Told::Step),
        Some("saying") => serde_json::from_slice(&event.data).ok().map(Told::Saying),
        Some("end") => Some(Told::End),
        _ => None,
    }
}
