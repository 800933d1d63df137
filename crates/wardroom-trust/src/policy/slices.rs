//! Policies by the actions and principals that they speak of, so that a decision looks at few of many.

use super::speaks_of;
use cedar_policy::{
    Authorizer, Decision, Entities, EntityUid, Policy, PolicySet, PrincipalConstraint, Request,
};
use std::collections::HashMap;
use wardroom_core::Action;

/// Of one action: policies for everybody under `None`, others by the user, role or group they name.
type ByPrincipal = HashMap<Option<EntityUid>, PolicySet>;

/// Policies by action, then by principal.
pub(super) struct Slices(HashMap<Action, ByPrincipal>);

/// What the policies said.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    permits: Vec<String>,
    forbids: Vec<String>,
    failed: bool,
}

impl Verdict {
    /// SECURITY: a forbid wins, and a policy that could not be evaluated might have been one.
    pub(super) fn allowed(&self) -> bool {
        !self.permits.is_empty() && self.forbids.is_empty() && !self.failed
    }

    /// The policies that decided, by id.
    pub(super) fn into_policies(self) -> Vec<String> {
        let mut policies = if self.forbids.is_empty() { self.permits } else { self.forbids };
        policies.sort();
        policies
    }
}

impl Slices {
    /// Slices `policies`.
    pub(super) fn new(policies: &PolicySet) -> Self {
        let mut slices: HashMap<Action, ByPrincipal> = HashMap::new();
        for policy in policies.policies() {
            let principal = named(policy);
            for action in Action::ALL.iter().filter(|action| speaks_of(policy, **action)) {
                let set = slices.entry(*action).or_default().entry(principal.clone()).or_default();
                // Their ids are unique: the whole set has them already.
                let _ = set.add(policy.clone());
            }
        }
        Self(slices)
    }

    /// What the policies say that speak of `action` and of one of `principals`.
    pub(super) fn ask(
        &self,
        authorizer: &Authorizer,
        action: Action,
        principals: &[EntityUid],
        (request, entities): (&Request, &Entities),
    ) -> Verdict {
        let mut verdict = Verdict::default();
        let Some(by_principal) = self.0.get(&action) else { return verdict };
        let keys = std::iter::once(None).chain(principals.iter().cloned().map(Some));
        for set in keys.filter_map(|key| by_principal.get(&key)) {
            let answer = authorizer.is_authorized(request, set, entities);
            let reasons = answer.diagnostics().reason().map(ToString::to_string);
            match answer.decision() {
                Decision::Allow => verdict.permits.extend(reasons),
                Decision::Deny => verdict.forbids.extend(reasons),
            }
            verdict.failed |= answer.diagnostics().errors().next().is_some();
        }
        verdict
    }

    /// Whether what is not known of the request yet can make the policies allow it.
    pub(super) fn may_allow(
        &self,
        authorizer: &Authorizer,
        action: Action,
        principals: &[EntityUid],
        (request, entities): (&Request, &Entities),
    ) -> bool {
        let Some(by_principal) = self.0.get(&action) else { return false };
        let keys = std::iter::once(None).chain(principals.iter().cloned().map(Some));
        let mut permitted = false;
        for set in keys.filter_map(|key| by_principal.get(&key)) {
            let answer = authorizer.is_authorized_partial(request, set, entities);
            let forbidden = answer
                .definitely_satisfied()
                .any(|policy| policy.effect() == cedar_policy::Effect::Forbid);
            // SECURITY: a policy that could not be evaluated might have been one that forbids.
            if forbidden || answer.definitely_errored().next().is_some() {
                return false;
            }
            permitted |= answer
                .may_be_determining()
                .any(|policy| policy.effect() == cedar_policy::Effect::Permit);
        }
        permitted
    }
}

/// The one user, role or group of which a policy's scope speaks.
fn named(policy: &Policy) -> Option<EntityUid> {
    match policy.principal_constraint() {
        PrincipalConstraint::Eq(uid)
        | PrincipalConstraint::In(uid)
        | PrincipalConstraint::IsIn(_, uid) => Some(uid),
        PrincipalConstraint::Any | PrincipalConstraint::Is(_) => None,
    }
}
