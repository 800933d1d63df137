//! Error codes and their problem documents (RFC 9457).

use serde::{Deserialize, Serialize};

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $text:literal, $status:literal, $title:literal);+ $(;)?) => {
        /// A stable code. Each has a page in `docs/errors/`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum ErrorCode { $($(#[$doc])* $variant),+ }

        impl ErrorCode {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];
            /// The code as it travels.
            pub const fn as_str(self) -> &'static str { match self { $(Self::$variant => $text),+ } }
            /// The HTTP status that goes with it.
            pub const fn status(self) -> u16 { match self { $(Self::$variant => $status),+ } }
            /// A short title.
            pub const fn title(self) -> &'static str { match self { $(Self::$variant => $title),+ } }
        }
    };
}

codes! {
    /// The request is out of form.
    BadRequest = "bad_request", 400, "The request is out of form";
    /// A field is out of bounds or of the wrong type.
    InvalidField = "invalid_field", 422, "A field is not acceptable";
    /// A command's parameters were refused.
    InvalidParameter = "invalid_parameter", 422, "A parameter is not acceptable";
    /// The node was turned away.
    NodeDisabled = "node_disabled", 409, "The node is disabled";
    /// No or no valid credentials.
    Unauthenticated = "unauthenticated", 401, "Sign in first";
    /// Name or password is wrong.
    SignInFailed = "sign_in_failed", 401, "Sign-in failed";
    /// Policy does not allow it.
    Forbidden = "forbidden", 403, "Not allowed";
    /// The session's owner has yet to show a second factor.
    SecondFactorRequired = "second_factor_required", 403, "A second factor is needed";
    /// The session's owner has yet to set an own password.
    PasswordChangeRequired = "password_change_required", 403, "Set a new password first";
    /// The account's role demands a second factor and the account has none.
    SecondFactorSetupRequired = "second_factor_setup_required", 403, "Set up a second factor first";
    /// It is too long ago that the caller proved who they are.
    FreshProofRequired = "fresh_proof_required", 403, "Prove again who you are";
    /// The code or the key that was shown is not acceptable.
    ProofRefused = "proof_refused", 401, "That did not prove it";
    /// The single-use link is not acceptable.
    LinkRefused = "link_refused", 401, "The link is not good any more";
    /// Nobody could administer the installation any more.
    LastAdministrator = "last_administrator", 409, "The last administrator stays";
    /// Nobody could change the policy any more.
    PolicyLocksOut = "policy_locks_out", 409, "The policy would lock everybody out";
    /// The account's state does not allow it.
    AccountState = "account_state", 409, "The account's state does not allow this";
    /// The browser request carries no valid CSRF token, or comes from another site.
    CrossSite = "cross_site", 403, "Refused as a cross-site request";
    /// The request names a host that is not this server's.
    WrongHost = "wrong_host", 421, "Not this server";
    /// No such thing, or none that you may see.
    NotFound = "not_found", 404, "Not found";
    /// The path does not take this method.
    MethodNotAllowed = "method_not_allowed", 405, "Method not allowed";
    /// The thing changed since it was read.
    Conflict = "conflict", 409, "Changed meanwhile";
    /// The idempotency key was used with another request.
    IdempotencyMismatch = "idempotency_mismatch", 409, "Idempotency key already used";
    /// A name is taken.
    NameTaken = "name_taken", 409, "Name already taken";
    /// The request's state does not allow it.
    RequestState = "request_state", 409, "The request's state does not allow this";
    /// The service can't be ordered so.
    NotOrdered = "not_ordered", 409, "This can't be ordered";
    /// There is as much of it as there may be.
    LimitReached = "limit_reached", 409, "A limit is reached";
    /// The run's state does not allow it.
    RunState = "run_state", 409, "The run's state does not allow this";
    /// The approval was decided, or its time is over.
    ApprovalState = "approval_state", 409, "The approval's state does not allow this";
    /// Policy wants a person's consent before it is done.
    ApprovalRequired = "approval_required", 409, "A person has to approve this first";
    /// `If-Match` names another version.
    PreconditionFailed = "precondition_failed", 412, "Changed meanwhile";
    /// `If-Match` is missing.
    PreconditionRequired = "precondition_required", 428, "If-Match is required";
    /// The body is too large.
    TooLarge = "too_large", 413, "Too large";
    /// The body is of another type than the route takes.
    UnsupportedMediaType = "unsupported_media_type", 415, "Unsupported media type";
    /// No node matches the selector.
    NoNode = "no_node", 422, "No node matches";
    /// The node offers no such command.
    UnknownCommand = "unknown_command", 422, "Unknown command";
    /// The join token is not acceptable.
    JoinTokenRefused = "join_token_refused", 401, "Join token refused";
    /// The node's proof is not acceptable.
    NodeRefused = "node_refused", 401, "Node refused";
    /// The address is turned away for a while.
    Blocked = "blocked", 403, "This address is blocked";
    /// The request has the form of an attack.
    Filtered = "filtered", 403, "Refused by the request filter";
    /// More requests than one party has.
    TooManyRequests = "too_many_requests", 429, "Too many requests";
    /// Too many at the same time.
    Busy = "busy", 503, "Too busy";
    /// The request took too long.
    TimedOut = "timed_out", 504, "Took too long";
    /// The tool gave no answer that can be used.
    ToolFailed = "tool_failed", 502, "The tool gave no answer";
    /// The model gave no answer that can be used.
    ModelFailed = "model_failed", 502, "The model gave no answer";
    /// The model is asked too much at the moment.
    ModelBusy = "model_busy", 429, "The model is asked too much";
    /// Nobody answers for the model at the moment.
    ModelUnavailable = "model_unavailable", 503, "The model can't be asked now";
    /// The model takes the question not so, or not at all.
    ModelRefused = "model_refused", 400, "The model does not take this question";
    /// The conversation is longer than the model can read.
    ContextTooLong = "context_too_long", 400, "The conversation is too long for the model";
    /// A budget has not as much left.
    BudgetSpent = "budget_spent", 402, "A budget has not as much left";
    /// Whoever gives tokens for a tool server gave none.
    AuthorizationFailed = "authorization_failed", 502, "The authorization server gave no token";
    /// The store can't take or answer it now.
    StoreUnavailable = "store_unavailable", 503, "The store is unavailable";
    /// Something is wrong inside.
    Internal = "internal", 500, "Internal error";
}

/// A problem document (RFC 9457), `application/problem+json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Problem {
    /// `/docs/errors/` + code.
    #[serde(rename = "type")]
    pub kind: String,
    /// A short title.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// The stable code.
    pub code: String,
    /// What happened and what to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The request, as the server's log names it.
    pub request_id: String,
    /// What is wrong with single fields.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<FieldProblem>,
    /// The approval that it waits for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<String>,
}

/// What is wrong with one field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct FieldProblem {
    /// The field.
    pub field: String,
    /// What is wrong and what would be right.
    pub reason: String,
}
