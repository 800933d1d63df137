//! What people say of a tool server on the command line: what it is shown, and its bounds

use super::super::Failure;
use wardroom_wire::tools::{OauthPartyShape, ServerLimitsShape, ShownShape};

/// What a server is shown, and its bounds.
#[derive(Debug, clap::Args)]
pub(crate) struct Wishes {
    /// What it is, for people
    #[arg(long)]
    pub(super) about: Option<String>,
    /// Show it `Authorization: Bearer` with the value of this named secret
    #[arg(long, value_name = "SECRET", conflicts_with = "header")]
    bearer: Option<String>,
    /// Show it a header with the value of a named secret
    #[arg(long, value_name = "HEADER=SECRET")]
    header: Option<String>,
    /// Put the value of a named secret into its environment, where a node starts it; may be given several times
    #[arg(long = "env", value_name = "VARIABLE=SECRET", conflicts_with_all = ["bearer", "header"])]
    environment: Vec<String>,
    /// Show it a token of this authorization server, given to the gateway itself or, with --accounts, to each caller
    #[arg(long, value_name = "URL", requires = "client", conflicts_with_all = ["bearer", "header", "environment"])]
    issuer: Option<String>,
    /// The client that the gateway is at the authorization server
    #[arg(long, value_name = "ID", requires = "issuer")]
    client: Option<String>,
    /// The named secret by which the gateway proves there who it is
    #[arg(long, value_name = "SECRET", requires = "issuer")]
    client_key: Option<String>,
    /// Show it a token of whoever calls, who has connected their own account
    #[arg(long, conflicts_with_all = ["bearer", "header", "environment"])]
    accounts: bool,
    /// What tokens are asked for; may be given several times. As the server says where absent
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<String>,
    /// A bound, such as call_ms_max=5000; may be given several times
    #[arg(long = "limit", value_name = "NAME=NUMBER")]
    limits: Vec<String>,
}

impl Wishes {
    pub(super) fn shown(&self) -> Result<Option<ShownShape>, Failure> {
        let client = self.issuer.as_ref().zip(self.client.as_ref()).map(|(issuer, id)| {
            let (issuer, id, secret) = (issuer.clone(), id.clone(), self.client_key.clone());
            OauthPartyShape { issuer, id, secret }
        });
        let scopes = self.scopes.clone();
        match client {
            client if self.accounts => return Ok(Some(ShownShape::Account { client, scopes })),
            Some(client) => return Ok(Some(ShownShape::Client { client, scopes })),
            None if !scopes.is_empty() => {
                return Err(Failure::usage("--scope goes with --issuer or --accounts"));
            }
            None => {}
        }
        if let Some(secret) = &self.bearer {
            return Ok(Some(ShownShape::Bearer { secret: secret.clone() }));
        }
        if !self.environment.is_empty() {
            let pair = |text: &String| {
                let (name, secret) = text.split_once('=')?;
                Some((name.trim().to_owned(), secret.trim().to_owned()))
            };
            let wrong = || Failure::usage("--env takes VARIABLE=SECRET, such as API_KEY=files-key");
            let secrets = self.environment.iter().map(|text| pair(text).ok_or_else(wrong));
            return Ok(Some(ShownShape::Environment {
                secrets: secrets.collect::<Result<_, _>>()?,
            }));
        }
        let Some(text) = &self.header else { return Ok(None) };
        let wrong = || Failure::usage("--header takes HEADER=SECRET, such as X-Api-Key=files-key");
        let (name, secret) = text.split_once('=').ok_or_else(wrong)?;
        let (name, secret) = (name.trim().to_owned(), secret.trim().to_owned());
        Ok(Some(ShownShape::Header { name, secret }))
    }

    pub(super) fn limits(
        &self,
        before: ServerLimitsShape,
    ) -> Result<Option<ServerLimitsShape>, Failure> {
        if self.limits.is_empty() {
            return Ok(None);
        }
        let mut limits = before;
        for text in &self.limits {
            let wrong = || Failure::usage(format!("--limit takes NAME=NUMBER, not {text:?}"));
            let (name, number) = text.split_once('=').ok_or_else(wrong)?;
            let number: u32 = number.trim().parse().map_err(|_| wrong())?;
            let place = match name.trim() {
                "call_ms_max" => &mut limits.call_ms_max,
                "concurrent_max" => &mut limits.concurrent_max,
                "waiting_max" => &mut limits.waiting_max,
                "arguments_bytes_max" => &mut limits.arguments_bytes_max,
                "result_bytes_max" => &mut limits.result_bytes_max,
                "calls_per_minute" => &mut limits.calls_per_minute,
                _ => {
                    return Err(Failure::usage(format!("there is no bound {:?}", name.trim()))
                        .advice("Bounds are call_ms_max, concurrent_max, waiting_max, arguments_bytes_max, result_bytes_max and calls_per_minute."));
                }
            };
            *place = number;
        }
        Ok(Some(limits))
    }
}
