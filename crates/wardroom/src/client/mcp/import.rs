//! Registers the servers of an `mcp.json`

use super::super::{Exit, Failure, Session};
use super::servers::register;
use serde::Deserialize;
use std::{collections::BTreeMap, fs, path::Path};
use wardroom_core::{
    plain_name,
    tool::{hosted::is_variable, server::NAME_CHARS_MAX},
};
use wardroom_wire::tools::{ServerLimitsShape, ShownShape, ToolServerCreate, WayShape};

/// The largest file, in bytes.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// What desktop clients keep: `mcpServers`, or `servers` as editors call it.
#[derive(Deserialize)]
struct McpJson {
    #[serde(rename = "mcpServers", alias = "servers", default)]
    servers: BTreeMap<String, Entry>,
}

#[derive(Deserialize)]
struct Entry {
    #[serde(alias = "serverUrl")]
    url: Option<String>,
    command: Option<String>,
    #[serde(default)]
    args: Vec<String>,
    #[serde(default)]
    env: BTreeMap<String, String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
}

/// What a node's allow-list would say. SECURITY: values of the environment may be secrets, so only names are told.
fn allow_list_entry(name: &str, command: &str, entry: &Entry) -> String {
    let quoted = |text: &str| serde_json::to_string(text).unwrap_or_default();
    let list = |texts: Vec<String>| texts.join(", ");
    let args = list(entry.args.iter().map(|text| quoted(text)).collect());
    let mut text = format!(
        "[[tool_server]]\nname = {}\ndescription = {}\nprogram = {}\narguments = [{args}]\n",
        quoted(name),
        quoted(&format!("{name} of an mcp.json")),
        quoted(command),
    );
    let names = entry.env.keys().filter(|name| is_variable(name));
    let names = list(names.map(|name| quoted(name)).collect());
    if !names.is_empty() {
        text.push_str(&format!("secrets = [{names}]\n"));
    }
    text
}

/// Registers what can be; says of the rest what is to be done.
pub(super) async fn run(session: &Session, file: &Path) -> Result<Exit, Failure> {
    let wrong = |error: std::io::Error| {
        Failure::local(format!("{} can't be read: {error}", file.display()))
    };
    if fs::metadata(file).map_err(wrong)?.len() > FILE_BYTES_MAX {
        return Err(Failure::usage("an mcp.json is at most 1 MiB"));
    }
    let text = fs::read_to_string(file).map_err(wrong)?;
    // SECURITY: such files hold tokens, so an error says where and not what.
    let read: McpJson = serde_json::from_str(&text).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        Failure::usage(format!("{} is no mcp.json: line {line}, column {column}", file.display()))
    })?;
    let output = &session.output;
    let mut left = 0;
    for (name, entry) in &read.servers {
        let own = plain_name(name, NAME_CHARS_MAX);
        match (&entry.url, &entry.command) {
            (Some(url), _) => {
                let body = ToolServerCreate {
                    name: own.clone(),
                    about: if own == *name {
                        String::new()
                    } else {
                        format!("{name:?} of an mcp.json")
                    },
                    way: WayShape::Http { url: url.clone(), egress: vec![] },
                    shown: ShownShape::Nothing,
                    limits: ServerLimitsShape::default(),
                };
                if let Err(failure) = register(session, &body).await {
                    output.failure(&failure);
                    left += 1;
                    continue;
                }
                for header in entry.headers.keys() {
                    output.hint(&format!("{own} was shown the header {header}: keep its value with `wardroom secret create`, then `wardroom mcp update {own} --header {header}=SECRET`."));
                }
            }
            (None, Some(command)) => {
                left += 1;
                output.note(&format!("{name} is started as a program, which only a node does. Write this into the allow-list of one, with the program's whole path, then `wardroom mcp add {own} --node NODE`:"));
                // A line at a time: a break within one is shown rather than made.
                for line in allow_list_entry(&own, command, entry).lines() {
                    output.line(line)?;
                }
                let odd = entry.env.keys().filter(|name| !is_variable(name));
                for name in odd {
                    output.note(&format!("{name} is left out: variables have capital letters."));
                }
                output.hint("Name what it reads in `sandbox = { read = […] }`, its own files too, and give it `network = true` where it needs that.");
                if !entry.env.is_empty() {
                    output.hint("Keep values that are secret with `wardroom secret create`, and name them with --env VARIABLE=SECRET; write the others into the entry's `environment`.");
                }
            }
            (None, None) => {
                left += 1;
                output.note(&format!(
                    "{name} names neither an address nor a program: it is left out."
                ));
            }
        }
    }
    if read.servers.is_empty() {
        output.hint("The file names no servers.");
    }
    Ok(if left > 0 { Exit::Found } else { Exit::Ok })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::{Entry, allow_list_entry};

    #[test]
    fn a_program_becomes_an_entry_without_the_values_of_its_environment() {
        let text = r#"{"command":"npx","args":["-y","\"x\""],"env":{"API_KEY":"s3cret"}}"#;
        let entry: Entry = serde_json::from_str(text).unwrap();
        let told = allow_list_entry("files", "npx", &entry);
        assert!(told.contains("arguments = [\"-y\", \"\\\"x\\\"\"]"), "{told}");
        assert!(told.contains("secrets = [\"API_KEY\"]") && !told.contains("s3cret"), "{told}");
        assert!(toml::from_str::<toml::Table>(&told).is_ok(), "{told}");
    }
}
