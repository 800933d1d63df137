//! A `[[tool_server]]`: a program that speaks MCP on its standard input and output and stays.

use super::{
    ToolServer,
    entry::{ServerEntry, Wishes},
    environment::{check, check_own},
    parse::Wrong,
    program::{Usual, check_program, check_wishes, limits, pin, plain},
};
use std::collections::{BTreeMap, BTreeSet};
use toml::Spanned;
use wardroom_core::{
    digest::sha256_hex,
    tool::hosted::{HostedServer, INSTANCES_MAX, Instances, check_hosted},
};

/// Processes of a tool server at the same time, where the entry does not say.
const INSTANCES: u32 = 4;

/// The tool server of `entry`.
pub(super) fn tool_server(entry: &ServerEntry, wrong: &mut Wrong) -> Option<ToolServer> {
    let before = wrong.count();
    let nothing = Wishes::default();
    let wishes = entry.sandbox.as_ref().map_or(&nothing, Spanned::get_ref);
    check_wishes(wishes, wrong);
    check_program(&entry.program, wrong);
    for argument in entry.arguments.iter().filter(|argument| argument.get_ref().contains('\0')) {
        wrong.add(argument.span(), "an argument holds a NUL byte");
    }
    let instances_max = entry.instances_max.as_ref();
    if let Some(most) = instances_max
        && !(1..=INSTANCES_MAX).contains(most.get_ref())
    {
        wrong.add(most.span(), format!("instances_max must be 1 to {INSTANCES_MAX}"));
    }
    let server = ToolServer {
        program: entry.program.get_ref().clone(),
        sha256: entry.sha256.as_ref().and_then(|text| pin(text, wrong)),
        arguments: plain(&entry.arguments),
        environment: environment(entry, wrong),
        read: plain(&wishes.read),
        write: plain(&wishes.write),
        spec: HostedServer {
            name: entry.name.get_ref().clone(),
            description: entry.description.get_ref().clone(),
            digest: sha256_hex(&serde_json::to_vec(entry).ok()?),
            instances: entry.instances.as_ref().map_or(Instances::Pooled, |kind| *kind.get_ref()),
            instances_max: instances_max.map_or(INSTANCES, |most| *most.get_ref()),
            secrets: secrets(entry, wrong),
            limits: limits(&entry.limits, &Usual::TOOL_SERVER, wrong),
            network: wishes.network,
            requires: plain(&wishes.requires),
        },
    };
    // The parts were checked above; what is left is about the entry as a whole.
    if wrong.count() == before
        && let Err(message) = check_hosted(&server.spec)
    {
        wrong.add(entry.name.span(), message);
    }
    (wrong.count() == before).then_some(server)
}

fn environment(entry: &ServerEntry, wrong: &mut Wrong) -> BTreeMap<String, String> {
    for (name, value) in &entry.environment {
        if let Err(why) = check_own(name) {
            wrong.add(value.span(), format!("environment {name:?}: {why}"));
        }
        if value.get_ref().contains('\0') {
            wrong.add(value.span(), format!("environment {name:?} holds a NUL byte"));
        }
    }
    let plain =
        |(name, value): (&String, &Spanned<String>)| (name.clone(), value.get_ref().clone());
    entry.environment.iter().map(plain).collect()
}

/// Variables into which the orchestrator may put secrets.
fn secrets(entry: &ServerEntry, wrong: &mut Wrong) -> BTreeSet<String> {
    for name in &entry.secrets {
        let text = name.get_ref();
        if let Err(why) = check(text) {
            wrong.add(name.span(), format!("secrets {text:?}: {why}"));
        }
        if entry.environment.contains_key(text) {
            wrong.add(name.span(), format!("the environment has {text:?} already"));
        }
    }
    plain(&entry.secrets)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use crate::allowlist::parse;
    use wardroom_core::tool::hosted::Instances;

    fn list(rest: &str) -> String {
        format!(
            "[[tool_server]]\nname = \"files\"\ndescription = \"d\"\nprogram = \"/usr/bin/true\"\n{rest}\n"
        )
    }

    #[test]
    fn an_entry_says_what_is_started_and_what_may_be_put_into_its_environment() {
        let text = list(
            "arguments = [\"--root\", \"/srv\"]\nsecrets = [\"API_KEY\"]\n\
             environment = { NODE_OPTIONS = \"--no-warnings\" }\ninstances = \"per_session\"\n\
             instances_max = 3\nsandbox = { read = [\"/srv\"] }\nlimits = { memory_mib = 100 }",
        );
        let read = parse(&text).unwrap();
        let server = &read.tool_servers["files"];
        assert_eq!(server.arguments, ["--root", "/srv"]);
        assert_eq!((server.spec.instances, server.spec.instances_max), (Instances::PerSession, 3));
        assert_eq!(server.spec.limits.memory_bytes_max, 100 << 20);
        assert_eq!(server.environment["NODE_OPTIONS"], "--no-warnings");
        assert_eq!(read.catalogue().tool_server("files"), Some(&server.spec));
        let other = parse(&text.replace("/srv\"]\n", "/tmp\"]\n")).unwrap();
        assert_ne!(other.tool_servers["files"].spec.digest, server.spec.digest);
    }

    #[test]
    fn what_is_wrong_with_an_entry_is_named() {
        for (rest, told) in [
            ("secrets = [\"LD_PRELOAD\"]", "takes it for an order"),
            ("secrets = [\"A\"]\nenvironment = { A = \"1\" }", "already"),
            ("environment = { path = \"x\" }", "capital letters"),
            ("environment = { HOME = \"x\" }", "set for every program"),
            ("instances = \"many\"", "pooled"),
            ("instances_max = 33", "1 to 32"),
            ("parameters = []", "unknown field"),
            ("sandbox = { read = [\"srv\"] }", "absolute"),
            (
                "[[tool_server]]\nname = \"files\"\ndescription = \"d\"\nprogram = \"/usr/bin/true\"",
                "twice",
            ),
        ] {
            let mistakes = parse(&list(rest)).unwrap_err();
            assert!(
                mistakes.iter().any(|found| found.message.contains(told)),
                "{rest}: {mistakes:?}"
            );
        }
    }
}
