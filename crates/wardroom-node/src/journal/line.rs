//! An event as a line of the journal, and back.

use super::{Asked, Event, Finish, OpenRun};
use serde::{Deserialize, Serialize};
use wardroom_wire::link::{EndShape, ResultShape};

/// A line. Which fields stand in it depends on the event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// Counts lines from 0 over the node's life.
    pub seq: u64,
    /// SHA-256 of the line before, hexadecimal; of nothing for the first.
    pub prev: String,
    /// When, RFC 3339.
    pub at: String,
    /// What: `opened`, `accepted`, `refused`, `started`, `adopted`, `finished`, `recorded`,
    /// `discarded`, `carried`, `passed_over`, `instance_started`, `instance_ended`.
    pub event: String,
    /// The run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// Its fencing token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fence: Option<i64>,
    /// The process of a tool server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// The tool server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// The command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// Digest of the command's or tool server's definition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub definition: Option<String>,
    /// SHA-256 over the values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameters: Option<String>,
    /// Why a run was refused, or how an instance ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// How a run ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<EndShape>,
    /// More on how it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// The daemon's version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Bytes of a torn last line that were cut.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cut_bytes: Option<u64>,
}

/// What a run used and printed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Usage {
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// When the program was executed, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<String>,
    /// When it was over, RFC 3339.
    pub finished_at: String,
    /// Processor time, in milliseconds.
    pub cpu_ms: u64,
    /// Most memory that was resident, in bytes.
    pub memory_peak_bytes: u64,
    /// Bytes of output.
    pub output_bytes: u64,
    /// Pieces of output.
    pub chunks: u32,
    /// Whether they are in a file of their own.
    pub in_file: bool,
}

impl Line {
    fn new(event: &str) -> Self {
        Self {
            seq: 0,
            prev: String::new(),
            at: String::new(),
            event: event.to_owned(),
            run: None,
            fence: None,
            instance: None,
            server: None,
            command: None,
            definition: None,
            parameters: None,
            code: None,
            end: None,
            usage: None,
            version: None,
            cut_bytes: None,
        }
    }

    fn about(event: &str, run: &str, fence: i64) -> Self {
        Self { run: Some(run.to_owned()), fence: Some(fence), ..Self::new(event) }
    }

    fn asked(self, asked: &Asked) -> Self {
        Self {
            command: Some(asked.command.clone()),
            definition: Some(asked.definition.clone()),
            parameters: Some(asked.parameters.clone()),
            ..self
        }
    }

    fn ended(self, finish: &Finish) -> Self {
        let result = &finish.result;
        let usage = Usage {
            message: result.message.clone(),
            started_at: result.started_at.clone(),
            finished_at: result.finished_at.clone(),
            cpu_ms: result.cpu_ms,
            memory_peak_bytes: result.memory_peak_bytes,
            output_bytes: result.output_bytes,
            chunks: finish.chunks,
            in_file: finish.in_file,
        };
        Self { end: Some(result.end.clone()), usage: Some(usage), ..self }
    }

    /// The line for `event`.
    pub(super) fn of(event: &Event, seq: u64, prev: String, at: &str) -> Self {
        let line = match event {
            Event::Opened { version, cut_bytes } => Self {
                version: Some(version.clone()),
                cut_bytes: Some(*cut_bytes),
                ..Self::new("opened")
            },
            Event::PassedOver => Self::new("passed_over"),
            Event::Accepted { run, fence, asked } => {
                Self::about("accepted", run, *fence).asked(asked)
            }
            Event::Refused { run, fence, command, code } => Self {
                command: Some(command.clone()),
                code: Some(code.clone()),
                ..Self::about("refused", run, *fence)
            },
            Event::Started { run, fence } => Self::about("started", run, *fence),
            Event::Adopted { run, fence } => Self::about("adopted", run, *fence),
            Event::Finished { run, fence, end } => Self::about("finished", run, *fence).ended(end),
            Event::Recorded { run, fence, discarded } => {
                Self::about(if *discarded { "discarded" } else { "recorded" }, run, *fence)
            }
            Event::InstanceStarted { instance, server, definition } => Self {
                instance: Some(instance.clone()),
                server: Some(server.clone()),
                definition: Some(definition.clone()),
                ..Self::new("instance_started")
            },
            Event::InstanceEnded { instance, code } => Self {
                instance: Some(instance.clone()),
                code: Some(code.clone()),
                ..Self::new("instance_ended")
            },
            Event::Carried(open) => {
                let line = Self::about("carried", &open.run, open.fence).asked(&open.asked);
                match &open.finished {
                    Some(finish) => line.ended(finish),
                    None => line,
                }
            }
        };
        Self { seq, prev, at: at.to_owned(), ..line }
    }

    /// The event of the line; `None` when its fields are not those of one.
    pub(super) fn event(self) -> Option<Event> {
        let finish = match (self.end, self.usage) {
            (Some(end), Some(usage)) => Some(Finish {
                result: ResultShape {
                    end,
                    message: usage.message,
                    started_at: usage.started_at,
                    finished_at: usage.finished_at,
                    cpu_ms: usage.cpu_ms,
                    memory_peak_bytes: usage.memory_peak_bytes,
                    output_bytes: usage.output_bytes,
                },
                chunks: usage.chunks,
                in_file: usage.in_file,
            }),
            (None, None) => None,
            _ => return None,
        };
        if self.event == "opened" {
            return Some(Event::Opened { version: self.version?, cut_bytes: self.cut_bytes? });
        }
        if self.event == "passed_over" {
            return Some(Event::PassedOver);
        }
        if let Some(instance) = self.instance {
            return match self.event.as_str() {
                "instance_started" => Some(Event::InstanceStarted {
                    instance,
                    server: self.server?,
                    definition: self.definition?,
                }),
                "instance_ended" => Some(Event::InstanceEnded { instance, code: self.code? }),
                _ => None,
            };
        }
        let (run, fence) = (self.run?, self.fence?);
        let asked = || {
            Some(Asked {
                command: self.command.clone()?,
                definition: self.definition.clone()?,
                parameters: self.parameters.clone()?,
            })
        };
        Some(match self.event.as_str() {
            "accepted" => Event::Accepted { run, fence, asked: asked()? },
            "refused" => Event::Refused { run, fence, command: self.command?, code: self.code? },
            "started" => Event::Started { run, fence },
            "adopted" => Event::Adopted { run, fence },
            "finished" => Event::Finished { run, fence, end: Box::new(finish?) },
            "recorded" => Event::Recorded { run, fence, discarded: false },
            "discarded" => Event::Recorded { run, fence, discarded: true },
            "carried" => Event::Carried(Box::new(OpenRun {
                run,
                fence,
                asked: asked()?,
                finished: finish,
                output: vec![],
            })),
            _ => return None,
        })
    }
}
