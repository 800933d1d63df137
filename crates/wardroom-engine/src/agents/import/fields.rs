//! The fields of a map that is converted: each is taken out once, and what stays has no counterpart.

use serde_json::{Map, Value};
use std::ops::RangeInclusive;
use wardroom_core::agent::escaped;

/// What is to be said of a file, by JSON Pointer.
pub(super) type Notes = Vec<(String, String)>;

/// The fields of a map.
pub(super) struct Fields {
    at: String,
    left: Map<String, Value>,
    notes: Notes,
}

impl Fields {
    /// Those of a map that stands at this JSON Pointer.
    pub(super) fn new(at: String, left: Map<String, Value>) -> Self {
        Self { at, left, notes: vec![] }
    }

    fn pointer(&self, name: &str) -> String {
        format!("{}/{}", self.at, escaped(name))
    }

    /// Says something of a field.
    pub(super) fn note(&mut self, name: &str, what: impl Into<String>) {
        self.notes.push((self.pointer(name), what.into()));
    }

    /// Whether a field is there and not taken yet. One without a value is none.
    pub(super) fn has(&self, name: &str) -> bool {
        self.left.get(name).is_some_and(|value| !value.is_null())
    }

    fn take<T>(&mut self, name: &str, kind: &str, of: fn(Value) -> Option<T>) -> Option<T> {
        let value = self.left.shift_remove(name).filter(|value| !value.is_null())?;
        let taken = of(value);
        if taken.is_none() {
            self.note(name, format!("must be {kind}: it is left out"));
        }
        taken
    }

    /// A text.
    pub(super) fn text(&mut self, name: &str) -> Option<String> {
        self.take(name, "a text", |value| match value {
            Value::String(text) => Some(text),
            // YAML makes numbers of names such as 4.
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        })
    }

    /// True or false.
    pub(super) fn flag(&mut self, name: &str) -> Option<bool> {
        self.take(name, "true or false", |value| value.as_bool())
    }

    /// A number, as it is written.
    pub(super) fn number(&mut self, name: &str) -> Option<Value> {
        self.take(name, "a number", |value| value.is_number().then_some(value))
    }

    /// A whole number, brought within bounds.
    pub(super) fn whole(&mut self, name: &str, bounds: RangeInclusive<u64>) -> Option<u64> {
        let given = self.take(name, "a whole number, not below 0", |value| value.as_u64())?;
        let kept = given.clamp(*bounds.start(), *bounds.end());
        if kept != given {
            let (least, most) = bounds.into_inner();
            self.note(name, format!("is {kept} here: from {least} to {most} is possible"));
        }
        Some(kept)
    }

    /// A list.
    fn list(&mut self, name: &str) -> Vec<Value> {
        let list = self.take(name, "a list", |value| match value {
            Value::Array(items) => Some(items),
            _ => None,
        });
        list.unwrap_or_default()
    }

    /// A list of texts, each once.
    pub(super) fn texts(&mut self, name: &str) -> Vec<String> {
        let mut texts: Vec<String> = vec![];
        for (index, value) in self.list(name).into_iter().enumerate() {
            match value {
                Value::String(text) if !texts.contains(&text) => texts.push(text),
                Value::String(_) => {}
                _ => {
                    let at = format!("{}/{index}", self.pointer(name));
                    self.notes.push((at, "must be a text: it is left out".to_owned()));
                }
            }
        }
        texts
    }

    /// The fields of a map; none where it is absent.
    pub(super) fn map(&mut self, name: &str) -> Self {
        let map = self.take(name, "a map of fields", |value| match value {
            Value::Object(members) => Some(members),
            _ => None,
        });
        Self::new(self.pointer(name), map.unwrap_or_default())
    }

    /// The fields of each map of a list.
    pub(super) fn maps(&mut self, name: &str) -> Vec<Self> {
        let mut maps = vec![];
        for (index, value) in self.list(name).into_iter().enumerate() {
            let at = format!("{}/{index}", self.pointer(name));
            match value {
                Value::Object(members) => maps.push(Self::new(at, members)),
                _ => self.notes.push((at, "must be a map of fields: it is left out".to_owned())),
            }
        }
        maps
    }

    /// Takes out what has no counterpart, and says why. SECURITY: of no value is more said than its name, which may be a
    /// secret's.
    pub(super) fn without(&mut self, why: &[(&str, &str)]) {
        for (name, why) in why {
            if self.left.shift_remove(*name).is_some_and(|value| !value.is_null()) {
                self.note(name, *why);
            }
        }
    }

    /// Takes out what is as it is here, unless it says otherwise.
    pub(super) fn as_here(&mut self, name: &str, here: &Value, why: &str) {
        if self.left.shift_remove(name).is_some_and(|value| !value.is_null() && value != *here) {
            self.note(name, why);
        }
    }

    /// What is to be said of it: also of each field that nobody took.
    pub(super) fn notes(mut self) -> Notes {
        let left: Vec<String> = self.left.keys().cloned().collect();
        for name in left {
            self.note(&name, "has no counterpart");
        }
        self.notes
    }
}
