//! What a schema can't say of a definition.

use super::{
    Definition, Mode, Variable, VariableKind,
    grants::{ApprovalRule, CommandGrant},
    schemas,
    template::slots,
};
use crate::nearest::meant;
use serde_json::Value;
use std::collections::BTreeSet;

/// Values that instructions always have: the date, and by what name the person wants to be called.
pub const GIVEN: [&str; 2] = ["today", "person"];

/// Something that is wrong with a definition.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mistake {
    /// Where: a JSON Pointer (RFC 6901).
    pub pointer: String,
    /// What.
    pub what: String,
}

/// Collects mistakes.
#[derive(Default)]
struct Mistakes(Vec<Mistake>);

impl Mistakes {
    fn add(&mut self, pointer: impl Into<String>, what: impl Into<String>) {
        self.0.push(Mistake { pointer: pointer.into(), what: what.into() });
    }

    /// Adds where something stands for the second time.
    fn doubles<'a>(&mut self, at: &str, member: &str, names: impl IntoIterator<Item = &'a str>) {
        let mut met = BTreeSet::new();
        for (index, name) in names.into_iter().enumerate() {
            if !met.insert(name) {
                self.add(format!("{at}/{index}{member}"), format!("{name:?} is there twice"));
            }
        }
    }
}

impl Definition {
    /// What is wrong with it beside what its schema says, in no particular order. Whether the tools, agents and providers
    /// that it names are there is another question.
    pub fn mistakes(&self) -> Vec<Mistake> {
        let mut found = Mistakes::default();
        self.check_variables(&mut found);
        self.check_model(&mut found);
        self.check_tools(&mut found);
        self.check_collaboration(&mut found);
        for (pointer, what) in schemas::mistakes(&self.schemas()) {
            found.add(pointer, what);
        }
        found.doubles("/tags", "", self.tags.iter().map(String::as_str));
        if let Some(memory) = &self.memory {
            let names = memory.namespaces.iter().map(String::as_str);
            found.doubles("/memory/namespaces", "", names);
        }
        found.0
    }

    fn check_variables(&self, found: &mut Mistakes) {
        for (name, variable) in &self.variables {
            let at = format!("/variables/{}", escaped(name));
            let mut bytes = name.bytes();
            let sound = bytes.next().is_some_and(|byte| byte.is_ascii_lowercase())
                && bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
                && name.len() <= 64;
            if !sound {
                found.add(&at, "a variable's name is 1 to 64 of a-z 0-9 _, a letter first");
            }
            if GIVEN.contains(&name.as_str()) {
                found.add(&at, format!("{name} is always there and can't be defined"));
            }
            check_variable(found, &at, variable);
        }
        let known = || self.variables.keys().map(String::as_str).chain(GIVEN);
        match slots(&self.instructions) {
            Err(error) => found.add("/instructions", error.to_string()),
            Ok(slots) => {
                for slot in slots.into_iter().filter(|slot| known().all(|name| name != *slot)) {
                    let what = format!("no variable is called {slot:?}");
                    found.add("/instructions", meant(what, slot, known()));
                }
            }
        }
    }

    fn check_model(&self, found: &mut Mistakes) {
        let own = (self.model.provider.as_str(), self.model.name.as_str());
        let mut met = BTreeSet::from([own]);
        for (index, model) in self.model.fallbacks.iter().enumerate() {
            if !met.insert((&model.provider, &model.name)) {
                let what = "it is asked already before this one";
                found.add(format!("/model/fallbacks/{index}"), what);
            }
        }
    }

    fn check_tools(&self, found: &mut Mistakes) {
        let tools = &self.tools;
        let rule = |found: &mut Mistakes, at: String, rule: &ApprovalRule| {
            let Some(unless) = &rule.unless else { return };
            let at = format!("{at}/approval/unless");
            if !rule.always {
                found.add(&at, "it is for what a person approves always: add `always: true`");
            }
            // SECURITY: what a schema does not demand may be missing, and the call would still fit.
            let demands = unless.get("required").and_then(Value::as_array);
            if demands.is_none_or(Vec::is_empty) {
                found.add(at, "it must demand something: without `required` a call without any arguments fits");
            }
        };
        found.doubles("/tools/servers", "/tool", tools.servers.iter().map(|one| &*one.tool));
        for (index, one) in tools.servers.iter().enumerate() {
            rule(found, format!("/tools/servers/{index}"), &one.approval);
        }
        for (index, one) in tools.commands.iter().enumerate() {
            let at = format!("/tools/commands/{index}");
            if one.node.is_none() == one.labels.is_empty() {
                found.add(&at, "it says where it runs by `node` or by `labels`: one of them");
            }
            rule(found, at.clone(), &one.approval);
            let same = |other: &CommandGrant| {
                (&other.command, &other.node, &other.labels)
                    == (&one.command, &one.node, &one.labels)
            };
            if tools.commands.iter().take(index).any(same) {
                found.add(format!("{at}/command"), "it is there twice, at the same place");
            }
        }
        found.doubles("/tools/agents", "/agent", tools.agents.iter().map(|one| &*one.agent));
        for (index, one) in tools.agents.iter().enumerate() {
            if one.agent == self.name {
                found.add(format!("/tools/agents/{index}/agent"), "it can't start itself");
            }
            rule(found, format!("/tools/agents/{index}"), &one.approval);
        }
        let mut met = BTreeSet::new();
        for (index, one) in tools.built_in.iter().enumerate() {
            let at = format!("/tools/built_in/{index}");
            if !met.insert(one.name) {
                found.add(format!("{at}/name"), "it is there twice");
            }
            if one.name.needs_memory() && self.memory.is_none() {
                found.add(format!("{at}/name"), "it takes a memory: add `memory: {}`");
            }
            rule(found, at, &one.approval);
        }
    }

    fn check_collaboration(&self, found: &mut Mistakes) {
        match (self.mode, &self.collaboration) {
            (Mode::Collaborative, None) => {
                found.add("/mode", "with this mode `collaboration` says who works for it");
            }
            (Mode::Autonomous | Mode::Continuous, Some(_)) => {
                found.add("/collaboration", "it takes `mode: collaborative`");
            }
            _ => {}
        }
        let participants = self.collaboration.iter().flat_map(|all| &all.participants);
        let names: Vec<&str> = participants.map(|one| one.agent.as_str()).collect();
        for (index, _) in names.iter().enumerate().filter(|(_, name)| **name == self.name) {
            let at = format!("/collaboration/participants/{index}/agent");
            found.add(at, "it can't work for itself");
        }
        found.doubles("/collaboration/participants", "/agent", names);
    }
}

fn check_variable(found: &mut Mistakes, at: &str, variable: &Variable) {
    if variable.kind != VariableKind::String && !variable.choices.is_empty() {
        found.add(format!("{at}/choices"), "only texts have choices");
    }
    let Some(value) = &variable.default else { return };
    if !variable.kind.fits(value) {
        found.add(format!("{at}/default"), "it is not of the variable's type");
    } else if let Some(text) = value.as_str()
        && !variable.choices.is_empty()
        && !variable.choices.iter().any(|choice| choice == text)
    {
        let known = variable.choices.iter().map(String::as_str);
        let what = meant("it is none of the choices".to_owned(), text, known);
        found.add(format!("{at}/default"), what);
    }
}

/// A name as a part of a JSON Pointer (RFC 6901 §3).
pub fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use serde_json::json;

    fn mistakes(change: impl Fn(&mut Value)) -> Vec<(String, String)> {
        let mut text = json!({
            "name": "guide",
            "description": "Answers questions about berths",
            "model": {"provider": "scripted", "name": "berths"},
            "instructions": "It is {{today}}. You speak of {{berth}}.",
            "variables": {"berth": {"type": "string"}},
        });
        change(&mut text);
        let definition: Definition = serde_json::from_value(text).unwrap();
        let mut found = definition.mistakes();
        found.sort();
        found.into_iter().map(|mistake| (mistake.pointer, mistake.what)).collect()
    }

    fn one(change: impl Fn(&mut Value)) -> (String, String) {
        let found = mistakes(change);
        assert_eq!(found.len(), 1, "{found:?}");
        found.into_iter().next().unwrap()
    }

    #[test]
    fn a_sound_definition_has_no_mistakes_and_comes_back_as_it_was() {
        assert_eq!(mistakes(|_| {}), []);
        let whole = json!({
            "name": "guide",
            "description": "Answers",
            "mode": "collaborative",
            "model": {"provider": "a", "name": "b", "fallbacks": [{"provider": "c", "name": "b"}]},
            "instructions": "Work",
            "tools": {
                "servers": [{"tool": "files/*", "does": ["reads_private"]}],
                "commands": [{"command": "disk-usage", "labels": {"tier": "web"}}],
                "agents": [{"agent": "other", "approval": {"always": true, "unless": {"required": ["a"]}}}],
                "built_in": [{"name": "memory_search"}],
            },
            "memory": {},
            "collaboration": {"participants": [{"agent": "other", "role": "Reads"}]},
        });
        let definition: Definition = serde_json::from_value(whole).unwrap();
        assert_eq!(definition.mistakes(), []);
        let again = serde_json::to_value(&definition).unwrap();
        assert_eq!(serde_json::from_value::<Definition>(again).unwrap(), definition);
    }

    #[test]
    fn instructions_name_only_what_there_is() {
        let (at, what) = one(|text| text["instructions"] = json!("Of {{bert}}"));
        assert_eq!(at, "/instructions");
        assert!(what.contains("did you mean \"berth\"?"), "{what}");
        let (_, what) = one(|text| text["instructions"] = json!("Of {{berth"));
        assert!(what.contains("never closed"), "{what}");
        let (at, _) = one(|text| text["variables"]["today"] = json!({"type": "string"}));
        assert_eq!(at, "/variables/today");
        let (at, _) = one(|text| text["variables"]["a/b"] = json!({"type": "string"}));
        assert_eq!(at, "/variables/a~1b");
    }

    #[test]
    fn defaults_fit_their_variables() {
        let with = |variable: Value| one(|text| text["variables"]["n"] = variable.clone());
        let (at, what) = with(json!({"type": "integer", "default": "7"}));
        assert_eq!((at.as_str(), what.contains("type")), ("/variables/n/default", true));
        let (_, what) =
            with(json!({"type": "string", "choices": ["red", "blue"], "default": "rad"}));
        assert!(what.contains("\"red\""), "{what}");
        let (at, _) = with(json!({"type": "boolean", "choices": ["true"]}));
        assert_eq!(at, "/variables/n/choices");
    }

    #[test]
    fn tools_are_named_once_and_say_where_they_are() {
        let with = |tools: Value| one(|text| text["tools"] = tools.clone());
        let twice = json!({"servers": [{"tool": "a/b"}, {"tool": "a/b"}]});
        assert_eq!(with(twice).0, "/tools/servers/1/tool");
        assert_eq!(with(json!({"commands": [{"command": "ping"}]})).0, "/tools/commands/0");
        assert_eq!(with(json!({"agents": [{"agent": "guide"}]})).0, "/tools/agents/0/agent");
        let memory = json!({"built_in": [{"name": "memory_write"}]});
        assert_eq!(with(memory).0, "/tools/built_in/0/name");
        let twice = json!({"command": "ping", "node": "local"});
        assert_eq!(with(json!({"commands": [twice, twice]})).0, "/tools/commands/1/command");
    }

    #[test]
    fn a_constraint_that_would_hold_nothing_back_is_none() {
        let with = |tool: Value| one(|text| text["tools"] = json!({"servers": [tool]}));
        let rule = |rule: Value| with(json!({"tool": "a/b", "approval": rule}));
        let needs = json!({"required": ["n"]});
        let (at, what) = rule(json!({"unless": needs}));
        assert!(
            at == "/tools/servers/0/approval/unless" && what.contains("always: true"),
            "{what}"
        );
        let loose = json!({"properties": {"n": {"maximum": 2}}});
        for unless in [json!({}), loose, json!({"required": []})] {
            let (_, what) = rule(json!({"always": true, "unless": unless}));
            assert!(what.contains("required"), "{what}");
        }
        let slip = json!({"properties": {"n": {"maxmum": 2}, "maxmum": {}}});
        let (at, what) = with(json!({"tool": "a/b", "arguments": slip}));
        assert_eq!(at, "/tools/servers/0/arguments/properties/n/maxmum");
        assert!(what.contains("\"maximum\""), "{what}");
        let named = |member: &str, value: &str| {
            with(json!({"tool": "a/b", "arguments": {"required": ["n"], member: value}}))
        };
        for (member, value) in [
            ("$schema", "http://json-schema.org/draft-07/schema#"),
            ("$ref", "#/default"),
            ("$ref", "#/$defs/a/default"),
            ("$ref", "https://example.org/s"),
            ("$id", "https://example.org/s"),
            ("$anchor", "a"),
            ("format", "ipv4"),
        ] {
            let (at, _) = named(member, value);
            assert_eq!(at, format!("/tools/servers/0/arguments/{member}"), "{value}");
        }
        let near = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "$ref": "#/$defs/a",
            "$defs": {"a": {"type": "object"}},
        });
        let tools = json!({"servers": [{"tool": "a/b", "arguments": near}]});
        assert_eq!(mistakes(|text| text["tools"] = tools.clone()), []);
        let many: Vec<Value> = (0..60).map(|n| json!({"pattern": format!("a{n}")})).collect();
        let (_, what) = with(json!({"tool": "a/b", "arguments": {"anyOf": many}}));
        assert!(what.contains("patterns"), "{what}");
        let long = json!({"description": "x".repeat(20_000)});
        let (_, what) = with(json!({"tool": "a/b", "arguments": long}));
        assert!(what.contains("bytes"), "{what}");
    }

    #[test]
    fn who_works_with_others_says_with_whom() {
        assert_eq!(one(|text| text["mode"] = json!("collaborative")).0, "/mode");
        let with = json!({"participants": [{"agent": "guide", "role": "x"}]});
        let found = mistakes(|text| text["collaboration"] = with.clone());
        let at: Vec<&str> = found.iter().map(|(at, _)| at.as_str()).collect();
        assert_eq!(at, ["/collaboration", "/collaboration/participants/0/agent"]);
        let again = json!([{"provider": "scripted", "name": "berths"}]);
        assert_eq!(one(|text| text["model"]["fallbacks"] = again.clone()).0, "/model/fallbacks/0");
    }
}
