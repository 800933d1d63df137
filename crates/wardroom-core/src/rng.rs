//! The port through which randomness comes in.

/// A cryptographically secure random source.
pub trait Rng: Send + Sync + 'static {
    /// Fills `bytes` with random bytes. An implementation that can't must end the process rather
    /// than return predictable ones.
    fn fill(&self, bytes: &mut [u8]);
}
