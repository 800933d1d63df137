//! A change as data: what is written, what is recorded about it, and whom to tell. A store commits
//! one wholly or not at all; on SQLite it commits many that wait together in one transaction.

use crate::{
    ApiTokenId, JoinTokenId, LinkId, NodeId, RunId, SessionId, Timestamp, UserId,
    audit::{AuditCheckpoint, AuditDraft},
    hint::Hint,
    identity::{ApiToken, JoinToken, SealedKey, Session, User},
    node::{Catalogue, Node, NodeReport},
    principal::Credential,
    run::{Candidate, OutputChunk, Run},
};

/// One change: all of it happens or none.
#[derive(Debug, Clone, Default)]
pub struct Change {
    /// What is written, in order.
    pub writes: Vec<Write>,
    /// What the audit log says about it.
    pub audit: Vec<AuditDraft>,
    /// What is told to views and workers once it is durable.
    pub hints: Vec<Hint>,
}

impl Change {
    /// A change with its one audit record.
    pub fn recorded(audit: AuditDraft) -> Self {
        Self { writes: vec![], audit: vec![audit], hints: vec![] }
    }

    /// Adds a write.
    #[must_use]
    pub fn write(mut self, write: Write) -> Self {
        self.writes.push(write);
        self
    }

    /// Adds a hint.
    #[must_use]
    pub fn hint(mut self, hint: Hint) -> Self {
        self.hints.push(hint);
        self
    }
}

/// One write. Where a type counts versions, its `Update` succeeds only if the stored version is the
/// one before the given one; otherwise the whole change fails with a conflict.
#[derive(Debug, Clone)]
pub enum Write {
    /// A new account. Its name must be free.
    AddUser(User),
    /// A changed account.
    UpdateUser(User),
    /// A new session.
    AddSession(Session),
    /// A session that ends. Fails when there is none.
    RemoveSession(SessionId),
    /// All sessions of a user end.
    RemoveSessionsOf(UserId),
    /// Sessions and tokens that ended before this time are forgotten.
    RemoveExpired(Timestamp),
    /// Nothing is written: fails when this proof of who somebody is does not hold any more.
    RequireCredential(Credential),
    /// A new API token.
    AddApiToken(ApiToken),
    /// A token that ends. Fails when there is none.
    RemoveApiToken(ApiTokenId),
    /// All tokens of a user end.
    RemoveApiTokensOf(UserId),
    /// A new join token.
    AddJoinToken(JoinToken),
    /// A join token is used: fails when it is not open at that time.
    UseJoinToken {
        /// The token.
        id: JoinTokenId,
        /// By which node.
        by: NodeId,
        /// When.
        at: Timestamp,
    },
    /// A join token is withdrawn: fails when it is not open.
    RevokeJoinToken {
        /// The token.
        id: JoinTokenId,
        /// When.
        at: Timestamp,
    },
    /// A new node. Its name and its key must be free.
    AddNode(Node),
    /// What people set on a node changed: name, labels, disabled.
    UpdateNode(Node),
    /// A node is forgotten, also as a candidate of runs.
    RemoveNode(NodeId),
    /// A node's link opened. Not guarded by a version.
    MarkLinked {
        /// The node.
        id: NodeId,
        /// The link.
        link: LinkId,
        /// When.
        at: Timestamp,
    },
    /// A node's link closed. Nothing happens where the node has another one by now.
    MarkUnlinked {
        /// The node.
        id: NodeId,
        /// The link.
        link: LinkId,
        /// When.
        at: Timestamp,
    },
    /// What a node says of itself. Not guarded by a version.
    ReportNode {
        /// The node.
        id: NodeId,
        /// The report.
        report: NodeReport,
        /// When.
        at: Timestamp,
    },
    /// What a node offers. Not guarded by a version.
    PublishCatalogue {
        /// The node.
        id: NodeId,
        /// The commands.
        catalogue: Catalogue,
    },
    /// Every node counts as not connected: the orchestrator just started.
    DisconnectAllNodes,
    /// A new run. Its idempotency key must be free for its submitter, and it must be the only one that
    /// repeats its `replay_of`.
    AddRun(Box<Run>),
    /// The nodes that may take a run that is for one of several.
    AddCandidates {
        /// The run.
        run: RunId,
        /// The nodes.
        candidates: Vec<Candidate>,
    },
    /// A changed run. When it is over, its candidates are forgotten.
    UpdateRun(Box<Run>),
    /// Output of a run. A chunk that is there already is passed over.
    AppendOutput {
        /// The run.
        run: RunId,
        /// The pieces.
        chunks: Vec<OutputChunk>,
    },
    /// A new key of the installation. Its name must be free.
    AddSealedKey(SealedKey),
    /// A signed checkpoint.
    AddCheckpoint(AuditCheckpoint),
}
