//! The node link: one outbound WSS connection per node, versioned JSON text frames.
//!
//! Enrolment and authentication are three HTTPS requests ([`EnrolRequest`], [`ChallengeRequest`],
//! [`TokenRequest`]); the WebSocket at [`LINK_PATH`] then carries [`NodeFrame`]s one way and
//! [`OrchestratorFrame`]s the other.
//!
//! Delivery: the node numbers a run's output chunks from 0 and its end comes after all of them. The
//! orchestrator acknowledges with [`OrchestratorFrame::Recorded`] what it has durably stored; the node
//! keeps everything until then and sends it again on a new connection. The orchestrator drops what it
//! has already. A frame whose `fence` is not the run's current one is answered with
//! [`OrchestratorFrame::Discard`].

mod catalogue;

pub use catalogue::{
    CatalogueShape, CommandShape, HostedServerShape, KindShape, LimitsShape, ParameterShape,
    ReportShape,
};

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The version of this protocol.
pub const LINK_VERSION: u32 = 1;
/// Where the WebSocket is.
pub const LINK_PATH: &str = "/node/v1/link";
/// Where a node enrols.
pub const ENROL_PATH: &str = "/node/v1/enrol";
/// Where a node asks for a challenge.
pub const CHALLENGE_PATH: &str = "/node/v1/challenge";
/// Where a node turns a signed challenge into an access token.
pub const TOKEN_PATH: &str = "/node/v1/token";
/// The WebSocket sub-protocol.
pub const LINK_SUBPROTOCOL: &str = "wardroom-link-1";
/// The largest frame either side accepts, in bytes.
pub const FRAME_BYTES_MAX: usize = 1024 * 1024;
/// The largest piece of output in one frame, in bytes before base64.
pub const CHUNK_BYTES_MAX: usize = 32 * 1024;
/// Pieces of one instance of a tool server that may be on their way at once, each way.
pub const PIECES_MAX: u32 = 16;
/// What a node signs to enrol: this, then the join token's id, then its public key in base64url.
pub const ENROL_CONTEXT: &str = "wardroom node enrol v1\n";
/// What a node signs to get a token: this, then the challenge's text.
pub const CHALLENGE_CONTEXT: &str = "wardroom node challenge v1\n";

/// A machine asks to be enrolled.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnrolRequest {
    /// The join token, whole.
    pub token: String,
    /// The name that the node wants.
    pub name: String,
    /// Raw Ed25519 public key, base64url without padding.
    pub public_key: String,
    /// Signature over [`ENROL_CONTEXT`] + join token id + "\n" + `public_key`, base64url.
    pub signature: String,
}

/// The machine is enrolled.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnrolResponse {
    /// The node's id from now on.
    pub node: String,
    /// The authority's certificate, PEM; the node trusts nothing else.
    pub authority: String,
}

/// A node asks for a challenge.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChallengeRequest {
    /// The node.
    pub node: String,
}

/// A challenge, good once and for a minute.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChallengeResponse {
    /// What to sign behind [`CHALLENGE_CONTEXT`].
    pub challenge: String,
}

/// A node proves that it holds its key.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenRequest {
    /// The node.
    pub node: String,
    /// The challenge as it was given.
    pub challenge: String,
    /// Signature over [`CHALLENGE_CONTEXT`] + challenge, base64url without padding.
    pub signature: String,
}

/// A short-lived access token.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenResponse {
    /// The JWT, for `Authorization: Bearer`.
    pub token: String,
    /// Seconds until it expires.
    pub expires_in: u64,
}

/// What a node sends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum NodeFrame {
    /// First frame of a connection.
    Hello {
        /// [`LINK_VERSION`].
        version: u32,
        /// Runs that the node still holds: in progress or with a result not yet recorded.
        holding: Vec<Held>,
        /// How many runs it will take at the same time.
        runs_max: u32,
    },
    /// What the node offers; sent after `hello` and after each reload.
    Catalogue {
        /// The commands.
        catalogue: CatalogueShape,
    },
    /// Still here.
    Heartbeat {
        /// How the machine is.
        report: ReportShape,
        /// The runs that it holds: their leases are renewed, and no others'.
        holding: Vec<Held>,
    },
    /// The node took the run into its journal; it will not take it twice.
    Accepted {
        /// The run.
        run: String,
        /// The fencing token that the offer had.
        fence: i64,
    },
    /// The node's own allow-list refuses the run; nothing was started.
    Refused {
        /// The run.
        run: String,
        /// The fencing token that the offer had.
        fence: i64,
        /// A stable code: `unknown_command`, `bad_parameter`, `sandbox_unavailable`, `digest_changed`, `busy`, `program_missing`.
        code: String,
        /// For people; never repeats a parameter's value.
        message: String,
    },
    /// The program was started.
    Started {
        /// The run.
        run: String,
        /// The fencing token.
        fence: i64,
        /// When, RFC 3339, by the node's clock.
        at: String,
    },
    /// A piece of output.
    Output {
        /// The run.
        run: String,
        /// The fencing token.
        fence: i64,
        /// Counts from 0 over both streams.
        seq: u32,
        /// Which stream.
        stream: Stream,
        /// The bytes, standard base64.
        data: String,
    },
    /// The run is over on the node.
    Finished {
        /// The run.
        run: String,
        /// The fencing token.
        fence: i64,
        /// How many output chunks there were.
        chunks: u32,
        /// How it ended.
        result: ResultShape,
    },
    /// A process of a tool server was started.
    InstanceStarted {
        /// The instance.
        instance: String,
    },
    /// A piece of what an instance wrote to its standard output. A node has at most [`PIECES_MAX`] of an instance on
    /// their way.
    InstanceOutput {
        /// The instance.
        instance: String,
        /// The bytes, standard base64.
        data: String,
    },
    /// An instance took pieces of its input: as many more may be sent.
    InstanceTook {
        /// The instance.
        instance: String,
        /// How many.
        pieces: u32,
    },
    /// An instance is over, or was never started.
    InstanceEnded {
        /// The instance.
        instance: String,
        /// A stable code: `exited`, `signalled`, `limit`, `stopped`, `lost`, or why it was not started: `unknown_server`,
        /// `digest_changed`, `bad_environment`, `busy`, `sandbox_unavailable`, `program_missing`, `not_started`.
        code: String,
        /// For people.
        message: String,
    },
    /// A fresh access token for this connection, sent before the old one expires.
    Renew {
        /// The JWT.
        token: String,
    },
}

/// A run that a node holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Held {
    /// The run.
    pub run: String,
    /// The fencing token.
    pub fence: i64,
}

/// A stream of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// How a run ended on the node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResultShape {
    /// How.
    pub end: EndShape,
    /// For people: what happened and what to do, where `end` alone does not say.
    pub message: Option<String>,
    /// When the program was started, RFC 3339.
    pub started_at: Option<String>,
    /// When it was over, RFC 3339.
    pub finished_at: String,
    /// Processor time used, in milliseconds.
    pub cpu_ms: u64,
    /// Most memory that was resident, in bytes.
    pub memory_peak_bytes: u64,
    /// Output bytes that were sent.
    pub output_bytes: u64,
}

/// The ways a run ends on a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum EndShape {
    /// The program ended by itself.
    Exited {
        /// Its exit code.
        code: i32,
    },
    /// A signal ended the program.
    Signalled {
        /// The signal's number.
        signal: i32,
    },
    /// A limit ended it.
    Limit {
        /// `wall`, `cpu`, `memory`, `output`.
        limit: String,
    },
    /// It was cancelled.
    Cancelled,
    /// It could not be started.
    NotStarted,
    /// The node went down while it ran: what it did is unknown.
    Interrupted,
}

/// What the orchestrator sends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum OrchestratorFrame {
    /// Answer to `hello`.
    Welcome {
        /// Seconds between heartbeats.
        heartbeat_seconds: u32,
        /// Seconds until the connection's access token expires.
        token_expires_in: u64,
    },
    /// Run this.
    Offer {
        /// The run.
        run: String,
        /// Its fencing token.
        fence: i64,
        /// The command.
        command: String,
        /// The digest of the command's definition that the submitter saw.
        digest: String,
        /// What the digest of the values is mixed with in the node's log.
        salt: String,
        /// The values.
        parameters: BTreeMap<String, serde_json::Value>,
        /// Milliseconds that remain until the run's deadline, if it has one.
        deadline_ms: Option<u64>,
    },
    /// Stop this run.
    Cancel {
        /// The run.
        run: String,
        /// Its fencing token.
        fence: i64,
    },
    /// This is durably stored; the node need not send it again.
    Recorded {
        /// The run.
        run: String,
        /// The fencing token.
        fence: i64,
        /// Output chunks below this number are stored.
        chunks: u32,
        /// The end is stored: forget the run.
        finished: bool,
    },
    /// The run has another holder or is over: stop it if it runs, forget it.
    Discard {
        /// The run.
        run: String,
        /// The fencing token that was refused.
        fence: i64,
    },
    /// Start a process of a tool server.
    StartInstance {
        /// The instance; no other one ever has this id.
        instance: String,
        /// The tool server's name in the node's allow-list.
        server: String,
        /// The digest of its definition that the orchestrator knows.
        digest: String,
        /// Values of environment variables that the definition wants secrets in.
        environment: BTreeMap<String, String>,
    },
    /// A piece for the standard input of an instance. There are at most [`PIECES_MAX`] of an instance on their way.
    InstanceInput {
        /// The instance.
        instance: String,
        /// The bytes, standard base64.
        data: String,
    },
    /// Pieces of an instance's output were taken: as many more may be sent.
    InstanceTook {
        /// The instance.
        instance: String,
        /// How many.
        pieces: u32,
    },
    /// Stop an instance.
    StopInstance {
        /// The instance.
        instance: String,
    },
    /// Answer to `renew`.
    Renewed {
        /// Seconds until the new token expires.
        token_expires_in: u64,
    },
    /// The connection closes now, and why.
    Goodbye {
        /// `disabled`, `removed`, `token_expired`, `protocol`, `replaced`, `shutdown`.
        code: String,
        /// For people.
        message: String,
    },
}
