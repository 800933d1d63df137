//! A decision of policy, with many policies and many things that they are about.

use crate::{
    figure::{Figure, Target},
    latency::at,
};
use anyhow::Context as _;
use std::{fmt::Write as _, time::Instant};
use wardroom_core::{
    Action, ApiTokenId, CustomerId, Principal, Role, UserId, action::Resource,
    principal::Credential,
};
use wardroom_trust::policy::Policy;

/// Policies beside the default ones.
const POLICIES: usize = 1000;
/// Things that decisions are about, each another one.
const THINGS: u128 = 10_000;
/// Rounds over them.
const ROUNDS: usize = 5;

/// Measures it.
pub(crate) fn decision() -> anyhow::Result<Vec<Figure>> {
    let mut text = Policy::default_set()?.text().to_owned();
    for number in 0..POLICIES {
        writeln!(
            text,
            "@id(\"group-{number}\")\npermit (principal in Wardroom::Group::\"group-{number}\", action == Wardroom::Action::\"customer.read\", resource == Wardroom::Customer::\"customer_{number:032x}\");"
        )?;
    }
    let policy = Policy::load(&text).context("the policies")?;
    let user = UserId::from_uuid(uuid::Uuid::from_u128(1));
    let principal = Principal::User {
        id: user,
        name: "ann".to_owned(),
        role: Role::Operator,
        groups: vec!["group-7".to_owned(), "group-700".to_owned()],
        customer: None,
        credential: Credential::ApiToken(ApiTokenId::from_uuid(uuid::Uuid::from_u128(2))),
    };
    let things: Vec<Resource> = (0..THINGS)
        .map(|number| {
            let id = CustomerId::from_uuid(uuid::Uuid::from_u128(number));
            let operators = [UserId::from_uuid(uuid::Uuid::from_u128(number % 50))];
            Resource::customer(id, &operators)
        })
        .collect();
    let mut took = Vec::with_capacity(things.len() * ROUNDS);
    let mut allowed = 0_usize;
    for _ in 0..ROUNDS {
        for thing in &things {
            let begun = Instant::now();
            let decision = policy.decide(&principal, Action::CustomerRead, thing);
            took.push(begun.elapsed().as_secs_f64() * 1e6);
            allowed += usize::from(decision.allowed);
        }
    }
    anyhow::ensure!(allowed > 0 && allowed < took.len(), "the policies decide nothing");
    took.sort_by(f64::total_cmp);
    let note = format!(
        "{POLICIES} policies beside the default ones, {THINGS} customers, {} decisions in one thread; p50 {:.0} µs, slowest {:.0} µs",
        took.len(),
        at(&took, 0.5),
        at(&took, 1.0)
    );
    Ok(vec![
        Figure::new("a decision of policy, p99", Target::AtMost(100.0), at(&took, 0.99), "µs")
            .note(note),
    ])
}
