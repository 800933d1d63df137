//! A run's way from its submission to its end.

use super::format;
use wardroom_core::Timestamp;
use wardroom_wire::api::RunView;

/// How far a stage is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Behind it.
    Past,
    /// In it.
    Now,
    /// Before it.
    Ahead,
    /// Passed over: the run ended before it came to this.
    Skipped,
}

/// One stage.
#[derive(Debug, Clone)]
pub(crate) struct Stage {
    /// What it is called.
    pub(crate) label: String,
    /// When it began, where that is known.
    pub(crate) at: Option<String>,
    /// How far it is.
    pub(crate) progress: Progress,
    /// How long it took or has taken so far, or what comes.
    pub(crate) note: String,
    /// The colour.
    pub(crate) tone: &'static str,
}

impl Stage {
    /// The class of its mark.
    pub(crate) fn class(&self) -> &'static str {
        match self.progress {
            Progress::Past => "past",
            Progress::Now => "now",
            Progress::Ahead => "ahead",
            Progress::Skipped => "skipped",
        }
    }
}

/// The stages of `run` as they are at `now`.
pub(crate) fn stages(run: &RunView, now: Timestamp) -> Vec<Stage> {
    let now = now.to_string();
    let end = run.finished_at.as_deref();
    let left_queue = run.started_at.as_deref().or(end);
    let waited = match run.all {
        true => String::new(),
        false => {
            format!("waited {}", format::between(&run.queued_at, left_queue.unwrap_or(&now)))
        }
    };
    let reached = |started: bool, current: bool| match (started, current, run.terminal) {
        (_, true, _) => Progress::Now,
        (true, ..) => Progress::Past,
        (false, _, true) => Progress::Skipped,
        _ => Progress::Ahead,
    };
    // A run on every node begins with its parts, at once.
    let waits = run.state == "awaiting_approval";
    let begun = if run.all && !waits { Some(&run.queued_at) } else { run.started_at.as_ref() };
    let started = begun.is_some();
    let waiting = matches!(run.state.as_str(), "queued" | "retrying" | "awaiting_approval");
    let queued = Stage {
        label: match run.state.as_str() {
            "retrying" => "Waits for its next attempt",
            "awaiting_approval" => "Waits for approval",
            _ => "Queued",
        }
        .to_owned(),
        at: Some(run.queued_at.clone()),
        progress: reached(true, waiting),
        note: waited,
        tone: "idle",
    };
    let leased = Stage {
        label: if run.all { "Given to nodes" } else { "Given to a node" }.to_owned(),
        at: None,
        progress: reached(started, run.state == "leased"),
        note: if run.attempts_max > 1 {
            format!("attempt {} of {}", run.attempt, run.attempts_max)
        } else {
            String::new()
        },
        tone: "live",
    };
    let running = Stage {
        label: "Running".to_owned(),
        at: begun.cloned(),
        progress: reached(started, run.state == "running"),
        note: match begun {
            Some(at) => format!("ran {}", format::between(at, end.unwrap_or(&now))),
            None if run.terminal => "never started".to_owned(),
            None => String::new(),
        },
        tone: "live",
    };
    vec![queued, leased, running, ending(run)]
}

fn ending(run: &RunView) -> Stage {
    let label = if run.terminal { capital(&format::words(&run.state)) } else { "End".to_owned() };
    let note = match (&run.finished_at, &run.deadline) {
        (Some(end), _) => format!("{} in all", format::between(&run.queued_at, end)),
        (None, Some(deadline)) => format!("at the latest {}", format::stamp(deadline)),
        (None, None) => String::new(),
    };
    Stage {
        label,
        at: run.finished_at.clone(),
        progress: if run.terminal { Progress::Past } else { Progress::Ahead },
        note,
        tone: if run.terminal { format::tone(&run.state) } else { "idle" },
    }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(char::to_uppercase).into_iter().flatten().chain(letters).collect()
}
