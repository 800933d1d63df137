//! Conversations with agents.

use super::{
    format as f,
    shell::Shell,
    story::{Item, Story},
};
use askama::Template;
use wardroom_wire::{
    agents::AgentView,
    api::{List, RunView},
    threads::ThreadView,
};

/// One's own conversations.
#[derive(Template)]
#[template(path = "threads.html")]
pub(crate) struct ThreadsPage {
    /// The frame.
    pub(crate) shell: Shell,
    /// The conversations.
    pub(crate) list: List<ThreadView>,
    /// Whether it is not the first page.
    pub(crate) later: bool,
    /// The agents to talk with.
    pub(crate) agents: Vec<AgentView>,
}

impl ThreadsPage {
    fn next(&self) -> Option<String> {
        self.list.next.as_deref().map(|after| f::query(&[("after", after)]))
    }
}

/// A conversation.
#[derive(Template)]
#[template(path = "thread.html")]
pub(crate) struct ThreadPage {
    /// The frame.
    pub(crate) shell: Shell,
    /// The conversation.
    pub(crate) thread: ThreadView,
    /// Its last turns, the oldest first.
    pub(crate) turns: Vec<ShownTurn>,
    /// Where older ones are.
    pub(crate) older: Option<String>,
    /// Whether these are not the last ones.
    pub(crate) is_earlier: bool,
    /// Whether the viewer may say something.
    pub(crate) may_say: bool,
    /// Makes a form that is sent twice one request.
    pub(crate) key: String,
    /// What the model's provider is, where its answers come from a file.
    pub(crate) scripted: bool,
}

/// A turn as it is shown.
pub(crate) struct ShownTurn {
    /// Its place.
    pub(crate) seq: u32,
    /// The run.
    pub(crate) run: RunView,
    /// What happened.
    pub(crate) story: Story,
    /// Whether there is more of it.
    pub(crate) cut: bool,
    /// Whether the viewer may answer what is asked in it.
    pub(crate) may_answer: bool,
}

impl ThreadPage {
    /// The run that is under way.
    fn at_work(&self) -> Option<&RunView> {
        self.turns.last().map(|turn| &turn.run).filter(|run| !run.terminal && !self.is_earlier)
    }

    fn older(&self) -> Option<String> {
        self.older.as_deref().map(|before| f::query(&[("before", before)]))
    }
}

impl ShownTurn {
    /// What was said.
    fn said(&self) -> &str {
        match self.story.items.first() {
            Some(Item::Asked(text)) => text,
            _ => "",
        }
    }
}
