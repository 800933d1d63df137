//! One run.

use super::{
    format as f,
    output::Line,
    shell::Shell,
    timeline::{Stage, stages},
};
use askama::Template;
use wardroom_wire::api::{AuditView, OutputPage, RunView};

/// One run: state, output, timeline, children, records.
#[derive(Template)]
#[template(path = "run.html")]
pub(crate) struct RunPage {
    /// The frame.
    pub(crate) shell: Shell,
    /// The run.
    pub(crate) run: RunView,
    /// Its timeline.
    pub(crate) stages: Vec<Stage>,
    /// Its output so far; `None` where the viewer may not read it.
    pub(crate) output: Option<OutputView>,
    /// Its parts.
    pub(crate) children: Vec<RunView>,
    /// Its audit records, oldest first; `None` where the viewer may not read them.
    pub(crate) records: Option<Vec<AuditView>>,
    /// Whether the viewer may cancel it.
    pub(crate) may_cancel: bool,
    /// Whether the viewer may replay it.
    pub(crate) may_replay: bool,
}

/// Output as the page shows it.
pub(crate) struct OutputView {
    /// The lines.
    pub(crate) lines: Vec<Line>,
    /// How many lines before them were left out.
    pub(crate) left_out: usize,
    /// Where to go on.
    pub(crate) next: String,
    /// Whether that is all there will be.
    pub(crate) complete: bool,
}

impl OutputView {
    /// What a page of output shows.
    pub(crate) fn new(page: &OutputPage) -> Self {
        let (lines, left_out) = super::output::lines(page);
        Self { lines, left_out, next: page.next.clone(), complete: page.complete }
    }
}

impl RunPage {
    /// The page of `run`, without what surrounds it.
    pub(crate) fn new(shell: Shell, run: RunView) -> Self {
        let stages = stages(&run, shell.now);
        Self {
            shell,
            run,
            stages,
            output: None,
            children: vec![],
            records: None,
            may_cancel: false,
            may_replay: false,
        }
    }

    fn can_cancel(&self) -> bool {
        self.may_cancel && !self.run.terminal && self.run.cancel_requested_at.is_none()
    }

    fn can_replay(&self) -> bool {
        self.may_replay && self.run.dead_letter
    }
}
