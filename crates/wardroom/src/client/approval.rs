//! `wardroom approval …`: what policy wants a person to approve

use super::{Api, Exit, Failure, Session, http::segment, names::Names};
use crate::output::Table;
use std::time::Duration;
use wardroom_wire::approvals::{ApprovalDecision, ApprovalDetail, ApprovalView};

/// How often it is asked whether somebody decided.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// What can be done with approvals.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum ApprovalCommand {
    /// List them, newest first
    List {
        /// That stand so: waiting, approved, denied, used or expired; `any` for all
        #[arg(long, default_value = "waiting")]
        state: String,
        /// Your own only
        #[arg(long)]
        mine: bool,
        /// At most so many
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
    /// Show one with all that there is to look at
    Show {
        /// Its id
        id: String,
    },
    /// Consent to it
    Approve(DecideArgs),
    /// Say no to it
    Deny(DecideArgs),
}

/// A decision.
#[derive(Debug, clap::Args)]
pub(crate) struct DecideArgs {
    /// Its id
    id: String,
    /// Why, for whoever asked and for the record
    #[arg(long, default_value = "")]
    reason: String,
}

/// Does it.
pub(crate) async fn run(session: &Session, command: ApprovalCommand) -> Result<Exit, Failure> {
    match command {
        ApprovalCommand::List { state, mine, limit } => list(session, &state, mine, limit).await,
        ApprovalCommand::Show { id } => show(session, &id).await,
        ApprovalCommand::Approve(args) => decide(session, args, "approve").await,
        ApprovalCommand::Deny(args) => decide(session, args, "deny").await,
    }
}

fn path(id: &str) -> Result<String, Failure> {
    Ok(format!("/api/v1/approvals/{}", segment(id)?))
}

async fn list(session: &Session, state: &str, mine: bool, limit: u32) -> Result<Exit, Failure> {
    let mut query = vec![];
    if state != "any" {
        query.push(("state", state.to_owned()));
    }
    if mine {
        query.push(("mine", "true".to_owned()));
    }
    let api = session.api()?;
    let list = api.list::<ApprovalView>("/api/v1/approvals", &query, limit, None).await?;
    let output = &session.output;
    if output.json {
        output.json(&list)?;
        return Ok(Exit::Ok);
    }
    let names = Names::of(&api, list.items.iter().map(|approval| &approval.user)).await;
    let mut table = Table::new(&["APPROVAL", "ASKED", "STATE", "ACTION", "TARGET", "FOR", "UNTIL"]);
    for approval in &list.items {
        table.row([
            approval.id.clone(),
            output.time(&approval.asked_at),
            approval.state.clone(),
            approval.action.clone(),
            approval.target.clone(),
            names.name(&approval.user),
            output.time(&approval.expires_at),
        ]);
    }
    output.table(&table)?;
    Ok(Exit::Ok)
}

async fn show(session: &Session, id: &str) -> Result<Exit, Failure> {
    let api = session.api()?;
    let detail: ApprovalDetail = api.get(&path(id)?, &vec![]).await?;
    let output = &session.output;
    if output.json {
        output.json(&detail)?;
        return Ok(Exit::Ok);
    }
    let approval = &detail.approval;
    let none = || "-".to_owned();
    let names = Names::of(&api, approval.decided_by.iter().chain([&approval.user])).await;
    let decided_by = approval.decided_by.as_ref().map(|by| names.name(by));
    for (name, value) in [
        ("approval", approval.id.clone()),
        ("state", approval.state.clone()),
        ("action", approval.action.clone()),
        ("target", approval.target.clone()),
        ("for", names.name(&approval.user)),
        ("by program", approval.client.clone().unwrap_or_else(none)),
        ("by way of", approval.door.clone()),
        ("run", approval.run.clone().unwrap_or_else(none)),
        ("wanted by", format!("{}@{}", approval.policies.join(" "), approval.policy_version)),
        ("asked", output.time(&approval.asked_at)),
        ("until", output.time(&approval.expires_at)),
        ("decided by", decided_by.unwrap_or_else(none)),
        ("because", detail.reason.clone().unwrap_or_else(none)),
        ("used by", approval.used_by.clone().unwrap_or_else(none)),
        ("digest", detail.arguments_digest.clone()),
    ] {
        output.line(&format!("{name:<11} {value}"))?;
    }
    if let Some(arguments) = &detail.arguments {
        output.line("")?;
        let text = serde_json::to_string_pretty(arguments).unwrap_or_default();
        text.lines().try_for_each(|line| output.line(line))?;
    }
    if let Some(receipt) = &detail.receipt {
        output.line("")?;
        receipt.lines().try_for_each(|line| output.line(line))?;
    }
    Ok(Exit::Ok)
}

async fn decide(session: &Session, args: DecideArgs, what: &str) -> Result<Exit, Failure> {
    let body = ApprovalDecision { reason: args.reason };
    let path = format!("{}/{what}", path(&args.id)?);
    let view: ApprovalView = session.api()?.post(&path, &body).await?;
    let output = &session.output;
    if output.json {
        output.json(&view)?;
    } else {
        output.line(&format!("{} of {} is {}", view.action, view.target, view.state))?;
    }
    Ok(Exit::Ok)
}

/// Waits until somebody decided, or the time for that is over; whether it is approved.
pub(crate) async fn wait(api: &Api, id: &str) -> Result<bool, Failure> {
    loop {
        let detail: ApprovalDetail = api.get(&path(id)?, &vec![]).await?;
        match detail.approval.state.as_str() {
            "waiting" => tokio::time::sleep(LOOK_EVERY).await,
            "approved" => return Ok(true),
            _ => return Ok(false),
        }
    }
}
