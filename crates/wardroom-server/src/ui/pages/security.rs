//! Who is connected, who is turned away, what was refused.

use super::{errors::Errors, format as f, shell::Shell};
use askama::Template;
use wardroom_wire::{
    api::{AuditView, List},
    security::{AlertView, BlockCreate, BlockView, ConnectionsView},
};

/// Who is connected, who is turned away, what was refused.
#[derive(Template)]
#[template(path = "security.html")]
pub(crate) struct SecurityPage {
    /// The frame.
    pub(crate) shell: Shell,
    /// What somebody should look at.
    pub(crate) alerts: List<AlertView>,
    /// Where alerts are sent to; empty for nowhere.
    pub(crate) outlets: String,
    /// Networks that are turned away, or were.
    pub(crate) blocks: Vec<BlockView>,
    /// Who is connected.
    pub(crate) connections: ConnectionsView,
    /// What was refused lately, for who may read the log.
    pub(crate) refused: Vec<AuditView>,
    /// What was typed into the form.
    pub(crate) wanted: BlockCreate,
    /// What was wrong with it.
    pub(crate) errors: Errors,
}

impl SecurityPage {
    fn tone(alert: &AlertView) -> &'static str {
        match alert.rule.as_str() {
            "sign_in_failures" | "copied_token" | "audit_unsound" => "bad",
            _ => "warn",
        }
    }

    fn blocked(&self) -> usize {
        self.blocks.iter().filter(|block| block.active).count()
    }
}
