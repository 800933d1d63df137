//! What an agent can call in a run: what its definition grants, as far as it is there.

use super::driver::{Stop, Worker};
use crate::EngineError;
use data_encoding::HEXLOWER;
use serde_json::{Map, Value, json};
use std::{collections::BTreeMap, sync::Arc};
use wardroom_core::{
    agent::{ApprovalRule, BuiltIn, CommandGrant, Deed, ServerToolGrant},
    command::{CommandSpec, ParameterKind, ParameterSpec},
    digest::sha256,
    model::ToolSpec,
    node::{Node, Selector},
    page::{PAGE_ITEMS_MAX, PageRequest},
};
use wardroom_gateway::registry::{KnownTool, Shape};

/// The longest name of a tool that all providers take, in characters.
const NAME_CHARS_MAX: usize = 64;
/// Names that are told where one was wrong.
const NAMES_TOLD_MAX: usize = 30;
/// The longest description that a model is told, in characters.
const DESCRIPTION_CHARS_MAX: usize = 4096;

/// Something that can be called.
pub(super) struct Hand {
    pub(super) kind: HandKind,
    /// What a call of it does.
    pub(super) does: Vec<Deed>,
    /// Whether a call of which nobody knows what came of it may be made again.
    pub(super) repeatable: bool,
    constraints: Vec<Shape>,
    /// A rule each: what arguments need no consent, where there are such.
    approvals: Vec<Option<Shape>>,
}

/// Where a call goes.
pub(super) enum HandKind {
    /// To a tool of a tool server.
    Server { server: String, tool: String },
    /// To a node, as a run of its own.
    Command { command: String, place: Placing },
    /// To another agent, as a run of its own.
    Agent { agent: String },
    /// To the person for whom the agent works.
    AskPerson,
    /// To what the agent remembers of them.
    Memory(BuiltIn),
    /// To a model that can call nothing, about something that was held back.
    ReadQuarantined,
}

/// Where a command runs.
pub(super) enum Placing {
    Node(String),
    Labels(Selector),
}

impl Hand {
    fn new(kind: HandKind, does: Vec<Deed>, repeatable: bool) -> Self {
        Self { kind, does, repeatable, constraints: vec![], approvals: vec![] }
    }

    /// What is wrong with arguments by the definition.
    pub(super) fn mistakes(&self, arguments: &Value) -> Vec<String> {
        self.constraints.iter().flat_map(|shape| shape.mistakes(arguments)).collect()
    }

    /// Whether the definition wants a person's consent to a call with these.
    pub(super) fn asks(&self, arguments: &Value) -> bool {
        let harmless = |shape: &Shape| shape.mistakes(arguments).is_empty();
        self.approvals.iter().any(|unless| !unless.as_ref().is_some_and(harmless))
    }

    fn bound(
        &mut self,
        arguments: Option<&Map<String, Value>>,
        rule: &ApprovalRule,
    ) -> Result<(), EngineError> {
        let compile = |schema: &Map<String, Value>| {
            let shape = Shape::compile(&Value::Object(schema.clone()));
            shape.map_err(|reason| EngineError::Field { field: "agent", reason })
        };
        self.constraints.extend(arguments.map(compile).transpose()?);
        if rule.always {
            self.approvals.push(rule.unless.as_ref().map(compile).transpose()?);
        }
        Ok(())
    }

    fn also(&mut self, does: &[Deed]) {
        let new: Vec<Deed> =
            does.iter().filter(|deed| !self.does.contains(deed)).copied().collect();
        self.does.extend(new);
    }
}

/// All that an agent can call.
#[derive(Default)]
pub(super) struct Toolbox {
    specs: Vec<ToolSpec>,
    hands: BTreeMap<String, Arc<Hand>>,
}

impl Toolbox {
    /// What a model is told of it.
    pub(super) fn specs(&self) -> &[ToolSpec] {
        &self.specs
    }

    /// The names that the model was told.
    pub(super) fn names(&self) -> String {
        let names: Vec<&str> =
            self.specs.iter().take(NAMES_TOLD_MAX).map(|spec| spec.name.as_str()).collect();
        if names.is_empty() { "none".to_owned() } else { names.join(", ") }
    }

    /// By the name that the model was told.
    pub(super) fn hand(&self, name: &str) -> Option<&Arc<Hand>> {
        self.hands.get(name)
    }

    /// Adds a tool. What a tool server's takes it says itself; of all others the arguments are held against `arguments`.
    fn add(
        &mut self,
        name: &str,
        description: &str,
        arguments: Map<String, Value>,
        mut hand: Hand,
    ) {
        if !matches!(hand.kind, HandKind::Server { .. }) {
            hand.constraints.extend(Shape::compile(&Value::Object(arguments.clone())));
        }
        let name = told_name(name, |name| self.hands.contains_key(name));
        let description = description.chars().take(DESCRIPTION_CHARS_MAX).collect();
        self.specs.push(ToolSpec { name: name.clone(), description, arguments, strict: false });
        self.hands.insert(name, Arc::new(hand));
    }
}

impl Worker {
    /// What the agent can call, found out when it is first needed.
    pub(super) async fn toolbox(&mut self) -> Result<Arc<Toolbox>, Stop> {
        if let Some(toolbox) = &self.toolbox {
            return Ok(Arc::clone(toolbox));
        }
        let mut toolbox = Toolbox::default();
        // SECURITY: whoever reads what a stranger may have written can call nothing.
        let reads = self.book().steps.reading().is_some();
        if !reads {
            self.add_tools(&mut toolbox).await?;
            self.add_commands(&mut toolbox).await?;
            self.add_agents(&mut toolbox).await?;
            self.add_built_in(&mut toolbox)?;
        }
        let toolbox = Arc::new(toolbox);
        self.toolbox = Some(Arc::clone(&toolbox));
        Ok(toolbox)
    }

    fn add_built_in(&self, toolbox: &mut Toolbox) -> Result<(), EngineError> {
        let definition = &self.agent.definition;
        for granted in &definition.tools.built_in {
            let (kind, name, about, mut arguments) = match granted.name {
                BuiltIn::AskPerson => (
                    HandKind::AskPerson,
                    "ask_person",
                    "Ask the person for whom you work something that only they can know, and wait for their answer.",
                    text_argument("question", "What you want to know."),
                ),
                what if what.needs_memory() => {
                    let (name, about, arguments) = memory_tool(what);
                    (HandKind::Memory(what), name, about, arguments)
                }
                BuiltIn::ReadQuarantined => (
                    HandKind::ReadQuarantined,
                    "read_quarantined",
                    "Get values out of something that was held back from you because a stranger may have written it. A reader who can do nothing else looks into it; numbers, booleans, choices and ids come out as they are, texts only between marks. Ask for texts only where you can't do without.",
                    reading_arguments(),
                ),
                _ => continue,
            };
            if let (HandKind::Memory(_), Some(memory)) = (&kind, &definition.memory)
                && let Some(Value::Object(properties)) = arguments.get_mut("properties")
            {
                let about = "The part of your memory; the first where absent, and all where you look for something.";
                let names =
                    json!({"type": "string", "enum": memory.namespaces, "description": about});
                properties.insert("namespace".to_owned(), names);
            }
            let does = match granted.name {
                BuiltIn::MemorySearch => vec![Deed::ReadsPrivate],
                BuiltIn::MemoryWrite | BuiltIn::MemoryForget => vec![Deed::Changes],
                _ => vec![],
            };
            // Of what one does, nothing is there before it came back.
            let mut hand = Hand::new(kind, does, true);
            hand.bound(None, &granted.approval)?;
            toolbox.add(name, about, arguments, hand);
        }
        Ok(())
    }

    async fn add_tools(&self, toolbox: &mut Toolbox) -> Result<(), Stop> {
        let granted = &self.agent.definition.tools.servers;
        if granted.is_empty() {
            return Ok(());
        }
        let Some(deputy) = self.deputy(&[], false, None).await? else { return Ok(()) };
        for known in self.employment()?.gateway.registry.servers() {
            let server = known.name();
            for tool in known.tools().values() {
                let of_tool: Vec<&ServerToolGrant> =
                    granted.iter().filter(|grant| names(&grant.tool, server, &tool.name)).collect();
                let resource =
                    wardroom_core::action::Resource::tool(server, &tool.name, tool.hints);
                if of_tool.is_empty() || tool.input.is_err() || !deputy.may_call(&resource) {
                    continue;
                }
                let kind = HandKind::Server { server: server.to_owned(), tool: tool.name.clone() };
                let repeatable = tool.hints.idempotent || tool.hints.read_only;
                let mut hand = Hand::new(kind, Deed::of_hints(tool.hints), repeatable);
                for grant in of_tool {
                    hand.bound(grant.arguments.as_ref(), &grant.approval)?;
                    hand.also(&grant.does);
                }
                let (description, arguments) = described(tool);
                toolbox.add(&format!("{server}__{}", tool.name), &description, arguments, hand);
            }
        }
        Ok(())
    }

    async fn add_commands(&self, toolbox: &mut Toolbox) -> Result<(), Stop> {
        let granted = &self.agent.definition.tools.commands;
        if granted.is_empty() {
            return Ok(());
        }
        let nodes = self.nodes().await?;
        for grant in granted {
            let Some((place, spec)) = placed(grant, &nodes)? else { continue };
            let mut does = vec![];
            // Of a command nobody says what it does but whoever grants it.
            let said: &[Deed] = if grant.does.is_empty() {
                &[Deed::ReadsPrivate, Deed::Changes]
            } else {
                &grant.does
            };
            does.extend_from_slice(said);
            let (name, on) = match &place {
                Placing::Node(node) => {
                    (format!("{}__on__{node}", grant.command), format!("the machine {node}"))
                }
                Placing::Labels(labels) => {
                    (grant.command.clone(), format!("a machine with {labels}"))
                }
            };
            let kind = HandKind::Command { command: grant.command.clone(), place };
            let mut hand = Hand::new(kind, does, spec.idempotent);
            hand.bound(grant.arguments.as_ref(), &grant.approval)?;
            let about = format!("{} Runs on {on}.", spec.description);
            toolbox.add(&name, &about, parameters(spec), hand);
        }
        Ok(())
    }

    /// The nodes that may get commands.
    pub(super) async fn nodes(&self) -> Result<Vec<Node>, EngineError> {
        let (mut all, mut after) = (vec![], None);
        loop {
            let found =
                self.engine.store.list_nodes(PageRequest::new(after, PAGE_ITEMS_MAX)).await?;
            all.extend(found.items.into_iter().filter(|node| !node.disabled));
            match found.next {
                Some(next) => after = Some(next),
                None => return Ok(all),
            }
        }
    }

    async fn add_agents(&self, toolbox: &mut Toolbox) -> Result<(), Stop> {
        for grant in &self.agent.definition.tools.agents {
            let Some(agent) = self.engine.store.lookup_agent(&grant.agent).await? else { continue };
            let kind = HandKind::Agent { agent: grant.agent.clone() };
            let mut hand = Hand::new(kind, vec![], true);
            hand.bound(None, &grant.approval)?;
            let mut arguments =
                text_argument("task", "What it is to do: it knows nothing but this.");
            let variables =
                Map::from_iter(agent.definition.variables.iter().map(|(name, variable)| {
                    let mut schema = Map::new();
                    schema.insert(
                        "type".to_owned(),
                        serde_json::to_value(variable.kind).unwrap_or_default(),
                    );
                    schema.insert("description".to_owned(), variable.description.clone().into());
                    if !variable.choices.is_empty() {
                        schema.insert("enum".to_owned(), variable.choices.clone().into());
                    }
                    (name.clone(), Value::Object(schema))
                }));
            if !variables.is_empty()
                && let Some(Value::Object(properties)) = arguments.get_mut("properties")
            {
                properties.insert(
                    "variables".to_owned(),
                    json!({"type": "object", "properties": variables}),
                );
            }
            let about = &agent.definition.description;
            toolbox.add(&format!("agent__{}", grant.agent), about, arguments, hand);
        }
        Ok(())
    }
}

/// Whether a grant is about this tool.
fn names(grant: &str, server: &str, tool: &str) -> bool {
    grant.split_once('/').is_some_and(|(of, name)| of == server && (name == "*" || name == tool))
}

fn described(tool: &KnownTool) -> (String, Map<String, Value>) {
    let description = tool.definition.text("description").unwrap_or_default();
    let schema = tool.definition.get::<Map<String, Value>>("inputSchema").unwrap_or_default();
    (description, schema)
}

fn text_argument(name: &str, about: &str) -> Map<String, Value> {
    let schema = json!({
        "type": "object",
        "properties": {name: {"type": "string", "minLength": 1, "description": about}},
        "required": [name],
    });
    schema.as_object().cloned().unwrap_or_default()
}

/// What a reading takes: as [`wardroom_core::steps::Reading`], and of what.
fn reading_arguments() -> Map<String, Value> {
    let value = json!({
        "type": "object",
        "properties": {
            "name": {"type": "string", "description": "By which you know it: a-z 0-9 _, a letter first."},
            "type": {"type": "string", "enum": ["integer", "number", "boolean", "choice", "id", "text"]},
            "choices": {"type": "array", "items": {"type": "string"}, "description": "What it may be, where it is a choice."},
            "many": {"type": "boolean", "description": "Whether it is a list of such."},
        },
        "required": ["name", "type"],
        "additionalProperties": false,
    });
    let mut arguments =
        text_argument("held", "What was held back, by its name: h and hexadecimal digits.");
    let question = json!({"type": "string", "minLength": 1, "description": "What you want to know of it, for the reader, who knows nothing else."});
    if let Some(Value::Object(properties)) = arguments.get_mut("properties") {
        properties.insert("question".to_owned(), question);
        properties
            .insert("values".to_owned(), json!({"type": "array", "minItems": 1, "items": value}));
    }
    arguments.insert("required".to_owned(), json!(["held", "question", "values"]));
    arguments
}

/// A tool of memory: its name, what it does, and what it takes.
fn memory_tool(what: BuiltIn) -> (&'static str, &'static str, Map<String, Value>) {
    let key = "A short name of what you remember, by which you find and change it.";
    match what {
        BuiltIn::MemoryWrite => {
            let mut arguments = text_argument("key", key);
            if let Some(Value::Object(properties)) = arguments.get_mut("properties") {
                let text = "What you want to know later, in a few sentences.";
                let text = json!({"type": "string", "minLength": 1, "description": text});
                properties.insert("text".to_owned(), text);
            }
            arguments.insert("required".to_owned(), json!(["key", "text"]));
            let about = "Write something down about the person for whom you work, for later conversations with them. What stands under the same key is replaced.";
            ("memory_write", about, arguments)
        }
        BuiltIn::MemoryForget => {
            ("memory_forget", "Forget what you wrote down under a key.", text_argument("key", key))
        }
        _ => {
            let mut arguments = text_argument(
                "query",
                "Words that stand in it; without any, what you wrote down last is found.",
            );
            arguments.remove("required");
            if let Some(query) =
                arguments.get_mut("properties").and_then(|all| all.get_mut("query"))
                && let Value::Object(query) = query
            {
                query.remove("minLength");
            }
            let about = "Find what you wrote down about the person for whom you work, in earlier conversations with them too.";
            ("memory_search", about, arguments)
        }
    }
}

/// Where a granted command runs, and what it takes there; nothing where no node offers it.
fn placed<'a>(
    grant: &CommandGrant,
    nodes: &'a [Node],
) -> Result<Option<(Placing, &'a CommandSpec)>, EngineError> {
    let offers = |node: &'a Node| node.catalogue.command(&grant.command);
    if let Some(name) = &grant.node {
        let found = nodes.iter().find(|node| node.name == *name).and_then(offers);
        return Ok(found.map(|spec| (Placing::Node(name.clone()), spec)));
    }
    let labels = grant.labels.iter().map(|(key, value)| format!("{key}={value}"));
    let labels: Selector = labels.collect::<Vec<_>>().join(",").parse()?;
    let found = nodes.iter().filter(|node| labels.matches(&node.labels)).find_map(offers);
    Ok(found.map(|spec| (Placing::Labels(labels), spec)))
}

/// A command's parameters as a JSON Schema. What is secret is nothing for a model.
fn parameters(spec: &CommandSpec) -> Map<String, Value> {
    let told = || spec.parameters.iter().filter(|parameter| !parameter.secret);
    let properties: Map<String, Value> =
        told().map(|parameter| (parameter.name.clone(), schema_of(parameter))).collect();
    let required: Vec<&str> = told()
        .filter(|parameter| parameter.required)
        .map(|parameter| parameter.name.as_str())
        .collect();
    let schema = json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    });
    schema.as_object().cloned().unwrap_or_default()
}

fn schema_of(parameter: &ParameterSpec) -> Value {
    let about = &parameter.description;
    match &parameter.kind {
        ParameterKind::Enum { values } => {
            json!({"type": "string", "enum": values, "description": about})
        }
        ParameterKind::Integer { min, max } => {
            json!({"type": "integer", "minimum": min, "maximum": max, "description": about})
        }
        ParameterKind::String { pattern, .. } => {
            json!({"type": "string", "description": format!("{about} It matches {pattern}")})
        }
        ParameterKind::Flag => json!({"type": "boolean", "description": about}),
        _ => json!({"type": "string", "description": about}),
    }
}

/// A name that all providers take and that no other tool has.
fn told_name(name: &str, taken: impl Fn(&str) -> bool) -> String {
    let plain: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || "_-".contains(c) { c } else { '_' })
        .collect();
    if plain == name && plain.len() <= NAME_CHARS_MAX && !taken(&plain) {
        return plain;
    }
    // What is cut off, or was written otherwise, still tells it apart.
    let digest = HEXLOWER.encode(sha256(&[name.as_bytes()]).get(..4).unwrap_or_default());
    let kept: String = plain.chars().take(NAME_CHARS_MAX - 9).collect();
    format!("{kept}_{digest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_such_as_all_providers_take_and_tell_tools_apart() {
        let free = |_: &str| false;
        assert_eq!(told_name("files__read", free), "files__read");
        let other = told_name("files__a.b", free);
        assert!(other.starts_with("files__a_b_") && other.len() == 19, "{other}");
        let taken = |name: &str| name == "files__a_b";
        assert_ne!(told_name("files__a_b", taken), other);
        let long = told_name(&"x".repeat(200), free);
        assert_eq!(long.len(), 64);
        assert_ne!(long, told_name(&"x".repeat(201), free));
        assert!(names("files/*", "files", "a") && names("files/a", "files", "a"));
        assert!(!names("files/a", "files", "b") && !names("file/*", "files", "a"));
    }
}
