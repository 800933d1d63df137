//! AI agents: what they are made of. A definition is one file; it says what an agent may ask for, never what it is
//! allowed: that is what its caller, policy and the nodes allow at the moment of each call.

mod check;
mod definition;
mod grants;
mod kept;
mod limits;
mod schemas;
mod template;

pub use check::{GIVEN, Mistake, escaped};
pub use definition::{
    Collaboration, Conversation, Definition, History, MemoryRules, Mode, Model, ModelName,
    Participant, Retry, Variable, VariableKind,
};
pub use grants::{
    AgentGrant, ApprovalRule, BuiltIn, BuiltInGrant, CommandGrant, Deed, ServerToolGrant,
    ToolGrants,
};
pub use kept::{
    AGENTS_MAX, Agent, AgentVersion, AgentWrite, NOTE_CHARS_MAX, Outline, VERSIONS_MAX,
};
pub use limits::Limits;
pub use template::{TemplateError, fill, slots};
