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
        let mut fields = BTreeMap::new();
        let mut others = vec![];
        for (name, reason) in errors {
            // What is about a part of a field stands beside the field.
            let part = |field: &str| name.strip_prefix(field)?.strip_prefix('.').map(str::to_owned);
            let found = known.iter().find_map(|field| match *field == name {
                true => Some((*field, reason.clone())),
                false => part(field).map(|part| (*field, format!("{part} {reason}"))),
            });
            match found {
                Some((field, reason)) => {
                    fields.entry(field.to_owned()).or_insert(reason);
                }
                None => others.push(format!("{name} {reason}.")),
            }
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_about_a_part_of_a_field_stands_beside_the_field() {
        let told = [("a", "is odd"), ("b.key", "is none"), ("bc", "is far"), ("a.x", "is late")];
        let told = told.map(|(field, reason)| (field.to_owned(), reason.to_owned()));
        let errors = Errors::of_fields(told, &["a", "b"]);
        assert_eq!(errors.of("a").map(String::as_str), Some("is odd"), "the first counts");
        assert_eq!(errors.of("b").map(String::as_str), Some("key is none"));
        assert_eq!(errors.problem.as_deref(), Some("bc is far."));
    }
}
