//! `/nodes/{id}/commands/{name}`

use super::{
    frame::{html, said, see_other, shell},
    pages::command::{CommandForm, CommandPage, KEPT_PREFIX, PREFIX},
};
use crate::{
    api::v1::{nodes, runs, secrets},
    context::Ctx,
    error::ApiError,
};
use axum::{body::Bytes, extract::Path, http::StatusCode, response::Response};
use std::{collections::BTreeMap, str::FromStr};
use wardroom_core::RequestId;
use wardroom_wire::{
    api::{NodeView, RunSubmit},
    error::ErrorCode,
    link::CommandShape,
};

/// Fields of the form beside its parameters.
const FIELDS: [&str; 7] =
    ["csrf", "key", "place", "labels", "deadline_seconds", "attempts_max", "priority"];

/// The command's form.
pub(crate) async fn form(
    ctx: Ctx,
    Path((id, name)): Path<(String, String)>,
) -> Result<Response, ApiError> {
    let (node, command) = find(&ctx, &id, &name).await?;
    let form = CommandForm::new(&command);
    page(&ctx, StatusCode::OK, node, command, form).await
}

/// Submits a run and goes to its page, or shows the form again with what is wrong.
pub(crate) async fn submit(
    ctx: Ctx,
    Path((id, name)): Path<(String, String)>,
    body: Bytes,
) -> Result<Response, ApiError> {
    let (node, command) = find(&ctx, &id, &name).await?;
    let typed = typed(&body, &command)?;
    let mut form = CommandForm::new(&command);
    form.keep(&typed);
    let wish = wish(&mut form, &typed, &node, &command);
    if form.errors() == 0 {
        let key = typed.get("key").filter(|key| !key.is_empty()).cloned();
        match runs::submit::act(&ctx, wish, key).await {
            Ok(run) => return Ok(see_other(&format!("/runs/{}", run.id))),
            Err(error) => blame(&mut form, error)?,
        }
    }
    page(&ctx, StatusCode::UNPROCESSABLE_ENTITY, node, command, form).await
}

/// The node and its command, if the caller may run it.
async fn find(ctx: &Ctx, id: &str, name: &str) -> Result<(NodeView, CommandShape), ApiError> {
    let detail = nodes::get::load(ctx, id).await?;
    let command = detail.catalogue.commands.into_iter().find(|command| command.name == name);
    Ok((detail.node, command.ok_or_else(ApiError::not_found)?))
}

async fn page(
    ctx: &Ctx,
    status: StatusCode,
    node: NodeView,
    command: CommandShape,
    mut form: CommandForm,
) -> Result<Response, ApiError> {
    if command.parameters.iter().any(|parameter| parameter.secret) {
        form.secrets = secrets::usable(ctx).await?;
    }
    // A fresh key for each showing: sending one form twice makes one run.
    let key = RequestId::new(ctx.now(), ctx.app.engine.rng()).to_string();
    html(status, &CommandPage { shell: shell(ctx, "/nodes"), node, command, form, key })
}

/// The form's fields: each once, and none that it does not have.
fn typed(body: &[u8], command: &CommandShape) -> Result<BTreeMap<String, String>, ApiError> {
    let mut typed = BTreeMap::new();
    for (name, value) in form_urlencoded::parse(body) {
        let named = |prefix| name.strip_prefix(prefix);
        let is_parameter = command.parameters.iter().any(|parameter| {
            named(PREFIX) == Some(&parameter.name)
                || parameter.secret && named(KEPT_PREFIX) == Some(&parameter.name)
        });
        if !is_parameter && !FIELDS.contains(&&*name) {
            return Err(ApiError::say(
                ErrorCode::BadRequest,
                "The form has a field that the command does not know. The command may have changed: open it again.",
            ));
        }
        if typed.insert(name.into_owned(), value.into_owned()).is_some() {
            return Err(ApiError::say(ErrorCode::BadRequest, "The form has a field twice."));
        }
    }
    Ok(typed)
}

/// What is wished for; what can't be read is blamed on its field.
fn wish(
    form: &mut CommandForm,
    typed: &BTreeMap<String, String>,
    node: &NodeView,
    command: &CommandShape,
) -> RunSubmit {
    let place = form.advanced.place.clone();
    let by_labels = place == "one" || place == "all";
    RunSubmit {
        command: command.name.clone(),
        node: (!by_labels).then(|| node.id.clone()),
        labels: by_labels.then(|| form.advanced.labels.replace(' ', "")),
        all: place == "all",
        parameters: form.values(typed),
        secrets: form.kept(),
        deadline_seconds: number(form, typed, "deadline_seconds"),
        attempts_max: number(form, typed, "attempts_max"),
        backoff_ms: None,
        priority: number(form, typed, "priority"),
        request: None,
    }
}

fn number<T: FromStr>(
    form: &mut CommandForm,
    typed: &BTreeMap<String, String>,
    name: &str,
) -> Option<T> {
    let text = typed.get(name).map(|text| text.trim()).filter(|text| !text.is_empty())?;
    let number = text.parse().ok();
    if number.is_none() {
        form.blame(name, "must be a whole number within its bounds");
    }
    number
}

/// Puts a refusal into the form; an error that is not about what was typed is given back.
fn blame(form: &mut CommandForm, error: ApiError) -> Result<(), ApiError> {
    if matches!(error.code, ErrorCode::InvalidParameter | ErrorCode::InvalidField)
        && !error.fields.is_empty()
    {
        for field in &error.fields {
            form.blame(&field.field, &field.reason);
        }
        return Ok(());
    }
    if error.code == ErrorCode::IdempotencyMismatch {
        form.problem = Some(
            "This form was sent before with other values. Check them and send it again.".to_owned(),
        );
        return Ok(());
    }
    form.problem = Some(said(&error).ok_or(error)?);
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;
    use serde_json::json;

    fn command() -> CommandShape {
        let parameter = |name: &str, required: bool, secret: bool, kind: serde_json::Value| {
            json!({"name": name, "description": "", "required": required, "default": null,
                "leading_dash": false, "secret": secret, "kind": kind})
        };
        serde_json::from_value(json!({
            "name": "deploy", "description": "", "digest": "", "idempotent": false, "network": false,
            "requires": [], "builtin": false,
            "limits": {"wall_ms_max": 1, "cpu_seconds_max": 1, "memory_bytes_max": 1, "processes_max": 1,
                "open_files_max": 1, "file_bytes_max": 1, "output_bytes_max": 1},
            "parameters": [
                parameter("version", true, false, json!({"type": "string", "pattern": "[a-z-]+", "bytes_max": 9})),
                parameter("replicas", false, false, json!({"type": "integer", "min": 1, "max": 9})),
                parameter("key", true, true, json!({"type": "string", "pattern": ".*", "bytes_max": 9})),
                parameter("pin", false, true, json!({"type": "integer", "min": 0, "max": 9999})),
                parameter("dry-run", false, false, json!({"type": "flag"})),
            ]
        }))
        .unwrap()
    }

    fn node() -> NodeView {
        serde_json::from_value(
            json!({"id": "node_1", "version": 1, "name": "quay", "state": "online",
            "labels": {}, "enrolled_at": "", "seen_at": null, "report": null, "commands": 1}),
        )
        .unwrap()
    }

    #[test]
    fn texts_become_values_of_their_types() {
        let command = command();
        let body = b"csrf=c&key=k&p.version=v&p.replicas=+3&p.key=s&p.dry-run=true&place=all&labels=a%3Db, c%3Dd&priority=9&attempts_max=2&deadline_seconds=";
        let typed = typed(body, &command).unwrap();
        let mut form = CommandForm::new(&command);
        form.keep(&typed);
        let wish = wish(&mut form, &typed, &node(), &command);
        assert_eq!(form.errors(), 0);
        assert_eq!(
            json!(wish.parameters),
            json!({"version": "v", "replicas": 3, "key": "s", "dry-run": true})
        );
        assert_eq!((wish.node, wish.labels.as_deref(), wish.all), (None, Some("a=b,c=d"), true));
        assert_eq!(
            (wish.priority, wish.attempts_max, wish.deadline_seconds),
            (Some(9), Some(2), None)
        );
    }

    #[test]
    fn what_is_wrong_is_said_at_its_field_and_secrets_are_not_given_back() {
        let command = command();
        let typed =
            typed(b"p.version=&p.replicas=many&p.key=hunter2&p.pin=1234&priority=300", &command)
                .unwrap();
        let mut form = CommandForm::new(&command);
        form.keep(&typed);
        wish(&mut form, &typed, &node(), &command);
        assert_eq!(form.errors(), 3);
        let error = ApiError::field("parameters.key", "must be longer");
        blame(&mut form, error).unwrap();
        let named: Vec<(&str, bool, &str)> = form
            .fields
            .iter()
            .map(|field| (field.name.as_str(), field.error.is_some(), field.value.as_str()))
            .collect();
        assert_eq!(
            named,
            [
                ("version", true, ""),
                ("replicas", true, "many"),
                ("key", true, ""),
                ("pin", false, ""),
                ("dry-run", false, "false")
            ]
        );
        assert!(form.advanced.errors.contains_key("priority"));
    }

    #[test]
    fn a_kept_secret_stands_for_a_value_and_not_beside_one() {
        let command = command();
        let read = |body: &[u8]| {
            let typed = typed(body, &command).unwrap();
            let mut form = CommandForm::new(&command);
            form.keep(&typed);
            let wish = wish(&mut form, &typed, &node(), &command);
            (form.errors(), json!(wish.secrets), wish.parameters.contains_key("key"))
        };
        let chosen = json!({"key": "mast"});
        assert_eq!(read(b"p.version=v&p.key=&s.key=mast"), (0, chosen.clone(), false));
        assert_eq!(read(b"p.version=v&p.key=x&s.key="), (0, json!({}), true));
        assert_eq!(read(b"p.version=v&p.key=x&s.key=mast"), (1, chosen, false));
        let shown = typed(b"s.version=mast", &command);
        assert_eq!(shown.unwrap_err().code, ErrorCode::BadRequest, "not into what is shown");
    }

    #[test]
    fn fields_that_are_unknown_or_repeated_are_refused() {
        for body in [&b"p.other=1"[..], b"other=1", b"p.version=a&p.version=b"] {
            assert_eq!(typed(body, &command()).unwrap_err().code, ErrorCode::BadRequest);
        }
    }
}
