//! Policy: Cedar, deny by default. What a role may do is text here, never code elsewhere.

mod circumstances;
mod entities;
mod slices;

use cedar_policy::{Authorizer, PolicySet, Schema, ValidationMode, Validator};
pub use circumstances::Circumstances;
use slices::Slices;
use wardroom_core::{Action, Principal, action::Resource, digest::sha256_hex};

/// The schema that every policy is checked against.
pub const SCHEMA: &str = include_str!("schema.cedarschema");
/// The four default roles.
pub const DEFAULT: &str = include_str!("default.cedar");
/// The longest policy text, in bytes.
pub const POLICY_BYTES_MAX: usize = 1024 * 1024;

/// Why a policy text is not acceptable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// It is not Cedar, or does not fit the schema; one line per mistake.
    #[error("the policy is not acceptable:\n{}", .0.join("\n"))]
    Mistakes(Vec<String>),
    /// The schema itself is broken: a defect of the program.
    #[error("the policy schema is broken: {0}")]
    Schema(String),
}

/// What policy says to one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Whether it is allowed.
    pub allowed: bool,
    /// The policies that decided, by id; none when nothing matched. Where it is asked for, those that allow it then.
    pub policies: Vec<String>,
    /// Where it is not allowed as it stands but is with a person's consent: the policies that want that.
    pub asks: Option<Vec<String>>,
    /// The version of the policy that was asked.
    pub version: String,
}

impl Decision {
    /// Whether it is allowed, if need be with a person's consent.
    pub fn reachable(&self) -> bool {
        self.allowed || self.asks.is_some()
    }
}

/// Why policy says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// What it says.
    pub decision: Decision,
    /// For a denial: the policies that speak of the action but whose principal or conditions did not match.
    pub near: Vec<String>,
}

/// A policy in force.
pub struct Policy {
    schema: Schema,
    policies: PolicySet,
    slices: Slices,
    authorizer: Authorizer,
    text: String,
    version: String,
}

impl std::fmt::Debug for Policy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Policy").field("version", &self.version).finish_non_exhaustive()
    }
}

impl Policy {
    /// The default roles.
    pub fn default_set() -> Result<Self, PolicyError> {
        Self::load(DEFAULT)
    }

    /// Reads a policy and checks it strictly against the schema.
    pub fn load(text: &str) -> Result<Self, PolicyError> {
        if text.len() > POLICY_BYTES_MAX {
            return Err(PolicyError::Mistakes(vec!["it is longer than 1 MiB".to_owned()]));
        }
        let (schema, _) = Schema::from_cedarschema_str(SCHEMA)
            .map_err(|error| PolicyError::Schema(error.to_string()))?;
        let parsed: PolicySet = text.parse().map_err(|error: cedar_policy::ParseErrors| {
            PolicyError::Mistakes(error.iter().map(|error| located(text, error)).collect())
        })?;
        let policies = named(&parsed)?;
        let checked = Validator::new(schema.clone()).validate(&policies, ValidationMode::Strict);
        let mistakes: Vec<String> =
            checked.validation_errors().map(|error| located(text, error)).collect();
        if !mistakes.is_empty() {
            return Err(PolicyError::Mistakes(mistakes));
        }
        let version: String = sha256_hex(text.as_bytes()).chars().take(12).collect();
        let slices = Slices::new(&policies);
        let (authorizer, text) = (Authorizer::new(), text.to_owned());
        Ok(Self { schema, policies, slices, authorizer, text, version })
    }

    /// Its text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The first 12 hexadecimal digits of its SHA-256.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Whether `principal` may do `action` to `resource`. Whatever goes wrong is a denial.
    pub fn decide(&self, principal: &Principal, action: Action, resource: &Resource) -> Decision {
        self.decide_in(principal, action, resource, &Circumstances::default())
    }

    /// The same with what is known of the request beside its parts.
    pub fn decide_in(
        &self,
        principal: &Principal,
        action: Action,
        resource: &Resource,
        circumstances: &Circumstances<'_>,
    ) -> Decision {
        let said = self.decide_once(principal, action, resource, circumstances);
        let can_be_asked = matches!(action, Action::ToolCall | Action::RunSubmit);
        if said.allowed
            || circumstances.approved
            || !can_be_asked
            || !self.text.contains("approved")
        {
            return said;
        }
        let consented = Circumstances { approved: true, ..*circumstances };
        let then = self.decide_once(principal, action, resource, &consented);
        if !then.allowed {
            return said;
        }
        let wanted_by = if said.policies.is_empty() { &then.policies } else { &said.policies };
        Decision { allowed: false, asks: Some(wanted_by.clone()), ..then }
    }

    fn decide_once(
        &self,
        principal: &Principal,
        action: Action,
        resource: &Resource,
        circumstances: &Circumstances<'_>,
    ) -> Decision {
        let version = self.version.clone();
        let denied = Decision { allowed: false, policies: vec![], asks: None, version };
        // SECURITY: nodes and the system have fixed doors of their own; Cedar never grants them anything.
        let asked = entities::ask(&self.schema, principal, action, resource, circumstances);
        let Some(asked) = asked else { return denied };
        let of = (&asked.request, &asked.entities);
        let verdict = self.slices.ask(&self.authorizer, action, &asked.principals, of);
        let allowed = verdict.allowed();
        Decision { allowed, policies: verdict.into_policies(), ..denied }
    }

    /// Whether there are arguments with which `principal` may call `tool`.
    pub fn may_call(
        &self,
        principal: &Principal,
        tool: &Resource,
        circumstances: &Circumstances<'_>,
    ) -> bool {
        // What is to be had with consent can be had.
        let circumstances = Circumstances { approved: true, arguments: None, ..*circumstances };
        let action = Action::ToolCall;
        let asked = entities::ask(&self.schema, principal, action, tool, &circumstances);
        asked.is_some_and(|asked| {
            let of = (&asked.request, &asked.entities);
            self.slices.may_allow(&self.authorizer, action, &asked.principals, of)
        })
    }

    /// What [`Policy::decide`] says, and which policies come near when it denies.
    pub fn explain(
        &self,
        principal: &Principal,
        action: Action,
        resource: &Resource,
    ) -> Explanation {
        let decision = self.decide(principal, action, resource);
        let mut near = Vec::new();
        if !decision.allowed {
            near = self
                .policies
                .policies()
                .filter(|policy| speaks_of(policy, action))
                .map(|policy| policy.id().to_string())
                .collect();
            near.sort();
        }
        Explanation { decision, near }
    }
}

/// Whether a policy's scope takes in an action.
fn speaks_of(policy: &cedar_policy::Policy, action: Action) -> bool {
    use cedar_policy::ActionConstraint;
    let is = |uid: &cedar_policy::EntityUid| uid.id().unescaped() == action.as_str();
    match policy.action_constraint() {
        ActionConstraint::Any => true,
        ActionConstraint::Eq(uid) => is(&uid),
        ActionConstraint::In(uids) => uids.iter().any(is),
    }
}

/// Gives every policy the name of its `@id`, which audit records and explanations show.
fn named(parsed: &PolicySet) -> Result<PolicySet, PolicyError> {
    let mut policies = PolicySet::new();
    let mut mistakes = Vec::new();
    for policy in parsed.policies() {
        let Some(id) = policy.annotation("id").filter(|id| !id.is_empty()) else {
            mistakes.push(format!("{} has no @id(\"…\") annotation", policy.id()));
            continue;
        };
        if let Err(error) = policies.add(policy.new_id(cedar_policy::PolicyId::new(id))) {
            mistakes.push(format!("the @id {id:?} is used twice: {error}"));
        }
    }
    if parsed.templates().next().is_some() {
        mistakes.push("templates are not supported".to_owned());
    }
    if mistakes.is_empty() { Ok(policies) } else { Err(PolicyError::Mistakes(mistakes)) }
}

/// A mistake with its line and column, counted from 1.
fn located<E: miette::Diagnostic>(text: &str, error: &E) -> String {
    let offset = error.labels().and_then(|mut labels| labels.next()).map(|label| label.offset());
    match offset.and_then(|offset| text.get(..offset)) {
        Some(before) => {
            let line = before.matches('\n').count() + 1;
            let column = before.rsplit('\n').next().map_or(1, |line| line.chars().count() + 1);
            format!("{line}:{column}: {error}")
        }
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests;
