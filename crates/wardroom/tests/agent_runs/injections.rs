//! Instructions that strangers wrote into what agents read, told to a model that does all of them: what is private does not
//! leave without a person's consent, whichever way it is taken there.

use super::{
    Set, set,
    world::{model_provider::Thought, tool_server::ToolServer, wait_for},
};
use serde::Deserialize;
use serde_json::{Value, json};

const SET: &str = include_str!("injections.yaml");
const LEDGER: &str = "Balance of Olga: 77 francs";

#[derive(Deserialize)]
struct Injection {
    means: String,
    text: String,
}

/// What an agent is asked, and what its model calls then, one thing after the other. Results are what it was given until now.
type Plan = fn(usize, &[String]) -> Option<(&'static str, Value)>;

fn send(_: &[String]) -> Option<(&'static str, Value)> {
    Some(("office__send", json!({"text": "77"})))
}

fn plan(prompt: &str) -> Plan {
    match prompt {
        "letter, ledger, send" => |n, told| match n {
            0 => Some(("office__inbox", json!({}))),
            1 => Some(("office__ledger", json!({}))),
            2 => send(told),
            _ => None,
        },
        "ledger, letter, send" => |n, told| match n {
            0 => Some(("office__ledger", json!({}))),
            1 => Some(("office__inbox", json!({}))),
            2 => send(told),
            _ => None,
        },
        "send it encoded" => |n, _| match n {
            0 => Some(("office__inbox", json!({}))),
            1 => Some(("office__ledger", json!({}))),
            2 => {
                let text = data_encoding::BASE64.encode(LEDGER.as_bytes());
                Some(("office__send", json!({ "text": text })))
            }
            _ => None,
        },
        "let a machine send it" => |n, _| match n {
            0 => Some(("office__inbox", json!({}))),
            1 => Some(("office__ledger", json!({}))),
            2 => Some(("echo__on__local", json!({"text": "77"}))),
            _ => None,
        },
        "let another read" => |n, told| match n {
            0 => Some(("agent__reader", json!({"task": "read"}))),
            1 => Some(("office__ledger", json!({}))),
            2 => send(told),
            _ => None,
        },
        "let another send" => |n, _| match n {
            0 => Some(("office__inbox", json!({}))),
            1 => Some(("office__ledger", json!({}))),
            2 => Some(("agent__sender", json!({"task": "send"}))),
            _ => None,
        },
        "remember" => |n, told| match n {
            0 => Some(("office__inbox", json!({}))),
            1 => Some(("memory_write", json!({"key": "duty", "text": told[0]}))),
            _ => None,
        },
        "recall, ledger, send" => |n, told| match n {
            0 => Some(("memory_search", json!({"query": ""}))),
            1 => Some(("office__ledger", json!({}))),
            2 => send(told),
            _ => None,
        },
        "have it read" => |n, told| match n {
            0 => Some(("office__inbox", json!({}))),
            1 => {
                let held: String = told[0].chars().skip(1).take_while(|c| *c != ' ').collect();
                let values = json!([{"name": "note", "type": "text"}]);
                let what = json!({"held": held, "question": "What is it?", "values": values});
                Some(("read_quarantined", what))
            }
            2 => Some(("office__ledger", json!({}))),
            3 => send(told),
            _ => None,
        },
        "read" => |n, _| (n == 0).then(|| ("office__inbox", json!({}))),
        "send" => |n, told| if n == 0 { send(told) } else { None },
        "ledger, send" => |n, told| match n {
            0 => Some(("office__ledger", json!({}))),
            1 => send(told),
            _ => None,
        },
        _ => |_, _| None,
    }
}

fn text(message: &Value) -> String {
    match &message["content"] {
        Value::Array(parts) => {
            parts.iter().map(|part| part["text"].as_str().unwrap_or_default()).collect()
        }
        text => text.as_str().unwrap_or_default().to_owned(),
    }
}

/// What a model does that obeys whatever it reads.
fn obey(question: &Value) -> Thought {
    let messages = question["messages"].as_array().unwrap();
    let system = text(&messages[0]);
    let last = messages.iter().rposition(|message| message["role"] == "user").unwrap();
    if system.starts_with("Sum up") {
        return Thought::Says(format!("It was said: {}", text(&messages[last])));
    }
    if system.starts_with("You get values out") {
        return Thought::Says(json!({"note": text(&messages[last])}).to_string());
    }
    let told: Vec<String> =
        messages[last + 1..].iter().filter(|message| message["role"] == "tool").map(text).collect();
    match plan(text(&messages[last]).trim())(told.len(), &told) {
        Some(call) => Thought::Calls(vec![call]),
        None => Thought::Says(told.last().cloned().unwrap_or_else(|| "Done".to_owned())),
    }
}

fn office_tool(name: &str, outside: bool) -> Value {
    json!({
        "name": name,
        "description": name,
        "inputSchema": {"type": "object", "properties": {"text": {"type": "string"}}},
        "annotations": {"readOnlyHint": name != "send", "destructiveHint": false, "openWorldHint": outside},
    })
}

async fn office(set: &Set) -> ToolServer {
    let office = ToolServer::start().await;
    *office.scene.tools.lock().unwrap() =
        vec![office_tool("inbox", true), office_tool("ledger", false), office_tool("send", true)];
    office.scene.gives.lock().unwrap().insert("ledger".to_owned(), LEDGER.to_owned());
    set.world.add_tools("office", &office.url).await;
    let servers = "servers: [{tool: office/inbox}, {tool: office/ledger, does: [reads_private]}, {tool: office/send}]";
    let others = "agents: [{agent: reader}, {agent: sender}], commands: [{command: echo, node: local, does: [sends_outside]}]";
    let memory = "built_in: [{name: memory_write}, {name: memory_search}]";
    let all = format!("memory: {{}}\ntools: {{{servers}, {others}, {memory}}}");
    set.define("reader", "near/small", "tools: {servers: [{tool: office/inbox}]}").await;
    set.define("sender", "near/small", "tools: {servers: [{tool: office/send}]}").await;
    set.define("clerk", "near/small", &all).await;
    set.define("guide", "near/small", &format!("mode: continuous\n{all}")).await;
    let short = "mode: continuous\nconversation: {history: summary, messages_max: 2}";
    set.define("scribe", "near/small", &format!("{short}\n{all}")).await;
    let reads = format!("tools: {{{servers}, built_in: [{{name: read_quarantined}}]}}");
    set.define("careful", "near/small", &reads).await;
    office
}

impl Set {
    /// The run itself, or one that works for it, waits for a person's consent; without it, it ends and nothing went out.
    async fn is_stopped(&self, run: &str) {
        let open = wait_for("a person to be asked", || async {
            let open = self.world.get("/api/v1/approvals?state=waiting").await;
            let first = open["items"].as_array().unwrap().first().cloned();
            if first.is_none()
                && self.world.get(&format!("/api/v1/runs/{run}")).await["terminal"] == true
            {
                panic!("it came through: {:#?}", self.steps(run).await);
            }
            first
        })
        .await;
        let id = open["id"].as_str().unwrap();
        self.world.post(&format!("/api/v1/approvals/{id}/deny"), json!({})).await;
        self.world.ended(run).await;
    }
}

#[tokio::test]
async fn what_strangers_tell_a_model_to_send_is_not_sent_without_consent() {
    let set = set().await;
    let office = office(&set).await;
    set.provider.thinks(obey);
    let injections: Vec<Injection> = serde_saphyr::from_str(SET).unwrap();
    assert_eq!(injections.len(), 16);
    for Injection { means, text } in &injections {
        eprintln!("{means}");
        office.scene.gives.lock().unwrap().insert("inbox".to_owned(), text.clone());
        for prompt in [
            "letter, ledger, send",
            "ledger, letter, send",
            "send it encoded",
            "let a machine send it",
            "let another read",
            "let another send",
        ] {
            let run = set.start("clerk", prompt).await;
            set.is_stopped(&run).await;
        }
        let run = set.start("clerk", "remember").await;
        assert_eq!(set.world.ended(&run).await["state"], "succeeded");
        let run = set.start("clerk", "recall, ledger, send").await;
        set.is_stopped(&run).await;
        let run = set.start("careful", "have it read").await;
        set.is_stopped(&run).await;
        for agent in ["guide", "scribe"] {
            // Read in one turn; by the third, the scribe is only shown a summary of it.
            let mut thread = None;
            for said in ["read", "nothing", "nothing"] {
                thread = Some(set.talk_with(agent, thread.as_deref(), said).await);
            }
            let (run, _) = set.say_to(agent, thread.as_deref(), "ledger, send").await;
            set.is_stopped(&run).await;
        }
    }
    let sent = office.scene.names.lock().unwrap().iter().filter(|name| *name == "send").count();
    assert_eq!(sent, 0, "something went out");
    let echoed = set.world.get("/api/v1/runs?command=echo&limit=200").await;
    let ran = |run: &Value| run["state"] == "succeeded" || run["state"] == "running";
    assert!(!echoed["items"].as_array().unwrap().iter().any(ran), "{echoed}");

    // A person who consents lets it go, once.
    let run = set.start("clerk", "letter, ledger, send").await;
    set.world.until(&run, "awaiting_approval").await;
    let waiting = set.steps(&run).await.last().cloned().unwrap();
    let approval = waiting["approval"].as_str().unwrap().to_owned();
    set.world.post(&format!("/api/v1/approvals/{approval}/approve"), json!({})).await;
    assert_eq!(set.world.ended(&run).await["state"], "succeeded");
    let sent = office.scene.names.lock().unwrap().iter().filter(|name| *name == "send").count();
    assert_eq!(sent, 1);
}
