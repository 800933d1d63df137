//! `wardroom user …`: everybody's accounts

use super::{
    Exit, Failure, Session,
    account::show,
    http::{Query, segment},
};
use crate::output::{Output, Table, confirmed};
use std::path::PathBuf;
use wardroom_wire::identity::{NewLink, NewUser, UserCreate, UserPatch, UserView};

/// What can be done with accounts.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum UserCommand {
    /// List accounts
    List {
        /// Of this role
        #[arg(long)]
        role: Option<String>,
        /// In this state: invited, active, disabled or erased
        #[arg(long)]
        state: Option<String>,
        /// At most so many
        #[arg(long, default_value_t = 200)]
        limit: u32,
        /// Go on behind this one, as `next` of a list said
        #[arg(long)]
        after: Option<String>,
    },
    /// Save everything that is known of the person behind an account, as a ZIP archive
    Export {
        /// The account, by name or id
        user: String,
        /// Where to
        #[arg(long)]
        out: PathBuf,
    },
    /// Show an account
    Show {
        /// The account, by name or id
        user: String,
    },
    /// Ask somebody in: makes an account and a link that sets its password, once
    Invite {
        /// The name to sign in with: 1 to 64 of a-z 0-9 . _ -
        name: String,
        /// What the account may do: admin, manager, operator or customer
        #[arg(long)]
        role: String,
        /// The name by which the person is shown
        #[arg(long, default_value = "")]
        display_name: String,
        /// Where messages go
        #[arg(long, default_value = "")]
        email: String,
        /// The customer that the account belongs to, with the role customer
        #[arg(long)]
        customer: Option<String>,
    },
    /// Change an account; with the role, its sessions end
    Change {
        /// The account, by name or id
        user: String,
        /// The name to sign in with
        #[arg(long)]
        name: Option<String>,
        /// The name by which the person is shown
        #[arg(long)]
        display_name: Option<String>,
        /// Where messages go; empty for nowhere
        #[arg(long)]
        email: Option<String>,
        /// What the account may do
        #[arg(long)]
        role: Option<String>,
        /// A group that the account is in from then on; may be given several times, `none` for no group
        #[arg(long = "group", value_name = "GROUP")]
        groups: Option<Vec<String>>,
        /// The customer that the account belongs to, by id; `none` for none
        #[arg(long)]
        customer: Option<String>,
    },
    /// Turn an account away until it is enabled again; its sessions end at once
    Disable {
        /// The account, by name or id
        user: String,
    },
    /// Let a disabled account in again
    Enable {
        /// The account, by name or id
        user: String,
    },
    /// Make another link that sets an account's password, once
    Link {
        /// The account, by name or id
        user: String,
    },
    /// Remove all second factors of somebody who has lost them; the account's sessions end
    ResetFactors {
        /// The account, by name or id
        user: String,
    },
    /// Erase the person behind an account for good: here, in backups and in the audit log
    Erase {
        /// The account, by name or id
        user: String,
        /// Don't ask
        #[arg(long)]
        yes: bool,
    },
}

/// Does it.
pub(crate) async fn run(session: &Session, command: UserCommand) -> Result<Exit, Failure> {
    let (api, output) = (session.api()?, &session.output);
    match command {
        UserCommand::List { role, state, limit, after } => {
            let mut query: Query = vec![];
            query.extend(role.map(|role| ("role", role)));
            query.extend(state.map(|state| ("state", state)));
            let users = api.list::<UserView>("/api/v1/users", &query, limit, after).await?;
            if output.json {
                output.json(&users)?;
                return Ok(Exit::Ok);
            }
            table(output, &users.items)?;
            if let Some(next) = &users.next {
                output.hint(&format!("There are more: --after {next}"));
            }
        }
        UserCommand::Export { user, out } => {
            api.save(&path(&user, "/export")?, &out, output).await?;
        }
        UserCommand::Show { user } => show(output, &api.get(&path(&user, "")?, &vec![]).await?)?,
        UserCommand::Invite { name, role, display_name, email, customer } => {
            let body = UserCreate { name, display_name, email, role, customer };
            let made: NewUser = api.post("/api/v1/users", &body).await?;
            if output.json {
                output.json(&made)?;
            } else {
                output.hint(&format!("{} ({}) is asked in.", made.user.name, made.user.id));
                link(output, &made.link)?;
            }
        }
        UserCommand::Change { user, name, display_name, email, role, groups, customer } => {
            let groups =
                groups.map(|groups| groups.into_iter().filter(|name| name != "none").collect());
            let (found, tag) = api.get_tagged::<UserView>(&path(&user, "")?).await?;
            let customer = customer.map(|id| if id == "none" { String::new() } else { id });
            let body = UserPatch { name, display_name, email, role, groups, customer };
            show(output, &api.patch::<UserView>(&path(&found.id, "")?, &body, &tag).await?)?;
        }
        UserCommand::Disable { user } => {
            show(output, &api.act(&path(&user, "/disable")?, None).await?)?;
        }
        UserCommand::Enable { user } => {
            show(output, &api.act(&path(&user, "/enable")?, None).await?)?
        }
        UserCommand::Link { user } => {
            let made: NewLink = api.act(&path(&user, "/link")?, None).await?;
            if output.json {
                output.json(&made)?;
            } else {
                link(output, &made)?;
            }
        }
        UserCommand::ResetFactors { user } => {
            api.post_quietly(&path(&user, "/reset-factors")?, &serde_json::Value::Null).await?;
            output.hint(&format!("{user} has no second factor any more"));
        }
        UserCommand::Erase { user, yes } => {
            let question = format!("Erase {user} for good? Nothing brings it back.");
            if !yes && !confirmed(&question)? {
                return Err(
                    Failure::usage("nobody was erased").advice("Confirm with y, or pass --yes.")
                );
            }
            api.delete(&path(&user, "")?).await?;
            output.hint(&format!("{user} is erased"));
        }
    }
    Ok(Exit::Ok)
}

fn path(user: &str, then: &str) -> Result<String, Failure> {
    Ok(format!("/api/v1/users/{}{then}", segment(user)?))
}

fn link(output: &Output, link: &NewLink) -> Result<(), Failure> {
    let until = output.time(&link.expires_at);
    output.hint(&format!(
        "Give the person this link. It is good once, ends {until}, and is not shown again:"
    ));
    output.line(&link.url)
}

fn table(output: &Output, users: &[UserView]) -> Result<(), Failure> {
    let mut table = Table::new(&["NAME", "SHOWN AS", "ROLE", "STATE", "2ND FACTOR", "MADE", "ID"]);
    for user in users {
        table.row([
            user.name.clone(),
            user.display_name.clone(),
            user.role.clone(),
            user.state.clone(),
            if user.second_factor { "yes" } else { "no" }.to_owned(),
            output.time(&user.created_at),
            user.id.clone(),
        ]);
    }
    output.table(&table)
}
