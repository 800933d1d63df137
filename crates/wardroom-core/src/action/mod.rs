//! What can be asked for. Every route names one of these, and policy decides over it.

mod resource;
pub use resource::Resource;

use std::{fmt, str::FromStr};

macro_rules! actions {
    ($($(#[doc = $doc:literal])* $variant:ident = $text:literal on $resource:ident),+ $(,)?) => {
        /// What a principal asks to do.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Action { $($(#[doc = $doc])* $variant),+ }

        impl Action {
            /// Every action.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The name in policies, audit records and the API.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            /// What it is, for people who are asked to grant it: its documentation.
            pub const fn about(self) -> &'static str {
                match self { $(Self::$variant => concat!($($doc),*).trim_ascii()),+ }
            }

            /// What the action is done to.
            pub const fn resource_kind(self) -> ResourceKind {
                match self { $(Self::$variant => ResourceKind::$resource),+ }
            }
        }
    };
}

/// What an action can be done to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ResourceKind {
    /// The installation as a whole.
    System,
    /// An account.
    User,
    /// An enrolled machine.
    Node,
    /// A permission to enrol a machine.
    JoinToken,
    /// A command in a node's catalogue.
    Command,
    /// An execution.
    Run,
    /// An outside party.
    Customer,
    /// What customers order.
    Service,
    /// What a customer asked for.
    Request,
    /// A value that is kept under a name.
    Secret,
    /// What offers tools.
    ToolServer,
    /// What can be called.
    Tool,
    /// A call of a tool.
    ToolCall,
    /// A consent that was asked for.
    Approval,
    /// An AI agent.
    Agent,
    /// A language model.
    Model,
    /// A question to a language model.
    ModelCall,
}

impl ResourceKind {
    /// Every kind.
    pub const ALL: [Self; 17] = [
        Self::System,
        Self::User,
        Self::Node,
        Self::JoinToken,
        Self::Command,
        Self::Run,
        Self::Customer,
        Self::Service,
        Self::Request,
        Self::Secret,
        Self::ToolServer,
        Self::Tool,
        Self::ToolCall,
        Self::Approval,
        Self::Agent,
        Self::Model,
        Self::ModelCall,
    ];

    /// The entity type in policies.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::System => "System",
            Self::User => "User",
            Self::Node => "Node",
            Self::JoinToken => "JoinToken",
            Self::Command => "Command",
            Self::Run => "Run",
            Self::Customer => "Customer",
            Self::Service => "Service",
            Self::Request => "Request",
            Self::Secret => "Secret",
            Self::ToolServer => "ToolServer",
            Self::Tool => "Tool",
            Self::ToolCall => "ToolCall",
            Self::Approval => "Approval",
            Self::Agent => "Agent",
            Self::Model => "Model",
            Self::ModelCall => "ModelCall",
        }
    }
}

actions! {
    /// See the overview page.
    OverviewRead = "overview.read" on System,
    /// Read detailed health.
    HealthRead = "health.read" on System,
    /// Receive live hints about what one may see.
    EventsRead = "events.read" on System,
    /// See the names behind ids, of those whom one may see.
    NameList = "name.list" on System,
    /// Sign out, here or everywhere.
    SessionEnd = "session.end" on User,
    /// Prove anew who one is.
    SessionProve = "session.prove" on User,
    /// List an account's sessions.
    SessionList = "session.list" on User,
    /// End one of an account's sessions.
    SessionRevoke = "session.revoke" on User,
    /// List accounts.
    UserList = "user.list" on System,
    /// Ask somebody in.
    UserCreate = "user.create" on System,
    /// Read an account.
    UserRead = "user.read" on User,
    /// Change an account's name, address or role.
    UserUpdate = "user.update" on User,
    /// Turn an account away until it is enabled again.
    UserDisable = "user.disable" on User,
    /// Let a disabled account in again.
    UserEnable = "user.enable" on User,
    /// Make a link that sets an account's password.
    UserLink = "user.link" on User,
    /// Remove all second factors of an account.
    UserResetFactors = "user.reset_factors" on User,
    /// Destroy what is known of the person behind an account.
    UserErase = "user.erase" on User,
    /// Receive everything that is known of the person behind an account.
    UserExport = "user.export" on User,
    /// Change how one is called and reached oneself.
    ProfileUpdate = "profile.update" on User,
    /// Set one's own password.
    PasswordChange = "password.change" on User,
    /// List one's own accounts at tool servers.
    ToolAccountList = "tool_account.list" on User,
    /// Let the gateway use one's own account at a tool server.
    ToolAccountConnect = "tool_account.connect" on User,
    /// Let the gateway use one's own account at a tool server no more.
    ToolAccountRemove = "tool_account.remove" on User,
    /// List one's own second factors.
    FactorList = "factor.list" on User,
    /// Add a second factor to one's own account.
    FactorAdd = "factor.add" on User,
    /// Remove one of one's own second factors.
    FactorRemove = "factor.remove" on User,
    /// Make an API token for oneself.
    TokenCreate = "token.create" on User,
    /// List one's own API tokens.
    TokenList = "token.list" on User,
    /// Revoke one's own API token.
    TokenRevoke = "token.revoke" on User,
    /// Let a program of others act in one's own name.
    GrantCreate = "grant.create" on User,
    /// List nodes.
    NodeList = "node.list" on System,
    /// Read a node and its catalogue.
    NodeRead = "node.read" on Node,
    /// Turn a node away until it is enabled again.
    NodeDisable = "node.disable" on Node,
    /// Let a disabled node in again.
    NodeEnable = "node.enable" on Node,
    /// Change a node's labels.
    NodeLabel = "node.label" on Node,
    /// Forget a node for good.
    NodeRemove = "node.remove" on Node,
    /// Make a join token.
    JoinTokenCreate = "join_token.create" on System,
    /// List join tokens.
    JoinTokenList = "join_token.list" on System,
    /// Revoke a join token.
    JoinTokenRevoke = "join_token.revoke" on JoinToken,
    /// Run a command on a node.
    RunSubmit = "run.submit" on Command,
    /// List runs; others' runs are left out where reading them is not allowed.
    RunList = "run.list" on System,
    /// Read a run.
    RunRead = "run.read" on Run,
    /// Read what a run printed.
    RunOutput = "run.output" on Run,
    /// Stop a run.
    RunCancel = "run.cancel" on Run,
    /// Read what an agent was asked, thought, did and answered in a run.
    RunSteps = "run.steps" on Run,
    /// Answer what an agent asks in a run.
    RunAnswer = "run.answer" on Run,
    /// Submit a dead run anew.
    RunReplay = "run.replay" on Run,
    /// List customers; those that one may not read are left out.
    CustomerList = "customer.list" on System,
    /// Make a customer.
    CustomerCreate = "customer.create" on System,
    /// Make many customers out of a table.
    CustomerImport = "customer.import" on System,
    /// Receive all customers as a table.
    CustomerExport = "customer.export" on System,
    /// Read a customer.
    CustomerRead = "customer.read" on Customer,
    /// Change what is known of a customer.
    CustomerUpdate = "customer.update" on Customer,
    /// Say who looks after a customer, and which accounts belong to it.
    CustomerAssign = "customer.assign" on Customer,
    /// Receive everything that is known of a customer.
    CustomerDisclose = "customer.disclose" on Customer,
    /// Destroy what is known of a customer.
    CustomerErase = "customer.erase" on Customer,
    /// List services; those that one may not read are left out.
    ServiceList = "service.list" on System,
    /// Make a service.
    ServiceCreate = "service.create" on System,
    /// Read a service.
    ServiceRead = "service.read" on Service,
    /// Change, publish and retire a service.
    ServiceUpdate = "service.update" on Service,
    /// Order a service.
    ServiceOrder = "service.order" on Service,
    /// List requests; those that one may not read are left out.
    RequestList = "request.list" on System,
    /// Read a request, what was said about it for all to see, and its attachments.
    RequestRead = "request.read" on Request,
    /// Work on a request: take it up, assign, schedule, complete it.
    RequestWork = "request.work" on Request,
    /// Cancel a request.
    RequestCancel = "request.cancel" on Request,
    /// Say something about a request for all to see.
    RequestNote = "request.note" on Request,
    /// Say and read what is only for those who work on a request.
    RequestNoteInternal = "request.note_internal" on Request,
    /// Add a file to a request.
    RequestAttach = "request.attach" on Request,
    /// Remove a file from a request.
    RequestDetach = "request.detach" on Request,
    /// List one's own saved views.
    ViewList = "view.list" on User,
    /// Keep filters under a name.
    ViewSave = "view.save" on User,
    /// Forget a saved view.
    ViewRemove = "view.remove" on User,
    /// See what agents remember of one.
    MemoryList = "memory.list" on User,
    /// Have an agent write down what it is to remember of one.
    MemoryWrite = "memory.write" on User,
    /// Have forgotten what an agent remembers of one.
    MemoryRemove = "memory.remove" on User,
    /// List one's own conversations with agents.
    ThreadList = "thread.list" on User,
    /// Read a conversation of one's own.
    ThreadRead = "thread.read" on User,
    /// Call a conversation of one's own otherwise.
    ThreadUpdate = "thread.update" on User,
    /// Forget a conversation of one's own.
    ThreadRemove = "thread.remove" on User,
    /// List and read audit records.
    AuditRead = "audit.read" on System,
    /// Export the audit log and its proofs.
    AuditExport = "audit.export" on System,
    /// Verify the stored audit log.
    AuditVerify = "audit.verify" on System,
    /// See who is connected, blocked and refused.
    SecurityRead = "security.read" on System,
    /// Turn a network away.
    BlockCreate = "block.create" on System,
    /// Let a blocked network in again.
    BlockLift = "block.lift" on System,
    /// Say that one has looked at an alert.
    AlertAcknowledge = "alert.acknowledge" on System,
    /// Send a message that tries out where alerts go.
    AlertTest = "alert.test" on System,
    /// See which secrets there are.
    SecretList = "secret.list" on System,
    /// Keep a value under a name.
    SecretCreate = "secret.create" on System,
    /// Give a secret another value.
    SecretRenew = "secret.renew" on Secret,
    /// Have a command given a secret. Nobody reads one.
    SecretUse = "secret.use" on Secret,
    /// Forget a secret.
    SecretRemove = "secret.remove" on Secret,
    /// Speak with tool servers through the gateway.
    McpConnect = "mcp.connect" on System,
    /// End somebody's connection to the gateway.
    McpDisconnect = "mcp.disconnect" on System,
    /// List agents; those that one may not read are left out.
    AgentList = "agent.list" on System,
    /// Read how an agent is defined.
    AgentRead = "agent.read" on Agent,
    /// Let an agent work for oneself.
    AgentRun = "agent.run" on Agent,
    /// Define an agent, anew or otherwise.
    AgentUpdate = "agent.update" on Agent,
    /// Forget an agent.
    AgentRemove = "agent.remove" on Agent,
    /// See who runs language models, which there are, and how they do.
    ModelList = "model.list" on System,
    /// Ask a language model.
    ModelUse = "model.use" on Model,
    /// List questions to language models and what they took; others' are left out where reading them is not allowed.
    ModelCallList = "model_call.list" on System,
    /// Read what a question to a language model took.
    ModelCallRead = "model_call.read" on ModelCall,
    /// See what language models may take, and what of that is used.
    BudgetList = "budget.list" on System,
    /// Bound what language models may take.
    BudgetCreate = "budget.create" on System,
    /// Change what language models may take.
    BudgetUpdate = "budget.update" on System,
    /// Bound what language models may take no more.
    BudgetRemove = "budget.remove" on System,
    /// List tool servers.
    ToolServerList = "tool_server.list" on System,
    /// Register a tool server.
    ToolServerCreate = "tool_server.create" on System,
    /// Read a tool server and what it offers.
    ToolServerRead = "tool_server.read" on ToolServer,
    /// Change, enable and disable a tool server.
    ToolServerUpdate = "tool_server.update" on ToolServer,
    /// Ask a tool server what it offers now.
    ToolServerTest = "tool_server.test" on ToolServer,
    /// Forget what is known of how a tool server is, and speak with it anew.
    ToolServerRestart = "tool_server.restart" on ToolServer,
    /// Forget a tool server.
    ToolServerRemove = "tool_server.remove" on ToolServer,
    /// Read what a tool server gives to read.
    ResourceRead = "resource.read" on ToolServer,
    /// Take a prompt from a tool server.
    PromptRead = "prompt.read" on ToolServer,
    /// Accept a tool as it is described now.
    ToolAccept = "tool.accept" on Tool,
    /// Call a tool.
    ToolCall = "tool.call" on Tool,
    /// List calls of tools; others' calls are left out where reading them is not allowed.
    ToolCallList = "tool_call.list" on System,
    /// Read a call of a tool.
    ToolCallRead = "tool_call.read" on ToolCall,
    /// List approvals; those that one may not read are left out.
    ApprovalList = "approval.list" on System,
    /// Read what somebody's consent is asked for.
    ApprovalRead = "approval.read" on Approval,
    /// Approve or deny what policy wants a person's consent for.
    ApprovalDecide = "approval.decide" on Approval,
    /// See which programs of others are registered.
    OauthClientList = "oauth_client.list" on System,
    /// Register a program of others.
    OauthClientCreate = "oauth_client.create" on System,
    /// Give a registered program another secret.
    OauthClientRenew = "oauth_client.renew" on System,
    /// Forget a registered program, with all that it was granted.
    OauthClientRemove = "oauth_client.remove" on System,
    /// See what went wrong inside.
    FaultRead = "fault.read" on System,
    /// Say that something that went wrong is mended.
    FaultResolve = "fault.resolve" on System,
    /// Read the policy and ask what it decides.
    PolicyRead = "policy.read" on System,
    /// Put another policy in force.
    PolicyUpdate = "policy.update" on System,
}

impl Action {
    /// Whether who asks must have proved lately who they are: a session that was left open, or copied, must
    /// not be enough for it.
    pub const fn needs_fresh_proof(self) -> bool {
        matches!(
            self,
            Self::UserCreate
                | Self::UserUpdate
                | Self::UserLink
                | Self::UserResetFactors
                | Self::UserErase
                | Self::UserExport
                | Self::CustomerErase
                | Self::CustomerExport
                | Self::CustomerDisclose
                | Self::ProfileUpdate
                | Self::TokenCreate
                | Self::GrantCreate
                | Self::ToolAccountConnect
                | Self::FactorAdd
                | Self::FactorRemove
                | Self::NodeRemove
                | Self::OauthClientCreate
                | Self::OauthClientRenew
                | Self::OauthClientRemove
                | Self::SecretCreate
                | Self::SecretRenew
                | Self::SecretRemove
                | Self::ToolServerCreate
                | Self::ToolServerUpdate
                | Self::ToolServerRemove
                | Self::ToolAccept
                | Self::BudgetUpdate
                | Self::BudgetRemove
                | Self::ApprovalDecide
                | Self::PolicyUpdate
        )
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that names no action.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no action has the name {0:?}")]
pub struct ActionError(pub String);

impl FromStr for Action {
    type Err = ActionError;
    fn from_str(text: &str) -> Result<Self, ActionError> {
        Self::ALL
            .iter()
            .copied()
            .find(|action| action.as_str() == text)
            .ok_or_else(|| ActionError(text.to_owned()))
    }
}
