//! Compares a node's own log with the orchestrator's export: each tells what ran, and neither can
//! write the other's.

use super::lines::Lines;
use crate::client::Failure;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, io::Read, time::Duration};
use wardroom_core::{Timestamp, audit::export::LINE_BYTES_MAX, digest::sha256_hex};

/// The form of a node's log, as `wardroom-node log export` writes it.
const FORMAT: &str = "wardroom-node-log/1";
/// The longest line of a node's log, in bytes.
const NODE_LINE_BYTES_MAX: usize = 64 * 1024;
/// The most attempts that are held in memory.
const ATTEMPTS_MAX: usize = 5_000_000;

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Compared {
    /// The node.
    pub(crate) node: String,
    /// Attempts that both logs tell of.
    pub(crate) attempts: usize,
    /// Where the node's log does not continue itself.
    pub(crate) fault: Option<String>,
    /// What one has and the other lacks, or tells otherwise.
    pub(crate) differences: Vec<Difference>,
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Difference {
    /// The run, or the process of a tool server.
    pub(crate) run: String,
    /// The attempt, by its fencing token; 0 for the process of a tool server.
    pub(crate) fence: i64,
    /// In one sentence.
    pub(crate) what: String,
}

/// The first line of a node's log.
#[derive(Debug, Deserialize)]
struct NodeHeader {
    format: String,
    node: String,
    lines: u64,
    head: String,
}

/// A line of a node's log, as far as it matters here.
#[derive(Debug, Deserialize)]
struct NodeLine {
    seq: u64,
    prev: String,
    at: Timestamp,
    event: String,
    run: Option<String>,
    fence: Option<i64>,
    instance: Option<String>,
    server: Option<String>,
    command: Option<String>,
    end: Option<NodeEnd>,
    usage: Option<NodeUsage>,
}

#[derive(Debug, Deserialize)]
struct NodeUsage {
    started_at: Option<String>,
}

#[derive(Debug, Deserialize)]
struct NodeEnd {
    kind: String,
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
    actor: String,
    at: Timestamp,
    outcome: String,
    target: String,
    #[serde(default)]
    detail: BTreeMap<String, String>,
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

/// What a log says of one attempt.
#[derive(Debug, Clone, Default)]
struct Attempt {
    /// On which node; the orchestrator's log tells.
    node: Option<String>,
    command: Option<String>,
    /// Whether its program was started, where the log tells.
    started: Option<bool>,
    /// Whether the node told the orchestrator something of it.
    reported: bool,
    ended: Option<End>,
    /// When it was last spoken of.
    at: Timestamp,
}

/// How long after a node's end the orchestrator's log tells of one for certain: the node's report, or that
/// the lease lapsed without it.
const SETTLED: Duration = Duration::from_secs(600);

impl Attempt {
    /// Whether it was refused, as far as the log tells.
    fn never_ran(&self) -> bool {
        self.started != Some(true) && matches!(self.ended, Some(End::Refused | End::Somehow))
    }
}

/// A run and its fencing token: together they name one attempt on one node.
type Key = (String, i64);
type Attempts = BTreeMap<Key, Attempt>;

/// One side of the comparison.
#[derive(Default)]
struct Log {
    attempts: Attempts,
    /// What stands before this was set aside.
    begin: Option<Timestamp>,
    /// The last time in it.
    end: Timestamp,
    fault: Option<String>,
    /// Refusals were left out of it.
    passed_over: bool,
}

/// Compares the two logs.
pub(crate) fn logs(node_log: impl Read, export: impl Read) -> Result<Compared, Failure> {
    let ((node, ours), theirs) = (read_node(node_log)?, read_export(export)?);
    let mut found = Compared { node, attempts: 0, fault: ours.fault, differences: vec![] };
    for (key, attempt) in &ours.attempts {
        match theirs.attempts.get(key) {
            Some(other) => {
                found.attempts += 1;
                found.hold(key, attempt, other, theirs.end);
            }
            // What happened after the export was made can't stand in it.
            None if attempt.at > theirs.end => {}
            None => found.differ(key, "the node's log has it and the orchestrator's has not"),
        }
    }
    for (key, attempt) in &theirs.attempts {
        let known = ours.attempts.contains_key(key) || attempt.node.as_ref() != Some(&found.node);
        // A lease that ended before the node took it is not in its log, and need not be.
        let before = ours.begin.is_some_and(|begin| attempt.at < begin);
        let left_out = ours.passed_over && attempt.never_ran();
        if !known && attempt.reported && !before && !left_out {
            found.differ(key, "the orchestrator's log has it and the node's has not");
        }
    }
    found.differences.sort_by(|a, b| (&a.run, a.fence).cmp(&(&b.run, b.fence)));
    Ok(found)
}

impl Compared {
    fn differ(&mut self, key: &Key, what: impl Into<String>) {
        self.differences.push(Difference { run: key.0.clone(), fence: key.1, what: what.into() });
    }

    /// Holds what the two logs say of one attempt against each other.
    fn hold(&mut self, key: &Key, node: &Attempt, orchestrator: &Attempt, exported: Timestamp) {
        if let Some(other) = orchestrator.node.as_ref().filter(|other| **other != self.node) {
            self.differ(key, format!("the node has it, the orchestrator gave it to {other}"));
        }
        if let (Some(one), Some(other)) = (&node.command, &orchestrator.command)
            && one != other
        {
            self.differ(key, format!("the node took {one}, the orchestrator recorded {other}"));
        }
        if orchestrator.started == Some(true) && node.started == Some(false) {
            self.differ(key, "the orchestrator recorded a start, the node started nothing");
        }
        match (node.ended, orchestrator.ended) {
            (None, Some(end)) if orchestrator.reported && end != End::Somehow => {
                self.differ(
                    key,
                    format!("the orchestrator recorded {}, the node recorded no end", end.said()),
                );
            }
            (Some(one), Some(other)) if one != other && other != End::Somehow => {
                self.differ(
                    key,
                    format!("the node recorded {}, the orchestrator {}", one.said(), other.said()),
                );
            }
            (Some(one), None) if exported.since(node.at) > SETTLED => {
                let one = one.said();
                self.differ(key, format!("the node recorded {one}, the orchestrator no end"));
            }
            _ => {}
        }
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

/// Reads a node's log: whose it is, and what it tells.
fn read_node(reader: impl Read) -> Result<(String, Log), Failure> {
    let mut lines = Lines::new(reader, NODE_LINE_BYTES_MAX);
    let wrong = |count: u64, reason: &str| {
        Failure::usage(format!("line {count} of the node's log is not acceptable: {reason}"))
            .advice("`wardroom-node log export --data FOLDER` writes one.")
    };
    let first = lines.next()?.unwrap_or(Ok("")).map_err(|reason| wrong(1, &reason))?;
    let header: NodeHeader =
        serde_json::from_str(first).map_err(|error| wrong(1, &error.to_string()))?;
    if header.format != FORMAT {
        return Err(wrong(1, &format!("its form is {:?}, not {FORMAT}", header.format)));
    }
    let mut log = Log::default();
    let mut before: Option<(String, u64)> = None;
    loop {
        let count = lines.count() + 1;
        let Some(line) = lines.next()? else { break };
        let text = line.map_err(|reason| wrong(count, &reason))?;
        let line: NodeLine =
            serde_json::from_str(text).map_err(|error| wrong(count, &error.to_string()))?;
        match &before {
            None => log.begin = Some(line.at).filter(|_| line.seq > 0),
            Some((hash, seq))
                if log.fault.is_none() && (line.prev != *hash || line.seq != seq + 1) =>
            {
                log.fault = Some(format!(
                    "line {count} of the node's log does not continue the line before it: \
                     a line was altered, removed or moved here"
                ));
            }
            Some(_) => {}
        }
        before = Some((sha256_hex(text.as_bytes()), line.seq));
        if log.attempts.len() >= ATTEMPTS_MAX {
            return Err(wrong(count, "it tells of too many attempts to compare at once"));
        }
        take_line(line, &mut log);
    }
    let ends_well = before.is_none_or(|(hash, _)| hash == header.head);
    if log.fault.is_none() && (lines.count() != header.lines + 1 || !ends_well) {
        log.fault = Some(
            "the node's log is not as long as its first line says: lines were cut off or added"
                .to_owned(),
        );
    }
    Ok((header.node, log))
}

fn take_line(line: NodeLine, log: &mut Log) {
    log.end = log.end.max(line.at);
    log.passed_over |= line.event == "passed_over";
    if let Some(instance) = line.instance {
        let process = log.attempts.entry((instance, 0)).or_default();
        process.at = line.at;
        process.command = line.server.or(process.command.take());
    }
    let (Some(run), Some(fence)) = (line.run, line.fence) else { return };
    let (started, ended) = match (line.event.as_str(), line.end) {
        ("accepted" | "carried", None) => (None, None),
        ("refused", _) => (Some(false), Some(End::Refused)),
        ("finished" | "carried", Some(end)) => {
            let started = line.usage.is_some_and(|usage| usage.started_at.is_some());
            let well = end.kind == "exited" && end.code == Some(0);
            (Some(started), Some(if well { End::Well } else { End::Badly }))
        }
        // That something was recorded or discarded tells nothing of what ran.
        _ => return,
    };
    let attempt = log.attempts.entry((run, fence)).or_default();
    attempt.at = line.at;
    attempt.command = line.command.or(attempt.command.take());
    attempt.started = started.or(attempt.started);
    attempt.ended = ended.or(attempt.ended);
}

fn read_export(reader: impl Read) -> Result<Log, Failure> {
    let mut lines = Lines::new(reader, LINE_BYTES_MAX);
    let mut log = Log::default();
    loop {
        let count = lines.count() + 1;
        let wrong = |reason: &str| {
            Failure::usage(format!("line {count} of the export is not acceptable: {reason}"))
                .advice("`wardroom audit verify FILE` tells more.")
        };
        let Some(line) = lines.next()? else { return Ok(log) };
        let text = line.map_err(|reason| wrong(&reason))?;
        if count == 1 || text.starts_with("{\"checkpoint\"") {
            continue;
        }
        if !text.starts_with("{\"index\":") {
            return Err(wrong("it is neither a record nor a checkpoint"));
        }
        let parsed: ExportLine =
            serde_json::from_str(text).map_err(|error| wrong(&error.to_string()))?;
        log.end = log.end.max(parsed.record.at);
        take_record(parsed.record, &mut log.attempts);
        if log.attempts.len() > ATTEMPTS_MAX {
            return Err(wrong("it tells of too many attempts to compare at once"));
        }
    }
}

/// Takes what a record says of an attempt.
fn take_record(record: Record, attempts: &mut Attempts) {
    if let (Some(instance), "tool_server.start" | "tool_server.end") =
        (record.detail.get("instance"), record.action.as_str())
    {
        let process = attempts.entry((instance.clone(), 0)).or_default();
        process.at = record.at;
        process.node = record.detail.get("node").cloned();
        process.command = record.detail.get("entry").cloned().or(process.command.take());
        // What a node never said that it started, its log need not tell of.
        process.reported |= record.detail.get("ran").is_some_and(|ran| ran == "true");
        return;
    }
    let Some(fence) = record.detail.get("fence").and_then(|fence| fence.parse::<i64>().ok()) else {
        return;
    };
    // What the node reported, it recorded as actor; that is the only end of which its log must tell.
    let by_node = record.actor.starts_with("node_");
    let (started, ended) = match record.action.as_str() {
        "run.leased" => (None, None),
        "run.started" => (Some(true), None),
        "run.ended" if by_node => (None, Some(end_of(&record))),
        "run.ended" | "run.lease_lapsed" | "run.node_gone" | "run.deadline_passed" => {
            (None, Some(End::Somehow))
        }
        _ => return,
    };
    let node = if by_node { Some(record.actor) } else { record.detail.get("node").cloned() };
    let attempt = attempts.entry((record.target, fence)).or_default();
    attempt.node = node.or(attempt.node.take());
    attempt.started = started.or(attempt.started);
    attempt.ended = ended.or(attempt.ended);
    attempt.reported |= by_node;
    attempt.command = record.detail.get("command").cloned().or(attempt.command.take());
    attempt.at = record.at;
}

fn end_of(record: &Record) -> End {
    match (record.detail.get("state").map(String::as_str), record.outcome.as_str()) {
        (_, "refused") => End::Refused,
        (Some("succeeded"), _) => End::Well,
        (Some("failed" | "timed_out" | "interrupted"), _) => End::Badly,
        // Before its next attempt a run does not tell whether this one failed or was refused, and one that
        // was cancelled may have ended well just before.
        _ => End::Somehow,
    }
}
