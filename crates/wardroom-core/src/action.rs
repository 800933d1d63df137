//! What can be asked for. Every route names one of these, and policy decides over it.

use std::{fmt, str::FromStr};

macro_rules! actions {
    ($($(#[$doc:meta])* $variant:ident = $text:literal on $resource:ident),+ $(,)?) => {
        /// What a principal asks to do.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Action { $($(#[$doc])* $variant),+ }

        impl Action {
            /// Every action.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The name in policies, audit records and the API.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
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
}

impl ResourceKind {
    /// Every kind.
    pub const ALL: [Self; 6] =
        [Self::System, Self::User, Self::Node, Self::JoinToken, Self::Command, Self::Run];

    /// The entity type in policies.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::System => "System",
            Self::User => "User",
            Self::Node => "Node",
            Self::JoinToken => "JoinToken",
            Self::Command => "Command",
            Self::Run => "Run",
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
    /// Submit a dead run anew.
    RunReplay = "run.replay" on Run,
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
                | Self::TokenCreate
                | Self::FactorAdd
                | Self::FactorRemove
                | Self::NodeRemove
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

/// What policy sees of the thing that an action is done to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// Its kind.
    pub kind: ResourceKind,
    /// Its id or name; `wardroom` for the installation.
    pub id: String,
    /// The user to whom it belongs.
    pub owner: Option<crate::UserId>,
    /// The node that it is on.
    pub node: Option<crate::NodeId>,
    /// The labels of the node that it is or is on.
    pub labels: crate::node::Labels,
}

impl Resource {
    /// The installation as a whole.
    pub fn system() -> Self {
        Self::new(ResourceKind::System, "wardroom")
    }

    /// A resource without owner, node or labels.
    pub fn new(kind: ResourceKind, id: impl Into<String>) -> Self {
        Self { kind, id: id.into(), owner: None, node: None, labels: Default::default() }
    }

    /// The account `id`, which belongs to itself.
    pub fn user(id: crate::UserId) -> Self {
        Self { owner: Some(id), ..Self::new(ResourceKind::User, id.to_string()) }
    }

    /// The node `node`.
    pub fn node(node: &crate::node::Node) -> Self {
        Self {
            node: Some(node.id),
            labels: node.labels.clone(),
            ..Self::new(ResourceKind::Node, node.id.to_string())
        }
    }

    /// The command `name` of `node`.
    pub fn command(node: &crate::node::Node, name: &str) -> Self {
        Self {
            node: Some(node.id),
            labels: node.labels.clone(),
            ..Self::new(ResourceKind::Command, name)
        }
    }

    /// The run `run`.
    pub fn run(run: &crate::run::Run) -> Self {
        Self {
            owner: Some(run.submitted_by),
            node: run.node,
            ..Self::new(ResourceKind::Run, run.id.to_string())
        }
    }
}
