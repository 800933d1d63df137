//! Parameters as they stand on the command line, brought to the types that the command declares.

use super::{Api, Exit, Failure, http::segment};
use serde_json::Value;
use std::{collections::BTreeMap, fs::File, io::Read};
use wardroom_core::{command::VALUE_BYTES_MAX, node::Selector};
use wardroom_wire::{
    api::{NodeDetail, NodeView},
    link::{CommandShape, KindShape},
};

/// Nodes that are asked for their catalogue before the command counts as unknown.
const NODES_ASKED_MAX: usize = 20;

/// One `--param`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Given {
    name: String,
    value: Source,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Source {
    /// `k=v`; `k=@@v` for a text that begins with `@`.
    Text(String),
    /// `k=@file`.
    File(String),
    /// `k` alone: a flag that is set.
    Set,
}

/// Reads one `--param`.
pub(crate) fn given(text: &str) -> Result<Given, String> {
    let (name, value) = match text.split_once('=') {
        None => (text, Source::Set),
        Some((name, value)) => match value.strip_prefix('@') {
            None => (name, Source::Text(value.to_owned())),
            Some(rest) if rest.starts_with('@') => (name, Source::Text(rest.to_owned())),
            Some(path) => (name, Source::File(path.to_owned())),
        },
    };
    if name.is_empty() {
        return Err("a parameter is name=value, name=@file, or the name of a flag".to_owned());
    }
    Ok(Given { name: name.to_owned(), value })
}

/// Where the run will go, for finding its command's declaration.
pub(crate) enum Place<'a> {
    /// A node, by id or name.
    Node(&'a str),
    /// The nodes with these labels.
    Labels(&'a Selector),
}

/// The values as the API takes them.
pub(crate) async fn typed(
    api: &Api,
    command: &str,
    place: &Place<'_>,
    given: &[Given],
) -> Result<BTreeMap<String, Value>, Failure> {
    if given.is_empty() {
        return Ok(BTreeMap::new());
    }
    let shape = match place {
        Place::Node(node) => Some(on_node(api, node, command).await?),
        Place::Labels(labels) => on_labelled(api, labels, command).await?,
    };
    convert(command, shape.as_ref(), given)
}

async fn on_node(api: &Api, node: &str, command: &str) -> Result<CommandShape, Failure> {
    let detail: NodeDetail = api.get(&format!("/api/v1/nodes/{}", segment(node)?), &vec![]).await?;
    let offered: Vec<String> =
        detail.catalogue.commands.iter().map(|offer| offer.name.clone()).collect();
    detail.catalogue.commands.into_iter().find(|offer| offer.name == command).ok_or_else(|| {
        Failure::new(
            Exit::NotFound,
            format!("node {} offers you no command {command}", detail.node.name),
        )
        .advice(if offered.is_empty() {
            "It offers you none.".to_owned()
        } else {
            format!("It offers: {}", offered.join(", "))
        })
    })
}

/// The declaration on any node that the selector matches; `None` when none is found and the
/// orchestrator shall say what is wrong.
async fn on_labelled(
    api: &Api,
    labels: &Selector,
    command: &str,
) -> Result<Option<CommandShape>, Failure> {
    let nodes = api.list::<NodeView>("/api/v1/nodes", &vec![], u32::MAX, None).await?;
    let matching =
        nodes.items.iter().filter(|node| node.commands > 0 && labels.matches(&node.labels));
    for node in matching.take(NODES_ASKED_MAX) {
        match on_node(api, &node.id, command).await {
            Ok(shape) => return Ok(Some(shape)),
            Err(failure) if failure.exit == Exit::NotFound => {}
            Err(failure) => return Err(failure),
        }
    }
    Ok(None)
}

fn convert(
    command: &str,
    shape: Option<&CommandShape>,
    given: &[Given],
) -> Result<BTreeMap<String, Value>, Failure> {
    let mut values = BTreeMap::new();
    for given in given {
        let kind = match shape {
            None => None,
            Some(shape) => {
                let found = shape.parameters.iter().find(|parameter| parameter.name == given.name);
                Some(&found.ok_or_else(|| unknown(command, shape, &given.name))?.kind)
            }
        };
        let value = value(given, kind)?;
        if values.insert(given.name.clone(), value).is_some() {
            return Err(Failure::usage(format!("parameter {} is given twice", given.name)));
        }
    }
    Ok(values)
}

fn unknown(command: &str, shape: &CommandShape, name: &str) -> Failure {
    let names: Vec<&str> =
        shape.parameters.iter().map(|parameter| parameter.name.as_str()).collect();
    let known = if names.is_empty() {
        "It takes none.".to_owned()
    } else {
        format!("It takes: {}", names.join(", "))
    };
    Failure::usage(format!("command {command} has no parameter {name}")).advice(known)
}

/// Brings one value to its type. What is wrong with it otherwise, the orchestrator and the node say.
fn value(given: &Given, kind: Option<&KindShape>) -> Result<Value, Failure> {
    let name = &given.name;
    let text = match &given.value {
        Source::Set if matches!(kind, None | Some(KindShape::Flag)) => {
            return Ok(Value::Bool(true));
        }
        Source::Set => {
            return Err(Failure::usage(format!("parameter {name} needs a value: {name}=…")));
        }
        Source::Text(text) => text.clone(),
        Source::File(path) => from_file(name, path)?,
    };
    match kind {
        Some(KindShape::Integer { .. } | KindShape::Port { .. }) => {
            match text.trim().parse::<i64>() {
                Ok(number) => Ok(Value::from(number)),
                // SECURITY: the value may be a secret; it is not repeated.
                Err(_) => Err(Failure::usage(format!("parameter {name} must be a whole number"))),
            }
        }
        Some(KindShape::Flag) => match text.trim() {
            "true" | "yes" | "on" | "1" => Ok(Value::Bool(true)),
            "false" | "no" | "off" | "0" => Ok(Value::Bool(false)),
            _ => Err(Failure::usage(format!("parameter {name} is a flag: true or false"))),
        },
        _ => Ok(Value::String(text)),
    }
}

/// A text from a file; one line end at its end does not count.
fn from_file(name: &str, path: &str) -> Result<String, Failure> {
    let broken = |reason: String| {
        Failure::usage(format!("parameter {name} can't be read from {path}: {reason}"))
            .advice(format!("For a text that begins with @ write {name}=@@…"))
    };
    let file = File::open(path).map_err(|error| broken(error.to_string()))?;
    let bytes_max = u64::from(VALUE_BYTES_MAX);
    let mut text = String::new();
    file.take(bytes_max + 2)
        .read_to_string(&mut text)
        .map_err(|error| broken(error.to_string()))?;
    if text.ends_with('\n') {
        text.pop();
    }
    if text.len() as u64 > bytes_max {
        return Err(broken(format!("a value is at most {bytes_max} bytes")));
    }
    Ok(text)
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;
    use serde_json::json;

    pub(crate) fn shape() -> CommandShape {
        let parameter = |name: &str, kind: Value| {
            json!({"name": name, "description": "", "required": false, "default": null,
                   "leading_dash": false, "secret": false, "kind": kind})
        };
        serde_json::from_value(json!({
            "name": "tail", "description": "", "digest": "", "idempotent": true, "network": false,
            "requires": [], "builtin": false,
            "limits": {"wall_ms_max": 1, "cpu_seconds_max": 1, "memory_bytes_max": 1, "processes_max": 1,
                       "open_files_max": 1, "file_bytes_max": 1, "output_bytes_max": 1},
            "parameters": [
                parameter("lines", json!({"type": "integer", "min": 1, "max": 9})),
                parameter("port", json!({"type": "port", "min": 1, "max": 9})),
                parameter("quiet", json!({"type": "flag"})),
                parameter("file", json!({"type": "string", "pattern": ".*", "bytes_max": 9})),
            ]
        }))
        .unwrap()
    }

    fn all(texts: &[&str], shape: Option<&CommandShape>) -> Result<Value, Failure> {
        let given: Vec<Given> = texts.iter().map(|text| given(text).unwrap()).collect();
        convert("tail", shape, &given).map(|values| json!(values))
    }

    #[test]
    fn values_take_the_declared_type() {
        let values = all(&["lines=20", "port=443", "quiet", "file=12"], Some(&shape())).unwrap();
        assert_eq!(values, json!({"lines": 20, "port": 443, "quiet": true, "file": "12"}));
        assert_eq!(all(&["quiet=no"], Some(&shape())).unwrap(), json!({"quiet": false}));
        assert_eq!(all(&["x=1", "y"], None).unwrap(), json!({"x": "1", "y": true}));
        assert_eq!(all(&["file=a=b"], Some(&shape())).unwrap(), json!({"file": "a=b"}));
    }

    #[test]
    fn mistakes_name_the_parameter_and_never_its_value() {
        for (texts, said) in [
            (vec!["lines=hunter2"], "parameter lines must be a whole number"),
            (vec!["quiet=hunter2"], "parameter quiet is a flag: true or false"),
            (vec!["file"], "parameter file needs a value: file=…"),
            (vec!["file=a", "file=b"], "parameter file is given twice"),
            (vec!["files=hunter2"], "command tail has no parameter files"),
        ] {
            let failure = all(&texts, Some(&shape())).unwrap_err();
            assert_eq!((failure.exit, failure.what.as_str()), (Exit::Usage, said));
            assert!(!format!("{failure:?}").contains("hunter2"));
        }
        assert!(given("=x").is_err());
    }

    #[test]
    fn a_value_comes_from_a_file_when_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("value");
        std::fs::write(&path, "two\nlines\n").unwrap();
        let text = format!("file=@{}", path.display());
        assert_eq!(all(&[&text], Some(&shape())).unwrap()["file"], "two\nlines");
        assert_eq!(all(&["file=@@ada"], Some(&shape())).unwrap()["file"], "@ada");
        std::fs::write(&path, vec![b'x'; VALUE_BYTES_MAX as usize + 1]).unwrap();
        assert_eq!(all(&[&text], Some(&shape())).unwrap_err().exit, Exit::Usage);
        assert_eq!(all(&["file=@/nonexistent"], Some(&shape())).unwrap_err().exit, Exit::Usage);
    }
}
