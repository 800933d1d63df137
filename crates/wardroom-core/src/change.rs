//! A change as data: what is written, what is recorded about it, and whom to tell. A store commits
//! one wholly or not at all; on SQLite it commits many that wait together in one transaction.

use crate::{
    AlertId, ApiTokenId, AttachmentId, CustomerId, FactorId, JoinTokenId, LinkId, MessageId,
    NodeId, OauthClientId, PassId, RunId, SavedViewId, ServiceRequestId, SessionId, Timestamp,
    ToolCallId, ToolServerId, UserId,
    agent::AgentWrite,
    approval::ApprovalWrite,
    audit::{AuditCheckpoint, AuditDraft},
    block::Block,
    desk::{
        SavedView,
        customer::Customer,
        request::{Attachment, Note, ServiceRequest},
        service::Service,
    },
    hint::Hint,
    identity::{ApiToken, Factor, JoinToken, Pass, SealedKey, SecretHash, Session, User},
    memory::MemoryWrite,
    model::ModelWrite,
    node::{Catalogue, Node, NodeReport},
    oauth::{OauthClient, OauthCode},
    person::BlindIndex,
    policy::StoredPolicy,
    principal::Credential,
    run::{Candidate, OutputChunk, Run},
    sealed::{Personal, Sealed},
    secret::{NamedSecret, SecretVersion},
    steps::JournalWrite,
    thread::ThreadWrite,
    tool::{
        account::ToolAccountWrite,
        call::{CallEnd, ToolCall},
        server::ToolServer,
        toolbox::SeenTool,
    },
    watch::{alert::Alert, fault::Fault, message::Message},
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

/// How many requests of one service a customer may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestRoom {
    /// That are not closed.
    pub open_max: u32,
    /// That were made since a time.
    pub recent_max: u32,
    /// That time.
    pub since: Timestamp,
}

/// One write. Where a type counts versions, its `Update` succeeds only if the stored version is the
/// one before the given one; otherwise the whole change fails with a conflict.
#[derive(Debug, Clone)]
pub enum Write {
    /// A new account. Its name and its e-mail address must be free.
    AddUser(User),
    /// A changed account.
    UpdateUser(User),
    /// A password's hash that its owner may not take again; only the last `kept` are.
    KeepPassword {
        /// Whose.
        user: UserId,
        /// The hash.
        hash: String,
        /// When it was set.
        at: Timestamp,
        /// How many are kept.
        kept: u32,
    },
    /// All remembered passwords of a user are forgotten.
    ForgetPasswordsOf(UserId),
    /// Nothing is written: fails when nobody but this user is an active administrator.
    RequireAnotherAdmin(UserId),
    /// A new session.
    AddSession(Session),
    /// A session that ends. Fails when there is none.
    RemoveSession(SessionId),
    /// All sessions of a user end, but for one.
    RemoveSessionsOf {
        /// Whose.
        user: UserId,
        /// The one that stays.
        but: Option<SessionId>,
    },
    /// A session was used. Nothing happens where it has ended.
    TouchSession {
        /// The session.
        id: SessionId,
        /// When.
        at: Timestamp,
        /// When it ends unless it is used again.
        idle_until: Timestamp,
    },
    /// A session gets a new secret: fails unless `from` is the one that is good now. Until the session ends,
    /// the old one is known as spent.
    RotateSession {
        /// The session.
        id: SessionId,
        /// The secret that was good.
        from: SecretHash,
        /// The secret that is good from now on.
        to: SecretHash,
        /// When.
        at: Timestamp,
        /// When it ends unless it is used again.
        idle_until: Timestamp,
    },
    /// A session's owner proved again who they are. Fails when there is no such session.
    ProveSession {
        /// The session.
        id: SessionId,
        /// When.
        at: Timestamp,
        /// Whether a second factor was shown, now or before.
        second_factor: bool,
    },
    /// A value that is sealed anew for its person; empty where nobody reads it any more. Nothing happens where it is
    /// another one by now.
    ResealPersonal {
        /// What it is.
        what: Personal,
        /// As it was found.
        from: Vec<u8>,
        /// As it is from now on.
        to: Vec<u8>,
    },
    /// Sessions, tokens, links and memories that ended before this time are forgotten.
    RemoveExpired(Timestamp),
    /// Nothing is written: fails when this proof of who somebody is does not hold any more.
    RequireCredential(Credential),
    /// An account is somebody's at an issuer outside. Nobody else's may be.
    AddOutside {
        /// Who, at which issuer.
        subject: BlindIndex,
        /// The account.
        user: UserId,
        /// When.
        at: Timestamp,
    },
    /// An account is nobody's outside any more.
    RemoveOutsideOf(UserId),
    /// Sessions that were opened by a session at an issuer outside end.
    RemoveSessionsOutside(BlindIndex),
    /// A new program of others.
    AddOauthClient(OauthClient),
    /// A program of others says of itself what is kept from now on. Fails when its document is another program's, or
    /// the program has another document.
    PutDocumentClient(OauthClient),
    /// A program of others has another secret. Fails when there is no such one that keeps one.
    RenewOauthClient {
        /// The client.
        id: OauthClientId,
        /// Hash of its secret.
        secret_hash: SecretHash,
    },
    /// A program of others is forgotten, with its grants and codes. Fails when there is none.
    RemoveOauthClient(OauthClientId),
    /// A new code.
    AddOauthCode(OauthCode),
    /// Nothing is written: fails when this program is not registered any more, or this account not active.
    RequireGrantable {
        /// The program.
        client: OauthClientId,
        /// The account.
        user: UserId,
    },
    /// A code is used: fails when it is not good at that time. Until the session ends that it opened, it is known
    /// as spent.
    RedeemOauthCode {
        /// Hash of the code.
        code: SecretHash,
        /// The session that it opened.
        session: SessionId,
        /// When.
        at: Timestamp,
    },
    /// A new API token.
    AddApiToken(ApiToken),
    /// A token that ends. Fails when there is none.
    RemoveApiToken(ApiTokenId),
    /// All tokens of a user end.
    RemoveApiTokensOf(UserId),
    /// A token was used. Nothing happens where it has ended.
    TouchApiToken {
        /// The token.
        id: ApiTokenId,
        /// When.
        at: Timestamp,
    },
    /// A new single-use link. Its user's earlier ones end.
    AddPass(Pass),
    /// A single-use link is used: fails when it is not open at that time.
    UsePass {
        /// The link.
        id: PassId,
        /// When.
        at: Timestamp,
    },
    /// All links of a user end.
    RemovePassesOf(UserId),
    /// A new second factor.
    AddFactor(Factor),
    /// A second factor was confirmed or used: fails unless its counter goes up, or both are 0 as those of a
    /// key that does not count.
    UseFactor {
        /// The factor.
        id: FactorId,
        /// The time step or signature count that was accepted.
        counter: i64,
        /// When.
        at: Timestamp,
        /// What is kept of it from now on.
        sealed: Option<Vec<u8>>,
    },
    /// A second factor that ends: fails when there is none. A recovery code that is used ends so.
    RemoveFactor(FactorId),
    /// All second factors of a user of one kind end, or all.
    RemoveFactorsOf {
        /// Whose.
        user: UserId,
        /// Of this kind only.
        kind: Option<crate::identity::FactorKind>,
    },
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
    /// A network is turned away, in place of what was known of it.
    PutBlock(Block),
    /// A network is let in again. Fails when it was not turned away.
    RemoveBlock(String),
    /// A new customer. Its e-mail address must be free.
    AddCustomer(Customer),
    /// A changed customer.
    UpdateCustomer(Customer),
    /// Nothing is written: fails when the customer is not active. Holds it until the change is durable, so that
    /// what is counted of it stays so.
    HoldCustomer(CustomerId),
    /// Nothing is written: fails while accounts that are not erased belong to the customer.
    RequireNoUsersOf(CustomerId),
    /// What customers' runs were given and printed goes.
    RemoveRunDataOf(CustomerId),
    /// A new service. Its name must be free.
    AddService(Service),
    /// A changed service.
    UpdateService(Service),
    /// A new request. Where there is a room, it fails when the customer has as many as that lets in.
    AddRequest {
        /// The request.
        request: Box<ServiceRequest>,
        /// How many more there may be.
        room: Option<RequestRoom>,
    },
    /// A changed request.
    UpdateRequest(Box<ServiceRequest>),
    /// A request waits for a run that repeats the one that failed. Nothing happens where nobody had to look.
    AwaitRequest {
        /// The request.
        id: ServiceRequestId,
        /// When.
        at: Timestamp,
    },
    /// A customer's requests that are not closed are cancelled.
    CancelRequestsOf {
        /// The customer.
        customer: CustomerId,
        /// When.
        at: Timestamp,
    },
    /// Something said about a request. Fails when as much was said about it as may be.
    AddNote(Note),
    /// A file for a request. Fails when the customer's files would be longer than the quota, or the request's
    /// more than may be.
    AddAttachment {
        /// What it is.
        attachment: Attachment,
        /// Its content, sealed.
        content: Vec<u8>,
        /// What all of the customer's files may be long.
        quota_bytes: u64,
    },
    /// A file that goes. Fails when there is none.
    RemoveAttachment(AttachmentId),
    /// A kept view, in place of one of the same name.
    PutView(SavedView),
    /// A view that goes. Fails when there is none.
    RemoveView(SavedViewId),
    /// A reader of the audit log has come as far as `to`. Fails when it was not at `from`.
    MoveCursor {
        /// Whose place.
        name: &'static str,
        /// Where it was.
        from: u64,
        /// Where it is.
        to: u64,
    },
    /// A new alert. None of its rule and subject may be open.
    AddAlert(Alert),
    /// An open alert was seen again.
    RepeatAlert {
        /// Which.
        id: AlertId,
        /// How many more times.
        times: u32,
        /// When, the last time.
        at: Timestamp,
        /// Its words.
        detail: String,
    },
    /// Somebody looked at an alert. Fails when it is not open.
    AcknowledgeAlert {
        /// Which.
        id: AlertId,
        /// Who.
        by: UserId,
        /// When.
        at: Timestamp,
    },
    /// A message to be delivered.
    AddMessage(Message),
    /// A message is tried: fails unless it was tried `attempts` times before.
    TryMessage {
        /// Which.
        id: MessageId,
        /// How often it was tried.
        attempts: u32,
        /// When it is tried again if nothing is heard of this try.
        due_at: Timestamp,
    },
    /// A message did not come through.
    FailMessage {
        /// Which.
        id: MessageId,
        /// At which try. Nothing happens when it was tried again since.
        attempts: u32,
        /// Why.
        problem: String,
        /// When it is tried again.
        due_at: Timestamp,
        /// Whether it is given up.
        dead: bool,
    },
    /// A message was delivered, or is dropped. Fails when it was tried again since.
    RemoveMessage {
        /// Which.
        id: MessageId,
        /// At which try.
        attempts: u32,
    },
    /// Something went wrong, so many more times.
    CountFault(Fault),
    /// Somebody says that a fault is mended. Fails when it is not open.
    ResolveFault {
        /// Which.
        fingerprint: String,
        /// When.
        at: Timestamp,
    },
    /// A new policy. Its number must be free: otherwise somebody else was faster.
    AddPolicy(StoredPolicy),
    /// A new secret. Its name must be free.
    AddSecret(NamedSecret),
    /// A secret that is used in another version. Fails unless the one before is used now.
    RenewSecret(NamedSecret),
    /// Somebody was told that a version of a secret wants to be renewed.
    RemindOfSecret {
        /// The secret's name.
        name: String,
        /// The version's number.
        version: i64,
    },
    /// A version of a secret; the oldest go where there are too many.
    AddSecretVersion(SecretVersion),
    /// A secret that goes, with all its versions. Fails when there is none.
    RemoveSecret(String),
    /// Something is sealed under another key from now on. Nothing happens where it changed meanwhile.
    Reseal {
        /// What.
        what: Sealed,
        /// What it was.
        from: Vec<u8>,
        /// What it is.
        to: Vec<u8>,
    },
    /// A new tool server. Its name must be free.
    AddToolServer(Box<ToolServer>),
    /// A changed tool server.
    UpdateToolServer(Box<ToolServer>),
    /// A tool server is forgotten, with its tools.
    RemoveToolServer(ToolServerId),
    /// What a look at a tool server found: all that it offers now. What is not among it is gone.
    SeeTools {
        /// The server.
        server: ToolServerId,
        /// Its tools.
        tools: Vec<SeenTool>,
        /// When.
        at: Timestamp,
    },
    /// A person accepted a tool as it is described now: fails when it is described otherwise.
    AcceptTool {
        /// Whose.
        server: ToolServerId,
        /// The tool.
        name: String,
        /// The description's digest.
        digest: [u8; 32],
        /// Who.
        by: UserId,
        /// When.
        at: Timestamp,
    },
    /// A call that begins.
    AddToolCall(Box<ToolCall>),
    /// A call goes on with what its client was asked for: fails where it has an end, or went on from there before.
    ContinueToolCall {
        /// The call.
        id: ToolCallId,
        /// How often it went on before.
        round: u32,
    },
    /// Calls that ended, and how. Nothing happens to one that has an end already.
    EndToolCalls(Vec<(ToolCallId, CallEnd)>),
    /// Calls that began before this time are forgotten.
    RemoveToolCalls(Timestamp),
    /// Something about a person's account at a tool server.
    ToolAccount(ToolAccountWrite),
    /// Something about an AI agent.
    Agent(AgentWrite),
    /// Something about the ledger of models.
    Model(ModelWrite),
    /// Something about the journals of runs.
    Journal(JournalWrite),
    /// A conversation with an agent, or a turn of one.
    Thread(ThreadWrite),
    /// Something that an agent remembers.
    Memory(MemoryWrite),
    /// Something about an approval.
    Approval(ApprovalWrite),
    /// A new key of the installation. Its name must be free.
    AddSealedKey(SealedKey),
    /// A key of the installation goes. It must be there.
    RemoveSealedKey(String),
    /// A signed checkpoint.
    AddCheckpoint(AuditCheckpoint),
}

impl Write {
    /// Whether it can be half done when it fails.
    pub const fn has_steps(&self) -> bool {
        matches!(
            self,
            Self::Model(ModelWrite::Begin(_) | ModelWrite::UpdateBudget(_))
                | Self::Journal(JournalWrite::Append { .. } | JournalWrite::Await { .. })
                | Self::Thread(_)
                | Self::Memory(MemoryWrite::Put { .. })
        )
    }
}
