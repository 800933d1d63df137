//! From text to a checked list. Every mistake is named with its line and column.

use super::{
    AllowList, Argument, Command, Does,
    entry::{Entry, Parameter, ServerEntry, Wishes},
    environment::environment,
    program::{Usual, check_program, check_wishes, limits, pin, plain},
    tool_server::tool_server,
};
use serde::de::DeserializeOwned;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    ops::Range,
};
use toml::{
    Spanned,
    de::{DeTable, DeValue, ValueDeserializer},
};
use wardroom_core::{
    command::{
        COMMANDS_MAX, CommandSpec, ParameterKind, ParameterSpec, PathEntry, check_parameter,
        check_spec,
    },
    digest::sha256_hex,
    tool::hosted::HOSTED_MAX,
};

/// What is wrong, and where; lines and columns count from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
    /// What is wrong and what would be right.
    pub message: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.message)
    }
}

fn mistake(text: &str, at: Range<usize>, message: impl Into<String>) -> Mistake {
    let before = text.get(..at.start).unwrap_or(text);
    Mistake {
        line: before.matches('\n').count() + 1,
        column: before.rsplit('\n').next().map_or(1, |line| line.chars().count() + 1),
        message: message.into(),
    }
}

/// What is wrong with an entry, and where.
#[derive(Default)]
pub(super) struct Wrong(Vec<(Range<usize>, String)>);

impl Wrong {
    pub(super) fn add(&mut self, at: Range<usize>, message: impl Into<String>) {
        self.0.push((at, message.into()));
    }

    pub(super) fn count(&self) -> usize {
        self.0.len()
    }
}

/// Reads a list. All mistakes that can be told apart are named at once.
pub fn parse(text: &str) -> Result<AllowList, Vec<Mistake>> {
    let mut wrong = Wrong::default();
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        wrong.add(error.span().unwrap_or(0..0), error.message());
    }
    let mut list = AllowList { digest: sha256_hex(text.as_bytes()), ..AllowList::default() };
    // Behind a mistake of form, what stands where is guesswork.
    if wrong.0.is_empty() {
        let entries = entries(table, &mut wrong);
        for entry in entries.commands {
            let at = entry.name.span();
            if list.commands.contains_key(entry.name.get_ref()) {
                wrong.add(at, format!("the command {:?} is there twice", entry.name.get_ref()));
            } else if let Some(command) = command(&entry, &mut wrong) {
                list.commands.insert(entry.name.into_inner(), command);
            }
        }
        for entry in entries.tool_servers {
            let at = entry.name.span();
            if list.tool_servers.contains_key(entry.name.get_ref()) {
                wrong.add(at, format!("the tool server {:?} is there twice", entry.name.get_ref()));
            } else if let Some(server) = tool_server(&entry, &mut wrong) {
                list.tool_servers.insert(entry.name.into_inner(), server);
            }
        }
    }
    if wrong.0.is_empty() {
        return Ok(list);
    }
    let mut mistakes: Vec<Mistake> =
        wrong.0.into_iter().map(|(at, message)| mistake(text, at, message)).collect();
    mistakes.sort_by_key(|mistake| (mistake.line, mistake.column));
    mistakes.dedup();
    Err(mistakes)
}

/// What a file consists of.
#[derive(Default)]
struct Entries {
    commands: Vec<Entry>,
    tool_servers: Vec<ServerEntry>,
}

/// The entries of the file, each read by itself, so that a mistake in one does not hide those in others.
fn entries(table: Spanned<DeTable<'_>>, wrong: &mut Wrong) -> Entries {
    let mut entries = Entries::default();
    for (key, value) in table.into_inner() {
        match key.get_ref().as_ref() {
            "command" => entries.commands = read_all("command", COMMANDS_MAX, value, wrong),
            "tool_server" => {
                entries.tool_servers = read_all("tool_server", HOSTED_MAX, value, wrong);
            }
            _ => wrong.add(
                key.span(),
                "there is nothing of this name here; a list consists of [[command]] and [[tool_server]] tables",
            ),
        }
    }
    entries
}

fn read_all<T: DeserializeOwned>(
    name: &str,
    most: usize,
    value: Spanned<DeValue<'_>>,
    wrong: &mut Wrong,
) -> Vec<T> {
    let at = value.span();
    let DeValue::Array(found) = value.into_inner() else {
        wrong.add(at, format!("write [[{name}]], with two brackets"));
        return vec![];
    };
    if found.len() > most {
        wrong.add(at, format!("a list has at most {most} [[{name}]] tables"));
        return vec![];
    }
    let mut entries = Vec::new();
    for value in found {
        let at = value.span();
        match T::deserialize(ValueDeserializer::from(value)) {
            Ok(entry) => entries.push(entry),
            Err(error) => wrong.add(error.span().unwrap_or(at), error.message()),
        }
    }
    entries
}

fn command(entry: &Entry, wrong: &mut Wrong) -> Option<Command> {
    let before = wrong.count();
    let mut parameters = Vec::new();
    for parameter in &entry.parameters {
        let given = parameter.get_ref();
        if parameters.iter().any(|known: &ParameterSpec| known.name == given.name) {
            wrong.add(parameter.span(), format!("the parameter {:?} is there twice", given.name));
        }
        match specify(given) {
            Ok(spec) => parameters.push(spec),
            Err(message) => {
                wrong.add(parameter.span(), format!("parameter {:?}: {message}", given.name))
            }
        }
    }
    let nothing = Wishes::default();
    let wishes = entry.sandbox.as_ref().map_or(&nothing, Spanned::get_ref);
    check_wishes(wishes, wrong);
    let does = does(entry, wishes, wrong);
    let spec = CommandSpec {
        name: entry.name.get_ref().clone(),
        description: entry.description.get_ref().clone(),
        digest: sha256_hex(&serde_json::to_vec(entry).ok()?),
        idempotent: entry.idempotent,
        parameters,
        limits: limits(&entry.limits, &Usual::COMMAND, wrong),
        network: wishes.network,
        requires: plain(&wishes.requires),
        builtin: entry.builtin.is_some(),
    };
    // The parts were checked above; what is left is about the command as a whole.
    if wrong.count() == before
        && let Err(message) = check_spec(&spec)
    {
        wrong.add(entry.name.span(), message);
    }
    does.filter(|_| wrong.count() == before).map(|does| Command { spec, does })
}

fn does(entry: &Entry, wishes: &Wishes, wrong: &mut Wrong) -> Option<Does> {
    match (&entry.builtin, &entry.program) {
        (Some(name), None) => {
            if name.get_ref() != "ping" {
                wrong.add(
                    name.span(),
                    "there is no built-in command of this name; there is \"ping\"",
                );
            }
            check_builtin(entry, wrong);
            Some(Does::Ping)
        }
        (None, Some(program)) => {
            check_program(program, wrong);
            let (arguments, flags) = templates(entry, wrong);
            let environment = environment(entry, wrong);
            Some(Does::Program {
                program: program.get_ref().clone(),
                sha256: entry.sha256.as_ref().and_then(|text| pin(text, wrong)),
                arguments,
                flags,
                environment,
                read: plain(&wishes.read),
                write: plain(&wishes.write),
            })
        }
        _ => {
            wrong.add(entry.name.span(), "a command has exactly one of program and builtin");
            None
        }
    }
}

/// What a command without a process can't have.
fn check_builtin(entry: &Entry, wrong: &mut Wrong) {
    for argument in entry.arguments.iter().take(1) {
        wrong.add(argument.span(), "a built-in command takes no arguments");
    }
    if let Some(text) = &entry.sha256 {
        wrong.add(text.span(), "a built-in command has no file that could have a hash");
    }
    if let Some(wishes) = &entry.sandbox {
        wrong.add(wishes.span(), "a built-in command has no sandbox");
    }
    for parameter in &entry.parameters {
        if parameter.get_ref().name != "message" || parameter.get_ref().kind != "string" {
            wrong.add(
                parameter.span(),
                "the built-in ping has one parameter, \"message\" of type string",
            );
        }
    }
}

/// Arguments with their placeholders, and what flags stand for.
fn templates(entry: &Entry, wrong: &mut Wrong) -> (Vec<Argument>, BTreeMap<String, Vec<String>>) {
    let mut used = BTreeSet::new();
    let mut arguments = Vec::new();
    for argument in &entry.arguments {
        let (text, at) = (argument.get_ref(), argument.span());
        if text.contains('\0') {
            wrong.add(at.clone(), "an argument holds a NUL byte");
        }
        match placeholder(text) {
            Ok(None) => arguments.push(Argument::Fixed(text.clone())),
            Ok(Some((prefix, name))) => {
                let parameter =
                    entry.parameters.iter().find(|parameter| parameter.get_ref().name == name);
                match parameter {
                    None => wrong.add(
                        at,
                        format!("the argument {text:?} names a parameter that is not there"),
                    ),
                    Some(found) if found.get_ref().kind == "flag" && !prefix.is_empty() => {
                        wrong.add(at, "a flag stands alone as an argument, since it becomes its own arguments");
                    }
                    Some(_) => {}
                }
                used.insert(name.to_owned());
                arguments.push(Argument::Value {
                    prefix: prefix.to_owned(),
                    parameter: name.to_owned(),
                });
            }
            Err(message) => wrong.add(at, format!("the argument {text:?}: {message}")),
        }
    }
    let mut flags = BTreeMap::new();
    for parameter in &entry.parameters {
        let (given, at) = (parameter.get_ref(), parameter.span());
        match (used.contains(&given.name), given.environment.is_some()) {
            (false, false) => wrong.add(
                at.clone(),
                format!("the parameter {:?} stands nowhere in arguments", given.name),
            ),
            (true, true) => wrong.add(
                at.clone(),
                format!("the parameter {:?} is an argument and in the environment", given.name),
            ),
            _ => {}
        }
        match (&given.arguments, given.kind == "flag") {
            (Some(list), true) if list.iter().all(|text| !text.contains('\0')) => {
                flags.insert(given.name.clone(), list.clone());
            }
            (Some(_), true) => wrong.add(at, "an argument holds a NUL byte"),
            (None, true) => wrong
                .add(at, format!("the flag {:?} needs arguments that it stands for", given.name)),
            (Some(_), false) => wrong.add(at, "only a flag has arguments of its own"),
            (None, false) => {}
        }
    }
    (arguments, flags)
}

/// The beginning and the name in `beginning{name}`; a value always ends its argument.
fn placeholder(text: &str) -> Result<Option<(&str, &str)>, &'static str> {
    let Some((prefix, rest)) = text.split_once('{') else {
        return if text.contains('}') { Err("it has a } without a {") } else { Ok(None) };
    };
    match rest.strip_suffix('}') {
        Some(name) if !name.contains(['{', '}']) && !prefix.contains('}') => {
            Ok(Some((prefix, name)))
        }
        _ => Err("a placeholder is one {name} at the end of an argument"),
    }
}

fn specify(given: &Parameter) -> Result<ParameterSpec, String> {
    let need = |what: &str| format!("a parameter of type {} needs {what}", given.kind);
    let port = |number: Option<i64>, otherwise: u16| match number {
        Some(number) => u16::try_from(number).map_err(|_| "a port goes from 1 to 65535".to_owned()),
        None => Ok(otherwise),
    };
    let kind = match given.kind.as_str() {
        "enum" => {
            ParameterKind::Enum { values: given.values.clone().ok_or_else(|| need("values"))? }
        }
        "integer" => ParameterKind::Integer {
            min: given.min.ok_or_else(|| need("min"))?,
            max: given.max.ok_or_else(|| need("max"))?,
        },
        "string" => ParameterKind::String {
            pattern: given.pattern.clone().ok_or_else(|| need("pattern"))?,
            bytes_max: given.bytes_max.ok_or_else(|| need("bytes_max"))?,
        },
        "path" => ParameterKind::Path {
            roots: given.roots.clone().ok_or_else(|| need("roots"))?,
            entry: given.entry.unwrap_or(PathEntry::Any),
        },
        "host" => ParameterKind::Host,
        "port" => ParameterKind::Port { min: port(given.min, 1)?, max: port(given.max, u16::MAX)? },
        "flag" => ParameterKind::Flag,
        other => {
            return Err(format!(
                "there is no type {other:?}; there are enum, integer, string, path, host, port and flag"
            ));
        }
    };
    if let Some(field) = foreign_field(given, &kind) {
        return Err(format!("a parameter of type {} has no {field}", given.kind));
    }
    let flag = kind == ParameterKind::Flag;
    let spec = ParameterSpec {
        name: given.name.clone(),
        description: given.description.clone(),
        required: given.required.unwrap_or(!flag && given.default.is_none()),
        default: given.default.clone(),
        leading_dash: given.leading_dash,
        secret: given.secret,
        kind,
    };
    if flag && spec.required {
        return Err("a flag is never required".into());
    }
    check_parameter(&spec)?;
    Ok(spec)
}

/// A field that means nothing for this type: whoever wrote it believes in a check that is not made.
fn foreign_field(given: &Parameter, kind: &ParameterKind) -> Option<&'static str> {
    use ParameterKind::{Enum, Integer, Path, Port, String};
    let number = matches!(kind, Integer { .. } | Port { .. });
    [
        ("values", given.values.is_some(), matches!(kind, Enum { .. })),
        ("min", given.min.is_some(), number),
        ("max", given.max.is_some(), number),
        ("pattern", given.pattern.is_some(), matches!(kind, String { .. })),
        ("bytes_max", given.bytes_max.is_some(), matches!(kind, String { .. })),
        ("roots", given.roots.is_some(), matches!(kind, Path { .. })),
        ("entry", given.entry.is_some(), matches!(kind, Path { .. })),
    ]
    .into_iter()
    .find(|(_, there, meant)| *there && !meant)
    .map(|(field, _, _)| field)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;
    use crate::{allowlist::entry::Limits, sandbox::Ability};
    use proptest::prelude::*;

    #[test]
    fn the_sample_is_sound() {
        let list = parse(super::super::SAMPLE).unwrap();
        for name in [
            "ping",
            "echo",
            "date",
            "uptime",
            "hostname",
            "whoami",
            "disk-usage",
            "memory",
            "list-directory",
            "read-log",
            "service-status",
        ] {
            assert!(list.commands.contains_key(name), "{name}");
        }
    }

    #[test]
    fn the_page_about_the_list_says_what_the_list_can_say() {
        let page = include_str!("../../../../docs/commands.md");
        let example = page.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next());
        let example = example.unwrap().replace("/usr/local/bin/deploy", "/usr/bin/true");
        let list = parse(&example).unwrap();
        let spec = &list.commands["deploy"].spec;
        assert!(spec.network && spec.parameters.iter().any(|parameter| parameter.secret));
        for ability in Ability::ALL {
            assert!(page.contains(&format!("`{}`", ability.as_str())), "{}", ability.as_str());
        }
        let mut wrong = Wrong::default();
        let given = limits(&Limits::default(), &Usual::COMMAND, &mut wrong);
        for row in [
            format!("| `wall_seconds` | {} |", given.wall_ms_max / 1000),
            format!("| `cpu_seconds` | {} |", given.cpu_seconds_max),
            format!("| `memory_mib` | {} |", given.memory_bytes_max >> 20),
            format!("| `processes` | {} |", given.processes_max),
            format!("| `open_files` | {} |", given.open_files_max),
            format!("| `file_mib` | {} |", given.file_bytes_max >> 20),
            format!(
                "| `output_kib` | {},{:03} |",
                (given.output_bytes_max >> 10) / 1000,
                (given.output_bytes_max >> 10) % 1000
            ),
        ] {
            assert!(page.contains(&row), "{row}");
        }
    }

    #[test]
    fn mistakes_are_named_with_line_and_column() {
        let text = "[[command]]\nname = \"x\"\ndescription = \"d\"\nprogram = \"relative\"\narguments = [\"{nobody}\"]\n";
        let mistakes = parse(text).unwrap_err();
        let places: Vec<_> =
            mistakes.iter().map(|mistake| (mistake.line, mistake.column)).collect();
        assert_eq!(places, [(4, 11), (5, 14)]);
        let typo = parse("[[command]]\nnmae = \"x\"\n").unwrap_err();
        assert_eq!((typo[0].line, typo[0].column), (2, 1));
    }

    #[test]
    fn a_value_can_only_end_its_argument() {
        assert_eq!(placeholder("--lines={n}"), Ok(Some(("--lines=", "n"))));
        assert_eq!(placeholder("plain"), Ok(None));
        for bad in ["{a}{b}", "{a}x", "x}", "{a"] {
            assert!(placeholder(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_text_breaks_the_parser(text in "(?s)[\\[\\]a-z={}\"\n.0-9]{0,200}") {
            let _ = parse(&text);
        }
    }
}
