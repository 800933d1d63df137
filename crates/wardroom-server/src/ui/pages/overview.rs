//! The overview page.

use super::{chart::Chart, format as f, shell::Shell};
use askama::Template;
use wardroom_wire::api::Overview;

/// How everything stands.
#[derive(Template)]
#[template(path = "overview.html")]
pub(crate) struct OverviewPage {
    /// The frame.
    pub(crate) shell: Shell,
    /// What is known.
    pub(crate) view: Overview,
    /// Runs by hour.
    pub(crate) chart: Chart,
}

impl OverviewPage {
    /// The page of `view`.
    pub(crate) fn new(shell: Shell, view: Overview) -> Self {
        let chart = Chart::new(&view.hours);
        Self { shell, view, chart }
    }

    fn nodes(&self, state: &str) -> u64 {
        self.view.nodes.get(state).copied().unwrap_or(0)
    }

    fn nodes_all(&self) -> u64 {
        self.view.nodes.values().sum()
    }

    fn runs(&self, states: &[&str]) -> u64 {
        states.iter().filter_map(|state| self.view.runs.get(*state)).sum()
    }

    /// Nodes by state, with where each part begins and ends in a bar of 1000.
    fn shares(&self) -> Vec<Share> {
        let all = self.nodes_all().max(1);
        let mut at = 0;
        ["online", "stale", "offline", "disabled"]
            .into_iter()
            .map(|state| {
                let nodes = self.nodes(state);
                let width = nodes * 1000 / all;
                let share = Share { state, nodes, x: at, width };
                at += width;
                share
            })
            .collect()
    }
}

struct Share {
    state: &'static str,
    nodes: u64,
    x: u64,
    width: u64,
}
