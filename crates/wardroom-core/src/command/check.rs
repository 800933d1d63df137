//! Checks values against a command's parameters: pure, so that both ends come to the same decision.

use super::{
    CommandSpec, NAME_BYTES_MAX, PARAMETERS_MAX, ParameterKind, ParameterSpec, ParameterValue,
    Parameters, VALUE_BYTES_MAX,
};
use regex::RegexBuilder;
use std::net::IpAddr;

/// The most memory that a compiled pattern may take, in bytes.
const PATTERN_BYTES_MAX: usize = 256 * 1024;
/// The longest description, in bytes.
const DESCRIPTION_BYTES_MAX: usize = 500;
/// The longest pattern as text, in bytes.
const PATTERN_TEXT_BYTES_MAX: usize = 1000;
/// The most texts of an enum, and the most roots of a path.
const CHOICES_MAX: usize = 256;
/// The longest text of an enum, in bytes; all of them are named when a value is none of them.
const CHOICE_BYTES_MAX: usize = 128;
/// The most sandbox abilities that a command may demand.
const REQUIRES_MAX: usize = 32;
/// The longest digest, in bytes: SHA-256, hexadecimal.
const DIGEST_BYTES_MAX: usize = 64;

/// Why a value was refused; always names the parameter, never repeats the value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("parameter {parameter}: {reason}")]
pub struct ParameterError {
    /// The parameter.
    pub parameter: String,
    /// What is wrong and what would be right.
    pub reason: String,
}

/// Checks `given` against `spec` and fills in defaults. All that is wrong is named at once.
pub fn check_parameters(
    spec: &CommandSpec,
    given: &Parameters,
) -> Result<Parameters, Vec<ParameterError>> {
    let mut errors = Vec::new();
    let mut values = Parameters::new();
    for name in given.keys() {
        // More than this many wrong names say no more than these do.
        if errors.len() < PARAMETERS_MAX
            && !spec.parameters.iter().any(|parameter| parameter.name == *name)
        {
            // SECURITY: the name is the caller's text; only its harmless part is repeated.
            let shown: String =
                name.chars().filter(|c| c.is_ascii_graphic()).take(NAME_BYTES_MAX).collect();
            errors.push(ParameterError {
                parameter: shown,
                reason: "the command has no such parameter".into(),
            });
        }
    }
    for parameter in &spec.parameters {
        let value = given.get(&parameter.name).or(parameter.default.as_ref());
        let checked = match value {
            Some(value) => check_value(parameter, value).map(|()| Some(value.clone())),
            None if parameter.required => Err("a value is required".to_owned()),
            None => Ok(None),
        };
        match checked {
            Ok(Some(value)) => {
                values.insert(parameter.name.clone(), value);
            }
            Ok(None) => {}
            Err(reason) => {
                errors.push(ParameterError { parameter: parameter.name.clone(), reason })
            }
        }
    }
    if errors.is_empty() { Ok(values) } else { Err(errors) }
}

fn check_value(parameter: &ParameterSpec, value: &ParameterValue) -> Result<(), String> {
    match (&parameter.kind, value) {
        (ParameterKind::Flag, ParameterValue::Flag(_)) => Ok(()),
        (ParameterKind::Flag, _) => Err("must be true or false".into()),
        (ParameterKind::Integer { min, max }, ParameterValue::Integer(number)) => {
            within(*number, *min, *max)
        }
        (ParameterKind::Integer { min, max }, _) => {
            Err(format!("must be a whole number from {min} to {max}"))
        }
        (ParameterKind::Port { min, max }, ParameterValue::Integer(number)) => {
            within(*number, i64::from(*min), i64::from(*max))
        }
        (ParameterKind::Port { min, max }, _) => Err(format!("must be a port from {min} to {max}")),
        (kind, ParameterValue::Text(text)) => {
            check_text(text, parameter.leading_dash)?;
            check_kind(kind, text)
        }
        _ => Err("must be a text".into()),
    }
}

fn within(number: i64, min: i64, max: i64) -> Result<(), String> {
    if (min..=max).contains(&number) { Ok(()) } else { Err(format!("must be from {min} to {max}")) }
}

/// What no text may have, whatever its type.
fn check_text(text: &str, leading_dash: bool) -> Result<(), String> {
    if text.len() > VALUE_BYTES_MAX as usize {
        return Err(format!("must be at most {VALUE_BYTES_MAX} bytes long"));
    }
    if text.contains('\0') {
        return Err("must not hold a NUL byte".into());
    }
    if text.chars().any(char::is_control) {
        return Err("must not hold control characters".into());
    }
    if text.contains('\u{fffd}') {
        return Err("is not valid UTF-8".into());
    }
    // SECURITY: a program would take it for an option.
    if text.starts_with('-') && !leading_dash {
        return Err("must not begin with a hyphen".into());
    }
    Ok(())
}

fn check_kind(kind: &ParameterKind, text: &str) -> Result<(), String> {
    match kind {
        ParameterKind::Enum { values } => {
            if values.iter().any(|value| value == text) {
                Ok(())
            } else {
                Err(format!("must be one of {}", values.join(", ")))
            }
        }
        ParameterKind::String { pattern, bytes_max } => {
            if text.len() > *bytes_max as usize {
                return Err(format!("must be at most {bytes_max} bytes long"));
            }
            let regex = anchored(pattern)?;
            if regex.is_match(text) {
                Ok(())
            } else {
                Err(format!("must match the pattern {pattern}"))
            }
        }
        ParameterKind::Path { roots, .. } => check_path(text, roots),
        ParameterKind::Host => {
            if is_host(text) {
                Ok(())
            } else {
                Err("must be a host name or an IP address".into())
            }
        }
        ParameterKind::Integer { .. } | ParameterKind::Port { .. } | ParameterKind::Flag => {
            Err("must not be a text".into())
        }
    }
}

/// The pattern, anchored at both ends whatever it says itself.
pub(crate) fn anchored(pattern: &str) -> Result<regex::Regex, String> {
    let build = |pattern: &str| {
        RegexBuilder::new(pattern)
            .size_limit(PATTERN_BYTES_MAX)
            .dfa_size_limit(PATTERN_BYTES_MAX)
            .build()
            .map_err(|_| "its pattern can't be used".to_owned())
    };
    if pattern.len() > PATTERN_TEXT_BYTES_MAX {
        return Err(format!("its pattern is longer than {PATTERN_TEXT_BYTES_MAX} bytes"));
    }
    // SECURITY: first by itself. A pattern such as `a)|(?:b` is none alone, but would close the group
    // that anchors it and match in the middle of a value.
    build(pattern)?;
    build(&format!(r"\A(?:{pattern})\z"))
}

/// The lexical part; the node resolves the path beneath its root when it uses it.
fn check_path(text: &str, roots: &[String]) -> Result<(), String> {
    let clean = text.starts_with('/')
        && !text.contains("//")
        && text.split('/').skip(1).all(|part| part != "." && part != "..");
    if !clean {
        return Err("must be an absolute path without `.`, `..` and `//`".into());
    }
    let beneath = roots.iter().any(|root| {
        let root = root.trim_end_matches('/');
        text == root || text.strip_prefix(root).is_some_and(|rest| rest.starts_with('/'))
    });
    if beneath { Ok(()) } else { Err(format!("must be beneath {}", roots.join(" or "))) }
}

/// A host name (RFC 1123 §2.1) or an IP address.
fn is_host(text: &str) -> bool {
    if text.parse::<IpAddr>().is_ok() {
        return true;
    }
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    // SECURITY: what ends in a number is an address to many programs (`127.1`, `0x7f.1`, `2130706433`)
    // and none to the parser above; such spellings slip past whoever compares addresses.
    let number = |label: &str| {
        label.bytes().all(|b| b.is_ascii_digit())
            || label.starts_with("0x")
            || label.starts_with("0X")
    };
    text.len() <= 253
        && text.split('.').all(label)
        && !text.split('.').next_back().is_some_and(number)
}

/// Whether a text may be the name of a command or parameter.
pub fn is_name(text: &str) -> bool {
    (1..=NAME_BYTES_MAX).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_')
        && text.starts_with(|c: char| c.is_ascii_lowercase())
}

/// Checks that a command is within the bounds of this module; gives the first thing that is not.
pub fn check_spec(spec: &CommandSpec) -> Result<(), String> {
    if !is_name(&spec.name) {
        return Err("a name is 1 to 64 lower-case letters, digits, hyphens and underscores, and begins with a letter".into());
    }
    if spec.description.len() > DESCRIPTION_BYTES_MAX
        || spec.description.chars().any(char::is_control)
    {
        return Err(format!("a description is one line of at most {DESCRIPTION_BYTES_MAX} bytes"));
    }
    if spec.parameters.len() > PARAMETERS_MAX {
        return Err(format!("a command has at most {PARAMETERS_MAX} parameters"));
    }
    if spec.digest.len() > DIGEST_BYTES_MAX
        || !spec.digest.bytes().all(|b| b.is_ascii_alphanumeric())
    {
        return Err(format!("a digest is at most {DIGEST_BYTES_MAX} letters and digits"));
    }
    if spec.requires.len() > REQUIRES_MAX || !spec.requires.iter().all(|name| is_name(name)) {
        return Err(format!(
            "a command demands at most {REQUIRES_MAX} abilities, each by its name"
        ));
    }
    let mut seen = std::collections::BTreeSet::new();
    for parameter in &spec.parameters {
        if !seen.insert(&parameter.name) {
            return Err(format!("the parameter {:?} is there twice", parameter.name));
        }
        check_parameter(parameter)
            .map_err(|reason| format!("parameter {:?}: {reason}", parameter.name))?;
    }
    Ok(())
}

/// Checks one parameter's definition.
pub fn check_parameter(parameter: &ParameterSpec) -> Result<(), String> {
    if !is_name(&parameter.name) {
        return Err("a name is 1 to 64 lower-case letters, digits, hyphens and underscores".into());
    }
    if parameter.description.len() > DESCRIPTION_BYTES_MAX
        || parameter.description.chars().any(char::is_control)
    {
        return Err(format!("a description is one line of at most {DESCRIPTION_BYTES_MAX} bytes"));
    }
    if parameter.required && parameter.kind == ParameterKind::Flag {
        return Err("a flag is never required".into());
    }
    if parameter.secret && parameter.default.is_some() {
        return Err(
            "a secret has no default, since everybody who sees the command would see it".into()
        );
    }
    match &parameter.kind {
        ParameterKind::Enum { values } => {
            if values.is_empty() || values.len() > CHOICES_MAX {
                return Err(format!("an enum has 1 to {CHOICES_MAX} values"));
            }
            let mut seen = std::collections::BTreeSet::new();
            for value in values {
                if value.len() > CHOICE_BYTES_MAX || !seen.insert(value) {
                    return Err(format!(
                        "an enum's values differ and are at most {CHOICE_BYTES_MAX} bytes long"
                    ));
                }
                check_text(value, parameter.leading_dash)
                    .map_err(|reason| format!("a value {reason}"))?;
            }
        }
        ParameterKind::Integer { min, max } if min > max => return Err("min is above max".into()),
        ParameterKind::Port { min, max } if min > max || *min == 0 => {
            return Err("ports go from 1 to 65535 and min is not above max".into());
        }
        ParameterKind::String { pattern, bytes_max } => {
            if *bytes_max == 0 || *bytes_max > VALUE_BYTES_MAX {
                return Err(format!("bytes_max is 1 to {VALUE_BYTES_MAX}"));
            }
            anchored(pattern)?;
        }
        ParameterKind::Path { roots, .. } => {
            let sound = (1..=CHOICES_MAX).contains(&roots.len())
                && roots.iter().all(|root| {
                    root == "/" || check_path(root, std::slice::from_ref(root)).is_ok()
                });
            if !sound {
                return Err(
                    "a path has 1 to 256 roots, each an absolute path without `.` and `..`".into(),
                );
            }
        }
        _ => {}
    }
    match &parameter.default {
        Some(default) => {
            check_value(parameter, default).map_err(|reason| format!("its default {reason}"))
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::command::{CommandLimits, PathEntry};
    use proptest::prelude::*;

    fn parameter(kind: ParameterKind) -> ParameterSpec {
        ParameterSpec {
            name: "p".into(),
            description: String::new(),
            required: true,
            default: None,
            leading_dash: false,
            secret: false,
            kind,
        }
    }

    fn spec(kind: ParameterKind) -> CommandSpec {
        let limits = CommandLimits {
            wall_ms_max: 1,
            cpu_seconds_max: 1,
            memory_bytes_max: 1,
            processes_max: 1,
            open_files_max: 1,
            file_bytes_max: 1,
            output_bytes_max: 1,
        };
        CommandSpec {
            name: "c".into(),
            description: String::new(),
            digest: String::new(),
            idempotent: true,
            parameters: vec![parameter(kind)],
            limits,
            network: false,
            requires: Default::default(),
            builtin: false,
        }
    }

    fn refused(kind: ParameterKind, value: ParameterValue) -> bool {
        check_parameters(&spec(kind), &Parameters::from([("p".into(), value)])).is_err()
    }

    fn text(text: &str) -> ParameterValue {
        ParameterValue::Text(text.into())
    }

    fn any_text() -> ParameterKind {
        ParameterKind::String { pattern: ".*".into(), bytes_max: 100 }
    }

    #[test]
    fn texts_that_smuggle_are_refused() {
        for bad in ["-rf", "--help", "a\0b", "a\nb", "a\u{1b}[2J", "a\u{fffd}", &"x".repeat(101)] {
            assert!(refused(any_text(), text(bad)), "{bad:?}");
        }
        assert!(!refused(any_text(), text("$(reboot); `id` && x")), "no shell ever sees it");
    }

    #[test]
    fn patterns_are_anchored_whatever_they_say() {
        let kind = || ParameterKind::String { pattern: "a|b".into(), bytes_max: 10 };
        assert!(!refused(kind(), text("a")) && !refused(kind(), text("b")));
        assert!(refused(kind(), text("ab")) && refused(kind(), text("xb")));
    }

    #[test]
    fn a_pattern_can_not_leave_its_anchors() {
        for bad in ["a)|(?:b", "(", "a)(", "(?x)a # )", "\\"] {
            let mut parameter =
                parameter(ParameterKind::String { pattern: bad.into(), bytes_max: 10 });
            assert!(refused(parameter.kind.clone(), text("xb")), "{bad}");
            parameter.required = false;
            if bad != "(?x)a # )" {
                assert!(check_parameter(&parameter).is_err(), "{bad}");
            }
        }
        let long = "a".repeat(PATTERN_TEXT_BYTES_MAX + 1);
        for bad in [&long, "(a{1000}){1000}"] {
            let kind = ParameterKind::String { pattern: bad.into(), bytes_max: 10 };
            assert!(check_parameter(&parameter(kind)).is_err());
        }
    }

    #[test]
    fn definitions_out_of_bounds_are_refused() {
        let sound = |change: &dyn Fn(&mut ParameterSpec)| {
            let mut parameter =
                parameter(ParameterKind::Enum { values: vec!["a".into(), "b".into()] });
            change(&mut parameter);
            check_parameter(&parameter)
        };
        sound(&|_| {}).unwrap();
        let values = |values: &[&str]| ParameterKind::Enum {
            values: values.iter().map(|v| (*v).to_owned()).collect(),
        };
        for bad in [&[][..], &["a", "a"], &["-a"], &["a\n"], &[&"x".repeat(200)]] {
            sound(&|parameter| parameter.kind = values(bad)).unwrap_err();
        }
        sound(&|parameter| parameter.default = Some(text("c"))).unwrap_err();
        sound(&|parameter| {
            parameter.secret = true;
            parameter.default = Some(text("a"));
        })
        .unwrap_err();
        sound(&|parameter| parameter.kind = ParameterKind::Flag).unwrap_err();
        sound(&|parameter| parameter.description = "two\nlines".into()).unwrap_err();
        sound(&|parameter| parameter.name = "Upper".into()).unwrap_err();
    }

    #[test]
    fn a_refusal_never_repeats_the_value() {
        let kinds = [
            any_text(),
            ParameterKind::Host,
            ParameterKind::Flag,
            ParameterKind::Integer { min: 0, max: 1 },
            ParameterKind::Port { min: 1, max: 2 },
            ParameterKind::Enum { values: vec!["a".into()] },
            ParameterKind::Path { roots: vec!["/a".into()], entry: PathEntry::Any },
        ];
        for kind in kinds {
            let given = Parameters::from([("p".into(), text("hunter2 \0"))]);
            let errors = check_parameters(&spec(kind), &given).unwrap_err();
            assert!(
                errors.iter().all(|error| !error.to_string().contains("hunter2")),
                "{errors:?}"
            );
        }
    }

    #[test]
    fn paths_stay_beneath_their_roots() {
        let kind =
            || ParameterKind::Path { roots: vec!["/var/log".into()], entry: PathEntry::File };
        assert!(!refused(kind(), text("/var/log/syslog")));
        for bad in [
            "/var/logs",
            "/var/log/../shadow",
            "/var/log/./x",
            "/var//log/x",
            "var/log/x",
            "/etc/passwd",
        ] {
            assert!(refused(kind(), text(bad)), "{bad}");
        }
    }

    #[test]
    fn hosts_and_numbers_are_checked() {
        for good in ["localhost", "a.example", "10.0.0.1", "::1"] {
            assert!(!refused(ParameterKind::Host, text(good)), "{good}");
        }
        for bad in [
            "",
            "a..b",
            "a_b",
            "x-.y",
            "a b",
            "-a",
            "127.1",
            "2130706433",
            "0x7f.1",
            "a.0x7f",
            "1.2.3.4.5",
        ] {
            assert!(refused(ParameterKind::Host, text(bad)), "{bad}");
        }
        let port = || ParameterKind::Port { min: 1024, max: 2000 };
        assert!(!refused(port(), ParameterValue::Integer(1024)));
        assert!(refused(port(), ParameterValue::Integer(1023)) && refused(port(), text("1024")));
    }

    #[test]
    fn unknown_and_missing_parameters_are_all_named() {
        let given = Parameters::from([("q".into(), text("x"))]);
        let errors = check_parameters(&spec(ParameterKind::Host), &given).unwrap_err();
        assert_eq!(errors.len(), 2);
    }

    proptest! {
        #[test]
        fn what_is_accepted_keeps_the_promises(value in ".{0,40}", pattern in "[a-z.*+?|()\\[\\]]{0,12}") {
            let kind = ParameterKind::String { pattern, bytes_max: 20 };
            if !refused(kind, text(&value)) {
                prop_assert!(value.len() <= 20 && !value.starts_with('-') && !value.chars().any(char::is_control));
            }
        }
    }
}
