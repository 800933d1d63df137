//! The in-process bus of hints.

use tokio::sync::broadcast;
use wardroom_core::hint::{Hint, HintSink};

/// Hints that a slow listener may lag behind before it is told to look at everything again.
pub const HINTS_WAITING_MAX: usize = 4096;

/// Spreads hints to all listeners of this process.
#[derive(Debug)]
pub struct Hub {
    sender: broadcast::Sender<Hint>,
}

impl Default for Hub {
    fn default() -> Self {
        Self { sender: broadcast::channel(HINTS_WAITING_MAX).0 }
    }
}

impl Hub {
    /// Listens from now on.
    pub fn listen(&self) -> broadcast::Receiver<Hint> {
        self.sender.subscribe()
    }
}

impl HintSink for Hub {
    fn publish(&self, hint: Hint) {
        // Nobody listening is no error: a hint is worth nothing then.
        let _ = self.sender.send(hint);
    }
}
