//! What was wrong with a form, beside its fields.

use std::collections::BTreeMap;

/// What was wrong with a form.
#[derive(Debug, Clone, Default)]
pub(crate) struct Errors {
    fields: BTreeMap<String, String>,
    /// What is about no single field.
    pub(crate) problem: Option<String>,
}

impl Errors {
    /// Something about the whole form.
    pub(crate) fn whole(problem: String) -> Self {
        Self { problem: Some(problem), ..Self::default() }
    }

    /// Puts each to its field; what is about none of `known` is about the whole form.
    pub(crate) fn of_fields(
        errors: impl IntoIterator<Item = (String, String)>,
        known: &[&str],
    ) -> Self {
        let (fields, others): (BTreeMap<_, _>, BTreeMap<_, _>) =
            errors.into_iter().partition(|(name, _)| known.contains(&name.as_str()));
        let others: Vec<String> =
            others.into_iter().map(|(name, reason)| format!("{name} {reason}.")).collect();
        Self { fields, problem: (!others.is_empty()).then(|| others.join(" ")) }
    }

    /// What is wrong with a field.
    pub(crate) fn of(&self, name: &str) -> Option<&String> {
        self.fields.get(name)
    }

    /// Whether anything is wrong.
    pub(crate) fn any(&self) -> bool {
        self.problem.is_some() || !self.fields.is_empty()
    }
}
