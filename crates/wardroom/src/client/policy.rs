//! `wardroom policy …`

use super::{Exit, Failure, Session};
use crate::{offline, output::pairs};
use std::path::PathBuf;
use wardroom_core::{Action, Role};
use wardroom_wire::api::{ExplainRequest, Explanation, PolicyView};

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

fn tell(session: &Session, args: &Explain, explained: Explanation) -> Result<Exit, Failure> {
    let output = &session.output;
    if output.json {
        output.json(&explained)?;
        return Ok(Exit::Ok);
    }
    let who = args.role.map_or_else(|| "your role".to_owned(), |role| role.to_string());
    let verdict = if explained.allowed { "allowed" } else { "denied" };
    output.line(&format!("{} for {who}: {verdict}", args.action))?;
    let near =
        if explained.near.is_empty() { "none".to_owned() } else { explained.near.join(", ") };
    let decided = if explained.policies.is_empty() {
        "no policy; what none permits is denied".to_owned()
    } else {
        explained.policies.join(", ")
    };
    let mut rows = vec![("decided by", decided)];
    if !explained.allowed {
        rows.push(("near", near));
    }
    rows.push(("policy version", explained.version));
    output.table(&pairs(rows))?;
    Ok(Exit::Ok)
}
