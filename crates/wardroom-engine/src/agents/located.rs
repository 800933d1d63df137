//! YAML as a tree that knows where each part of it stands.

use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Number, Value};
use serde_saphyr::{DuplicateKeyPolicy, Error, MergeKeyPolicy, Spanned, budget, options};
use std::fmt;

/// How deep lists and maps may stand in each other.
const DEPTH_MAX: usize = 48;
/// Up to here each whole number is one of 64 bits with a fraction (2^53).
const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;
/// Values, lists and maps in one text.
const NODES_MAX: usize = 10_000;

/// A place in a text: its line and its column, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The line.
    pub line: u64,
    /// The column, in characters.
    pub column: u64,
}

impl Place {
    /// The beginning.
    pub const START: Self = Self { line: 1, column: 1 };
}

/// A value with its place.
pub(super) struct Located {
    at: Place,
    kind: Kind,
}

enum Kind {
    Scalar(Value),
    List(Vec<Located>),
    Map(Vec<(Place, String, Located)>),
}

impl Located {
    /// Reads YAML 1.2. SECURITY: no aliases and no merges, which make much of little, each key once, within bounds.
    pub(super) fn read(text: &str) -> Result<Self, (Place, String)> {
        let options = options! {
            budget: budget! {
                max_aliases: 0,
                max_anchors: 0,
                max_depth: DEPTH_MAX,
                max_nodes: NODES_MAX,
                max_documents: 1,
                max_merge_keys: 0,
            },
            duplicate_keys: DuplicateKeyPolicy::Error,
            merge_keys: MergeKeyPolicy::Error,
            strict_booleans: true,
            reject_unsupported_tags: true,
            with_snippet: false,
        };
        let read: Result<Spanned<Kind>, Error> = serde_saphyr::from_str_with_options(text, options);
        read.map(Self::of).map_err(|error| {
            let at = error.location();
            let at = at.map_or(Place::START, |at| Place { line: at.line(), column: at.column() });
            (at, first_line(&error))
        })
    }

    fn of(spanned: Spanned<Kind>) -> Self {
        Self { at: place(&spanned), kind: spanned.value }
    }

    /// The value without its places.
    pub(super) fn value(&self) -> Value {
        match &self.kind {
            Kind::Scalar(value) => value.clone(),
            Kind::List(items) => items.iter().map(Self::value).collect(),
            Kind::Map(members) => {
                let members =
                    members.iter().map(|(_, name, member)| (name.clone(), member.value()));
                Value::Object(members.collect::<Map<_, _>>())
            }
        }
    }

    /// The place of what a JSON Pointer leads to: of a member, that of its name. Where it leads to nothing, that of the
    /// last part that is there.
    pub(super) fn place(&self, pointer: &str) -> Place {
        let (mut here, mut at) = (self, self.at);
        for part in pointer.split('/').skip(1) {
            let name = part.replace("~1", "/").replace("~0", "~");
            let next = match &here.kind {
                Kind::Scalar(_) => None,
                Kind::List(items) => {
                    let item = name.parse().ok().and_then(|index: usize| items.get(index));
                    item.map(|item| (item.at, item))
                }
                Kind::Map(members) => {
                    let member = members.iter().find(|(_, known, _)| *known == name);
                    member.map(|(at, _, member)| (*at, member))
                }
            };
            let Some((place, found)) = next else { break };
            (at, here) = (place, found);
        }
        at
    }
}

fn place<T>(spanned: &Spanned<T>) -> Place {
    Place { line: spanned.referenced.line(), column: spanned.referenced.column() }
}

/// What a parser says, without the excerpt that it adds.
fn first_line(error: &Error) -> String {
    let told = error.without_snippet().to_string();
    told.lines().next().unwrap_or_default().to_owned()
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(KindVisitor)
    }
}

struct KindVisitor;

impl<'de> Visitor<'de> for KindVisitor {
    type Value = Kind;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, a number, true, false, a list or a map")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Kind, E> {
        Ok(Kind::Scalar(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Kind, E> {
        Ok(Kind::Scalar(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Kind, E> {
        Ok(Kind::Scalar(value.into()))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Kind, E> {
        // A whole number is one, however it is written.
        if value.fract() == 0.0 && value.abs() <= WHOLE_MAX {
            return Ok(Kind::Scalar((value as i64).into()));
        }
        let number = Number::from_f64(value);
        let number = number.ok_or_else(|| E::custom("a number that is none can't be used"))?;
        Ok(Kind::Scalar(number.into()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Kind, E> {
        Ok(Kind::Scalar(value.into()))
    }

    fn visit_unit<E>(self) -> Result<Kind, E> {
        Ok(Kind::Scalar(Value::Null))
    }

    fn visit_none<E>(self) -> Result<Kind, E> {
        Ok(Kind::Scalar(Value::Null))
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Kind, D::Error> {
        Kind::deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Kind, A::Error> {
        let mut items = vec![];
        while let Some(item) = list.next_element::<Spanned<Kind>>()? {
            items.push(Located::of(item));
        }
        Ok(Kind::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Kind, A::Error> {
        let mut members = vec![];
        while let Some(name) = map.next_key::<Spanned<String>>()? {
            let at = place(&name);
            members.push((at, name.value, Located::of(map.next_value()?)));
        }
        Ok(Kind::Map(members))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use serde_json::json;

    #[test]
    fn each_part_has_its_place() {
        let text =
            "name: guide\ntools:\n  servers:\n    - tool: a/b\n      n: [1, 2.5, yes, true, ~]\n";
        let read = Located::read(text).ok().unwrap();
        let value = json!({"name": "guide", "tools": {"servers": [
            {"tool": "a/b", "n": [1, 2.5, "yes", true, null]},
        ]}});
        assert_eq!(read.value(), value);
        for (pointer, line, column) in [
            ("", 1, 1),
            ("/name", 1, 1),
            ("/tools/servers", 3, 3),
            ("/tools/servers/0/tool", 4, 7),
            ("/tools/servers/0/n/1", 5, 14),
            ("/tools/servers/0/nothing", 4, 7),
        ] {
            assert_eq!(read.place(pointer), Place { line, column }, "{pointer}");
        }
    }

    #[test]
    fn what_makes_much_of_little_is_refused_where_it_stands() {
        for (text, line) in [
            ("a: 1\na: 2\n", 2),
            ("a: &x [1]\nb: *x\n", 1),
            ("a:\n  <<: {b: 1}\n", 2),
            ("a: [1\nb: 2\n", 2),
            ("a: b\n\t- c\n", 1),
            ("a: 1\n---\nb: 2\n", 2),
        ] {
            let (at, what) =
                Located::read(text).err().unwrap_or_else(|| panic!("{text:?} is read"));
            assert!(at.line >= line && !what.is_empty(), "{text:?}: {at:?} {what}");
        }
        let deep = format!("a: {}{}", "[".repeat(500), "]".repeat(500));
        assert!(Located::read(&deep).is_err());
        assert!(Located::read("a: .nan").is_err());
    }
}
