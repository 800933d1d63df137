//! `wardroom policy …`

use super::{Exit, Failure, Session, names::Names};
use crate::{
    offline,
    output::{Table, pairs},
};
use std::path::PathBuf;
use wardroom_core::{Action, Role};
use wardroom_trust::policy::POLICY_BYTES_MAX;
use wardroom_wire::api::{
    ExplainRequest, Explanation, PolicyPut, PolicyText, PolicyTrial, PolicyVersionView, PolicyView,
};

/// What can be done with policy.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum PolicyCommand {
    /// Print the policy in force
    Show,
    /// Check a policy file against the schema, without an orchestrator
    Check {
        /// The policy, Cedar text
        file: PathBuf,
    },
    /// Show whose access a policy file would change; nothing is put in force
    Try {
        /// The policy, Cedar text
        file: PathBuf,
    },
    /// Put a policy file in force
    Apply {
        /// The policy, Cedar text
        file: PathBuf,
        /// What it is about
        #[arg(long, default_value = "")]
        note: String,
    },
    /// List policies that were in force
    History {
        /// At most so many
        #[arg(long, default_value_t = 20)]
        limit: u32,
    },
    /// Put an earlier policy in force again; 0 is the default roles
    Rollback {
        /// Its number
        number: i64,
    },
    /// Tell which policies allow or deny something
    Explain(Explain),
}

/// What is asked.
#[derive(Debug, clap::Args)]
pub(crate) struct Explain {
    /// The action, such as run.submit
    action: Action,
    /// For this role; your own where not given
    #[arg(long)]
    role: Option<Role>,
    /// The resource's id
    #[arg(long)]
    resource: Option<String>,
    /// As if the resource belonged to the one who asks
    #[arg(long)]
    own: bool,
    /// Ask this policy file, without an orchestrator
    #[arg(long, value_name = "FILE", requires = "role")]
    policy: Option<PathBuf>,
}

/// Does it.
pub(crate) async fn run(session: &Session, command: PolicyCommand) -> Result<Exit, Failure> {
    let output = &session.output;
    match command {
        PolicyCommand::Show => {
            let policy: PolicyView = session.api()?.get("/api/v1/policy", &vec![]).await?;
            if output.json {
                output.json(&policy)?;
            } else {
                output.hint(&format!("version {}", policy.version));
                output.text(&policy.text)?;
            }
            Ok(Exit::Ok)
        }
        PolicyCommand::Check { file } => {
            let checked = offline::policy::check(&file)?;
            if output.json {
                output.json(&checked)?;
            } else if checked.mistakes.is_empty() {
                output.line(&format!(
                    "{} is a policy; version {}",
                    file.display(),
                    checked.version.as_deref().unwrap_or("-")
                ))?;
            } else {
                for mistake in &checked.mistakes {
                    output.line(&format!("{}:{mistake}", file.display()))?;
                }
            }
            Ok(if checked.mistakes.is_empty() { Exit::Ok } else { Exit::Found })
        }
        PolicyCommand::Try { file } => {
            let text = offline::read_text(&file, POLICY_BYTES_MAX as u64)?;
            let trial: PolicyTrial =
                session.api()?.post("/api/v1/policy/try", &PolicyText { text }).await?;
            tried(session, &trial)
        }
        PolicyCommand::Apply { file, note } => {
            let text = offline::read_text(&file, POLICY_BYTES_MAX as u64)?;
            put(session, text, note).await
        }
        PolicyCommand::History { limit } => history(session, limit).await,
        PolicyCommand::Rollback { number } => {
            let path = format!("/api/v1/policy/versions/{number}");
            let old: PolicyView = session.api()?.get(&path, &vec![]).await?;
            put(session, old.text, format!("Back to number {number}")).await
        }
        PolicyCommand::Explain(args) => {
            let explained = match &args.policy {
                Some(file) => {
                    let role = args.role.ok_or_else(|| Failure::usage("--policy needs --role"))?;
                    offline::policy::explain(
                        file,
                        role,
                        args.action,
                        args.resource.as_deref(),
                        args.own,
                    )?
                }
                None => ask(session, &args).await?,
            };
            tell(session, &args, explained)
        }
    }
}

async fn ask(session: &Session, args: &Explain) -> Result<Explanation, Failure> {
    let body = ExplainRequest {
        role: args.role.map(|role| role.to_string()),
        action: args.action.to_string(),
        resource: args.resource.clone(),
        own: args.own,
    };
    session.api()?.post("/api/v1/policy/explain", &body).await
}

fn verdict(allowed: bool, consent: bool) -> &'static str {
    match (allowed, consent) {
        (true, _) => "allowed",
        (false, true) => "allowed with a person's consent",
        (false, false) => "denied",
    }
}

fn tell(session: &Session, args: &Explain, explained: Explanation) -> Result<Exit, Failure> {
    let output = &session.output;
    if output.json {
        output.json(&explained)?;
        return Ok(Exit::Ok);
    }
    let who = args.role.map_or_else(|| "your role".to_owned(), |role| role.to_string());
    let verdict = verdict(explained.allowed, !explained.wanted_by.is_empty());
    output.line(&format!("{} for {who}: {verdict}", args.action))?;
    let near =
        if explained.near.is_empty() { "none".to_owned() } else { explained.near.join(", ") };
    let decided = if explained.policies.is_empty() {
        "no policy; what none permits is denied".to_owned()
    } else {
        explained.policies.join(", ")
    };
    let mut rows = vec![("decided by", decided)];
    if !explained.wanted_by.is_empty() {
        rows.push(("consent wanted by", explained.wanted_by.join(", ")));
    }
    if !explained.allowed {
        rows.push(("near", near));
    }
    rows.push(("policy version", explained.version));
    output.table(&pairs(rows))?;
    Ok(Exit::Ok)
}

/// Puts a policy in force, in place of the one that is now.
async fn put(session: &Session, text: String, note: String) -> Result<Exit, Failure> {
    let (api, output) = (session.api()?, &session.output);
    let current: PolicyView = api.get("/api/v1/policy", &vec![]).await?;
    let body = PolicyPut { text, note, base: current.number };
    let made: PolicyVersionView = api.put("/api/v1/policy", &body).await?;
    if output.json {
        output.json(&made)?;
    } else {
        output.line(&format!("number {} is in force; version {}", made.number, made.version))?;
    }
    Ok(Exit::Ok)
}

fn tried(session: &Session, trial: &PolicyTrial) -> Result<Exit, Failure> {
    let output = &session.output;
    let exit = if trial.locks_out { Exit::Found } else { Exit::Ok };
    if output.json {
        output.json(trial)?;
        return Ok(exit);
    }
    if trial.changes.is_empty() {
        output.line("Nobody's access changes.")?;
    } else {
        let mut table = Table::new(&["ACTION", "ON", "BECOMES", "FOR"]);
        for change in &trial.changes {
            let more = change.count.saturating_sub(change.who.len());
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            table.row([
                change.action.clone(),
                change.resource.clone(),
                verdict(change.allowed, change.consent).to_owned(),
                format!("{}{more}", change.who.join(", ")),
            ]);
        }
        output.table(&table)?;
    }
    if trial.more {
        output.hint("There are more changes than are shown.");
    }
    if trial.locks_out {
        output
            .hint("Nobody could change the policy or ask people in any more: it would be refused.");
    }
    Ok(exit)
}

async fn history(session: &Session, limit: u32) -> Result<Exit, Failure> {
    let (api, output) = (session.api()?, &session.output);
    let path = "/api/v1/policy/versions";
    let list = api.list::<PolicyVersionView>(path, &vec![], limit, None).await?;
    if output.json {
        output.json(&list)?;
        return Ok(Exit::Ok);
    }
    let names = Names::of(&api, list.items.iter().map(|version| &version.author)).await;
    let mut table = Table::new(&["NUMBER", "VERSION", "SINCE", "BY", "ABOUT"]);
    for version in &list.items {
        let mark = if version.in_force { " (in force)" } else { "" };
        table.row([
            format!("{}{mark}", version.number),
            version.version.clone(),
            output.time(&version.created_at),
            names.name(&version.author),
            version.note.clone(),
        ]);
    }
    output.table(&table)?;
    Ok(Exit::Ok)
}
