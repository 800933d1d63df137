//! Who asks, in which dialect, and where what they are told goes.

use super::{consent::HOLD, session::Session};
use crate::{
    era::{self, MODERN, meta},
    rpc::{Object, RpcError},
    upstream::ClientSession,
};
use async_trait::async_trait;
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use wardroom_core::{
    Action, Door, OauthClientId, ToolCallId, UserId, action::Resource, approval::Wanted,
    audit::AuditDraft, change::Write, tool::facts::ArgumentFacts,
};

/// What an error says where the caller needs another token: by it a client knows what to ask for.
pub const REQUIRED_SCOPE: &str = "requiredScope";
/// Messages to one client that wait to be taken.
const MESSAGES_WAITING_MAX: usize = 256;

/// Why a caller is not let do something.
#[derive(Debug, Clone)]
pub enum Refused {
    /// For the caller it is not there.
    NotThere,
    /// It is not allowed; the text says what to do.
    Forbidden(String),
    /// The scopes of what the caller showed do not have it.
    Scope(Action),
    /// It could not be decided or recorded.
    Failed,
}

/// What policy says to a call.
#[derive(Debug, Clone)]
pub struct Allowed {
    /// The record of it.
    pub audit: AuditDraft,
    /// Where it is allowed only with a person's consent.
    pub wanted: Option<Wanted>,
}

/// Somebody who was let in. Policy is asked anew for each thing they do.
#[async_trait]
pub trait Caller: Send + Sync {
    /// The account.
    fn user(&self) -> UserId;
    /// The program of others that acts in its name.
    fn client(&self) -> Option<OauthClientId>;
    /// Whose requests are counted together.
    fn party(&self) -> Uuid;
    /// The way in.
    fn door(&self) -> Door;
    /// What its call is kept under, where whoever makes it has to know that before.
    fn call(&self) -> Option<ToolCallId> {
        None
    }
    /// What must hold in the change that begins its call.
    fn guard(&self) -> Option<Write> {
        None
    }
    /// Whether there are arguments with which the caller may call this tool.
    fn may_call(&self, tool: &Resource) -> bool;
    /// Whether the caller may do this, for lists.
    fn may(&self, action: Action, resource: &Resource) -> bool;
    /// Refuses what the scopes of what the caller showed do not have, before anything is looked up.
    async fn require(&self, action: Action) -> Result<(), Refused>;
    /// Asks policy. What is refused is recorded; what is allowed is recorded by whoever does it, by the draft that
    /// comes back.
    async fn authorise(&self, action: Action, resource: &Resource) -> Result<AuditDraft, Refused>;
    /// The same for a call with these arguments.
    async fn authorise_call(
        &self,
        tool: &Resource,
        arguments: &ArgumentFacts,
    ) -> Result<Allowed, Refused>;
    /// Whether what the caller showed still holds.
    async fn is_there(&self) -> bool;
    /// Records that something was refused for another reason than policy.
    async fn refuse(&self, action: Action, resource: &Resource, why: &str) -> Result<(), Refused>;
}

/// Where messages to a client go.
#[derive(Debug, Clone)]
pub struct Outlet(mpsc::Sender<String>);

impl Outlet {
    /// One, and where its messages come out.
    pub fn new() -> (Self, mpsc::Receiver<String>) {
        let (sender, receiver) = mpsc::channel(MESSAGES_WAITING_MAX);
        (Self(sender), receiver)
    }

    /// Sends a message; whether anybody is there to take it.
    pub async fn send(&self, message: String) -> bool {
        self.0.send(message).await.is_ok()
    }

    /// Sends a message if there is room for it.
    pub fn try_send(&self, message: String) -> bool {
        self.0.try_send(message).is_ok()
    }

    /// Whether nobody takes messages any more.
    pub fn is_closed(&self) -> bool {
        self.0.is_closed()
    }

    /// Goes off when nobody takes messages any more.
    pub async fn closed(&self) {
        self.0.closed().await;
    }
}

/// What a request of revision 2026-07-28 says of itself.
#[derive(Debug, Clone, Default)]
pub struct Modern {
    /// What the client can do.
    pub capabilities: Object,
    /// What it says of itself.
    pub info: Option<Object>,
    /// From which level on it wants log messages.
    pub log_level: Option<String>,
    /// What its headers say of arguments, by the lower-case name behind `mcp-param-`; nothing on ways without headers.
    pub mirrored: Option<BTreeMap<String, String>>,
    /// How long it is held where a person has to look at it first.
    pub patience: Duration,
}

impl Modern {
    /// Reads what a request says of itself.
    pub fn read(params: &Object) -> Result<Self, RpcError> {
        let own = params.object("_meta").unwrap_or_default();
        let missing = |name: &str| {
            RpcError::invalid_params(format!(
                "`params._meta` must have {name:?}; see revision {MODERN}"
            ))
        };
        own.text(meta::VERSION).ok_or_else(|| missing(meta::VERSION))?;
        let capabilities =
            own.object(meta::CAPABILITIES).ok_or_else(|| missing(meta::CAPABILITIES))?;
        let log_level = own.text(meta::LOG_LEVEL);
        if log_level.as_deref().is_some_and(|level| !era::is_level(level)) {
            return Err(RpcError::invalid_params(format!("{:?} names no level", meta::LOG_LEVEL)));
        }
        Ok(Self {
            capabilities,
            info: own.object(meta::CLIENT),
            log_level,
            mirrored: None,
            patience: HOLD,
        })
    }
}

impl Modern {
    /// Refuses what is of a revision that is not spoken here.
    pub fn check_version(params: &Object) -> Result<(), RpcError> {
        let own = params.object("_meta").unwrap_or_default();
        let version = own.text(meta::VERSION).unwrap_or_default();
        if version == MODERN { Ok(()) } else { Err(era::unsupported(&version)) }
    }
}

/// The dialect of a client.
#[derive(Debug, Clone)]
pub enum Speaks {
    /// Each request stands alone.
    Modern(Modern),
    /// Requests belong to a session.
    Legacy(Arc<Session>),
}

impl Speaks {
    /// What the client can do.
    pub(super) fn capabilities(&self) -> &Object {
        match self {
            Self::Modern(modern) => &modern.capabilities,
            Self::Legacy(session) => &session.capabilities,
        }
    }

    /// The same as far as a server can ask for it: what servers are told decides which session they are asked in.
    pub(super) fn known_capabilities(&self) -> Object {
        let own = self.capabilities();
        let mut known = Object::default();
        for (name, parts) in [
            ("roots", &[][..]),
            ("sampling", &["tools", "context"]),
            ("elicitation", &["form", "url"]),
        ] {
            let Some(said) = own.object(name) else { continue };
            let mut kept = Object::default();
            for part in parts.iter().filter(|part| said.has(part)) {
                kept.set(part, Object::default());
            }
            known.set(name, kept);
        }
        known
    }

    /// The session that its requests belong to, where it has one.
    pub(super) fn session(&self) -> Option<ClientSession> {
        match self {
            Self::Modern(_) => None,
            Self::Legacy(session) => {
                let (id, ended) = (session.id.clone(), session.ended.clone());
                Some(ClientSession { id, ended, capabilities: self.known_capabilities() })
            }
        }
    }

    /// From which level on it wants log messages.
    pub(super) fn log_level(&self) -> Option<String> {
        match self {
            Self::Modern(modern) => modern.log_level.clone(),
            Self::Legacy(session) => session.level(),
        }
    }

    /// A result as the client's revision has it.
    pub(super) fn finish(&self, method: &str, mut result: Object) -> Object {
        match self {
            Self::Legacy(_) => {
                result.remove("resultType");
                result
            }
            Self::Modern(_) => {
                if !result.has("resultType") {
                    result.set("resultType", "complete");
                }
                if CACHEABLE.contains(&method) && !is_input_required(&result) {
                    // What somebody may see depends on who they are, and may change at any time.
                    result.set("cacheScope", "private");
                    if !result.has("ttlMs") {
                        result.set("ttlMs", 0);
                    }
                }
                let mut own = result.object("_meta").unwrap_or_default();
                own.set(meta::SERVER, era::own_info());
                result.set("_meta", own);
                result
            }
        }
    }
}

const CACHEABLE: [&str; 6] = [
    "server/discover",
    "tools/list",
    "prompts/list",
    "resources/list",
    "resources/templates/list",
    "resources/read",
];

/// Whether a result asks for something first.
pub(super) fn is_input_required(result: &Object) -> bool {
    result.text("resultType").as_deref() == Some("input_required")
}

/// A client, for one request.
#[derive(Clone)]
pub struct Client {
    /// Who asks.
    pub caller: Arc<dyn Caller>,
    /// The one tool server that it is about; all of them where there is none.
    pub scope: Option<String>,
    /// The dialect.
    pub speaks: Speaks,
    /// Where what belongs to the request goes.
    pub outlet: Outlet,
    /// Goes off when nobody wants the answer any more.
    pub cancel: CancellationToken,
}

impl From<Refused> for RpcError {
    fn from(refused: Refused) -> Self {
        match refused {
            // What one may not see is not there: the words are those for what is not.
            Refused::NotThere => Self::invalid_params("there is no such thing here"),
            Refused::Forbidden(why) => Self::refused(why),
            Refused::Scope(action) => Self::refused(format!(
                "The token's scopes do not have {action}: use one that has it."
            ))
            .with(&Object::default().with(REQUIRED_SCOPE, action.as_str())),
            Refused::Failed => Self::internal(),
        }
    }
}

/// Somebody who opens a session.
pub struct Opening<'a> {
    /// Who.
    pub caller: &'a dyn Caller,
    /// The one tool server that it is about.
    pub scope: Option<&'a str>,
    /// Whether it is that of a connection.
    pub of_channel: bool,
}
