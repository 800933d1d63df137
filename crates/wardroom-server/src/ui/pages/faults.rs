//! What went wrong inside.

use super::{format as f, shell::Shell};
use askama::Template;
use wardroom_wire::{api::List, security::FaultView};

/// What went wrong inside, grouped.
#[derive(Template)]
#[template(path = "faults.html")]
pub(crate) struct FaultsPage {
    /// The frame.
    pub(crate) shell: Shell,
    /// Whether only open ones are shown.
    pub(crate) open: bool,
    /// The faults.
    pub(crate) list: List<FaultView>,
}
