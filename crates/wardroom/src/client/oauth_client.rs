//! `wardroom oauth-client …`: programs of others that act in people's names

use super::{Exit, Failure, Session, http::segment};
use crate::output::{Output, Table, pairs};
use wardroom_wire::{
    api::List,
    oauth::{NewOauthClient, OauthClientCreate, OauthClientView},
};

/// What can be done with programs of others.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum OauthClientCommand {
    /// List the registered programs
    List,
    /// Register a program; the secret of one that keeps one is shown this once
    Create {
        /// What people know it by
        name: String,
        /// Where codes may be sent; may be given several times
        #[arg(long = "redirect-uri", value_name = "URL")]
        redirect_uris: Vec<String>,
        /// An action that it may ask for, such as run.list; may be given several times
        #[arg(long = "scope", value_name = "ACTION", required = true)]
        scopes: Vec<String>,
        /// It runs on a server and keeps a secret
        #[arg(long)]
        confidential: bool,
        /// The account as which it acts by itself, by name or id
        #[arg(long, value_name = "USER", requires = "confidential")]
        acts_as: Option<String>,
    },
    /// Give a program another secret, shown this once; what it was granted goes on
    Renew {
        /// Its client_id
        id: String,
    },
    /// Forget a program; all that it was granted ends at once
    Remove {
        /// Its client_id
        id: String,
    },
}

/// Does it.
pub(crate) async fn run(session: &Session, command: OauthClientCommand) -> Result<Exit, Failure> {
    let (api, output) = (session.api()?, &session.output);
    match command {
        OauthClientCommand::List => {
            list(output, &api.get("/api/v1/oauth/clients", &vec![]).await?)?;
        }
        OauthClientCommand::Create { name, redirect_uris, scopes, confidential, acts_as } => {
            let body = OauthClientCreate { name, redirect_uris, scopes, confidential, acts_as };
            made(output, &api.post("/api/v1/oauth/clients", &body).await?)?;
        }
        OauthClientCommand::Renew { id } => {
            let path = format!("/api/v1/oauth/clients/{}/secret", segment(&id)?);
            made(output, &api.act(&path, None).await?)?;
        }
        OauthClientCommand::Remove { id } => {
            api.delete(&format!("/api/v1/oauth/clients/{}", segment(&id)?)).await?;
            output.hint(&format!("{id} is forgotten"));
        }
    }
    Ok(Exit::Ok)
}

fn made(output: &Output, made: &NewOauthClient) -> Result<(), Failure> {
    if output.json {
        return output.json(made);
    }
    let mut lines = vec![("name", made.client.name.clone()), ("client_id", made.client.id.clone())];
    if let Some(secret) = &made.secret {
        lines.push(("client_secret", secret.clone()));
        output.hint("Copy the secret now: it is not shown again.");
    }
    output.table(&pairs(lines))
}

fn list(output: &Output, list: &List<OauthClientView>) -> Result<(), Failure> {
    if output.json {
        return output.json(list);
    }
    let mut table = Table::new(&["CLIENT_ID", "NAME", "SECRET", "SCOPES", "REDIRECTS TO", "MADE"]);
    for client in &list.items {
        table.row([
            client.id.clone(),
            match &client.document {
                Some(document) => format!("{} ({document})", client.name),
                None => client.name.clone(),
            },
            if client.confidential { "yes" } else { "no" }.to_owned(),
            client.scopes.join(" "),
            client.redirect_uris.join(" "),
            output.time(&client.created_at),
        ]);
    }
    output.table(&table)
}
