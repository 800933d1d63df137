//! `wardroom secret …`: values that commands are given by name

use super::{Exit, Failure, Session, connection::read_secret, http::segment};
use crate::output::Table;
use secrecy::ExposeSecret;
use std::path::PathBuf;
use wardroom_wire::{
    api::List,
    security::{SecretCreate, SecretRenew, SecretView},
};

/// What can be done with secrets. SECURITY: a value comes from a file or standard input, never from an argument,
/// which every process of the machine could read.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum SecretCommand {
    /// List secrets, without their values: nobody reads those
    List,
    /// Keep a value under a name
    Create {
        /// Its name: 1 to 64 of a-z 0-9 . _ -
        name: String,
        /// A file with the value; /dev/stdin for standard input. Line ends at its end are not part of it
        #[arg(long, value_name = "FILE")]
        value_file: PathBuf,
        /// What it is, for people
        #[arg(long, default_value = "")]
        about: String,
        /// Remind after so many days that it should be renewed
        #[arg(long, value_name = "DAYS")]
        rotate_days: Option<u32>,
    },
    /// Give a secret another value; runs from now on are given this one
    Renew {
        /// Its name
        name: String,
        /// A file with the value; /dev/stdin for standard input
        #[arg(long, value_name = "FILE")]
        value_file: PathBuf,
    },
    /// Forget a secret with all its versions
    Remove {
        /// Its name
        name: String,
    },
}

/// Does it.
pub(crate) async fn run(session: &Session, command: SecretCommand) -> Result<Exit, Failure> {
    let (api, output) = (session.api()?, &session.output);
    let view: SecretView = match command {
        SecretCommand::List => return list(session).await,
        SecretCommand::Remove { name } => {
            api.delete(&format!("/api/v1/secrets/{}", segment(&name)?)).await?;
            output.hint(&format!("{name} is forgotten"));
            return Ok(Exit::Ok);
        }
        SecretCommand::Create { name, value_file, about, rotate_days } => {
            let value = read_secret(&value_file, "value")?.expose_secret().to_owned();
            let body = SecretCreate { name, value, about, rotate_days };
            api.post("/api/v1/secrets", &body).await?
        }
        SecretCommand::Renew { name, value_file } => {
            let value = read_secret(&value_file, "value")?.expose_secret().to_owned();
            let path = format!("/api/v1/secrets/{}", segment(&name)?);
            api.put(&path, &SecretRenew { value }).await?
        }
    };
    if output.json {
        output.json(&view)?;
    } else {
        output.line(&format!("{} is kept, version {}", view.name, view.version))?;
    }
    Ok(Exit::Ok)
}

async fn list(session: &Session) -> Result<Exit, Failure> {
    let output = &session.output;
    let list: List<SecretView> = session.api()?.get("/api/v1/secrets", &vec![]).await?;
    if output.json {
        output.json(&list)?;
        return Ok(Exit::Ok);
    }
    let mut table = Table::new(&["NAME", "VERSION", "RENEWED", "EVERY", "DUE", "ABOUT"]);
    for secret in &list.items {
        table.row([
            secret.name.clone(),
            secret.version.to_string(),
            output.time(&secret.renewed_at),
            secret.rotate_days.map(|days| format!("{days} days")).unwrap_or_default(),
            if secret.due { "now".to_owned() } else { String::new() },
            secret.about.clone(),
        ]);
    }
    output.table(&table)?;
    Ok(Exit::Ok)
}
