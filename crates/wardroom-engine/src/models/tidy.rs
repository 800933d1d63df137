//! Questions whose end nobody wrote down, and those that are long over.

use crate::{Engine, EngineError};
use std::time::Duration;
use wardroom_core::{
    Timestamp,
    change::{Change, Write},
    model::{ModelCall, ModelCallEnd, ModelWrite},
};

/// How long a question can be under way at most, and some more.
const OPEN_MAX: Duration = Duration::from_secs(2 * 3600);
/// Questions that are ended together.
const TOGETHER_MAX: u32 = 200;

impl Engine {
    /// Ends all questions that have no end, where no other orchestrator can have any under way.
    pub async fn end_open_model_calls(&self) -> Result<(), EngineError> {
        self.end_model_calls_before(self.now()).await
    }

    pub(crate) async fn tidy_models(&self) -> Result<(), EngineError> {
        let now = self.now();
        self.end_model_calls_before(now.minus(OPEN_MAX)).await?;
        let calls = now.minus(self.model_calls_kept);
        let forget = ModelWrite::Forget { calls, periods: calls.min(now.month()) };
        Ok(self.commit(Change::default().write(Write::Model(forget))).await?)
    }

    async fn end_model_calls_before(&self, before: Timestamp) -> Result<(), EngineError> {
        loop {
            let open = self.store.list_open_model_calls(before, TOGETHER_MAX).await?;
            if open.is_empty() {
                return Ok(());
            }
            let at = self.now();
            let end = |call: ModelCall| {
                Write::Model(ModelWrite::End { id: call.id, end: ModelCallEnd::lost(&call, at) })
            };
            let writes = open.into_iter().map(end).collect();
            self.commit(Change { writes, ..Change::default() }).await?;
        }
    }
}
