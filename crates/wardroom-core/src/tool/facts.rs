//! What policy sees of a call's arguments: values by their JSONPath (RFC 9535 §2.7, with `.name` where a name allows
//! it).

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// The most places of one call's arguments.
pub const PLACES_MAX: usize = 1000;

/// Values of arguments, by type and place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ArgumentFacts {
    /// Texts; numbers that are no 64-bit integers as they were written.
    pub texts: BTreeMap<String, String>,
    /// Integers.
    pub numbers: BTreeMap<String, i64>,
    /// Truth values.
    pub flags: BTreeMap<String, bool>,
    /// What stands in lists, under the list's place with `[*]` behind it.
    pub lists: BTreeMap<String, BTreeSet<String>>,
}

/// Whole numbers up to which a floating-point number is exact.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;

/// Arguments that policy can't look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FactsError {
    /// There is too much of them.
    #[error("the arguments have more than {PLACES_MAX} places")]
    TooMany,
    /// A whole number is beyond 64 bits.
    #[error("the arguments have a whole number beyond 64 bits")]
    TooLarge,
}

impl ArgumentFacts {
    /// What policy sees of `arguments`.
    pub fn of(arguments: &Value) -> Result<Self, FactsError> {
        let mut facts = Self::default();
        facts.walk("$", arguments, false)?;
        Ok(facts)
    }

    fn walk(&mut self, place: &str, value: &Value, listed: bool) -> Result<(), FactsError> {
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    self.walk(&child(place, name), value, listed)?;
                }
            }
            Value::Array(items) => {
                let place = format!("{place}[*]");
                self.lists.entry(place.clone()).or_default();
                for item in items {
                    self.walk(&place, item, true)?;
                }
            }
            Value::Null => {}
            value if listed => {
                let text = value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
                self.lists.entry(place.to_owned()).or_default().insert(text);
            }
            Value::Bool(flag) => drop(self.flags.insert(place.to_owned(), *flag)),
            Value::Number(number) => match whole(number)? {
                Some(number) => drop(self.numbers.insert(place.to_owned(), number)),
                None => drop(self.texts.insert(place.to_owned(), number.to_string())),
            },
            Value::String(text) => drop(self.texts.insert(place.to_owned(), text.clone())),
        }
        let places = self.texts.len() + self.numbers.len() + self.flags.len() + self.lists.len();
        if places > PLACES_MAX { Err(FactsError::TooMany) } else { Ok(()) }
    }
}

/// The whole number that this is, however it is written; nothing where it has a fraction. SECURITY: one that policy can't
/// compare is refused rather than passed by it.
fn whole(number: &serde_json::Number) -> Result<Option<i64>, FactsError> {
    if let Some(whole) = number.as_i64() {
        return Ok(Some(whole));
    }
    match number.as_f64() {
        Some(float) if float.fract() != 0.0 => Ok(None),
        #[expect(clippy::cast_possible_truncation, reason = "it is whole and within bounds")]
        Some(float) if float.abs() <= EXACT_MAX => Ok(Some(float as i64)),
        _ => Err(FactsError::TooLarge),
    }
}

/// The place of the field `name` of `place`.
fn child(place: &str, name: &str) -> String {
    let plain = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if plain {
        return format!("{place}.{name}");
    }
    let quoted = name.replace('\\', "\\\\").replace('\'', "\\'");
    format!("{place}['{quoted}']")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use serde_json::json;

    #[test]
    fn values_are_found_by_their_place() {
        let facts = ArgumentFacts::of(&json!({
            "path": "/srv/a", "depth": 3, "force": true, "none": null, "ratio": 1.5,
            "to": [{"name": "ann"}, {"name": "ben"}], "tags": ["x", 7], "odd key'": "v",
            "empty": [],
        }))
        .unwrap();
        assert_eq!(facts.texts["$.path"], "/srv/a");
        assert_eq!(facts.texts["$.ratio"], "1.5");
        assert_eq!(facts.texts["$['odd key\\'']"], "v");
        assert_eq!(facts.numbers["$.depth"], 3);
        assert!(facts.flags["$.force"]);
        let list = |place: &str| facts.lists[place].iter().cloned().collect::<Vec<_>>();
        assert_eq!(list("$.to[*].name"), ["ann", "ben"]);
        assert_eq!(list("$.tags[*]"), ["7", "x"]);
        assert_eq!(list("$.empty[*]"), Vec::<String>::new());
        assert!(!facts.texts.contains_key("$.none"));
    }

    #[test]
    fn a_whole_number_is_one_however_it_is_written() {
        let number = |text: &str| {
            let value: Value = serde_json::from_str(text).unwrap();
            ArgumentFacts::of(&value).map(|facts| facts.numbers.get("$.n").copied())
        };
        assert_eq!(number(r#"{"n": 1000.0}"#), Ok(Some(1000)));
        assert_eq!(number(r#"{"n": 1e3}"#), Ok(Some(1000)));
        assert_eq!(number(r#"{"n": 1.5}"#), Ok(None));
        for beyond in ["18446744073709551615", "1e30", "-1e30"] {
            assert_eq!(number(&format!("{{\"n\": {beyond}}}")), Err(FactsError::TooLarge));
        }
    }

    #[test]
    fn there_is_an_end_to_places() {
        let wide: serde_json::Map<String, Value> =
            (0..=PLACES_MAX).map(|n| (format!("k{n}"), json!(n))).collect();
        assert_eq!(ArgumentFacts::of(&Value::Object(wide)), Err(FactsError::TooMany));
        let long: Vec<Value> = (0..5000).map(|n| json!(n % 7)).collect();
        assert!(ArgumentFacts::of(&json!({ "list": long })).is_ok());
    }
}
