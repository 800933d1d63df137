//! A definition out of its file: all that is wrong with it at once, each with its line and column.

use super::{
    located::{Located, Place},
    words,
};
use jsonschema::Validator;
use schemars::generate::SchemaSettings;
use serde_json::Value;
use std::{fmt, sync::LazyLock};
use wardroom_core::agent::Definition;
use wardroom_gateway::registry::Shape;

/// The longest file, in bytes.
pub const DEFINITION_BYTES_MAX: usize = 256 * 1024;
/// The most that is told of one file.
const FLAWS_MAX: usize = 50;
/// The longest that is told of one flaw, in characters.
const FLAW_CHARS_MAX: usize = 300;

/// Something that is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Flaw {
    /// Where it stands.
    pub at: Place,
    /// The field, such as `tools.servers[0].tool`; empty for the file as a whole.
    pub field: String,
    /// What is wrong.
    pub what: String,
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: ", self.at.line, self.at.column)?;
        match self.field.as_str() {
            "" => f.write_str(&self.what),
            field => write!(f, "{field}: {}", self.what),
        }
    }
}

/// All that is wrong with a file, from its top to its end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct Flaws(pub Vec<Flaw>);

static SCHEMA: LazyLock<Value> = LazyLock::new(|| {
    // Without references an editor shows what a field is, and a mistake has one place.
    let settings =
        SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    let mut schema = settings.into_generator().into_root_schema_for::<Definition>().to_value();
    without_null(&mut schema);
    schema
});

static SHAPE: LazyLock<Option<Validator>> =
    LazyLock::new(|| jsonschema::options().offline().build(&SCHEMA).ok());

/// Takes the null out of what may be absent. SECURITY: a constraint that somebody left empty is no constraint that is
/// absent.
fn without_null(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            if let Some(Value::Array(kinds)) = members.get_mut("type") {
                kinds.retain(|kind| kind != "null");
                if let [one] = kinds.as_slice() {
                    let one = one.clone();
                    members.insert("type".to_owned(), one);
                }
            }
            if let Some(Value::Array(all)) = members.get_mut("anyOf") {
                all.retain(|one| one.get("type").is_none_or(|kind| kind != "null"));
            }
            if members.get("default") == Some(&Value::Null) {
                members.remove("default");
            }
            members.iter_mut().for_each(|(_, member)| without_null(member));
        }
        Value::Array(items) => items.iter_mut().for_each(without_null),
        _ => {}
    }
}

/// The JSON Schema (2020-12) of an agent's file.
pub fn schema() -> &'static Value {
    &SCHEMA
}

/// Refuses a text that is longer than a definition may be.
pub(super) fn too_long(text: &str) -> Result<(), Flaws> {
    if text.len() <= DEFINITION_BYTES_MAX {
        return Ok(());
    }
    let what = "it is longer than 256 KiB".to_owned();
    Err(Flaws(vec![Flaw { at: Place::START, field: String::new(), what }]))
}

/// Reads a definition.
pub fn read(text: &str) -> Result<Definition, Flaws> {
    too_long(text)?;
    let located = Located::read(text)
        .map_err(|(at, what)| Flaws(vec![Flaw { at, field: String::new(), what }]))?;
    let value = located.value();
    let mut found = vec![];
    match &*SHAPE {
        Some(shape) => found.extend(misfits(shape, &value)),
        None => found.push((String::new(), "the program's own schema can't be used".to_owned())),
    }
    let read = if found.is_empty() {
        let read = serde_json::from_value::<Definition>(value);
        match &read {
            Ok(definition) => found.extend(deeper(definition)),
            Err(error) => found.push((String::new(), error.to_string())),
        }
        read.ok()
    } else {
        None
    };
    match read {
        Some(definition) if found.is_empty() => Ok(definition),
        _ => {
            let cut = |text: String| text.chars().take(FLAW_CHARS_MAX).collect();
            let flaw = |(pointer, what): (String, String)| Flaw {
                at: located.place(&pointer),
                field: cut(dotted(&pointer)),
                what: cut(what),
            };
            let mut flaws: Vec<Flaw> = found.into_iter().take(FLAWS_MAX).map(flaw).collect();
            flaws.sort();
            Err(Flaws(flaws))
        }
    }
}

fn misfits(shape: &Validator, value: &Value) -> Vec<(String, String)> {
    let errors = shape.iter_errors(value).take(FLAWS_MAX);
    errors.flat_map(|error| words::mistakes(&error, schema())).collect()
}

/// What a schema can't say.
fn deeper(definition: &Definition) -> Vec<(String, String)> {
    let mistakes = definition.mistakes().into_iter();
    let mut found: Vec<_> = mistakes.map(|mistake| (mistake.pointer, mistake.what)).collect();
    if !found.is_empty() {
        return found;
    }
    for (at, schema) in definition.schemas() {
        if let Err(why) = Shape::compile(&Value::Object(schema.clone())) {
            found.push((at, format!("it is no JSON Schema that can be used: {why}")));
        }
    }
    found
}

/// A JSON Pointer as people write it.
pub(super) fn dotted(pointer: &str) -> String {
    let mut text = String::new();
    for part in pointer.split('/').skip(1) {
        let name = part.replace("~1", "/").replace("~0", "~");
        if !text.is_empty() && !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit()) {
            text.push_str(&format!("[{name}]"));
        } else {
            if !text.is_empty() {
                text.push('.');
            }
            text.push_str(&name);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    const SOUND: &str = "\
name: guide
description: Answers questions about berths
model:
  provider: scripted
  name: berths
instructions: |
  You speak of {{berth}}.
variables:
  berth: {type: string}
tools:
  servers:
    - tool: files/read_file
      arguments: {properties: {path: {pattern: ^/srv/}}}
";

    fn flaws(text: &str) -> Vec<String> {
        read(text).unwrap_err().0.iter().map(ToString::to_string).collect()
    }

    fn changed(from: &str, to: &str) -> Vec<String> {
        assert!(SOUND.contains(from), "{from}");
        flaws(&SOUND.replace(from, to))
    }

    #[test]
    fn a_sound_file_is_read() {
        let read = read(SOUND).unwrap();
        assert_eq!(read.name, "guide");
        assert_eq!(read.limits, wardroom_core::agent::Limits::default());
        assert_eq!(read.tools.servers.len(), 1);
    }

    #[test]
    fn each_mistake_has_its_place_and_the_right_name() {
        let told = changed("instructions:", "instruction:");
        assert_eq!(
            told,
            [
                "1:1: \"instructions\" is missing",
                "6:1: instruction: there is no field \"instruction\" here; did you mean \"instructions\"?",
            ]
        );
        let told = changed("  name: berths", "  name: berths\n  temprature: 0.5\n  seed: x");
        assert_eq!(
            told,
            [
                "6:3: model.temprature: there is no field \"temprature\" here; did you mean \"temperature\"?",
                "7:3: model.seed: must be a whole number",
            ]
        );
        let told = changed("type: string", "type: text");
        assert_eq!(
            told,
            ["9:11: variables.berth.type: must be one of string, integer, number, boolean"]
        );
        let told = changed("{{berth}}", "{{bert}}");
        assert_eq!(
            told,
            ["6:1: instructions: no variable is called \"bert\"; did you mean \"berth\"?"]
        );
        let told = changed("pattern: ^/srv/", "pattern: \"(\"");
        assert!(
            told[0].starts_with("13:7: tools.servers[0].arguments: it is no JSON Schema"),
            "{told:?}"
        );
        let told = changed("files/read_file", "read_file");
        assert!(told[0].starts_with("12:7: tools.servers[0].tool: must match"), "{told:?}");
    }

    #[test]
    fn what_is_no_definition_is_refused_whole() {
        for text in ["", "- a\n", "just text", "name: [", "name: &a x\nicon: *a\n"] {
            assert!(!flaws(text).is_empty(), "{text:?}");
        }
        let long = format!("{SOUND}# {}", "x".repeat(DEFINITION_BYTES_MAX));
        assert_eq!(flaws(&long), ["1:1: it is longer than 256 KiB"]);
        let many: String = (0..500).map(|n| format!("field{n}: 1\n")).collect();
        assert_eq!(
            flaws(&many).len(),
            24,
            "four that are missing, and twenty of those that are too many"
        );
    }

    #[test]
    fn what_is_left_empty_or_written_oddly_is_told_by_its_place() {
        let told = changed("arguments: {properties: {path: {pattern: ^/srv/}}}", "arguments:");
        assert_eq!(told, ["13:7: tools.servers[0].arguments: must be a map of fields"]);
        let read = read(&format!("{SOUND}limits: {{steps_max: 20.0}}\n")).unwrap();
        assert_eq!(read.limits.steps_max, 20);
        let told = flaws(&format!("{SOUND}icon: \"\\u202e\"\n"));
        assert!(told[0].starts_with("14:1: icon: must match"), "{told:?}");
        let told = changed("  name: berths", "  name: berths\n  seed: 9223372036854775808");
        assert_eq!(told, ["6:3: model.seed: must be at most 9007199254740992"]);
    }

    #[test]
    fn a_hostile_file_costs_little() {
        let long = "n".repeat(180_000);
        let patterns: String =
            (0..3000).map(|n| format!("            - {{pattern: '\\w{{40}}a{n}'}}\n")).collect();
        let fields: String = (0..9000).map(|n| format!("f{n}: 1\n")).collect();
        for text in [
            SOUND.replace("berth: {type", &format!("{long}: {{type")),
            SOUND.replace("{{berth}}", &format!("{{{{{}}}}}", "n".repeat(60_000))),
            SOUND.replace(
                "{properties: {path: {pattern: ^/srv/}}}",
                &format!("\n          anyOf:\n{patterns}"),
            ),
            format!("{SOUND}{fields}"),
            format!("{SOUND}tags: [{}]\n", "a,".repeat(9000)),
        ] {
            let begun = std::time::Instant::now();
            let told = flaws(&text).join("\n");
            assert!(begun.elapsed() < std::time::Duration::from_secs(2), "{:?}", begun.elapsed());
            assert!(told.len() < 40_000, "{}", told.len());
        }
    }

    #[test]
    fn the_schema_stands_by_itself() {
        let text = schema().to_string();
        assert!(!text.contains("$ref") && !text.contains("null"), "{text}");
        assert!(text.contains("\"additionalProperties\":false"));
        assert!(jsonschema::meta::is_valid(schema()));
    }
}
