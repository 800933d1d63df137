//! `wardroom token …`

use super::{Exit, Failure, Session, credentials::write_private, http::segment, values};
use crate::output::Table;
use std::{path::PathBuf, time::Duration};
use wardroom_core::Action;
use wardroom_wire::identity::{NewToken, TokenCreate, TokenView};

/// What can be done with one's own API tokens.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum TokenCommand {
    /// Make a token; it is shown this once
    Create {
        /// What it is called in your list
        name: String,
        /// How long it is good for, 1m to 90d; 12h where not given
        #[arg(long, value_parser = values::duration, value_name = "TIME")]
        expires_in: Option<Duration>,
        /// An action that it is good for; may be given several times. Without any, it is good for all that
        /// need no fresh proof of who you are
        #[arg(long = "scope", value_name = "ACTION")]
        scopes: Vec<String>,
        /// Write the token to this file, which only you may read, instead of showing it
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// List your tokens
    List {
        /// At most so many
        #[arg(long, default_value_t = 50)]
        limit: u32,
        /// Go on behind this one, as `next` of a list said
        #[arg(long)]
        after: Option<String>,
    },
    /// Revoke a token of yours
    Revoke {
        /// The token's id
        id: String,
    },
}

/// Does it.
pub(crate) async fn run(session: &Session, command: TokenCommand) -> Result<Exit, Failure> {
    let (api, output) = (session.api()?, &session.output);
    match command {
        TokenCommand::Create { name, expires_in, scopes, out } => {
            for read in reads_left_out(&scopes) {
                output.note(&format!(
                    "It lists what {read} lets it see: without that scope, nothing or little."
                ));
            }
            let body = TokenCreate { name, expires_in: expires_in.map(values::seconds), scopes };
            let made: NewToken = api.post("/api/v1/tokens", &body).await?;
            match (out, output.json) {
                (Some(path), json) => {
                    write_private(&path, format!("{}\n", made.secret).as_bytes())?;
                    if json {
                        output.json(&made.token)?;
                    } else {
                        output.line(&format!("{} is in {}", made.token.id, path.display()))?;
                    }
                }
                (None, true) => output.json(&made)?,
                (None, false) => {
                    output.hint(&format!(
                        "Token {}, good until {}; it is not shown again:",
                        made.token.id, made.token.expires_at
                    ));
                    output.line(&made.secret)?;
                }
            }
        }
        TokenCommand::List { limit, after } => {
            let tokens = api.list::<TokenView>("/api/v1/tokens", &vec![], limit, after).await?;
            if output.json {
                output.json(&tokens)?;
                return Ok(Exit::Ok);
            }
            let mut table = Table::new(&["ID", "NAME", "SCOPES", "CREATED", "USED", "EXPIRES"]);
            for token in &tokens.items {
                table.row([
                    token.id.clone(),
                    token.name.clone(),
                    token.scopes.join(" "),
                    output.time(&token.created_at),
                    output.time_or(token.used_at.as_ref()),
                    output.time(&token.expires_at),
                ]);
            }
            output.table(&table)?;
            if let Some(next) = &tokens.next {
                output.hint(&format!("There are more: --after {next}"));
            }
        }
        TokenCommand::Revoke { id } => {
            api.delete(&format!("/api/v1/tokens/{}", segment(&id)?)).await?;
            output.hint(&format!("{id} is revoked"));
        }
    }
    Ok(Exit::Ok)
}

/// The actions without which lists that a token is good for show little. Not every list has one.
fn reads_left_out(scopes: &[String]) -> Vec<String> {
    let kinds = scopes.iter().filter_map(|scope| scope.strip_suffix(".list"));
    let reads = kinds.map(|kind| format!("{kind}.read"));
    reads.filter(|read| !scopes.contains(read) && read.parse::<Action>().is_ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_without_what_it_shows_is_told_where_there_is_such_a_thing() {
        let told = |scopes: &[&str]| {
            reads_left_out(&scopes.iter().map(ToString::to_string).collect::<Vec<_>>())
        };
        assert_eq!(told(&["run.list", "node.list"]), ["run.read", "node.read"]);
        assert!(told(&["run.list", "run.read"]).is_empty());
        assert!(told(&["secret.list", "token.list", "oauth_client.list", "run.submit"]).is_empty());
    }
}
