//! What policy sees of a request beside who asks, for what and on what.

use super::entities::uid;
use cedar_policy::{Context, Entity, RestrictedExpression};
use std::collections::{BTreeMap, HashMap, HashSet};
use wardroom_core::{Action, agent::Deed, steps::Labels, tool::facts::ArgumentFacts};

/// Arguments of whatever nobody gave any.
static NONE: ArgumentFacts = ArgumentFacts {
    texts: BTreeMap::new(),
    numbers: BTreeMap::new(),
    flags: BTreeMap::new(),
    lists: BTreeMap::new(),
};

/// What is known of a request beside its parts.
#[derive(Debug, Clone, Copy)]
pub struct Circumstances<'a> {
    /// The program of others that acts in the principal's name.
    pub client: Option<&'a str>,
    /// The agent that acts in the principal's name.
    pub agent: Option<&'a str>,
    /// What that agent's run has seen.
    pub seen: Labels,
    /// What the call does.
    pub does: &'a [Deed],
    /// Whether a person consented to it.
    pub approved: bool,
    /// The arguments of a call; `None` where it is asked whether there are any with which it is allowed.
    pub arguments: Option<&'a ArgumentFacts>,
}

impl Default for Circumstances<'_> {
    fn default() -> Self {
        Self {
            client: None,
            agent: None,
            seen: Labels::NONE,
            does: &[],
            approved: false,
            arguments: Some(&NONE),
        }
    }
}

/// The context of `action`; what it refers to is added to `entities`.
pub(super) fn context(
    action: Action,
    circumstances: &Circumstances<'_>,
    entities: &mut Vec<Entity>,
) -> Option<Context> {
    let approved = RestrictedExpression::new_bool(circumstances.approved);
    let mut pairs = match action {
        Action::ToolCall | Action::RunSubmit => vec![("approved".to_owned(), approved)],
        Action::ModelUse => vec![],
        _ => return Some(Context::empty()),
    };
    let named = |name: &str, text: &str| {
        (name.to_owned(), RestrictedExpression::new_string(text.to_owned()))
    };
    pairs.extend(circumstances.agent.map(|agent| named("agent", agent)));
    if action == Action::ModelUse {
        return Context::from_pairs(pairs).ok();
    }
    let set = |names: Vec<&str>| {
        let names = names.into_iter().map(|name| RestrictedExpression::new_string(name.to_owned()));
        RestrictedExpression::new_set(names)
    };
    pairs.push(("seen".to_owned(), set(circumstances.seen.names())));
    let does = circumstances.does.iter().map(|deed| deed.as_str()).collect();
    pairs.push(("does".to_owned(), set(does)));
    if action == Action::RunSubmit {
        return Context::from_pairs(pairs).ok();
    }
    pairs.extend(circumstances.client.map(|client| named("client", client)));
    let Some(arguments) = circumstances.arguments else {
        let unknown = |name: &str| (name.to_owned(), RestrictedExpression::new_unknown(name));
        pairs.extend(["texts", "numbers", "flags", "lists"].map(unknown));
        return Context::from_pairs(pairs).ok();
    };
    let text = |text: &String| RestrictedExpression::new_string(text.clone());
    let kinds = [
        ("texts", "Texts", tags(&arguments.texts, text)),
        ("numbers", "Numbers", tags(&arguments.numbers, |n| RestrictedExpression::new_long(*n))),
        ("flags", "Flags", tags(&arguments.flags, |flag| RestrictedExpression::new_bool(*flag))),
        (
            "lists",
            "Lists",
            tags(&arguments.lists, |items| RestrictedExpression::new_set(items.iter().map(text))),
        ),
    ];
    for (name, kind, tags) in kinds {
        let holder = uid(kind, "arguments")?;
        let no_attributes = HashMap::<String, RestrictedExpression>::new();
        let entity = Entity::new_with_tags(holder.clone(), no_attributes, HashSet::new(), tags);
        entities.push(entity.ok()?);
        pairs.push((name.to_owned(), RestrictedExpression::new_entity_uid(holder)));
    }
    Context::from_pairs(pairs).ok()
}

fn tags<T>(
    values: &BTreeMap<String, T>,
    expression: impl Fn(&T) -> RestrictedExpression,
) -> HashMap<String, RestrictedExpression> {
    values.iter().map(|(place, value)| (place.clone(), expression(value))).collect()
}
