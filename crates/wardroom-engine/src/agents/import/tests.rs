#![allow(clippy::unwrap_used, reason = "tests")]
use super::*;
use serde_json::json;

const REPORTER: &str = "\
name: Harbour_Reporter
agent_type: reporter
execution_mode: scheduled
description: Tells each morning how full the harbour is
llm_config:
  provider: aws_bedrock
  model: 4
  temperature: 0.4
  max_tokens: 2000
  top_p: 0.9
  timeout: 9000
  region: eu-north-1
  endpoint_url: null
  api_key: planted-key
system_prompt: |
  You report.

    - berths: \"free\" and taken
  Keep it short.
tags: [reports, reports, harbour]
event_subscriptions: [\"report.manual\"]
tools:
  - name: tide_tables
    type: mcp
    url: https://someone:planted-password@tides.example.org/mcp
    description: Tides
    auth: {type: bearer_token, token: planted-token}
  - {name: adder, type: function}
retry_config:
  max_retries: 3
  retry_delay_seconds: 5
  exponential_backoff: true
  backoff_multiplier: 3
  max_retry_delay: 60
schedule_config:
  type: cron
  cron: \"0 9 * * *\"
  timezone: UTC
  task_data: {kind: daily}
  timeout_seconds: 600
surprise: 1
";

fn told(flaws: &[Flaw]) -> Vec<String> {
    flaws.iter().map(ToString::to_string).collect()
}

fn value(text: &str) -> Value {
    Located::read(text).ok().unwrap().value()
}

#[test]
fn what_has_a_counterpart_is_converted() {
    let imported = of_agentrunner(REPORTER).unwrap();
    assert_eq!(imported.flaws, [], "{}", imported.text);
    let expected = json!({
        "name": "harbour-reporter",
        "description": "Tells each morning how full the harbour is",
        "tags": ["reports", "harbour"],
        "mode": "autonomous",
        "model": {
            "provider": "bedrock", "name": "4", "temperature": 0.4, "output_tokens_max": 2000,
            "timeout_seconds": 3600,
        },
        "instructions": "You report.\n\n  - berths: \"free\" and taken\nKeep it short.\n",
        "tools": {"servers": [{"tool": "tide-tables/*"}]},
        "limits": {"seconds_max": 600},
        "retry": {"attempts_max": 4, "backoff_ms": 5000},
    });
    assert_eq!(value(&imported.text), expected, "{}", imported.text);
    assert!(imported.text.contains("instructions: |\n  You report.\n"), "{}", imported.text);
}

#[test]
fn what_has_none_is_told_where_it_stands_and_no_secret_with_it() {
    let imported = of_agentrunner(REPORTER).unwrap();
    let told = told(&imported.notes);
    for begins in [
        "1:1: name: is \"harbour-reporter\" here",
        "2:1: agent_type: has no counterpart",
        "3:1: execution_mode: is autonomous here",
        "6:3: llm_config.provider: is \"bedrock\" here",
        "10:3: llm_config.top_p: has no counterpart",
        "11:3: llm_config.timeout: is 3600 here: from 1 to 3600",
        "12:3: llm_config.region: belongs to the provider",
        "14:3: llm_config.api_key: belongs into a file of the provider",
        "21:1: event_subscriptions: has no counterpart",
        "25:5: tools[0].url: takes the tool server tide-tables",
        "26:5: tools[0].description: has no counterpart",
        "27:5: tools[0].auth: belongs to the tool server",
        "28:19: tools[1].type: has no counterpart",
        "30:3: retry_config.max_retries: is attempts_max 4 here",
        "33:3: retry_config.backoff_multiplier: has no counterpart",
        "34:3: retry_config.max_retry_delay: has no counterpart",
        "36:3: schedule_config.type: has no counterpart",
        "37:3: schedule_config.cron: has no counterpart",
        "38:3: schedule_config.timezone: has no counterpart",
        "39:3: schedule_config.task_data: has no counterpart",
        "41:1: surprise: has no counterpart",
    ] {
        assert!(told.iter().any(|note| note.starts_with(begins)), "{begins}: {told:#?}");
    }
    assert_eq!(told.len(), 21, "{told:#?}");
    assert!(!format!("{imported:?}").contains("planted"), "{imported:?}");
}

fn with(more: &str) -> Imported {
    let model = "llm_config: {provider: ollama, model: llama2}\nsystem_prompt: You help.\n";
    of_agentrunner(&format!("name: helper\ndescription: Helps\n{model}{more}")).unwrap()
}

#[test]
fn conversations_keep_their_length_and_their_rest() {
    let imported = with("execution_mode: continuous\n");
    assert_eq!(imported.flaws, []);
    let of = |imported: &Imported| value(&imported.text)["conversation"].clone();
    let own = json!({"history": "window", "messages_max": 100, "idle_seconds_max": 900});
    assert_eq!(of(&imported), own);
    let imported = with(
        "execution_mode: continuous\ncontinuous_config:\n  idle_timeout_seconds: 60\n  save_interval_seconds: 180\n  \
         max_conversation_history: 7\n  conversation_pruning_strategy: summarize\n  restore_on_startup: false\n  auto_save_on_shutdown: true\n",
    );
    let own = json!({"history": "summary", "messages_max": 7, "idle_seconds_max": 60});
    assert_eq!(of(&imported), own);
    let told = told(&imported.notes).join("\n");
    assert!(told.contains("save_interval_seconds: has no counterpart"), "{told}");
    assert!(told.contains("restore_on_startup: has no") && !told.contains("auto_save"), "{told}");
}

#[test]
fn those_who_work_together_are_named() {
    let imported = with(
        "execution_mode: collaborative\ncollaborative_config:\n  preferred_collaborators: [data_analyzer, writer, writer]\n  \
         planning_agent: {model: large}\n  timeout_seconds: 300\n  allow_human_clarification: false\n",
    );
    assert_eq!(imported.flaws, [], "{}", imported.text);
    let own = value(&imported.text);
    assert_eq!(own["limits"]["seconds_max"], 300);
    let own = &own["collaboration"];
    assert_eq!((&own["steps_max"], &own["questions"]), (&json!(10), &json!(false)));
    let names: Vec<_> =
        own["participants"].as_array().unwrap().iter().map(|one| &one["agent"]).collect();
    assert_eq!(names, ["data-analyzer", "writer"]);
    let told = told(&imported.notes).join("\n");
    assert!(told.contains("planning_agent: has no") && told.contains("takes a role"), "{told}");
    // Nobody to work with: a definition that says so is told to be none yet.
    let imported = with("execution_mode: collaborative\n");
    assert!(told_of(&imported).contains("collaboration.participants"), "{imported:?}");
}

fn told_of(imported: &Imported) -> String {
    told(&imported.flaws).join("\n")
}

#[test]
fn what_can_not_be_converted_is_no_definition_yet() {
    let imported =
        of_agentrunner("name: [1]\nllm_config: gpt\nsystem_prompt: 'Hello {{user}}'\ntags: x\n")
            .unwrap();
    let notes = told(&imported.notes).join("\n");
    for begins in
        ["1:1: name: must be a text", "2:1: llm_config: must be a map", "4:1: tags: must be a list"]
    {
        assert!(notes.contains(begins), "{notes}");
    }
    let flaws = told_of(&imported);
    assert!(flaws.contains("name") && flaws.contains("\"provider\" is missing"), "{flaws}");
    for text in ["", "- a", "name: [", "a: &x 1\nb: *x\n"] {
        assert!(of_agentrunner(text).is_err(), "{text:?}");
    }
    let long = format!("name: a\n# {}", "x".repeat(super::super::DEFINITION_BYTES_MAX));
    assert!(of_agentrunner(&long).is_err());
    let slots = with("execution_mode: autonomous\ninstructions: 'Hello {{user}}'\n");
    assert!(told_of(&slots).contains("no variable is called \"user\""), "{slots:?}");
}
