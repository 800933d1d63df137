//! `wardroom service …`

use super::{
    Exit, Failure, Session,
    http::{Query, segment},
    values,
};
use crate::{
    offline,
    output::{Output, Table, pairs},
};
use serde_json::Value;
use std::{collections::BTreeMap, path::PathBuf};
use wardroom_wire::desk::{
    OrderCreate, RequestView, ServiceCreate, ServiceFulfilment, ServicePatch, ServiceView,
};

/// The longest description of a service that is sent, in bytes.
const FILE_BYTES_MAX: u64 = 256 * 1024;

/// What can be done with services.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum ServiceCommand {
    /// List services by name
    List {
        /// In this state: draft, published or retired
        #[arg(long)]
        state: Option<String>,
        /// At most so many
        #[arg(long, default_value_t = 200)]
        limit: u32,
    },
    /// Show a service
    Show {
        /// The service, by name or id
        service: String,
    },
    /// Make a service out of a file, as a draft
    ///
    /// People do what is asked for, or a command does it, with the form's values as its parameters:
    ///
    /// {"name": "greeting", "title": "A greeting", "form": {"type": "object", "properties": {"text": {"type":
    /// "string"}}, "required": ["text"]}, "fulfilment": {"kind": "command", "command": "echo", "node": "local"}}
    Create {
        /// The service as JSON: name, title, description, form, fulfilment, audience, limits
        file: PathBuf,
    },
    /// Change a service as a file says; what is not in the file stays
    Change {
        /// The service, by name or id
        service: String,
        /// What changes, as JSON
        file: PathBuf,
    },
    /// Let a service be ordered; its command runs under your rights
    Publish {
        /// The service, by name or id
        service: String,
    },
    /// Let a service be ordered no more
    Retire {
        /// The service, by name or id
        service: String,
    },
    /// Order a service
    Order(Order),
}

/// An order.
#[derive(Debug, clap::Args)]
pub(crate) struct Order {
    /// The service, by name or id
    service: String,
    /// The form's values
    #[arg(value_name = "NAME=VALUE", value_parser = values::pair)]
    values: Vec<(String, String)>,
    /// For which customer, by id; accounts of a customer leave it out
    #[arg(long)]
    customer: Option<String>,
    /// low, normal, high or urgent
    #[arg(long)]
    priority: Option<String>,
    /// When it should be done, such as 2026-01-31T09:30:00Z
    #[arg(long)]
    due: Option<String>,
    /// When it begins; at once where absent
    #[arg(long)]
    at: Option<String>,
    /// Makes a repeated order answer with the first one's request
    #[arg(long)]
    idempotency_key: Option<String>,
}

/// Does it.
pub(crate) async fn run(session: &Session, command: ServiceCommand) -> Result<Exit, Failure> {
    let (api, output) = (session.api()?, &session.output);
    match command {
        ServiceCommand::List { state, limit } => {
            let query: Query = state.map(|state| ("state", state)).into_iter().collect();
            let list = api.list::<ServiceView>("/api/v1/services", &query, limit, None).await?;
            if output.json {
                output.json(&list)?;
                return Ok(Exit::Ok);
            }
            let mut table = Table::new(&["NAME", "TITLE", "STATE", "CHANGED", "ID"]);
            for service in &list.items {
                table.row([
                    service.name.clone(),
                    service.title.clone(),
                    service.state.clone(),
                    output.time(&service.updated_at),
                    service.id.clone(),
                ]);
            }
            output.table(&table)?;
        }
        ServiceCommand::Show { service } => {
            show(output, &api.get(&path(&service, "")?, &vec![]).await?)?;
        }
        ServiceCommand::Create { file } => {
            let body: ServiceCreate = read(&file)?;
            show(output, &api.post("/api/v1/services", &body).await?)?;
        }
        ServiceCommand::Change { service, file } => {
            let body: ServicePatch = read(&file)?;
            change(session, &service, &body).await?;
        }
        ServiceCommand::Publish { service } => {
            let state = Some("published".to_owned());
            change(session, &service, &ServicePatch { state, ..ServicePatch::default() }).await?;
        }
        ServiceCommand::Retire { service } => {
            let state = Some("retired".to_owned());
            change(session, &service, &ServicePatch { state, ..ServicePatch::default() }).await?;
        }
        ServiceCommand::Order(order) => {
            let service: ServiceView = api.get(&path(&order.service, "")?, &vec![]).await?;
            let body = OrderCreate {
                customer: order.customer,
                values: typed(&service.form, order.values),
                priority: order.priority,
                due_at: order.due,
                scheduled_for: order.at,
            };
            let key = order.idempotency_key.unwrap_or_else(super::run::fresh_key);
            let made: RequestView =
                api.post_once(&path(&service.id, "/order")?, &body, &key).await?;
            if output.json {
                output.json(&made)?;
            } else {
                output.line(&made.id)?;
                output.hint(&format!("{}: {}", made.service_title, made.state));
            }
        }
    }
    Ok(Exit::Ok)
}

fn path(service: &str, then: &str) -> Result<String, Failure> {
    Ok(format!("/api/v1/services/{}{then}", segment(service)?))
}

fn read<T: serde::de::DeserializeOwned>(file: &std::path::Path) -> Result<T, Failure> {
    let text = offline::read_text(file, FILE_BYTES_MAX)?;
    serde_json::from_str(&text)
        .map_err(|error| Failure::usage(format!("{}: {error}", file.display())))
}

async fn change(session: &Session, service: &str, body: &ServicePatch) -> Result<(), Failure> {
    let api = session.api()?;
    let (found, tag) = api.get_tagged::<ServiceView>(&path(service, "")?).await?;
    show(&session.output, &api.patch(&path(&found.id, "")?, body, &tag).await?)
}

/// Values as the form's types want them; what does not fit goes as it is, and the orchestrator says what is wrong.
fn typed(form: &Value, values: Vec<(String, String)>) -> BTreeMap<String, Value> {
    let properties = form.get("properties");
    let kind = |name: &str| properties?.get(name)?.get("type")?.as_str();
    values
        .into_iter()
        .map(|(name, text)| {
            let value = match kind(&name) {
                Some("string") => Value::from(text),
                _ => serde_json::from_str(&text).unwrap_or_else(|_| Value::from(text)),
            };
            (name, value)
        })
        .collect()
}

fn show(output: &Output, service: &ServiceView) -> Result<(), Failure> {
    if output.json {
        return output.json(service);
    }
    let mut rows = vec![
        ("id", service.id.clone()),
        ("name", service.name.clone()),
        ("title", service.title.clone()),
        ("state", service.state.clone()),
        ("description", service.description.clone()),
    ];
    if let Some(inside) = &service.inside {
        let does = match &inside.fulfilment {
            ServiceFulfilment::Manual => "people".to_owned(),
            ServiceFulfilment::Command { command, node, labels, .. } => {
                let place = node.as_ref().or(labels.as_ref());
                format!("{command} on {}", place.map_or("", String::as_str))
            }
        };
        let audience = inside.audience.as_ref();
        rows.push(("done by", does));
        rows.push((
            "for",
            audience.map_or_else(|| "all customers".to_owned(), |ids| ids.join(", ")),
        ));
        rows.push((
            "limits",
            format!("{} open, {} a day", inside.limits.open_max, inside.limits.per_day_max),
        ));
        rows.push(("author", inside.author.clone()));
    }
    if let Some(properties) = service.form.get("properties").and_then(Value::as_object) {
        let names: Vec<&str> = properties.keys().map(String::as_str).collect();
        rows.push(("form", names.join(", ")));
    }
    rows.retain(|(_, value)| !value.is_empty());
    output.table(&pairs(rows))
}
