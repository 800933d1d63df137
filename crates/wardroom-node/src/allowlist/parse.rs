//! From text to a checked list. Every mistake is named with its line and column.

use super::{AllowList, Argument, Command, Does};
use crate::sandbox::Ability;
use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    ops::Range,
    os::unix::fs::MetadataExt as _,
    path::PathBuf,
};
use toml::Spanned;
use wardroom_core::{
    command::{
        COMMANDS_MAX, CommandLimits, CommandSpec, ParameterKind, ParameterSpec, ParameterValue,
        PathEntry, check_parameter, check_spec,
    },
    digest::sha256_hex,
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

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    command: Vec<Spanned<Entry>>,
}

#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    description: String,
    program: Option<PathBuf>,
    builtin: Option<String>,
    sha256: Option<String>,
    #[serde(default)]
    arguments: Vec<String>,
    #[serde(default)]
    idempotent: bool,
    #[serde(default)]
    parameters: Vec<Parameter>,
    #[serde(default)]
    limits: Limits,
    #[serde(default)]
    sandbox: Wishes,
}

#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Parameter {
    name: String,
    #[serde(default)]
    description: String,
    #[serde(rename = "type")]
    kind: String,
    required: Option<bool>,
    default: Option<ParameterValue>,
    #[serde(default)]
    leading_dash: bool,
    #[serde(default)]
    secret: bool,
    values: Option<Vec<String>>,
    min: Option<i64>,
    max: Option<i64>,
    pattern: Option<String>,
    bytes_max: Option<u32>,
    roots: Option<Vec<String>>,
    entry: Option<PathEntry>,
    arguments: Option<Vec<String>>,
}

#[derive(Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
struct Limits {
    wall_seconds: Option<u64>,
    cpu_seconds: Option<u64>,
    memory_mib: Option<u64>,
    processes: Option<u64>,
    open_files: Option<u64>,
    file_mib: Option<u64>,
    output_kib: Option<u64>,
}

#[derive(Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
struct Wishes {
    network: bool,
    read: Vec<PathBuf>,
    write: Vec<PathBuf>,
    requires: BTreeSet<String>,
}

/// Reads a list. All mistakes that can be told apart are named at once.
pub fn parse(text: &str) -> Result<AllowList, Vec<Mistake>> {
    let file: File = toml::from_str(text)
        .map_err(|error| vec![mistake(text, error.span().unwrap_or(0..0), error.message())])?;
    let mut mistakes = Vec::new();
    let mut commands = BTreeMap::new();
    if file.command.len() > COMMANDS_MAX {
        mistakes.push(mistake(text, 0..0, format!("a list has at most {COMMANDS_MAX} commands")));
    }
    for entry in file.command {
        let at = entry.span();
        let entry = entry.into_inner();
        match command(&entry) {
            Ok(command) => {
                if commands.insert(entry.name.clone(), command).is_some() {
                    mistakes.push(mistake(
                        text,
                        at,
                        format!("the command {:?} is there twice", entry.name),
                    ));
                }
            }
            Err(messages) => {
                let name = &entry.name;
                mistakes.extend(messages.into_iter().map(|message| {
                    mistake(text, at.clone(), format!("command {name:?}: {message}"))
                }));
            }
        }
    }
    if mistakes.is_empty() {
        Ok(AllowList { digest: sha256_hex(text.as_bytes()), commands })
    } else {
        Err(mistakes)
    }
}

fn command(entry: &Entry) -> Result<Command, Vec<String>> {
    let mut wrong = Vec::new();
    let parameters: Vec<ParameterSpec> = entry
        .parameters
        .iter()
        .filter_map(|parameter| match specify(parameter) {
            Ok(spec) => Some(spec),
            Err(message) => {
                wrong.push(format!("parameter {:?}: {message}", parameter.name));
                None
            }
        })
        .collect();
    let canonical = serde_json::to_vec(entry).unwrap_or_default();
    let spec = CommandSpec {
        name: entry.name.clone(),
        description: entry.description.clone(),
        digest: sha256_hex(&canonical),
        idempotent: entry.idempotent,
        parameters,
        limits: limits(&entry.limits, &mut wrong),
        network: entry.sandbox.network,
        requires: entry.sandbox.requires.clone(),
        builtin: entry.builtin.is_some(),
    };
    if let Err(message) = check_spec(&spec) {
        wrong.push(message);
    }
    for name in &entry.sandbox.requires {
        if Ability::named(name).is_none() {
            let known = Ability::ALL.map(Ability::as_str).join(", ");
            wrong.push(format!("there is no sandbox ability {name:?}; there are {known}"));
        }
    }
    let does = does(entry, &mut wrong);
    match does {
        Some(does) if wrong.is_empty() => Ok(Command { spec, does }),
        _ => Err(wrong),
    }
}

fn does(entry: &Entry, wrong: &mut Vec<String>) -> Option<Does> {
    match (&entry.builtin, &entry.program) {
        (Some(name), None) if name == "ping" => Some(Does::Ping),
        (Some(name), None) => {
            wrong.push(format!("there is no built-in command {name:?}; there is \"ping\""));
            None
        }
        (None, Some(program)) => {
            check_program(program, wrong);
            check_paths(entry, wrong);
            let (arguments, flags) = templates(entry, wrong);
            Some(Does::Program {
                program: program.clone(),
                sha256: pin(entry.sha256.as_deref(), wrong),
                arguments,
                flags,
                read: entry.sandbox.read.clone(),
                write: entry.sandbox.write.clone(),
            })
        }
        _ => {
            wrong.push("give exactly one of program and builtin".into());
            None
        }
    }
}

fn check_program(program: &PathBuf, wrong: &mut Vec<String>) {
    if !program.is_absolute() {
        wrong.push(format!("program {} must be an absolute path", program.display()));
        return;
    }
    match std::fs::metadata(program) {
        Ok(found) if !found.is_file() => {
            wrong.push(format!("program {} is not a file", program.display()))
        }
        Ok(found) if found.mode() & 0o111 == 0 => {
            wrong.push(format!("program {} may not be executed", program.display()));
        }
        Ok(found) if found.mode() & 0o022 != 0 => {
            wrong.push(format!("program {} may be written by others", program.display()));
        }
        Ok(_) => {}
        Err(error) => wrong.push(format!("program {}: {error}", program.display())),
    }
}

fn check_paths(entry: &Entry, wrong: &mut Vec<String>) {
    for path in entry.sandbox.read.iter().chain(&entry.sandbox.write) {
        if !path.is_absolute() {
            wrong.push(format!("the sandbox path {} must be absolute", path.display()));
        }
    }
}

fn pin(text: Option<&str>, wrong: &mut Vec<String>) -> Option<[u8; 32]> {
    let text = text?;
    let pin = HEXLOWER.decode(text.as_bytes()).ok().and_then(|bytes| bytes.try_into().ok());
    if pin.is_none() {
        wrong.push("sha256 must be 64 lower-case hexadecimal digits".into());
    }
    pin
}

/// Arguments with their placeholders, and what flags stand for.
fn templates(
    entry: &Entry,
    wrong: &mut Vec<String>,
) -> (Vec<Argument>, BTreeMap<String, Vec<String>>) {
    let mut used = BTreeSet::new();
    let mut arguments = Vec::new();
    for text in &entry.arguments {
        if text.contains('\0') {
            wrong.push("an argument holds a NUL byte".into());
        }
        match placeholder(text) {
            Ok(None) => arguments.push(Argument::Fixed(text.clone())),
            Ok(Some((prefix, name))) => {
                if !entry.parameters.iter().any(|parameter| parameter.name == name) {
                    wrong
                        .push(format!("the argument {text:?} names a parameter that is not there"));
                }
                used.insert(name.to_owned());
                arguments.push(Argument::Value {
                    prefix: prefix.to_owned(),
                    parameter: name.to_owned(),
                });
            }
            Err(message) => wrong.push(format!("the argument {text:?}: {message}")),
        }
    }
    let mut flags = BTreeMap::new();
    for parameter in &entry.parameters {
        match (&parameter.arguments, parameter.kind == "flag") {
            (Some(list), true) => {
                flags.insert(parameter.name.clone(), list.clone());
                if !used.contains(&parameter.name) {
                    wrong
                        .push(format!("the flag {:?} stands nowhere in arguments", parameter.name));
                }
            }
            (None, true) => wrong
                .push(format!("the flag {:?} needs arguments that it stands for", parameter.name)),
            (Some(_), false) => {
                wrong.push(format!("parameter {:?}: only a flag has arguments", parameter.name))
            }
            (None, false) if !used.contains(&parameter.name) => {
                wrong.push(format!(
                    "the parameter {:?} stands nowhere in arguments",
                    parameter.name
                ));
            }
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

fn limits(given: &Limits, wrong: &mut Vec<String>) -> CommandLimits {
    let mut bounded = |name: &str, value: Option<u64>, otherwise: u64, most: u64| {
        let value = value.unwrap_or(otherwise);
        if value == 0 || value > most {
            wrong.push(format!("limits.{name} must be 1 to {most}"));
        }
        value
    };
    CommandLimits {
        wall_ms_max: bounded("wall_seconds", given.wall_seconds, 60, 86_400) * 1000,
        cpu_seconds_max: bounded("cpu_seconds", given.cpu_seconds, 60, 86_400),
        memory_bytes_max: bounded("memory_mib", given.memory_mib, 512, 1 << 20) << 20,
        processes_max: bounded("processes", given.processes, 32, 4096),
        open_files_max: bounded("open_files", given.open_files, 256, 65_536),
        file_bytes_max: bounded("file_mib", given.file_mib, 64, 1 << 20) << 20,
        output_bytes_max: bounded("output_kib", given.output_kib, 1024, 32 * 1024) << 10,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;
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
    fn mistakes_are_named_with_line_and_column() {
        let text = "[[command]]\nname = \"x\"\ndescription = \"d\"\nprogram = \"relative\"\narguments = [\"{nobody}\"]\n";
        let mistakes = parse(text).unwrap_err();
        assert_eq!(mistakes.len(), 2);
        assert!(mistakes.iter().all(|mistake| mistake.line == 1));
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
