//! What is sealed at rest, told by what it is: for sealing it anew under another key.

use crate::{
    ApprovalId, AttachmentId, CustomerId, FactorId, MemoryId, MessageId, NoteId, RunId,
    ServiceRequestId, SessionId, StepId, ThreadId, ToolAccountId, ToolCallId, UserId,
};

/// Something that is sealed under the key ring.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sealed {
    /// The parameters of a run that is no customer's.
    Run(RunId),
    /// A message to the outside.
    Message(MessageId),
    /// A key of the installation, by its name.
    Key(String),
    /// A version of a secret, by name and number.
    Secret(String, i64),
}

/// Something that is sealed under the key of the person whom it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Personal {
    /// An account's profile.
    User(UserId),
    /// Where a session was opened from.
    Session(SessionId),
    /// A second factor.
    Factor(FactorId),
    /// A message to one account.
    Message(MessageId),
    /// A customer's profile.
    Customer(CustomerId),
    /// What was ordered.
    Request(ServiceRequestId),
    /// What a customer's run is given.
    Run(RunId),
    /// What was said about a request.
    Note(NoteId),
    /// A file's name.
    FileName(AttachmentId),
    /// A file's content.
    File(AttachmentId),
    /// What a tool was called with.
    ToolCall(ToolCallId),
    /// The tokens of a person's account at a tool server.
    ToolAccount(ToolAccountId),
    /// What an approval is about.
    Approval(ApprovalId),
    /// Why an approval was given or not.
    Reason(ApprovalId),
    /// What happened in an agent's run.
    Step(StepId),
    /// What a conversation is called.
    Thread(ThreadId),
    /// What an agent remembers.
    Memory(MemoryId),
}
