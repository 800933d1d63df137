//! Who is connected, who is turned away, what was refused.

use super::{format as f, shell::Shell};
use askama::Template;
use wardroom_wire::{
    api::AuditView,
    security::{BlockCreate, BlockView, ConnectionsView},
};

/// Who is connected, who is turned away, what was refused.
#[derive(Template)]
#[template(path = "security.html")]
pub(crate) struct SecurityPage {
    /// The frame.
    pub(crate) shell: Shell,
    /// Networks that are turned away, or were.
    pub(crate) blocks: Vec<BlockView>,
    /// Who is connected.
    pub(crate) connections: ConnectionsView,
    /// What was refused lately, for who may read the log.
    pub(crate) refused: Vec<AuditView>,
    /// What was typed into the form.
    pub(crate) wanted: BlockCreate,
    /// What was wrong with it.
    pub(crate) problem: Option<String>,
}

impl SecurityPage {
    fn blocked(&self) -> usize {
        self.blocks.iter().filter(|block| block.active).count()
    }
}
