//! A command as a form, made from its parameters' types.

use super::{format as f, node::kind_name, pattern, shell::Shell};
use askama::Template;
use std::collections::BTreeMap;
use wardroom_wire::{
    api::NodeView,
    link::{CommandShape, KindShape, ParameterShape},
};

/// The field in which a parameter's value travels is its name behind this.
pub(crate) const PREFIX: &str = "p.";
/// In front of a secret parameter's name in the form, for the kept secret that it is given.
pub(crate) const KEPT_PREFIX: &str = "s.";

/// One command of one node.
#[derive(Template)]
#[template(path = "command.html")]
pub(crate) struct CommandPage {
    /// The frame.
    pub(crate) shell: Shell,
    /// The node.
    pub(crate) node: NodeView,
    /// The command.
    pub(crate) command: CommandShape,
    /// Its form.
    pub(crate) form: CommandForm,
    /// Makes a repeated request answer with the first one's run.
    pub(crate) key: String,
}

/// The form as it stands.
#[derive(Debug, Clone, Default)]
pub(crate) struct CommandForm {
    /// One field a parameter.
    pub(crate) fields: Vec<Field>,
    /// Where it runs and how often it is tried.
    pub(crate) advanced: Advanced,
    /// Names of kept secrets that may be used.
    pub(crate) secrets: Vec<String>,
    /// What is wrong as a whole.
    pub(crate) problem: Option<String>,
}

/// Where a run goes and how often it is tried, as typed.
#[derive(Debug, Clone)]
pub(crate) struct Advanced {
    /// `node`, `one` of those with the labels, or `all` of them.
    pub(crate) place: String,
    /// The labels, `key=value,key=value`.
    pub(crate) labels: String,
    /// Must be over within so many seconds.
    pub(crate) deadline_seconds: String,
    /// How often to try.
    pub(crate) attempts_max: String,
    /// 0 to 9.
    pub(crate) priority: String,
    /// What is wrong, by field.
    pub(crate) errors: BTreeMap<String, String>,
}

impl Default for Advanced {
    fn default() -> Self {
        Self {
            place: "node".to_owned(),
            labels: String::new(),
            deadline_seconds: String::new(),
            attempts_max: "1".to_owned(),
            priority: "4".to_owned(),
            errors: BTreeMap::new(),
        }
    }
}

impl Advanced {
    fn error(&self, field: &str) -> Option<&String> {
        self.errors.get(field)
    }

    fn touched(&self) -> bool {
        let fresh = Self::default();
        !self.errors.is_empty()
            || self.place != fresh.place
            || self.attempts_max != fresh.attempts_max
            || self.priority != fresh.priority
            || !self.deadline_seconds.is_empty()
    }
}

/// A parameter's field.
#[derive(Debug, Clone)]
pub(crate) struct Field {
    /// The parameter.
    pub(crate) name: String,
    /// What it means.
    pub(crate) description: String,
    /// Its type, for people.
    pub(crate) kind: &'static str,
    /// Whether a value must be given.
    pub(crate) required: bool,
    /// Whether its value is given back to nobody.
    pub(crate) secret: bool,
    /// How it is entered.
    pub(crate) control: Control,
    /// What stands in it; never a secret.
    pub(crate) value: String,
    /// The kept secret that was chosen for it, by name; none where empty.
    pub(crate) kept: String,
    /// What a value must be like.
    pub(crate) hint: String,
    /// What is wrong with it.
    pub(crate) error: Option<String>,
}

/// How a value is entered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Control {
    /// One of these.
    Select(Vec<String>),
    /// A whole number between these.
    Number(i64, i64),
    /// A text.
    Text {
        /// What the browser checks while it is typed.
        pattern: Option<String>,
        /// The longest.
        max: u32,
    },
    /// A text that nobody should read over a shoulder.
    Secret(u32),
    /// Yes or no.
    Flag,
}

/// The longest path, host or other text without a bound of its own, in bytes.
const TEXT_BYTES_MAX: u32 = 4096;
/// The longest host name (RFC 1123 §2.1).
const HOST_BYTES_MAX: u32 = 255;

impl Field {
    /// The field of `parameter` with its default.
    pub(crate) fn new(parameter: &ParameterShape) -> Self {
        let value = match &parameter.default {
            Some(value) if !parameter.secret => f::value(value),
            _ => String::new(),
        };
        Self {
            name: parameter.name.clone(),
            description: parameter.description.clone(),
            kind: kind_name(&parameter.kind),
            required: parameter.required && parameter.default.is_none(),
            secret: parameter.secret,
            control: control(parameter),
            value,
            kept: String::new(),
            hint: hint(parameter),
            error: None,
        }
    }

    fn is_flag(&self) -> bool {
        self.control == Control::Flag
    }
}

fn control(parameter: &ParameterShape) -> Control {
    let text = |pattern: Option<String>, max: u32| {
        if parameter.secret { Control::Secret(max) } else { Control::Text { pattern, max } }
    };
    match &parameter.kind {
        KindShape::Enum { values } => Control::Select(values.clone()),
        KindShape::Integer { min, max } => Control::Number(*min, *max),
        KindShape::Port { min, max } => Control::Number(i64::from(*min), i64::from(*max)),
        KindShape::String { pattern, bytes_max } => text(pattern::for_browser(pattern), *bytes_max),
        KindShape::Path { .. } => text(None, TEXT_BYTES_MAX),
        KindShape::Host => text(None, HOST_BYTES_MAX),
        KindShape::Flag => Control::Flag,
    }
}

fn hint(parameter: &ParameterShape) -> String {
    let hint = match &parameter.kind {
        KindShape::Integer { min, max } => format!("Whole number from {min} to {max}."),
        KindShape::Port { min, max } => format!("Port from {min} to {max}."),
        KindShape::String { pattern, bytes_max } => match pattern.as_str() {
            ".*" => format!("At most {bytes_max} bytes."),
            pattern => format!("At most {bytes_max} bytes, matching {pattern}"),
        },
        KindShape::Path { roots, entry } => {
            let what = if entry == "any" { "file or directory" } else { entry };
            format!("An existing {what} beneath {}.", roots.join(" or "))
        }
        KindShape::Host => "Host name or IP address.".to_owned(),
        KindShape::Enum { .. } | KindShape::Flag => String::new(),
    };
    match (parameter.secret, hint.is_empty()) {
        (true, true) => "Shown to nobody after submission.".to_owned(),
        (true, false) => format!("{hint} Shown to nobody after submission."),
        _ => hint,
    }
}

impl CommandForm {
    /// The empty form of `command`.
    pub(crate) fn new(command: &CommandShape) -> Self {
        Self { fields: command.parameters.iter().map(Field::new).collect(), ..Self::default() }
    }

    /// Keeps what was typed. Secrets are not given back.
    pub(crate) fn keep(&mut self, typed: &BTreeMap<String, String>) {
        for field in &mut self.fields {
            let value = typed.get(&format!("{PREFIX}{}", field.name));
            match field.control {
                _ if field.secret => {
                    let kept = typed.get(&format!("{KEPT_PREFIX}{}", field.name));
                    field.kept = kept.cloned().unwrap_or_default();
                }
                Control::Flag => field.value = value.is_some().to_string(),
                _ => field.value = value.cloned().unwrap_or_default(),
            }
        }
        let advanced = &mut self.advanced;
        for (name, slot) in [
            ("place", &mut advanced.place),
            ("labels", &mut advanced.labels),
            ("deadline_seconds", &mut advanced.deadline_seconds),
            ("attempts_max", &mut advanced.attempts_max),
            ("priority", &mut advanced.priority),
        ] {
            if let Some(value) = typed.get(name) {
                slot.clone_from(value);
            }
        }
    }

    /// Puts a problem where it belongs: at its parameter, at its advanced field, or above the form.
    pub(crate) fn blame(&mut self, name: &str, reason: &str) {
        let bare = ["parameters.", "secrets."].iter().find_map(|prefix| name.strip_prefix(prefix));
        let bare = bare.unwrap_or(name);
        if let Some(field) = self.fields.iter_mut().find(|field| field.name == bare) {
            field.error = Some(reason.to_owned());
        } else if ["labels", "deadline_seconds", "attempts_max", "priority"].contains(&bare) {
            self.advanced.errors.insert(bare.to_owned(), reason.to_owned());
        } else {
            self.problem = Some(format!("{name}: {reason}"));
        }
    }

    /// How many fields are wrong.
    pub(crate) fn errors(&self) -> usize {
        self.fields.iter().filter(|field| field.error.is_some()).count()
            + self.advanced.errors.len()
    }

    /// The kept secrets that were chosen, by parameter.
    pub(crate) fn kept(&self) -> BTreeMap<String, String> {
        let chosen = self.fields.iter().filter(|field| !field.kept.is_empty());
        chosen.map(|field| (field.name.clone(), field.kept.clone())).collect()
    }

    /// The values as the command takes them. What can't be turned into its type is blamed here; all
    /// else is checked where runs are submitted.
    pub(crate) fn values(
        &mut self,
        typed: &BTreeMap<String, String>,
    ) -> BTreeMap<String, serde_json::Value> {
        let mut values = BTreeMap::new();
        for field in &mut self.fields {
            let text = typed.get(&format!("{PREFIX}{}", field.name));
            if !field.kept.is_empty() {
                if text.is_some_and(|text| !text.is_empty()) {
                    field.error = Some("takes a value or a kept secret, not both".to_owned());
                }
                continue;
            }
            let value = match (&field.control, text) {
                (Control::Flag, text) => serde_json::Value::Bool(text.is_some()),
                (_, None) => continue,
                (_, Some(text)) if text.is_empty() && !field.required => continue,
                (Control::Number(..), Some(text)) => match text.trim().parse::<i64>() {
                    Ok(number) => number.into(),
                    Err(_) => {
                        field.error = Some("must be a whole number".to_owned());
                        continue;
                    }
                },
                (_, Some(text)) if text.is_empty() => {
                    field.error = Some("needs a value".to_owned());
                    continue;
                }
                (_, Some(text)) => text.clone().into(),
            };
            values.insert(field.name.clone(), value);
        }
        values
    }
}
