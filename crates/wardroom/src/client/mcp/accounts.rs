//! Your own accounts at tool servers

use super::super::{Exit, Failure, Session, http::segment};
use crate::output::Table;
use serde_json::Value;
use wardroom_wire::{
    api::List,
    tools::{ToolAccountBegun, ToolAccountView},
};

const PATH: &str = "/api/v1/account/tool-servers";

/// What can be done with them.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum AccountCommand {
    /// List tool servers that want your account, and where it is connected
    List,
    /// Connect your account at a tool server: prints the address where you let the gateway use it
    Connect {
        /// The tool server
        #[arg(value_name = "SERVER")]
        name: String,
    },
    /// Forget your account at a tool server
    Forget {
        /// The tool server
        #[arg(value_name = "SERVER")]
        name: String,
    },
}

/// Does it.
pub(super) async fn run(session: &Session, command: AccountCommand) -> Result<Exit, Failure> {
    match command {
        AccountCommand::List => list(session).await,
        AccountCommand::Connect { name } => connect(session, &name).await,
        AccountCommand::Forget { name } => {
            session.api()?.delete(&format!("{PATH}/{}", segment(&name)?)).await?;
            session.output.hint(&format!("your account at {name} is forgotten"));
            Ok(Exit::Ok)
        }
    }
}

async fn list(session: &Session) -> Result<Exit, Failure> {
    let output = &session.output;
    let list: List<ToolAccountView> = session.api()?.get(PATH, &vec![]).await?;
    if output.json {
        output.json(&list)?;
        return Ok(Exit::Ok);
    }
    let mut table = Table::new(&["SERVER", "CONNECTED", "GIVEN BY", "FOR", "ABOUT"]);
    for account in &list.items {
        table.row([
            account.server.clone(),
            account.connected_at.as_ref().map_or_else(|| "no".to_owned(), |at| output.time(at)),
            account.issuer.clone().unwrap_or_default(),
            account.scopes.join(" "),
            account.about.clone(),
        ]);
    }
    output.table(&table)?;
    if list.items.is_empty() {
        output.hint("No tool server that you may use wants your account.");
    }
    Ok(Exit::Ok)
}

async fn connect(session: &Session, name: &str) -> Result<Exit, Failure> {
    let output = &session.output;
    let path = format!("{PATH}/{}/connect", segment(name)?);
    let begun: ToolAccountBegun = session.api()?.post(&path, &Value::Null).await?;
    if output.json {
        output.json(&begun)?;
        return Ok(Exit::Ok);
    }
    output.hint("Open this within 15 minutes, in a browser that is signed in to Wardroom as you:");
    output.line(&begun.url)?;
    Ok(Exit::Ok)
}
