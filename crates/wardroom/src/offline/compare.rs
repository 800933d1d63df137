//! Compares a node's own log with the orchestrator's export: each tells what ran, and neither can
//! write the other's.

use super::lines::Lines;
use crate::client::Failure;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, io::Read};
use wardroom_core::audit::export::LINE_BYTES_MAX;

/// The first line's `format` in a node's own log.
pub(crate) const NODE_LOG_FORMAT: &str = "wardroom-node-log/1";
/// The most attempts that are held in memory.
const ATTEMPTS_MAX: usize = 5_000_000;

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Compared {
    /// The node.
    pub(crate) node: String,
    /// Attempts that either log tells of.
    pub(crate) attempts: usize,
    /// What one has and the other lacks, or tells otherwise.
    pub(crate) differences: Vec<Difference>,
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Difference {
    /// The run.
    pub(crate) run: String,
    /// The attempt, by its fencing token.
    pub(crate) fence: i64,
    /// In one sentence.
    pub(crate) what: String,
}

/// The first line of a node's log.
#[derive(Debug, Deserialize)]
struct NodeHeader {
    format: String,
    node: String,
}

/// A line of a node's log. Further fields may stand in it; they are the node's own.
#[derive(Debug, Deserialize)]
struct NodeLine {
    run: String,
    fence: i64,
    /// `started`, `finished` or `refused`; others don't matter here.
    event: String,
    #[serde(default)]
    command: Option<String>,
    #[serde(default)]
    end: Option<NodeEnd>,
}

#[derive(Debug, Deserialize)]
struct NodeEnd {
    kind: String,
    #[serde(default)]
    code: Option<i64>,
}

/// A record of the export, as far as it matters here.
#[derive(Debug, Deserialize)]
struct ExportLine {
    record: Record,
}

#[derive(Debug, Deserialize)]
struct Record {
    action: String,
    outcome: String,
    target: String,
    #[serde(default)]
    detail: BTreeMap<String, String>,
}

/// What a log says of one attempt.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Attempt {
    command: Option<String>,
    started: bool,
    ended: Option<End>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// With exit code 0.
    Well,
    /// Otherwise, by itself or by force.
    Badly,
    /// It was not begun.
    Refused,
    /// The log does not tell which.
    Somehow,
}

type Attempts = BTreeMap<(String, i64), Attempt>;

/// Compares the two logs.
pub(crate) fn logs(node_log: impl Read, export: impl Read) -> Result<Compared, Failure> {
    let (node, ours) = read_node(node_log)?;
    let theirs = read_export(export, &node)?;
    let mut differences = Vec::new();
    let mut attempts = theirs.len();
    for (key, attempt) in &ours {
        match theirs.get(key) {
            Some(other) => tell(key, attempt, other, &mut differences),
            None => {
                attempts += 1;
                let what = "the node's log has it and the orchestrator's has not".to_owned();
                differences.push(Difference { run: key.0.clone(), fence: key.1, what });
            }
        }
    }
    for (key, attempt) in &theirs {
        // Whether an attempt that the orchestrator closed alone ever reached the node, only the node knows.
        if !ours.contains_key(key) && (attempt.started || attempt.ended.is_some()) {
            let what = "the orchestrator's log has it and the node's has not".to_owned();
            differences.push(Difference { run: key.0.clone(), fence: key.1, what });
        }
    }
    differences.sort_by(|a, b| (&a.run, a.fence).cmp(&(&b.run, b.fence)));
    Ok(Compared { node, attempts, differences })
}

fn tell(
    key: &(String, i64),
    node: &Attempt,
    orchestrator: &Attempt,
    differences: &mut Vec<Difference>,
) {
    let mut differ =
        |what: String| differences.push(Difference { run: key.0.clone(), fence: key.1, what });
    if let (Some(one), Some(other)) = (&node.command, &orchestrator.command)
        && one != other
    {
        differ(format!("the node ran {one}, the orchestrator recorded {other}"));
    }
    if node.started && !orchestrator.started && orchestrator.ended.is_none() {
        differ("the node started it, the orchestrator recorded no start".to_owned());
    }
    if orchestrator.started && !node.started {
        differ("the orchestrator recorded a start, the node started nothing".to_owned());
    }
    match (node.ended, orchestrator.ended) {
        (None, Some(end)) if end != End::Somehow => {
            differ(format!("the orchestrator recorded {}, the node recorded no end", end.said()));
        }
        (Some(end), None) => {
            differ(format!("the node recorded {}, the orchestrator recorded no end", end.said()))
        }
        (Some(one), Some(other))
            if one != other && one != End::Somehow && other != End::Somehow =>
        {
            differ(format!("the node recorded {}, the orchestrator {}", one.said(), other.said()));
        }
        _ => {}
    }
}

impl End {
    const fn said(self) -> &'static str {
        match self {
            Self::Well => "success",
            Self::Badly => "an end without success",
            Self::Refused => "a refusal",
            Self::Somehow => "an end",
        }
    }
}

fn read_node(reader: impl Read) -> Result<(String, Attempts), Failure> {
    let mut lines = Lines::new(reader, LINE_BYTES_MAX);
    let wrong = |line: u64, reason: &str| {
        Failure::usage(format!("line {line} of the node's log is not acceptable: {reason}"))
            .advice("`wardroom-node log --data DIR` writes it.")
    };
    let first = lines
        .next()?
        .ok_or_else(|| wrong(1, "it is empty"))?
        .map_err(|reason| wrong(1, &reason))?;
    let header: NodeHeader =
        serde_json::from_str(first).map_err(|error| wrong(1, &error.to_string()))?;
    if header.format != NODE_LOG_FORMAT {
        return Err(wrong(
            1,
            &format!("its format is {:?}; this program reads {NODE_LOG_FORMAT:?}", header.format),
        ));
    }
    let mut attempts = Attempts::new();
    loop {
        let count = lines.count() + 1;
        let Some(line) = lines.next()? else { return Ok((header.node, attempts)) };
        let text = line.map_err(|reason| wrong(count, &reason))?;
        let line: NodeLine =
            serde_json::from_str(text).map_err(|error| wrong(count, &error.to_string()))?;
        if attempts.len() >= ATTEMPTS_MAX {
            return Err(wrong(count, "it tells of too many attempts to compare at once"));
        }
        let attempt = attempts.entry((line.run, line.fence)).or_default();
        attempt.command = line.command.or(attempt.command.take());
        match line.event.as_str() {
            "started" => attempt.started = true,
            "refused" => attempt.ended = Some(End::Refused),
            "finished" => {
                attempt.ended = Some(match line.end {
                    None => End::Somehow,
                    Some(end) if end.kind == "exited" && end.code == Some(0) => End::Well,
                    Some(_) => End::Badly,
                });
            }
            _ => {}
        }
    }
}

fn read_export(reader: impl Read, node: &str) -> Result<Attempts, Failure> {
    let mut lines = Lines::new(reader, LINE_BYTES_MAX);
    let mut attempts = Attempts::new();
    loop {
        let count = lines.count() + 1;
        let Some(line) = lines.next()? else { return Ok(attempts) };
        let wrong = |reason: &str| {
            Failure::usage(format!("line {count} of the export is not acceptable: {reason}"))
                .advice("`wardroom audit verify FILE` tells more.")
        };
        let text = line.map_err(|reason| wrong(&reason))?;
        if !text.contains("\"run.") {
            continue;
        }
        let parsed: ExportLine =
            serde_json::from_str(text).map_err(|error| wrong(&error.to_string()))?;
        take(parsed.record, node, &mut attempts);
        if attempts.len() > ATTEMPTS_MAX {
            return Err(wrong("it tells of too many attempts to compare at once"));
        }
    }
}

/// Takes what a record says of an attempt on this node.
fn take(record: Record, node: &str, attempts: &mut Attempts) {
    let Some(fence) = record.detail.get("fence").and_then(|fence| fence.parse::<i64>().ok()) else {
        return;
    };
    if record.detail.get("node").is_none_or(|on| on != node) {
        return;
    }
    let (started, ended) = match record.action.as_str() {
        "run.started" => (true, None),
        // What the node reported: the only end of which its own log must tell as well.
        "run.ended" => (false, Some(end_of(&record))),
        // The orchestrator closed it: what the node knows of it is open.
        "run.lease_lapsed" | "run.node_gone" | "run.deadline_passed" => (false, Some(End::Somehow)),
        _ => return,
    };
    let attempt = attempts.entry((record.target, fence)).or_default();
    attempt.started |= started;
    attempt.ended = ended.or(attempt.ended);
    attempt.command = record.detail.get("command").cloned().or(attempt.command.take());
}

fn end_of(record: &Record) -> End {
    match (record.detail.get("state").map(String::as_str), record.outcome.as_str()) {
        (_, "refused") => End::Refused,
        (Some("succeeded"), _) => End::Well,
        (Some("failed" | "retrying" | "timed_out" | "interrupted"), _) => End::Badly,
        // A run may be cancelled and its command have ended well just before.
        _ => End::Somehow,
    }
}
