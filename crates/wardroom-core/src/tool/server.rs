//! A tool server: an MCP server that offers tools, and how it is reached.

use super::hosted::{SECRETS_MAX, is_variable};
use crate::{NodeId, Timestamp, ToolServerId, UserId, command, field::FieldError, secret};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The longest name, in characters.
pub const NAME_CHARS_MAX: usize = 32;
/// The longest description, in characters.
pub const ABOUT_CHARS_MAX: usize = 200;
/// The longest address, in bytes.
const URL_BYTES_MAX: usize = 2048;
/// The most scopes that people name.
const SCOPES_MAX: usize = 32;
/// The most further hosts of one.
const EGRESS_MAX: usize = 20;
/// The most tool servers that are registered.
pub const SERVERS_MAX: usize = 200;

/// How a tool server is reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Way {
    /// Streamable HTTP, by the orchestrator.
    Http {
        /// The MCP endpoint.
        url: String,
        /// Further hosts that may be asked for it, such as those that give tokens for it: no other beside its own is.
        /// Where there are none, any that is public may be.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        egress: Vec<String>,
    },
    /// Standard input and output, by a node that starts it as its own allow-list says.
    Node {
        /// The node.
        node: NodeId,
        /// The name of its entry in the node's allow-list.
        entry: String,
    },
}

/// What a tool server is shown so that it lets the gateway in. A secret is told by its name and added at the last
/// moment; what a caller brought is never passed on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Shown {
    /// Nothing.
    #[default]
    Nothing,
    /// `Authorization: Bearer` with a named secret.
    Bearer {
        /// The secret's name.
        secret: String,
    },
    /// A header of this name with a named secret.
    Header {
        /// The header.
        name: String,
        /// The secret's name.
        secret: String,
    },
    /// `Authorization: Bearer` with a token that the gateway is given for itself (OAuth 2.1, client credentials).
    Client {
        /// As which client, at whom.
        client: OauthParty,
        /// What is asked for; as the tool server says where it is empty.
        #[serde(default)]
        scopes: Vec<String>,
    },
    /// `Authorization: Bearer` with a token of whoever calls, who has connected their account (OAuth 2.1,
    /// authorization code).
    Account {
        /// As which client, at whom. Where nothing is told, the tool server says at whom, and the gateway introduces
        /// itself there.
        #[serde(default)]
        client: Option<OauthParty>,
        /// What is asked for; as the tool server says where it is empty.
        #[serde(default)]
        scopes: Vec<String>,
    },
    /// Environment variables of a process that a node starts, each with a named secret.
    Environment {
        /// The names of the secrets, by variable.
        secrets: BTreeMap<String, String>,
    },
}

/// A client as an authorization server knows it. SECURITY: the issuer is told by whoever trusts it with the secret; a
/// tool server that named one itself could name its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OauthParty {
    /// The authorization server, as it names itself.
    pub issuer: String,
    /// The client's id there.
    pub id: String,
    /// The name of the secret by which the client proves who it is, where it has one.
    #[serde(default)]
    pub secret: Option<String>,
}

impl Shown {
    /// Whether each caller shows what is their own.
    pub fn is_each_callers(&self) -> bool {
        matches!(self, Self::Account { .. })
    }

    /// The client that the gateway is at an authorization server, where people told one.
    pub fn client(&self) -> Option<&OauthParty> {
        match self {
            Self::Client { client, .. } | Self::Account { client: Some(client), .. } => {
                Some(client)
            }
            _ => None,
        }
    }

    /// The named secrets that it takes.
    pub fn secrets(&self) -> Vec<&str> {
        match self {
            Self::Nothing => vec![],
            Self::Bearer { secret } | Self::Header { secret, .. } => vec![secret],
            Self::Client { .. } | Self::Account { .. } => {
                self.client().and_then(|client| client.secret.as_deref()).into_iter().collect()
            }
            Self::Environment { secrets } => secrets.values().map(String::as_str).collect(),
        }
    }
}

/// Bounds of one tool server, so that a slow or broken one costs nobody else anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServerLimits {
    /// How long one call may take, in milliseconds.
    pub call_ms_max: u32,
    /// Requests that it works on at the same time.
    pub concurrent_max: u32,
    /// Requests that wait for their turn.
    pub waiting_max: u32,
    /// The longest arguments of a call, in bytes.
    pub arguments_bytes_max: u32,
    /// The longest answer, in bytes.
    pub result_bytes_max: u32,
    /// Calls of one tool that one caller makes within a minute.
    pub calls_per_minute: u32,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            call_ms_max: 60_000,
            concurrent_max: 64,
            waiting_max: 256,
            arguments_bytes_max: 256 * 1024,
            result_bytes_max: 4 * 1024 * 1024,
            calls_per_minute: 600,
        }
    }
}

impl ServerLimits {
    /// The largest of each.
    const MOST: Self = Self {
        call_ms_max: 3_600_000,
        concurrent_max: 4096,
        waiting_max: 65_536,
        arguments_bytes_max: 4 * 1024 * 1024,
        result_bytes_max: 64 * 1024 * 1024,
        calls_per_minute: 1_000_000,
    };

    fn check(&self) -> Result<(), FieldError> {
        let most = Self::MOST;
        for (field, least, value, most) in [
            ("call_ms_max", 10, self.call_ms_max, most.call_ms_max),
            ("concurrent_max", 1, self.concurrent_max, most.concurrent_max),
            ("waiting_max", 0, self.waiting_max, most.waiting_max),
            ("arguments_bytes_max", 2, self.arguments_bytes_max, most.arguments_bytes_max),
            ("result_bytes_max", 64, self.result_bytes_max, most.result_bytes_max),
            ("calls_per_minute", 1, self.calls_per_minute, most.calls_per_minute),
        ] {
            if !(least..=most).contains(&value) {
                let field = format!("limits.{field}");
                return Err(FieldError::new(field, format!("must be {least} to {most}")));
            }
        }
        Ok(())
    }
}

/// A registered tool server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolServer {
    /// Its id.
    pub id: ToolServerId,
    /// Its name, by which callers and policies speak of it.
    pub name: String,
    /// What it is, for people.
    pub about: String,
    /// How it is reached.
    pub way: Way,
    /// What it is shown.
    pub shown: Shown,
    /// Its bounds.
    pub limits: ServerLimits,
    /// Whether it may be called.
    pub enabled: bool,
    /// Counts changes, from 1.
    pub version: i64,
    /// Who registered it.
    pub created_by: UserId,
    /// When.
    pub created_at: Timestamp,
}

/// Whether a tool server can have this name. Two underscores divide it from a tool's in lists of several servers.
pub fn is_name(name: &str) -> bool {
    let sound = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let starts = name.starts_with(|c: char| c.is_ascii_lowercase());
    starts && name.len() <= NAME_CHARS_MAX && name.chars().all(sound) && !name.ends_with('-')
}

/// Whether a text is a host, in its one spelling.
fn is_host(text: &str) -> bool {
    let url = url::Url::parse(&format!("https://{text}/"));
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']');
    !text.is_empty()
        && text.chars().all(plain)
        && url.is_ok_and(|url| url.host_str() == Some(text) && url.port().is_none())
}

impl ToolServer {
    /// Checks what people say of it.
    pub fn check(&self) -> Result<(), FieldError> {
        if !is_name(&self.name) {
            let reason = "must be 1 to 32 of a-z 0-9 -, with a letter first";
            return Err(FieldError::new("name", reason));
        }
        if self.about.chars().count() > ABOUT_CHARS_MAX || self.about.chars().any(char::is_control)
        {
            return Err(FieldError::new("about", "must be at most 200 characters in one line"));
        }
        match &self.way {
            Way::Http { url, .. } if url.len() > URL_BYTES_MAX => {
                return Err(FieldError::new("url", "must be at most 2048 bytes"));
            }
            Way::Http { egress, .. }
                if egress.len() > EGRESS_MAX || !egress.iter().all(|host| is_host(host)) =>
            {
                let reason =
                    format!("must be at most {EGRESS_MAX} hosts, such as auth.example.org");
                return Err(FieldError::new("egress", reason));
            }
            Way::Node { entry, .. } if !command::is_name(entry) => {
                let reason = "must be the name of a [[tool_server]] in the node's allow-list";
                return Err(FieldError::new("entry", reason));
            }
            Way::Http { .. } | Way::Node { .. } => {}
        }
        if !self.shown.secrets().into_iter().all(secret::is_name) {
            return Err(FieldError::new("secret", "must be the name of a secret"));
        }
        match (&self.way, &self.shown) {
            (_, Shown::Nothing) | (Way::Http { .. }, Shown::Bearer { .. }) => {}
            (Way::Http { .. }, Shown::Header { name, .. }) => check_header(name)?,
            (Way::Http { .. }, Shown::Client { client, scopes }) => {
                if client.secret.is_none() {
                    let reason =
                        "must be the name of a secret: the gateway can't prove otherwise who it is";
                    return Err(FieldError::new("secret", reason));
                }
                check_client(Some(client), scopes)?;
            }
            (Way::Http { .. }, Shown::Account { client, scopes }) => {
                check_client(client.as_ref(), scopes)?;
            }
            (Way::Node { .. }, Shown::Environment { secrets }) => check_variables(secrets)?,
            (Way::Http { .. }, Shown::Environment { .. }) => {
                let reason = "only a tool server that a node starts has an environment";
                return Err(FieldError::new("shown", reason));
            }
            (Way::Node { .. }, _) => {
                let reason = "a tool server that a node starts is given secrets in its environment";
                return Err(FieldError::new("shown", reason));
            }
        }
        self.limits.check()
    }
}

fn check_variables(secrets: &BTreeMap<String, String>) -> Result<(), FieldError> {
    if secrets.len() <= SECRETS_MAX && secrets.keys().all(|name| is_variable(name)) {
        return Ok(());
    }
    let reason = format!("must name at most {SECRETS_MAX} variables, in capital letters");
    Err(FieldError::new("environment", reason))
}

/// RFC 6749 §3.3 and appendix A.1.
fn check_client(client: Option<&OauthParty>, scopes: &[String]) -> Result<(), FieldError> {
    let scope = |c: char| matches!(c, '!' | '#'..='[' | ']'..='~');
    let sound = |text: &String| (1..=200).contains(&text.len()) && text.chars().all(scope);
    if scopes.len() > SCOPES_MAX || !scopes.iter().all(sound) {
        let reason =
            format!("must be at most {SCOPES_MAX} scopes, each 1 to 200 characters without spaces");
        return Err(FieldError::new("scopes", reason));
    }
    let Some(client) = client else { return Ok(()) };
    if client.issuer.is_empty() || client.issuer.len() > URL_BYTES_MAX {
        return Err(FieldError::new("issuer", "must be the address of the authorization server"));
    }
    if !(1..=512).contains(&client.id.len()) || !client.id.chars().all(|c| matches!(c, ' '..='~')) {
        let reason = "must be the client's id at the authorization server, 1 to 512 characters";
        return Err(FieldError::new("client", reason));
    }
    Ok(())
}

/// SECURITY: headers that carry the protocol, frame the message or tell where it goes are not to be set.
fn check_header(name: &str) -> Result<(), FieldError> {
    let token = !name.is_empty()
        && name.len() <= 64
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    let lower = name.to_ascii_lowercase();
    let own = ["host", "content-", "transfer-encoding", "connection", "accept", "mcp-", "te"];
    if token
        && !own.iter().any(|own| lower == *own || (own.ends_with('-') && lower.starts_with(own)))
    {
        return Ok(());
    }
    Err(FieldError::new("header", "must be the name of a header that the protocol does not use"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use uuid::Uuid;

    fn server() -> ToolServer {
        ToolServer {
            id: ToolServerId::from_uuid(Uuid::nil()),
            name: "files".to_owned(),
            about: String::new(),
            way: Way::Http { url: "https://tools.example/mcp".to_owned(), egress: vec![] },
            shown: Shown::Nothing,
            limits: ServerLimits::default(),
            enabled: true,
            version: 1,
            created_by: UserId::from_uuid(Uuid::nil()),
            created_at: Timestamp::default(),
        }
    }

    #[test]
    fn what_people_say_of_a_server_is_checked() {
        server().check().unwrap();
        for name in ["", "Files", "9", "a_b", "a-", "a b", &"a".repeat(33)] {
            let found = ToolServer { name: name.to_owned(), ..server() }.check();
            assert_eq!(found.unwrap_err().field, "name", "{name:?}");
        }
        let header = |name: &str| Shown::Header { name: name.into(), secret: "key".into() };
        for name in ["Host", "content-type", "Mcp-Session-Id", "a b", "", "Accept"] {
            let found = ToolServer { shown: header(name), ..server() }.check();
            assert_eq!(found.unwrap_err().field, "header", "{name:?}");
        }
        ToolServer { shown: header("X-Api-Key"), ..server() }.check().unwrap();
        let unnamed = Shown::Bearer { secret: "No name".into() };
        assert_eq!(ToolServer { shown: unnamed, ..server() }.check().unwrap_err().field, "secret");
        let node = || Way::Node { node: NodeId::from_uuid(Uuid::nil()), entry: "files".into() };
        let environment = |name: &str| Shown::Environment {
            secrets: [(name.to_owned(), "key".to_owned())].into(),
        };
        ToolServer { way: node(), shown: environment("KEY"), ..server() }.check().unwrap();
        ToolServer { way: node(), ..server() }.check().unwrap();
        for (way, shown, field) in [
            (node(), environment("lower"), "environment"),
            (node(), header("X-Api-Key"), "shown"),
            (server().way, environment("KEY"), "shown"),
            (
                Way::Node { node: NodeId::from_uuid(Uuid::nil()), entry: "A B".into() },
                Shown::Nothing,
                "entry",
            ),
        ] {
            let found = ToolServer { way, shown, ..server() }.check();
            assert_eq!(found.unwrap_err().field, field);
        }
        let party = OauthParty {
            issuer: "https://auth.example".to_owned(),
            id: "wardroom".to_owned(),
            secret: Some("key".to_owned()),
        };
        let client = |client: OauthParty, scopes: &[&str]| Shown::Client {
            client,
            scopes: scopes.iter().map(ToString::to_string).collect(),
        };
        ToolServer { shown: client(party.clone(), &["a", "b:c"]), ..server() }.check().unwrap();
        let nobody = Shown::Account { client: None, scopes: vec![] };
        ToolServer { shown: nobody, ..server() }.check().unwrap();
        for (shown, field) in [
            (client(party.clone(), &["a b"]), "scopes"),
            (client(OauthParty { secret: None, ..party.clone() }, &[]), "secret"),
            (client(OauthParty { id: String::new(), ..party.clone() }, &[]), "client"),
            (client(OauthParty { issuer: String::new(), ..party }, &[]), "issuer"),
        ] {
            let found = ToolServer { shown, ..server() }.check();
            assert_eq!(found.unwrap_err().field, field);
        }
        let limits = ServerLimits { call_ms_max: 0, ..ServerLimits::default() };
        let found = ToolServer { limits, ..server() }.check().unwrap_err();
        assert_eq!(found.field, "limits.call_ms_max");
    }
}
