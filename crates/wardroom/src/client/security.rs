//! `wardroom security …`: who is connected, who is turned away, what was refused

use super::{Api, Exit, Failure, Session, audit::names_in, http::segment, names::Names, values};
use crate::output::{Output, Table, pairs};
use std::time::Duration;
use wardroom_wire::{
    api::{AuditView, List},
    security::{
        AlertTest, AlertView, BlockCreate, BlockView, CheckView, ConnectionsView, FaultView,
        KeysView,
    },
};

/// What can be done for security.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum SecurityCommand {
    /// List what was refused lately
    Audit {
        /// At most so many
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
    /// Show who is connected
    Connections,
    /// List networks that are turned away, or were within a day
    Blocks,
    /// Turn a network away
    Block {
        /// An address of it
        address: String,
        /// Why
        #[arg(long, default_value = "")]
        reason: String,
        /// For how long, 1s to 24h; by how often it was blocked where not given
        #[arg(long = "for", value_parser = values::duration, value_name = "TIME")]
        ttl: Option<Duration>,
    },
    /// Let a blocked network in again
    Lift {
        /// The network, as the list of blocks has it
        network: String,
    },
    /// List what somebody should look at
    Alerts {
        /// Also what somebody looked at already
        #[arg(long)]
        all: bool,
        /// At most so many
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
    /// Say that you have looked at an alert
    Acknowledge {
        /// Its id
        alert: String,
    },
    /// Send a message to wherever alerts go
    TestAlerts,
    /// List what went wrong inside the orchestrator
    Faults {
        /// Also what somebody said to be mended
        #[arg(long)]
        all: bool,
    },
    /// Say that a fault is mended
    Resolve {
        /// Its fingerprint
        fault: String,
    },
    /// Show how the installation stands, line by line of a production checklist
    Posture,
    /// Show which keys there are, and how far a renewal is
    Keys,
    /// Show how the orchestrator is
    Health,
}

/// Does it.
pub(crate) async fn run(session: &Session, command: SecurityCommand) -> Result<Exit, Failure> {
    if let SecurityCommand::Health = command {
        return super::sign_in::health(session).await;
    }
    let (api, output) = (session.api()?, &session.output);
    match command {
        SecurityCommand::Audit { limit } => {
            let query = vec![("outcome", "refused".to_owned())];
            let list = api.list::<AuditView>("/api/v1/audit/records", &query, limit, None).await?;
            if output.json {
                output.json(&list)?;
                return Ok(Exit::Ok);
            }
            let names = names_in(&api, &list.items).await;
            let mut table = Table::new(&["INDEX", "WHEN", "ACTION", "WHO", "FROM", "ON", "WHY"]);
            for view in &list.items {
                let record = &view.record;
                table.row([
                    view.index.to_string(),
                    output.time(&record.at),
                    record.action.clone(),
                    names.both(&record.actor),
                    record.address.clone().unwrap_or_default(),
                    names.both(&record.target),
                    record.reason.clone().unwrap_or_default(),
                ]);
            }
            output.table(&table)?;
        }
        SecurityCommand::Posture => {
            let list: List<CheckView> = api.get("/api/v1/security/posture", &vec![]).await?;
            crate::doctor::print(output, &list.items)
                .map_err(|error| Failure::usage(error.to_string()))?;
            let failed = list.items.iter().any(|check| check.verdict == "fail");
            return Ok(if failed { Exit::Found } else { Exit::Ok });
        }
        SecurityCommand::Keys => keys(&api, output).await?,
        SecurityCommand::Connections => connections(&api, output).await?,
        SecurityCommand::Blocks => blocks(&api, output).await?,
        SecurityCommand::Block { address, reason, ttl } => {
            let body = BlockCreate { address, reason, seconds: ttl.map(values::seconds) };
            let made: BlockView = api.post("/api/v1/security/blocks", &body).await?;
            if output.json {
                output.json(&made)?;
            } else {
                output.hint(&format!("{} is turned away until {}", made.network, made.until));
            }
        }
        SecurityCommand::Lift { network } => {
            api.delete(&format!("/api/v1/security/blocks/{}", segment(&network)?)).await?;
            output.hint(&format!("{network} is let in again"));
        }
        other => watch(&api, output, other).await?,
    }
    Ok(Exit::Ok)
}

async fn watch(api: &Api, output: &Output, command: SecurityCommand) -> Result<(), Failure> {
    match command {
        SecurityCommand::Alerts { all, limit } => alerts(api, output, all, limit).await,
        SecurityCommand::Acknowledge { alert } => {
            let path = format!("/api/v1/security/alerts/{}/acknowledge", segment(&alert)?);
            api.post_quietly(&path, &serde_json::json!({})).await?;
            output.hint(&format!("{alert} was looked at"));
            Ok(())
        }
        SecurityCommand::TestAlerts => {
            let sent: AlertTest = api.act("/api/v1/security/alerts/test", None).await?;
            if sent.messages == 0 {
                return Err(Failure::usage("alerts go nowhere but to the dashboard").advice(
                    "Set webhook_url or smtp_url and alert_mail_to in the orchestrator's settings.",
                ));
            }
            output.hint(&format!("{} messages are on their way", sent.messages));
            Ok(())
        }
        SecurityCommand::Faults { all } => faults(api, output, all).await,
        SecurityCommand::Resolve { fault } => {
            let path = format!("/api/v1/security/faults/{}/resolve", segment(&fault)?);
            api.post_quietly(&path, &serde_json::json!({})).await?;
            output.hint(&format!("{fault} counts as mended until it is seen again"));
            Ok(())
        }
        _ => Ok(()),
    }
}

async fn alerts(api: &Api, output: &Output, all: bool, limit: u32) -> Result<(), Failure> {
    let query = vec![("open", (!all).to_string())];
    let list = api.list::<AlertView>("/api/v1/security/alerts", &query, limit, None).await?;
    if output.json {
        return output.json(&list);
    }
    let seen_by = list.items.iter().filter_map(|alert| alert.acknowledged_by.as_ref());
    let subjects = list.items.iter().map(|alert| &alert.subject);
    let names = Names::of(api, subjects.chain(seen_by)).await;
    let mut table = Table::new(&["WHEN", "WHAT", "TIMES", "ABOUT", "DETAIL", "SEEN BY", "ID"]);
    for alert in list.items {
        table.row([
            output.time(&alert.last_at),
            alert.title,
            alert.count.to_string(),
            names.name(&alert.subject),
            alert.detail,
            alert.acknowledged_by.map(|by| names.name(&by)).unwrap_or_default(),
            alert.id,
        ]);
    }
    output.table(&table)
}

async fn faults(api: &Api, output: &Output, all: bool) -> Result<(), Failure> {
    let query = vec![("open", (!all).to_string())];
    let list: List<FaultView> = api.get("/api/v1/security/faults", &query).await?;
    if output.json {
        return output.json(&list);
    }
    let mut table = Table::new(&["LAST", "TIMES", "FIRST", "WHERE", "WHAT", "STATE", "ID"]);
    for fault in list.items {
        table.row([
            output.time(&fault.last_at),
            fault.count.to_string(),
            output.time(&fault.first_at),
            fault.place,
            fault.message,
            if fault.resolved_at.is_some() { "mended" } else { "open" }.to_owned(),
            fault.fingerprint,
        ]);
    }
    output.table(&table)
}

async fn keys(api: &Api, output: &Output) -> Result<(), Failure> {
    let keys: KeysView = api.get("/api/v1/security/keys", &vec![]).await?;
    if output.json {
        return output.json(&keys);
    }
    let all: Vec<String> = keys.keys.iter().map(ToString::to_string).collect();
    output.table(&pairs([
        ("seals", keys.current.to_string()),
        ("opens", all.join(", ")),
        ("values left", keys.values_left.to_string()),
        ("people left", keys.people_left.to_string()),
        ("people's generation", keys.people_generation.to_string()),
        ("people before it", keys.people_before.to_string()),
        ("their values left", keys.personal_left.to_string()),
        ("key of tokens", format!("{}, since {}", keys.token_generation, keys.token_key_since)),
    ]))
}

async fn connections(api: &Api, output: &Output) -> Result<(), Failure> {
    let view: ConnectionsView = api.get("/api/v1/security/connections", &vec![]).await?;
    if output.json {
        return output.json(&view);
    }
    output.table(&pairs([
        ("connections", format!("{} of {}", view.connections, view.connections_max)),
        ("of one network", format!("at most {}", view.connections_per_address_max)),
        ("node links", view.node_links.to_string()),
    ]))?;
    let mut table = Table::new(&["NETWORK", "CONNECTIONS"]);
    for of in view.networks {
        table.row([of.network, of.connections.to_string()]);
    }
    output.line("")?;
    output.table(&table)
}

async fn blocks(api: &Api, output: &Output) -> Result<(), Failure> {
    let list: List<BlockView> = api.get("/api/v1/security/blocks", &vec![]).await?;
    if output.json {
        return output.json(&list);
    }
    let mut table = Table::new(&["NETWORK", "STATE", "TIMES", "SINCE", "UNTIL", "WHY"]);
    for block in list.items {
        table.row([
            block.network,
            if block.active { "BLOCKED" } else { "over" }.to_owned(),
            block.times.to_string(),
            output.time(&block.created_at),
            output.time(&block.until),
            block.reason,
        ]);
    }
    output.table(&table)
}
