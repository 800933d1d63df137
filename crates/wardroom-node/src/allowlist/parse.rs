//! From text to a checked list. Every mistake is named with its line and column.

use super::{
    AllowList, Argument, Command, Does,
    entry::{Entry, Limits, Parameter, Wishes},
    environment::environment,
};
use crate::sandbox::Ability;
use data_encoding::HEXLOWER;
use serde::Deserialize as _;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    ops::Range,
    os::unix::fs::MetadataExt as _,
};
use toml::{
    Spanned,
    de::{DeTable, DeValue, ValueDeserializer},
};
use wardroom_core::{
    command::{
        COMMANDS_MAX, CommandLimits, CommandSpec, ParameterKind, ParameterSpec, PathEntry,
        check_parameter, check_spec,
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

/// What is wrong with an entry, and where.
#[derive(Default)]
pub(super) struct Wrong(Vec<(Range<usize>, String)>);

impl Wrong {
    pub(super) fn add(&mut self, at: Range<usize>, message: impl Into<String>) {
        self.0.push((at, message.into()));
    }
}

/// Reads a list. All mistakes that can be told apart are named at once.
pub fn parse(text: &str) -> Result<AllowList, Vec<Mistake>> {
    let mut wrong = Wrong::default();
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        wrong.add(error.span().unwrap_or(0..0), error.message());
    }
    let mut commands = BTreeMap::new();
    // Behind a mistake of form, what stands where is guesswork.
    if wrong.0.is_empty() {
        for entry in entries(table, &mut wrong) {
            let at = entry.name.span();
            if commands.contains_key(entry.name.get_ref()) {
                wrong.add(at, format!("the command {:?} is there twice", entry.name.get_ref()));
            } else if let Some(command) = command(&entry, &mut wrong) {
                commands.insert(entry.name.into_inner(), command);
            }
        }
    }
    if wrong.0.is_empty() {
        return Ok(AllowList { digest: sha256_hex(text.as_bytes()), commands });
    }
    let mut mistakes: Vec<Mistake> =
        wrong.0.into_iter().map(|(at, message)| mistake(text, at, message)).collect();
    mistakes.sort_by_key(|mistake| (mistake.line, mistake.column));
    mistakes.dedup();
    Err(mistakes)
}

/// The commands of the file, each read by itself, so that a mistake in one does not hide those in others.
fn entries(table: Spanned<DeTable<'_>>, wrong: &mut Wrong) -> Vec<Entry> {
    let mut entries = Vec::new();
    for (key, value) in table.into_inner() {
        if key.get_ref() != "command" {
            wrong.add(
                key.span(),
                "there is nothing of this name here; a list consists of [[command]] tables",
            );
            continue;
        }
        let at = value.span();
        let DeValue::Array(found) = value.into_inner() else {
            wrong.add(at, "write [[command]], with two brackets");
            continue;
        };
        if found.len() > COMMANDS_MAX {
            wrong.add(at, format!("a list has at most {COMMANDS_MAX} commands"));
            continue;
        }
        for value in found {
            let at = value.span();
            match Entry::deserialize(ValueDeserializer::from(value)) {
                Ok(entry) => entries.push(entry),
                Err(error) => wrong.add(error.span().unwrap_or(at), error.message()),
            }
        }
    }
    entries
}

fn command(entry: &Entry, wrong: &mut Wrong) -> Option<Command> {
    let before = wrong.0.len();
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
    for name in &wishes.requires {
        if Ability::named(name.get_ref()).is_none() {
            let known = Ability::ALL.map(Ability::as_str).join(", ");
            wrong.add(
                name.span(),
                format!("there is no sandbox ability {:?}; there are {known}", name.get_ref()),
            );
        }
    }
    let does = does(entry, wishes, wrong);
    let spec = CommandSpec {
        name: entry.name.get_ref().clone(),
        description: entry.description.get_ref().clone(),
        digest: sha256_hex(&serde_json::to_vec(entry).ok()?),
        idempotent: entry.idempotent,
        parameters,
        limits: limits(&entry.limits, wrong),
        network: wishes.network,
        requires: wishes.requires.iter().map(|name| name.get_ref().clone()).collect(),
        builtin: entry.builtin.is_some(),
    };
    // The parts were checked above; what is left is about the command as a whole.
    if wrong.0.len() == before
        && let Err(message) = check_spec(&spec)
    {
        wrong.add(entry.name.span(), message);
    }
    does.filter(|_| wrong.0.len() == before).map(|does| Command { spec, does })
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
            for path in wishes.read.iter().chain(&wishes.write) {
                if !path.get_ref().is_absolute()
                    || path.get_ref().components().any(|part| part.as_os_str() == "..")
                {
                    wrong.add(path.span(), "a sandbox path must be absolute and without `..`");
                }
            }
            let (arguments, flags) = templates(entry, wrong);
            let environment = environment(entry, wrong);
            let paths =
                |paths: &[Spanned<_>]| paths.iter().map(Spanned::get_ref).cloned().collect();
            Some(Does::Program {
                program: program.get_ref().clone(),
                sha256: entry.sha256.as_ref().and_then(|text| pin(text, wrong)),
                arguments,
                flags,
                environment,
                read: paths(&wishes.read),
                write: paths(&wishes.write),
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

fn check_program(program: &Spanned<std::path::PathBuf>, wrong: &mut Wrong) {
    let path = program.get_ref();
    let mut no =
        |why: &str| wrong.add(program.span(), format!("program {}: {why}", path.display()));
    if !path.is_absolute() {
        return no("it must be an absolute path, since no search path is used");
    }
    match std::fs::metadata(path) {
        Ok(found) if !found.is_file() => no("it is not a file"),
        Ok(found) if found.mode() & 0o111 == 0 => no("it may not be executed"),
        Ok(found) if others_write(&found) => no("others may write it: run chmod go-w, chown root"),
        Ok(_) => {
            // SECURITY: who may write the folder may put another program in its place, or where the
            // path is a link, another link.
            let real = path.canonicalize().unwrap_or_else(|_| path.clone());
            let writable = |path: &std::path::Path| {
                let folder = path.parent().and_then(|folder| std::fs::metadata(folder).ok());
                folder.is_none_or(|folder| others_write(&folder))
            };
            if writable(path) || writable(&real) {
                no("others may write the folder that it is in");
            }
        }
        Err(error) => no(&error.to_string()),
    }
}

fn others_write(found: &std::fs::Metadata) -> bool {
    let own = rustix::process::geteuid().as_raw();
    found.mode() & 0o022 != 0 || (found.uid() != 0 && found.uid() != own)
}

fn pin(text: &Spanned<String>, wrong: &mut Wrong) -> Option<[u8; 32]> {
    let pin =
        HEXLOWER.decode(text.get_ref().as_bytes()).ok().and_then(|bytes| bytes.try_into().ok());
    if pin.is_none() {
        wrong.add(text.span(), "sha256 must be 64 lower-case hexadecimal digits");
    }
    pin
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

fn limits(given: &Limits, wrong: &mut Wrong) -> CommandLimits {
    let mut bounded = |name: &str, value: &Option<Spanned<u64>>, otherwise: u64, most: u64| {
        let Some(value) = value else { return otherwise };
        if !(1..=most).contains(value.get_ref()) {
            wrong.add(value.span(), format!("{name} must be 1 to {most}"));
            return otherwise;
        }
        *value.get_ref()
    };
    CommandLimits {
        wall_ms_max: bounded("wall_seconds", &given.wall_seconds, 60, 86_400) * 1000,
        cpu_seconds_max: bounded("cpu_seconds", &given.cpu_seconds, 60, 86_400),
        memory_bytes_max: bounded("memory_mib", &given.memory_mib, 512, 1 << 20) << 20,
        processes_max: bounded("processes", &given.processes, 32, 4096),
        open_files_max: bounded("open_files", &given.open_files, 256, 65_536),
        file_bytes_max: bounded("file_mib", &given.file_mib, 64, 1 << 20) << 20,
        output_bytes_max: bounded("output_kib", &given.output_kib, 1024, 32 * 1024) << 10,
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
        let given = limits(&Limits::default(), &mut wrong);
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
