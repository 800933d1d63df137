//! Checks a policy file and asks it, without an orchestrator.

use super::read_text;
use crate::client::{Exit, Failure};
use serde::Serialize;
use std::path::Path;
use wardroom_core::{
    Action, ApiTokenId, Principal, Role, UserId, action::Resource, principal::Credential,
};
use wardroom_trust::policy::{POLICY_BYTES_MAX, Policy, PolicyError};
use wardroom_wire::api::Explanation;

/// What is wrong with a policy, if anything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Checked {
    /// Whether an orchestrator would take it.
    pub(crate) sound: bool,
    /// Its version, when it is sound.
    pub(crate) version: Option<String>,
    /// The mistakes; `line:column: …` where the place is known.
    pub(crate) mistakes: Vec<String>,
}

/// Checks the policy in `path`.
pub(crate) fn check(path: &Path) -> Result<Checked, Failure> {
    match load(path)? {
        Ok(policy) => Ok(Checked {
            sound: true,
            version: Some(policy.version().to_owned()),
            mistakes: vec![],
        }),
        Err(mistakes) => Ok(Checked { sound: false, version: None, mistakes }),
    }
}

/// Asks the policy in `path` what it says to `role`.
pub(crate) fn explain(
    path: &Path,
    role: Role,
    action: Action,
    resource: Option<&str>,
    own: bool,
) -> Result<Explanation, Failure> {
    let policy = load(path)?.map_err(|mistakes| {
        let failure = Failure::new(Exit::Usage, format!("{} is not a policy", path.display()));
        mistakes.into_iter().fold(failure, Failure::advice)
    })?;
    // Nobody in particular: what policy says of a role must not hang on who has it.
    let user = UserId::from_uuid(uuid::Uuid::max());
    let principal = Principal::User {
        id: user,
        name: "somebody".to_owned(),
        role,
        groups: vec![],
        customer: None,
        credential: Credential::ApiToken(ApiTokenId::from_uuid(uuid::Uuid::nil())),
    };
    let kind = action.resource_kind();
    let mut asked = match own {
        true => Resource::own(kind, &principal),
        false => Resource::anothers(kind),
    };
    asked.id = resource.unwrap_or("wardroom").to_owned();
    let explained = policy.explain(&principal, action, &asked);
    Ok(Explanation {
        allowed: explained.decision.allowed,
        wanted_by: explained.decision.asks.unwrap_or_default(),
        policies: explained.decision.policies,
        near: explained.near,
        version: explained.decision.version,
    })
}

fn load(path: &Path) -> Result<Result<Policy, Vec<String>>, Failure> {
    let text = read_text(path, POLICY_BYTES_MAX as u64)?;
    match Policy::load(&text) {
        Ok(policy) => Ok(Ok(policy)),
        Err(PolicyError::Mistakes(mistakes)) => Ok(Err(mistakes)),
        Err(error) => Err(Failure::local(error.to_string())),
    }
}
