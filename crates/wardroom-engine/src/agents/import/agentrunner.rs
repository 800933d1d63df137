//! AgentRunner's configuration of an agent.

use super::fields::{Fields, Notes};
use serde_json::{Map, Value, json};
use wardroom_core::{plain_name, tool::server::NAME_CHARS_MAX};

/// The longest name of an agent.
const AGENT_CHARS_MAX: usize = 64;
/// How many messages are kept, and how many seconds are idle, where a file says nothing.
const HISTORY: u64 = 100;
const IDLE_SECONDS: u64 = 900;
/// The steps of a plan where a file says nothing.
const PLAN_STEPS: u64 = 10;
/// How many participants there can be.
const PARTICIPANTS_MAX: usize = 20;

/// The fields of a definition as they are written, and what is to be said of the file that they come from.
pub(super) fn definition(members: Map<String, Value>) -> (Map<String, Value>, Notes) {
    let (mut from, mut notes, mut to) = (Fields::new(String::new(), members), vec![], Map::new());
    identity(&mut from, &mut to);
    let mode = mode(&mut from);
    to.insert("mode".to_owned(), mode.into());
    let model = model(from.map("llm_config"), &mut notes);
    to.insert("model".to_owned(), model.into());
    instructions(&mut from, &mut to);
    let servers = servers(&mut from, &mut notes);
    if !servers.is_empty() {
        to.insert("tools".to_owned(), json!({"servers": servers}));
    }
    let mut seconds = schedule(from.map("schedule_config"), &mut notes);
    let had = from.has("collaborative_config");
    let (together, seconds_together) = collaboration(from.map("collaborative_config"), &mut notes);
    seconds = seconds.or(seconds_together);
    if let Some(seconds) = seconds {
        to.insert("limits".to_owned(), json!({"seconds_max": seconds}));
    }
    let had_continuous = from.has("continuous_config");
    let conversation = conversation(from.map("continuous_config"), &mut notes);
    match mode {
        "continuous" => {
            to.insert("conversation".to_owned(), conversation);
        }
        _ if had_continuous => from.note("continuous_config", "is for the mode continuous only"),
        _ => {}
    }
    match mode {
        "collaborative" => {
            to.insert("collaboration".to_owned(), together);
        }
        _ if had => from.note("collaborative_config", "is for the mode collaborative only"),
        _ => {}
    }
    if from.has("retry_config") {
        to.insert("retry".to_owned(), retry(from.map("retry_config"), &mut notes));
    }
    from.without(&[
        ("agent_type", "has no counterpart: a tag can say what an agent is"),
        ("event_subscriptions", "has no counterpart: no event starts an agent"),
        ("version", "has no counterpart: each change makes a version by itself"),
        ("enabled", "has no counterpart: an agent is there, or it is removed"),
    ]);
    notes.extend(from.notes());
    (to, notes)
}

fn identity(from: &mut Fields, to: &mut Map<String, Value>) {
    let name = from.text("name").unwrap_or_default();
    let own = plain_name(&name, AGENT_CHARS_MAX);
    if own != name {
        from.note("name", format!("is {own:?} here: names are a-z 0-9 and -, a letter first"));
    }
    let description = from.text("description").unwrap_or_else(|| {
        from.note("description", "is missing: people and other agents choose an agent by it");
        format!("The agent {own}")
    });
    to.insert("name".to_owned(), own.into());
    to.insert("description".to_owned(), description.trim().into());
    let tags = from.texts("tags");
    if !tags.is_empty() {
        to.insert("tags".to_owned(), tags.into());
    }
}

fn mode(from: &mut Fields) -> &'static str {
    match from.text("execution_mode").as_deref() {
        Some("continuous") => "continuous",
        Some("collaborative") => "collaborative",
        Some("scheduled") => {
            let what = "is autonomous here: a definition does not say when an agent runs";
            from.note("execution_mode", what);
            "autonomous"
        }
        Some("autonomous") => "autonomous",
        _ => {
            from.note(
                "execution_mode",
                "is none of those that are documented: it is autonomous here",
            );
            "autonomous"
        }
    }
}

fn model(mut from: Fields, notes: &mut Notes) -> Map<String, Value> {
    let mut to = Map::new();
    if let Some(provider) = from.text("provider") {
        let own = provider.strip_prefix("aws_").unwrap_or(&provider).to_owned();
        from.note(
            "provider",
            format!("is {own:?} here: it takes a provider of that name in the file of models"),
        );
        to.insert("provider".to_owned(), own.into());
    }
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            to.insert(name.to_owned(), value);
        }
    };
    put("name", from.text("model").map(Value::from));
    put("temperature", from.number("temperature"));
    put("output_tokens_max", from.whole("max_tokens", 1..=200_000).map(Value::from));
    put("timeout_seconds", from.whole("timeout", 1..=3600).map(Value::from));
    put("seed", from.number("seed"));
    let stop = from.texts("stop_sequences");
    put("stop", (!stop.is_empty()).then(|| stop.into()));
    let of_provider = "belongs to the provider in the file of models";
    from.without(&[
        ("region", of_provider),
        ("aws_region", of_provider),
        ("endpoint_url", of_provider),
        ("api_base", of_provider),
        ("api_key", "belongs into a file of the provider, never into a definition"),
        (
            "response_format",
            "has no counterpart: `response` is the JSON Schema that an answer meets",
        ),
    ]);
    notes.extend(from.notes());
    to
}

fn instructions(from: &mut Fields, to: &mut Map<String, Value>) {
    let parts = [from.text("system_prompt"), from.text("instructions")];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if !parts.is_empty() {
        to.insert("instructions".to_owned(), parts.join("\n").into());
    }
}

fn servers(from: &mut Fields, notes: &mut Notes) -> Vec<Value> {
    let mut servers: Vec<Value> = vec![];
    for mut tool in from.maps("tools") {
        let name = tool.text("name").unwrap_or_default();
        let (kind, own) = (tool.text("type"), plain_name(&name, NAME_CHARS_MAX));
        if kind.as_deref() != Some("mcp") || own.is_empty() {
            tool.note("type", "has no counterpart: tools are those of MCP servers, by name");
        } else {
            let server = json!({"tool": format!("{own}/*")});
            if !servers.contains(&server) {
                servers.push(server);
            }
            let what = format!(
                "takes the tool server {own}: `wardroom mcp add {own} URL`; `{own}/*` are all tools that are accepted there, name those that it needs"
            );
            if tool.text("url").is_none() {
                tool.note("url", "is missing");
            }
            tool.note("url", what);
            tool.without(&[("description", "has no counterpart: tools describe themselves")]);
        }
        let secret = "belongs to the tool server, as a secret (`wardroom mcp add --bearer`)";
        tool.without(&[("auth", secret), ("headers", secret)]);
        notes.extend(tool.notes());
    }
    servers
}

fn retry(mut from: Fields, notes: &mut Notes) -> Value {
    let mut to = Map::new();
    if let Some(retries) = from.whole("max_retries", 0..=9) {
        from.note("max_retries", format!("is attempts_max {} here: how often a model is asked, not how often a run begins anew", retries + 1));
        to.insert("attempts_max".to_owned(), (retries + 1).into());
    }
    if let Some(seconds) = from.whole("retry_delay_seconds", 0..=60) {
        to.insert("backoff_ms".to_owned(), (seconds * 1000).max(100).into());
    }
    let doubles = "has no counterpart: the pause doubles each time";
    from.as_here("exponential_backoff", &json!(true), doubles);
    from.as_here("backoff_multiplier", &json!(2), doubles);
    notes.extend(from.notes());
    to.into()
}

fn conversation(mut from: Fields, notes: &mut Notes) -> Value {
    let history = match from.text("conversation_pruning_strategy").as_deref() {
        None | Some("sliding_window") => "window",
        Some("summarize") => "summary",
        Some(_) => {
            let what = "is none of those that are documented: old messages are left out";
            from.note("conversation_pruning_strategy", what);
            "window"
        }
    };
    let messages = from.whole("max_conversation_history", 1..=1000).unwrap_or(HISTORY);
    let idle = from.whole("idle_timeout_seconds", 10..=86_400).unwrap_or(IDLE_SECONDS);
    let kept = "has no counterpart: each step is kept before the next begins";
    from.without(&[("save_interval_seconds", kept)]);
    from.as_here("auto_save_on_shutdown", &json!(true), kept);
    from.as_here("restore_on_startup", &json!(true), kept);
    notes.extend(from.notes());
    json!({"history": history, "messages_max": messages, "idle_seconds_max": idle})
}

/// Who works together, and how long that may take.
fn collaboration(mut from: Fields, notes: &mut Notes) -> (Value, Option<u64>) {
    let mut names: Vec<String> = vec![];
    for name in from.texts("preferred_collaborators") {
        let own = plain_name(&name, AGENT_CHARS_MAX);
        if !names.contains(&own) {
            names.push(own);
        }
    }
    if names.len() > PARTICIPANTS_MAX {
        from.note("preferred_collaborators", "are more than 20: those behind are left out");
        names.truncate(PARTICIPANTS_MAX);
    } else if !names.is_empty() {
        from.note("preferred_collaborators", "takes a role of each: whoever plans reads it");
    }
    let role =
        |name: String| json!({"role": format!("What the agent {name} is for"), "agent": name});
    let participants: Vec<Value> = names.into_iter().map(role).collect();
    let steps = from.whole("max_plan_steps", 1..=100).unwrap_or(PLAN_STEPS);
    let questions = from.flag("allow_human_clarification").unwrap_or(true);
    let seconds = from.whole("timeout_seconds", 1..=86_400);
    let all = "has no counterpart: whoever plans chooses among the participants";
    from.without(&[
        ("min_collaborators", all),
        ("max_collaborators", all),
        ("planning_strategy", "has no counterpart: one agent plans and gives steps to others"),
        ("planning_agent", "has no counterpart: the agent plans with its own model"),
        (
            "clarification_timeout_seconds",
            "has no counterpart: the time that a person takes is not counted",
        ),
    ]);
    notes.extend(from.notes());
    let to = json!({"participants": participants, "steps_max": steps, "questions": questions});
    (to, seconds)
}

/// How long a run may take; when it begins has no counterpart.
fn schedule(mut from: Fields, notes: &mut Notes) -> Option<u64> {
    let seconds = from.whole("timeout_seconds", 1..=86_400);
    let when = "has no counterpart: a definition does not say when an agent runs";
    from.without(&[
        ("type", when),
        ("cron", when),
        ("interval_seconds", when),
        ("timezone", when),
        ("enabled", when),
        ("task_data", "has no counterpart: whoever starts an agent gives it its input"),
    ]);
    notes.extend(from.notes());
    seconds
}
