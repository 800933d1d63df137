//! The port behind which providers of models stand.

use super::{Ask, Event, ModelFailure};
use async_trait::async_trait;

/// What a provider is asked.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// The question itself.
    pub ask: &'a Ask,
    /// Tells this attempt from all others: what the ledger calls it.
    pub key: &'a str,
}

/// A provider of models.
#[async_trait]
pub trait ModelProvider: Send + Sync {
    /// Asks. Whoever asks bounds the time; dropping the answer stops the provider.
    async fn ask(&self, question: Question<'_>) -> Result<Box<dyn Pieces>, ModelFailure>;
}

/// An answer, piece by piece.
#[async_trait]
pub trait Pieces: Send {
    /// The next piece. The last is [`Event::End`]: nothing is asked behind it, or behind a failure.
    async fn next(&mut self) -> Result<Event, ModelFailure>;
}
