//! Frames of the node link as the engine's values, and back.

use crate::view::twin;
use data_encoding::BASE64;
use std::collections::{BTreeMap, BTreeSet};
use wardroom_core::{
    RunId, Timestamp,
    command::{COMMANDS_MAX, ParameterKind, ParameterValue, check_spec},
    node::{Catalogue, NodeReport},
    run::{End, Outcome, OutputChunk},
    tool::hosted::{HOSTED_MAX, check_hosted},
};
use wardroom_engine::link::{
    Goodbye, Held, Link, PIECE_BYTES_MAX, PIECES_MAX, Report, ToNode, What,
};
use wardroom_wire::link::{
    self as wire, CHUNK_BYTES_MAX, EndShape, NodeFrame, OrchestratorFrame, ResultShape, Stream,
};

/// The longest code that a node may say, in bytes.
const CODE_BYTES_MAX: usize = 64;
/// The longest text that a node may say about a run, in bytes.
const MESSAGE_BYTES_MAX: usize = 1024;
/// The most parameters with patterns that a node's commands may have, all together.
const PATTERNS_MAX: usize = 1024;
/// The most alerts in a report, and the longest.
const ALERTS_MAX: usize = 16;

// What may be on its way is bounded alike on both sides.
const _: () = assert!(PIECES_MAX == wire::PIECES_MAX && PIECE_BYTES_MAX == CHUNK_BYTES_MAX);

/// Why a frame makes no sense.
pub(super) type Nonsense = &'static str;

/// Takes a frame about an instance of a tool server; gives back one that is about something else.
pub(super) fn instance(link: &Link, frame: NodeFrame) -> Result<Option<NodeFrame>, Nonsense> {
    let id = |text: &str| text.parse().map_err(|_| "that is not an instance's id");
    match frame {
        NodeFrame::InstanceStarted { instance } => link.instance_started(id(&instance)?),
        NodeFrame::InstanceOutput { instance, data } => {
            let bytes = BASE64.decode(data.as_bytes()).map_err(|_| "output is not base64")?;
            if bytes.is_empty() || bytes.len() > CHUNK_BYTES_MAX {
                return Err("a piece of output is empty or too large");
            }
            link.instance_output(id(&instance)?, bytes)?;
        }
        NodeFrame::InstanceTook { instance, pieces } => {
            link.instance_took(id(&instance)?, pieces)?;
        }
        NodeFrame::InstanceEnded { instance, code, message } => {
            check_code(&code)?;
            link.instance_ended(id(&instance)?, code, plain(message));
        }
        other => return Ok(Some(other)),
    }
    Ok(None)
}

fn check_code(code: &str) -> Result<(), Nonsense> {
    let sound =
        code.len() <= CODE_BYTES_MAX && code.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    if sound { Ok(()) } else { Err("a code is out of form") }
}

/// What a frame says about a run; `None` when it is about something else.
pub(super) fn report(frame: NodeFrame) -> Result<Option<Report>, Nonsense> {
    let (run, fence, what) = match frame {
        NodeFrame::Accepted { run, fence } => (run, fence, What::Accepted),
        NodeFrame::Refused { run, fence, code, message } => {
            check_code(&code)?;
            (run, fence, What::Refused { code, message: plain(message) })
        }
        NodeFrame::Started { run, fence, at } => (run, fence, What::Started(time(&at)?)),
        NodeFrame::Output { run, fence, seq, stream, data } => {
            let bytes = BASE64.decode(data.as_bytes()).map_err(|_| "output is not base64")?;
            if bytes.is_empty() {
                return Err("a piece of output is empty");
            }
            if bytes.len() > CHUNK_BYTES_MAX {
                return Err("a piece of output is too large");
            }
            let chunk = OutputChunk { fence, seq, stderr: stream == Stream::Stderr, bytes };
            (run, fence, What::Output(chunk))
        }
        NodeFrame::Finished { run, fence, chunks, result } => {
            let started_at = result.started_at.as_deref().map(time).transpose()?;
            (run, fence, What::Finished { chunks, started_at, outcome: outcome(result)? })
        }
        _ => return Ok(None),
    };
    Ok(Some(Report { run: run_id(&run)?, fence, what }))
}

fn outcome(result: ResultShape) -> Result<Outcome, Nonsense> {
    let end = match result.end {
        EndShape::Exited { code } => End::Exited { code },
        EndShape::Signalled { signal } => End::Signalled { signal },
        EndShape::Limit { limit }
            if matches!(limit.as_str(), "wall" | "cpu" | "memory" | "output") =>
        {
            End::Limit { limit }
        }
        EndShape::Limit { .. } => return Err("a run ended by an unknown limit"),
        EndShape::Cancelled => End::Cancelled,
        EndShape::NotStarted => End::NotStarted,
        EndShape::Interrupted => End::Interrupted,
    };
    Ok(Outcome {
        end,
        message: result.message.map(plain),
        cpu_ms: result.cpu_ms,
        memory_peak_bytes: result.memory_peak_bytes,
        output_bytes: result.output_bytes,
    })
}

/// The runs that a node says it holds.
pub(super) fn holding(held: &[wire::Held]) -> Result<Vec<Held>, Nonsense> {
    held.iter().map(|held| Ok(Held { run: run_id(&held.run)?, fence: held.fence })).collect()
}

/// A catalogue, checked against the bounds.
pub(super) fn catalogue(shape: wire::CatalogueShape) -> Result<Catalogue, String> {
    if shape.commands.len() > COMMANDS_MAX {
        return Err(format!("it has more than {COMMANDS_MAX} commands"));
    }
    let catalogue: Catalogue =
        twin(shape).map_err(|_| "it does not have the form of a catalogue".to_owned())?;
    let patterns = catalogue.commands.iter().flat_map(|command| &command.parameters);
    if patterns.filter(|one| matches!(one.kind, ParameterKind::String { .. })).count()
        > PATTERNS_MAX
    {
        return Err(format!("it has more than {PATTERNS_MAX} parameters with patterns"));
    }
    if catalogue.tool_servers.len() > HOSTED_MAX {
        return Err(format!("it has more than {HOSTED_MAX} tool servers"));
    }
    let mut names = BTreeSet::new();
    for server in &catalogue.tool_servers {
        check_hosted(server).map_err(|error| format!("tool server {:?}: {error}", server.name))?;
        if !names.insert(&server.name) {
            return Err(format!("it has the tool server {:?} twice", server.name));
        }
    }
    names.clear();
    for command in &catalogue.commands {
        check_spec(command).map_err(|error| format!("command {:?}: {error}", command.name))?;
        if !names.insert(&command.name) {
            return Err(format!("it has the command {:?} twice", command.name));
        }
    }
    Ok(catalogue)
}

/// What a node says of itself, cut to bounds.
pub(super) fn node_report(shape: wire::ReportShape) -> Result<NodeReport, Nonsense> {
    let mut report: NodeReport = twin(shape).map_err(|_| "a heartbeat is out of form")?;
    report.alerts.truncate(ALERTS_MAX);
    report.alerts = report.alerts.into_iter().map(plain).collect();
    report.version = plain(report.version);
    report.system = plain(report.system);
    if report.sandbox.len() > 64 {
        return Err("a heartbeat names too many sandbox abilities");
    }
    Ok(report)
}

/// A frame for the node.
pub(super) fn outgoing(frame: ToNode, now: Timestamp) -> OrchestratorFrame {
    match frame {
        ToNode::Offer { run, fence, command, digest, salt, parameters, deadline } => {
            OrchestratorFrame::Offer {
                run: run.to_string(),
                fence,
                command,
                digest,
                salt,
                parameters: parameters
                    .into_iter()
                    .map(|(name, value)| (name, json(value)))
                    .collect::<BTreeMap<_, _>>(),
                deadline_ms: deadline.map(|deadline| {
                    u64::try_from(deadline.since(now).as_millis()).unwrap_or(u64::MAX)
                }),
            }
        }
        ToNode::Cancel { run, fence } => OrchestratorFrame::Cancel { run: run.to_string(), fence },
        ToNode::Recorded { run, fence, chunks, finished } => {
            OrchestratorFrame::Recorded { run: run.to_string(), fence, chunks, finished }
        }
        ToNode::Discard { run, fence } => {
            OrchestratorFrame::Discard { run: run.to_string(), fence }
        }
        ToNode::StartInstance { instance, server, digest, environment } => {
            let (instance, environment) = (instance.to_string(), environment.0);
            OrchestratorFrame::StartInstance { instance, server, digest, environment }
        }
        ToNode::InstanceInput { instance, bytes } => OrchestratorFrame::InstanceInput {
            instance: instance.to_string(),
            data: BASE64.encode(&bytes),
        },
        ToNode::InstanceTook { instance, pieces } => {
            OrchestratorFrame::InstanceTook { instance: instance.to_string(), pieces }
        }
        ToNode::StopInstance { instance } => {
            OrchestratorFrame::StopInstance { instance: instance.to_string() }
        }
    }
}

/// The last frame of a connection.
pub(super) fn goodbye(why: Goodbye) -> OrchestratorFrame {
    let (code, message) = match why {
        Goodbye::Disabled => ("disabled", "the node is disabled"),
        Goodbye::Removed => ("removed", "the node was removed; join again with a new token"),
        Goodbye::Replaced => ("replaced", "the node opened another link"),
        Goodbye::Protocol(what) => ("protocol", what),
        Goodbye::Store => ("shutdown", "the orchestrator can't store reports now; come back later"),
        Goodbye::Slow => ("slow", "the node did not take what was sent to it in time"),
        Goodbye::Shutdown => ("shutdown", "the orchestrator goes down"),
    };
    OrchestratorFrame::Goodbye { code: code.to_owned(), message: message.to_owned() }
}

fn json(value: ParameterValue) -> serde_json::Value {
    match value {
        ParameterValue::Flag(flag) => flag.into(),
        ParameterValue::Integer(number) => number.into(),
        ParameterValue::Text(text) => text.into(),
    }
}

fn run_id(text: &str) -> Result<RunId, Nonsense> {
    text.parse().map_err(|_| "that is not a run's id")
}

fn time(text: &str) -> Result<Timestamp, Nonsense> {
    text.parse().map_err(|_| "that is not a time")
}

/// A text from a node, without control characters and cut.
fn plain(text: String) -> String {
    let mut text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.len() > MESSAGE_BYTES_MAX {
        let end = (0..=MESSAGE_BYTES_MAX).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
        text.truncate(end);
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use proptest::{prelude::*, strategy::ValueTree as _};

    const RUN: &str = "run_0123456789ab7def8000000000000001";

    fn text() -> impl Strategy<Value = String> {
        prop_oneof![
            any::<String>(),
            Just(RUN.to_owned()),
            Just("2026-01-01T00:00:00.000001Z".to_owned()),
            Just("wall".to_owned()),
            Just("x".repeat(100_000)),
        ]
    }

    /// A frame of the right form, with anything for its values.
    fn frame() -> impl Strategy<Value = serde_json::Value> {
        let end = prop_oneof![
            any::<i32>().prop_map(|code| serde_json::json!({"kind": "exited", "code": code})),
            text().prop_map(|limit| serde_json::json!({"kind": "limit", "limit": limit})),
        ];
        (text(), any::<i64>(), text(), text(), any::<u32>(), end).prop_flat_map(
            |(run, fence, code, message, seq, end)| {
                let result = serde_json::json!({
                    "end": end, "message": message, "started_at": code, "finished_at": message,
                    "cpu_ms": u64::MAX, "memory_peak_bytes": seq, "output_bytes": 0,
                });
                prop_oneof![
                    Just(serde_json::json!({"type": "accepted", "run": run, "fence": fence})),
                    Just(serde_json::json!({"type": "refused", "run": run, "fence": fence, "code": code, "message": message})),
                    Just(serde_json::json!({"type": "started", "run": run, "fence": fence, "at": code})),
                    Just(serde_json::json!({"type": "output", "run": run, "fence": fence, "seq": seq, "stream": "stdout", "data": message})),
                    Just(serde_json::json!({"type": "finished", "run": run, "fence": fence, "chunks": seq, "result": result})),
                ]
            },
        )
    }

    proptest! {
        #[test]
        fn no_frame_breaks_the_link(frame in frame(), garbage in any::<String>()) {
            prop_assert!(serde_json::from_str::<NodeFrame>(&garbage).is_err());
            let Ok(frame) = serde_json::from_value::<NodeFrame>(frame) else { return Ok(()) };
            if let Ok(Some(said)) = report(frame) {
                prop_assert_eq!(said.run.to_string(), RUN);
                if let What::Refused { code, message } = said.what {
                    prop_assert!(code.len() <= 64 && message.len() <= MESSAGE_BYTES_MAX);
                    prop_assert!(!message.chars().any(char::is_control));
                }
            }
        }
    }

    #[test]
    fn the_forms_that_are_tried_are_those_of_the_link() {
        let mut runner = proptest::test_runner::TestRunner::deterministic();
        let mut read = 0;
        for _ in 0..200 {
            let tried = frame().new_tree(&mut runner).unwrap().current();
            read += usize::from(serde_json::from_value::<NodeFrame>(tried).is_ok());
        }
        assert!(read > 100, "only {read} of 200 frames had the form of one");
    }
}
