//! Tool servers, the tools that they offer, and calls of them.

pub mod account;
pub mod arguments;
pub mod call;
pub mod facts;
pub mod hosted;
pub mod server;
pub mod shown;
pub mod toolbox;
pub mod usage;

/// What a tool's accepted annotations say that it does. A server says so of itself: only a person's acceptance makes
/// it worth anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hints {
    /// It changes nothing.
    pub read_only: bool,
    /// It may destroy something.
    pub destructive: bool,
    /// Doing it twice is doing it once.
    pub idempotent: bool,
    /// It reaches what is outside its server's own world.
    pub open_world: bool,
}

impl Default for Hints {
    /// Of a tool of which nothing is said, the worst is assumed.
    fn default() -> Self {
        Self { read_only: false, destructive: true, idempotent: false, open_world: true }
    }
}
