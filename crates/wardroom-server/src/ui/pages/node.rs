//! One node.

use super::{format as f, shell::Shell};
use askama::Template;
use wardroom_wire::{
    api::{NodeDetail, RunView},
    link::KindShape,
};

/// One node, its commands and its last runs.
#[derive(Template)]
#[template(path = "node.html")]
pub(crate) struct NodePage {
    /// The frame.
    pub(crate) shell: Shell,
    /// The node.
    pub(crate) detail: NodeDetail,
    /// Its last runs, newest first.
    pub(crate) runs: Vec<RunView>,
    /// What was wrong with the wish to remove it.
    pub(crate) problem: Option<String>,
}

impl NodePage {
    /// A command's parameters in one line.
    fn signature(&self, parameters: &[wardroom_wire::link::ParameterShape]) -> String {
        let names: Vec<String> = parameters
            .iter()
            .map(|parameter| {
                let mark = if parameter.required { "" } else { "?" };
                format!("{}{mark}: {}", parameter.name, kind_name(&parameter.kind))
            })
            .collect();
        names.join(", ")
    }
}

/// A type's name, for people.
pub(crate) fn kind_name(kind: &KindShape) -> &'static str {
    match kind {
        KindShape::Enum { .. } => "choice",
        KindShape::Integer { .. } => "number",
        KindShape::String { .. } => "text",
        KindShape::Path { .. } => "path",
        KindShape::Host => "host",
        KindShape::Port { .. } => "port",
        KindShape::Flag => "flag",
    }
}
