//! The list of nodes.

use super::{format as f, shell::Shell};
use askama::Template;
use wardroom_wire::api::{List, NodeView};

/// All nodes, a page at a time.
#[derive(Template)]
#[template(path = "nodes.html")]
pub(crate) struct NodesPage {
    /// The frame.
    pub(crate) shell: Shell,
    /// The nodes.
    pub(crate) list: List<NodeView>,
    /// Whether this is not the first page.
    pub(crate) later: bool,
}

impl NodesPage {
    fn next(&self) -> Option<String> {
        self.list.next.as_deref().map(|after| f::query(&[("after", after)]))
    }
}
