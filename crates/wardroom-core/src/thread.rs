//! Conversations with agents. A thread is one person's, with one agent; each turn of it is a run, and where a thread stands
//! is what the run of its last turn says: there is nothing else that could be lost.

use crate::{RunId, ThreadId, Timestamp, UserId};

/// Threads that one person may have.
pub const THREADS_MAX: i64 = 2000;
/// Turns that one thread may have.
pub const TURNS_MAX: u32 = 10_000;
/// The longest title, in characters.
pub const TITLE_CHARS_MAX: usize = 120;

/// A conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thread {
    /// Its id.
    pub id: ThreadId,
    /// Whose it is. Nobody else reads it.
    pub user: UserId,
    /// The agent that it is with, by name.
    pub agent: String,
    /// What it is called, sealed under the person's key; empty where that is gone.
    pub title: Vec<u8>,
    /// When it began.
    pub created_at: Timestamp,
    /// When its last turn began.
    pub updated_at: Timestamp,
}

/// A turn of a thread: somebody says something, and the agent answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn {
    /// Its place, counting from 0.
    pub seq: u32,
    /// The run in which the agent answers.
    pub run: RunId,
}

/// A write to threads.
#[derive(Debug, Clone)]
pub enum ThreadWrite {
    /// A new one. Fails where its person has [`THREADS_MAX`].
    Begin(Thread),
    /// It begins with the turns of another one of the same person's before `before`.
    Copy {
        /// The new one.
        thread: ThreadId,
        /// The other one.
        from: ThreadId,
        /// The first turn that is left out.
        before: u32,
    },
    /// A turn begins. Fails where one is under way, or it is not the next: a thread has one writer.
    Turn {
        /// The thread.
        thread: ThreadId,
        /// The turn.
        turn: Turn,
        /// When.
        at: Timestamp,
    },
    /// It is called otherwise. Fails when there is none.
    Retitle {
        /// The thread.
        thread: ThreadId,
        /// What it is called from now on, sealed.
        title: Vec<u8>,
    },
    /// It goes, and what was said in runs that are in no other thread. Fails where a turn is under way, or there is none.
    Remove(ThreadId),
}
