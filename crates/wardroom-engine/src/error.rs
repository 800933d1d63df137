//! What can go wrong in the engine.

use wardroom_core::{
    command::ParameterError, field::FieldError, node::LabelError, person::ProfileError,
    run::Refusal, store::StoreError,
};

/// Why the engine did not do it.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// No such thing.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// The run's state does not allow it.
    #[error("{0}")]
    RunState(Refusal),
    /// The run is not one to repeat; the text says why and what to do.
    #[error("{0}")]
    NotRepeated(String),
    /// The command's parameters were refused.
    #[error("the parameters were refused")]
    Parameters(Vec<ParameterError>),
    /// The node offers no such command.
    #[error("the node offers no command {0:?}")]
    UnknownCommand(String),
    /// No node matches.
    #[error("no node that offers the command {0:?} matches the selector")]
    NoNode(String),
    /// More nodes match than one request may reach.
    #[error("{found} nodes match; one request reaches at most {most}")]
    TooManyNodes {
        /// How many match.
        found: usize,
        /// The bound.
        most: usize,
    },
    /// The node was turned away.
    #[error("the node is disabled; enable it first")]
    NodeDisabled,
    /// The node opened too many links within a minute.
    #[error("the node opens its link too often: it comes back in a minute")]
    TooOften,
    /// A field is out of bounds.
    #[error("{field}: {reason}")]
    Field {
        /// The field.
        field: &'static str,
        /// What is wrong and what would be right.
        reason: String,
    },
    /// The idempotency key was used with another request.
    #[error("the idempotency key was used for another request")]
    IdempotencyMismatch,
    /// The join token is not acceptable; the text says why.
    #[error("the join token was refused: {0}")]
    JoinToken(&'static str),
    /// A node's proof is not acceptable.
    #[error("the node was refused: {0}")]
    NodeProof(&'static str),
    /// Without this account nobody could administer the installation.
    #[error("this is the last administrator: make another one first")]
    LastAdministrator,
    /// The account's state does not allow it.
    #[error(
        "the account's state does not allow it: an erased one stays so, a disabled one is enabled first"
    )]
    AccountState,
    /// Several fields are out of bounds.
    #[error("{} fields are not acceptable", .0.len())]
    Fields(Vec<FieldError>),
    /// The request's state does not allow it.
    #[error("{0}")]
    RequestState(String),
    /// The service can't be ordered so.
    #[error("{0}")]
    NotOrdered(&'static str),
    /// The approval's state does not allow it.
    #[error("{0}")]
    ApprovalState(String),
    /// There is as much of it as there may be; the text says of what.
    #[error("{0}")]
    LimitReached(String),
    /// A name is taken.
    #[error("the name is taken")]
    NameTaken,
    /// The thing changed since it was read.
    #[error("it changed since it was read")]
    Conflict,
    /// The store can't do it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What it needs to know of somebody is gone for good.
    #[error("whom it is about was erased: nothing can be done for them any more")]
    Erased,
    /// A value can't be sealed or opened.
    #[error("sealed data can't be used: {0}")]
    Seal(String),
    /// A run's journal makes no sense.
    #[error("the run's journal can't be followed: {0}")]
    Journal(String),
    /// The last turn of the conversation is not over.
    #[error(
        "the agent still works on what was said before, or waits for an answer: let it end, answer it, or stop its run"
    )]
    ThreadBusy,
    /// Nobody was asked that.
    #[error(
        "the run does not wait for such an answer to this call: its steps say what it waits for, if anything"
    )]
    NotAsked,
}

impl EngineError {
    /// Something sealed that can't be used.
    pub(crate) fn seal(error: impl std::fmt::Display) -> Self {
        Self::Seal(error.to_string())
    }
}

impl From<FieldError> for EngineError {
    fn from(error: FieldError) -> Self {
        Self::Fields(vec![error])
    }
}

impl From<ProfileError> for EngineError {
    fn from(error: ProfileError) -> Self {
        Self::Field { field: error.field, reason: error.reason.to_owned() }
    }
}

impl From<LabelError> for EngineError {
    fn from(error: LabelError) -> Self {
        Self::Field { field: "labels", reason: error.to_string() }
    }
}
