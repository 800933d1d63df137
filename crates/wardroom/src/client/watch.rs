//! Waiting for something to change: live hints where they come, looking again where they don't.

use super::Api;
use std::{sync::Arc, time::Duration};
use tokio::{sync::Notify, task::JoinHandle, time::timeout};

/// How soon to look again while hints come: only in case one was lost.
const LOOK_WITH_HINTS: Duration = Duration::from_secs(3);
/// How soon to look again without hints, at first.
const LOOK_MIN: Duration = Duration::from_millis(50);
/// And at last.
const LOOK_MAX: Duration = Duration::from_secs(1);
/// The longest line of the stream of hints, in bytes.
const LINE_BYTES_MAX: usize = 16 * 1024;
/// How long the stream of hints may take to open before it is done without.
const OPEN_TIMEOUT: Duration = Duration::from_secs(3);

/// Tells when to look at a run again.
pub(crate) struct Watch {
    changed: Arc<Notify>,
    listener: Option<JoinHandle<()>>,
    pause: Duration,
}

impl Watch {
    /// Listens for hints about the runs in `ids`. From here on no change is missed for long.
    pub(crate) async fn start(api: &Arc<Api>, ids: Vec<String>) -> Self {
        let changed = Arc::new(Notify::new());
        let listener = open(api).await.map(|mut response| {
            let (changed, api) = (Arc::clone(&changed), Arc::clone(api));
            tokio::spawn(async move {
                loop {
                    let mut lines = Lines::default();
                    while let Ok(Some(chunk)) = response.chunk().await {
                        if lines.push(&chunk, |line| is_about(line, &ids)) {
                            changed.notify_one();
                        }
                    }
                    // The orchestrator ends a stream from time to time, to hear again who listens.
                    tokio::time::sleep(LOOK_MIN).await;
                    let Some(next) = open(&api).await else { return };
                    response = next;
                    changed.notify_one();
                }
            })
        });
        Self { changed, listener, pause: LOOK_MIN }
    }

    /// Waits until it is worth looking again.
    pub(crate) async fn wait(&mut self) {
        let hints = self.listener.as_ref().is_some_and(|listener| !listener.is_finished());
        let pause = if hints { LOOK_WITH_HINTS } else { self.pause };
        self.pause = (self.pause * 2).min(LOOK_MAX);
        let _ = timeout(pause, self.changed.notified()).await;
    }

    /// Something came: look again soon.
    pub(crate) const fn progressed(&mut self) {
        self.pause = LOOK_MIN;
    }
}

async fn open(api: &Api) -> Option<reqwest::Response> {
    timeout(OPEN_TIMEOUT, api.stream("/api/v1/events")).await.ok()?.ok()
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(listener) = &self.listener {
            listener.abort();
        }
    }
}

/// Whether a line of Server-Sent Events speaks of one of the runs, or of everything.
fn is_about(line: &str, ids: &[String]) -> bool {
    let Some(data) = line.strip_prefix("data:") else { return false };
    let Ok(hint) = serde_json::from_str::<serde_json::Value>(data) else { return false };
    match hint.get("kind").and_then(|kind| kind.as_str()) {
        Some("all") => true,
        Some("run") => hint
            .get("id")
            .and_then(|id| id.as_str())
            .is_some_and(|id| ids.iter().any(|own| own == id)),
        _ => false,
    }
}

/// Cuts a stream into lines.
#[derive(Default)]
struct Lines {
    pending: Vec<u8>,
}

impl Lines {
    /// Whether any line that this chunk completes satisfies `wanted`.
    fn push(&mut self, chunk: &[u8], wanted: impl Fn(&str) -> bool) -> bool {
        let mut found = false;
        for byte in chunk {
            if *byte == b'\n' || *byte == b'\r' {
                found |= std::str::from_utf8(&self.pending).is_ok_and(&wanted);
                self.pending.clear();
            } else if self.pending.len() < LINE_BYTES_MAX {
                self.pending.push(*byte);
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_hints_about_the_run_count_however_they_are_cut() {
        let ids = ["run_1".to_owned()];
        let mut lines = Lines::default();
        let mut push = |text: &str| lines.push(text.as_bytes(), |line| is_about(line, &ids));
        assert!(!push(": keep alive\n\ndata: {\"kind\":\"run\",\"id\":\"run_2\"}\n\n"));
        assert!(!push("data: {\"kind\":\"ru"));
        assert!(push("n\",\"id\":\"run_1\"}\n"));
        assert!(push("data:{\"kind\":\"all\"}\r\n"));
        assert!(!push("data: not json\n"));
    }
}
