//! Alerts: what somebody should look at, and the rules that find it in the audit log.

use crate::{
    AlertId, Timestamp, UserId,
    audit::{AuditOutcome, AuditRecord},
    named::named,
};
use std::time::Duration;

/// Failed proofs of who somebody is within [`BURST_WINDOW`] that are a burst.
pub const BURST_FROM: u32 = 20;
/// The time in which a burst is counted.
pub const BURST_WINDOW: Duration = Duration::from_secs(600);
/// The clock jumped when it differs by so much from what has passed.
pub const CLOCK_JUMP: Duration = Duration::from_secs(60);
/// How long before its end a certificate or a secret is told of.
pub const EXPIRY_NOTICE: Duration = Duration::from_secs(14 * 24 * 3600);

named! {
    /// Why there is an alert.
    Rule = "sign_in_failures, new_network, copied_token, privilege_change, block, refused_command, changed_tool, spending, agent_loop, agent_failures, agent_waits, policy_change, erasure, clock_jump, expiring, audit_unsound" {
        /// Many failed attempts to prove who somebody is.
        SignInFailures = "sign_in_failures",
        /// A sign-in from where the account never signed in before.
        NewNetwork = "new_network",
        /// A refresh token was used twice.
        CopiedToken = "copied_token",
        /// An account may do something else than before, or lost its second factors.
        PrivilegeChange = "privilege_change",
        /// A network was blocked.
        Block = "block",
        /// A command was refused, by policy or by a node.
        RefusedCommand = "refused_command",
        /// An accepted tool is described otherwise now.
        ChangedTool = "changed_tool",
        /// A budget nears its end.
        Spending = "spending",
        /// An agent made the very same call again and again.
        AgentLoop = "agent_loop",
        /// Many of an agent's runs fail.
        AgentFailures = "agent_failures",
        /// An agent's run waits for a long time.
        AgentWaits = "agent_waits",
        /// Another policy is in force.
        PolicyChange = "policy_change",
        /// Somebody was erased.
        Erasure = "erasure",
        /// The machine's clock jumped.
        ClockJump = "clock_jump",
        /// A certificate or a secret ends soon.
        Expiring = "expiring",
        /// A verification of the audit log found something.
        AuditUnsound = "audit_unsound",
    }
}

impl Rule {
    /// What it means, for people.
    pub const fn title(self) -> &'static str {
        match self {
            Self::SignInFailures => "Many failed sign-ins",
            Self::NewNetwork => "A sign-in from a new network",
            Self::CopiedToken => "A refresh token was used twice",
            Self::PrivilegeChange => "An account's rights changed",
            Self::Block => "A network was blocked",
            Self::RefusedCommand => "A command was refused",
            Self::ChangedTool => "Accepted tools changed",
            Self::Spending => "A budget nears its end",
            Self::AgentLoop => "An agent went in circles",
            Self::AgentFailures => "Many runs of an agent fail",
            Self::AgentWaits => "A run of an agent waits for long",
            Self::PolicyChange => "Policy changed",
            Self::Erasure => "Somebody was erased",
            Self::ClockJump => "The clock jumped",
            Self::Expiring => "Something ends soon",
            Self::AuditUnsound => "The audit log is not as it was signed",
        }
    }

    /// What to do about it.
    pub const fn advice(self) -> &'static str {
        match self {
            Self::SignInFailures => {
                "Look at the refused records. Addresses block themselves; reset the account's password if one was the aim."
            }
            Self::NewNetwork => {
                "Ask the account's owner. If it was not them: end the account's sessions and reset its password."
            }
            Self::CopiedToken => {
                "The session has ended. Ask the account's owner whether the program ran twice; if not, reset the password."
            }
            Self::PrivilegeChange => "Make sure that it was meant.",
            Self::Block => "Lift it if it turns away somebody who belongs here.",
            Self::RefusedCommand => "Look at who asked for it and why.",
            Self::ChangedTool => {
                "They are kept apart until somebody accepts them: compare them with `wardroom mcp show SERVER TOOL`, and ask the tool server's makers if the change was meant."
            }
            Self::Spending => {
                "Look at what is asked so much: `wardroom models usage`. Raise the budget if it was meant."
            }
            Self::AgentLoop => {
                "Its run was stopped. Look at the run's steps: what it called gave it nothing to go on with."
            }
            Self::AgentFailures => {
                "Look at the last of them, and at the providers of its models: `wardroom models list`."
            }
            Self::AgentWaits => {
                "Decide or answer what it asks, or cancel it. One that nobody takes up waits for room: look at the orchestrators."
            }
            Self::PolicyChange => {
                "Make sure that it was meant; `wardroom policy rollback` takes it back."
            }
            Self::Erasure => "Make sure that it was meant. Nothing brings it back.",
            Self::ClockJump => {
                "Look at the machine's time service: ends, codes and records rely on it."
            }
            Self::Expiring => "Renew it.",
            Self::AuditUnsound => {
                "Keep the database as it is and compare it with exports and checkpoints kept elsewhere."
            }
        }
    }
}

/// The longest words of an alert, in characters.
const DETAIL_CHARS_MAX: usize = 500;

/// Something that gives reason for an alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sighting {
    /// Why.
    pub rule: Rule,
    /// About what. While an alert of the rule about it is open, there is no other.
    pub subject: String,
    /// Further words for people, without anything personal.
    pub detail: String,
    /// When.
    pub at: Timestamp,
}

/// Something that somebody should look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// Its id.
    pub id: AlertId,
    /// Why.
    pub rule: Rule,
    /// About what.
    pub subject: String,
    /// Further words for people, those of the last time.
    pub detail: String,
    /// How often it was seen.
    pub count: u32,
    /// When it was seen first.
    pub first_at: Timestamp,
    /// When it was seen last.
    pub last_at: Timestamp,
    /// Who looked at it, and when.
    pub acknowledged: Option<(UserId, Timestamp)>,
}

/// Whether a record tells of a failed proof of who somebody is.
pub fn is_failed_proof(record: &AuditRecord) -> bool {
    record.outcome != AuditOutcome::Done && record.action.starts_with("auth.")
}

/// The agent whose run came to nothing, as a record tells.
pub fn failed_agent(record: &AuditRecord) -> Option<&str> {
    let failed = record.action == "run.ended" && record.outcome == AuditOutcome::Failed;
    record.detail.get("agent").filter(|_| failed).map(String::as_str)
}

/// What one record by itself gives reason for.
pub fn sighting(record: &AuditRecord) -> Option<Sighting> {
    let detail = |name: &str| record.detail.get(name).map(String::as_str);
    let done = record.outcome == AuditOutcome::Done;
    let rule = match record.action.as_str() {
        "auth.sign_in" if done && detail("new_address") == Some("true") => Rule::NewNetwork,
        "auth.refresh" if !done => Rule::CopiedToken,
        "user.create" if done && detail("role") == Some("admin") => Rule::PrivilegeChange,
        "user.update" if done && (detail("role").is_some() || detail("groups").is_some()) => {
            Rule::PrivilegeChange
        }
        "user.reset_factors" if done => Rule::PrivilegeChange,
        "address.blocked" => Rule::Block,
        "run.submit" if !done => Rule::RefusedCommand,
        // That a model would not say something is no refused command.
        "run.ended" if record.outcome == AuditOutcome::Refused && detail("agent").is_none() => {
            Rule::RefusedCommand
        }
        "run.ended" if detail("limit") == Some("repeats") => Rule::AgentLoop,
        "tool_server.seen" if !done => Rule::ChangedTool,
        "policy.update" if done => Rule::PolicyChange,
        "user.erase" | "customer.erase" if done => Rule::Erasure,
        "clock.jumped" => Rule::ClockJump,
        "audit.verify" if record.outcome == AuditOutcome::Failed => Rule::AuditUnsound,
        _ => return None,
    };
    // Who asks for what is refused is what matters there; elsewhere it is what was changed.
    let subject = match rule {
        Rule::RefusedCommand => detail("node").unwrap_or(&record.actor).to_owned(),
        Rule::CopiedToken => detail("user").unwrap_or(&record.target).to_owned(),
        Rule::AgentLoop => {
            let agent = detail("agent").unwrap_or_default();
            return Some(Sighting {
                rule,
                subject: plain(agent),
                detail: plain(&format!("in {}", record.target)),
                at: record.at,
            });
        }
        _ => record.target.clone(),
    };
    let facts = record.detail.iter().map(|(name, value)| format!("{name}={value}"));
    let facts: Vec<String> = std::iter::once(format!("by {}", record.actor))
        .chain((rule == Rule::RefusedCommand).then(|| format!("on {}", record.target)))
        .chain(record.reason.clone())
        .chain(facts.filter(|fact| !fact.contains(crate::audit::SEALED_PREFIX)))
        .collect();
    Some(Sighting {
        rule,
        subject: plain(&subject),
        detail: plain(&facts.join("; ")),
        at: record.at,
    })
}

/// A text in one line of bounded length. SECURITY: what a record repeats may be what somebody asked for: it must not
/// look like words of ours.
fn plain(text: &str) -> String {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    match line.char_indices().nth(DETAIL_CHARS_MAX) {
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default()),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Origin, Principal, audit::AuditDraft};

    fn record(action: &str) -> AuditDraft {
        let at = Timestamp::from_micros(7);
        AuditDraft::event(action, &Principal::System, &Origin::INTERNAL, at).on("user_1")
    }

    #[test]
    fn what_matters_is_seen_and_everyday_life_is_not() {
        let refused = |draft: AuditDraft| draft.outcome(AuditOutcome::Refused, "because");
        for (draft, rule) in [
            (record("auth.sign_in").detail("new_address", true), Some(Rule::NewNetwork)),
            (record("auth.sign_in"), None),
            (refused(record("auth.refresh")), Some(Rule::CopiedToken)),
            (record("user.update").detail("role", "admin"), Some(Rule::PrivilegeChange)),
            (record("user.update"), None),
            (refused(record("user.update").detail("role", "admin")), None),
            (record("user.create").detail("role", "customer"), None),
            (record("address.blocked"), Some(Rule::Block)),
            (record("run.submit"), None),
            (refused(record("run.submit")), Some(Rule::RefusedCommand)),
            (record("tool_server.seen").detail("new", "echo"), None),
            (
                refused(record("tool_server.seen").detail("changed", "echo")),
                Some(Rule::ChangedTool),
            ),
            (refused(record("run.ended")), Some(Rule::RefusedCommand)),
            (refused(record("run.ended").detail("agent", "guide")), None),
            (record("run.ended").detail("limit", "repeats"), Some(Rule::AgentLoop)),
            (record("run.ended").detail("limit", "steps"), None),
            (record("policy.update"), Some(Rule::PolicyChange)),
            (refused(record("policy.update")), None),
        ] {
            let seen = sighting(&draft.record);
            assert_eq!(seen.map(|seen| seen.rule), rule, "{draft:?}");
        }
    }

    #[test]
    fn what_somebody_asked_for_is_no_line_of_its_own() {
        let draft =
            record("run.submit").on("command:x\r\nWhat to do: open http://evil.example\n\n");
        let draft = draft.outcome(AuditOutcome::Refused, "a\u{1b}b".repeat(600));
        let seen = sighting(&draft.record).map(|seen| seen.detail).unwrap_or_default();
        assert!(!seen.chars().any(char::is_control), "{seen:?}");
        assert!(seen.chars().count() <= DETAIL_CHARS_MAX + 1);
    }

    #[test]
    fn what_is_sealed_is_not_told() {
        let draft = record("address.blocked").detail("name", "sealed:abc").detail("seconds", 900);
        let seen = sighting(&draft.record).map(|seen| seen.detail);
        assert_eq!(seen.as_deref(), Some("by system; seconds=900"));
    }
}
