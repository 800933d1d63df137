//! Programs of others: OAuth clients under `/api/v1/oauth/clients`.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// `POST /api/v1/oauth/clients`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OauthClientCreate {
    /// What people know it by: 1 to 64 characters.
    pub name: String,
    /// Where codes may be sent, at most 10: `https://…`, `http://` on the same machine with any port, or a private
    /// scheme such as `com.example.app:/callback`.
    #[serde(default)]
    pub redirect_uris: Vec<String>,
    /// The actions that it may ask for, such as `run.list`. None that needs a fresh proof.
    pub scopes: Vec<String>,
    /// Whether it can keep a secret: a program on a server can, one on people's own machines can't.
    #[serde(default)]
    pub confidential: bool,
    /// The account, by name or id, as which it acts by itself, by `client_credentials`. It must keep a secret, and
    /// whoever registers it must be allowed to change that account.
    #[serde(default)]
    pub acts_as: Option<String>,
}

/// A registered program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OauthClientView {
    /// Its `client_id`, unless it has a document.
    pub id: String,
    /// The address of the document in which it says itself what it is: its `client_id` then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document: Option<String>,
    /// What people know it by.
    pub name: String,
    /// Where codes may be sent.
    pub redirect_uris: Vec<String>,
    /// The actions that it may ask for.
    pub scopes: Vec<String>,
    /// Whether it keeps a secret.
    pub confidential: bool,
    /// The account as which it acts by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acts_as: Option<String>,
    /// Who registered it, or first granted it something where it has a document.
    pub created_by: String,
    /// When.
    pub created_at: String,
}

/// What a program is given at `/oauth/token` (RFC 6749 §5.1).
#[derive(Clone, Serialize, Deserialize)]
pub struct Tokens {
    /// For `Authorization: Bearer` at the API.
    pub access_token: String,
    /// `Bearer`.
    pub token_type: String,
    /// Seconds until the access token ends.
    pub expires_in: u64,
    /// Good once, for the next pair; none for a program that acts by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<String>,
    /// What was granted, separated by spaces.
    pub scope: String,
}

/// A program that was just registered or has another secret.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct NewOauthClient {
    /// The program.
    pub client: OauthClientView,
    /// Its `client_secret`, shown this once; none where it keeps none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
}
