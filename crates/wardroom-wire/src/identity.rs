//! Bodies of the REST API about accounts and what proves them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// `POST /api/v1/login`: name and password for a session.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LoginRequest {
    /// The account's name or e-mail address.
    pub name: String,
    /// Its password.
    pub password: String,
    /// A code of the account's authenticator or a recovery code, where it has a second factor.
    #[serde(default)]
    pub code: Option<String>,
    /// What signs in, as the account's list of sessions shows it.
    #[serde(default)]
    pub client: String,
}

/// A session's tokens.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct SignedIn {
    /// For `Authorization: Bearer`; short-lived.
    pub access_token: String,
    /// When the access token ends.
    pub access_expires_at: String,
    /// Good once, for the next pair of tokens: `POST /api/v1/session/refresh`. Using it twice ends the session.
    pub refresh_token: String,
    /// The session.
    pub session: String,
    /// When the session ends whatever happens.
    pub session_expires_at: String,
    /// What is open to the session.
    pub standing: StandingView,
}

/// What is open to a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StandingView {
    /// `open`, or what has to be done first: `second_factor`, `set_password`, `set_second_factor`.
    pub needs: String,
    /// The kinds of second factor that the account has.
    pub factors: Vec<String>,
}

/// `POST /api/v1/session/refresh`.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RefreshRequest {
    /// The session's refresh token.
    pub refresh_token: String,
}

/// `POST /api/v1/session/second-factor`.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CodeRequest {
    /// A code of the account's authenticator, or a recovery code.
    pub code: String,
}

/// `POST /api/v1/session/prove`: the password, and a code where the account has a second factor.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProveRequest {
    /// The account's password.
    pub password: String,
    /// A code of the account's authenticator, or a recovery code.
    #[serde(default)]
    pub code: Option<String>,
}

/// A session without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SessionView {
    /// The session.
    pub id: String,
    /// `browser` or `client`.
    pub kind: String,
    /// Whether it is the caller's own.
    pub current: bool,
    /// The address that it was opened from.
    pub address: String,
    /// What opened it, as it described itself.
    pub user_agent: String,
    /// When it began.
    pub created_at: String,
    /// When it was last used, within a minute.
    pub seen_at: String,
    /// When it ends unless it is used.
    pub idle_until: String,
    /// When it ends whatever happens.
    pub expires_at: String,
    /// Whether a second factor was shown.
    pub second_factor: bool,
    /// What the program of others is called that acts in the account's name, where the session is its.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// That program's `client_id`: its name may be another's as well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// What it was granted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
}

/// `POST /api/v1/tokens`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenCreate {
    /// What the token is called: 1 to 64 characters.
    pub name: String,
    /// For how long, in seconds: 60 to 7,776,000 (90 days). 12 hours when absent.
    #[serde(default)]
    pub expires_in: Option<u64>,
    /// The actions that it is good for; all that need no fresh proof when empty.
    #[serde(default)]
    pub scopes: Vec<String>,
}

/// A new API token; the secret is shown this once.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct NewToken {
    /// The token's record.
    pub token: TokenView,
    /// The secret, for `Authorization: Bearer`.
    pub secret: String,
}

/// An API token without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TokenView {
    /// The token.
    pub id: String,
    /// What it is called.
    pub name: String,
    /// The actions that it is good for; empty for all that need no fresh proof.
    pub scopes: Vec<String>,
    /// When it was made.
    pub created_at: String,
    /// When it ends.
    pub expires_at: String,
    /// When it was last used, within a minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used_at: Option<String>,
}

/// `GET /api/v1/whoami`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Whoami {
    /// The account.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its role.
    pub role: String,
    /// `session` or `token`.
    pub credential: String,
    /// What is open to the session; for a token, always `open`.
    pub standing: StandingView,
    /// The actions that the caller may do to something.
    pub may: Vec<String>,
}

/// `POST /api/v1/logout`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LogoutRequest {
    /// End all sessions and tokens of the account, not only this one.
    #[serde(default)]
    pub everywhere: bool,
}

/// `POST /api/v1/account/password`.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordChange {
    /// The password so far.
    pub current: String,
    /// The new one.
    pub new: String,
}

/// `POST /api/v1/links/redeem`: a single-use link and the password that it sets.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LinkRedeem {
    /// What the link carries, `wrp_…`.
    pub secret: String,
    /// The new password.
    pub password: String,
}

/// An account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UserView {
    /// The account.
    pub id: String,
    /// Counts changes; `ETag` is this number in quotes.
    pub version: i64,
    /// The name to sign in with.
    pub name: String,
    /// The name by which the person is shown; empty where nobody gave one.
    pub display_name: String,
    /// Where messages go; empty where nobody gave one.
    pub email: String,
    /// Its role.
    pub role: String,
    /// The groups that it is in.
    pub groups: Vec<String>,
    /// The customer that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<String>,
    /// `invited`, `active`, `disabled` or `erased`.
    pub state: String,
    /// Whether it has a second factor.
    pub second_factor: bool,
    /// When its password was last set; absent where it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_changed_at: Option<String>,
    /// When it was made.
    pub created_at: String,
}

/// `POST /api/v1/users`: asks somebody in.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UserCreate {
    /// The name to sign in with: 1 to 64 of `a-z 0-9 . _ -`.
    pub name: String,
    /// The name by which the person is shown.
    #[serde(default)]
    pub display_name: String,
    /// Where messages go.
    #[serde(default)]
    pub email: String,
    /// `admin`, `manager`, `operator` or `customer`.
    pub role: String,
    /// The customer that the account belongs to, with the role `customer`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<String>,
}

/// An account and the link that sets its password, which is shown this once.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct NewUser {
    /// The account.
    pub user: UserView,
    /// The link.
    pub link: NewLink,
}

/// A single-use link, shown this once.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct NewLink {
    /// Where to go.
    pub url: String,
    /// What the link carries.
    pub secret: String,
    /// `invite` or `reset`.
    pub purpose: String,
    /// When it ends.
    pub expires_at: String,
}

/// `PATCH /api/v1/users/{id}` and `PATCH /api/v1/account`: what is absent stays.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UserPatch {
    /// The name to sign in with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The name by which the person is shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// Where messages go; empty for nowhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// The role; not one's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// All groups that the account is in from then on, at most 32.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub groups: Option<Vec<String>>,
    /// The customer that the account belongs to; empty for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<String>,
}

/// A second factor without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FactorView {
    /// The factor.
    pub id: String,
    /// `totp` or `passkey`.
    pub kind: String,
    /// What its owner calls it.
    pub name: String,
    /// Whether its owner has shown that it works.
    pub confirmed: bool,
    /// When it was made.
    pub created_at: String,
    /// When it was last used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used_at: Option<String>,
}

/// `GET /api/v1/account/factors`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FactorsView {
    /// The factors, oldest first.
    pub items: Vec<FactorView>,
    /// How many recovery codes are left.
    pub recovery_codes_left: usize,
}

/// `POST /api/v1/account/factors/totp`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FactorCreate {
    /// What it is called: 1 to 64 characters.
    pub name: String,
}

/// A new authenticator, shown this once. It counts when a code of it has come back.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct NewTotp {
    /// The factor.
    pub id: String,
    /// Its secret in base32, to type into an app.
    pub secret: String,
    /// The same as an `otpauth` URI.
    pub uri: String,
    /// The URI as a picture (SVG) to be scanned.
    pub qr_svg: String,
}

/// Recovery codes, shown this once. Each is good once, in place of another second factor.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct RecoveryCodes {
    /// The codes.
    pub codes: Vec<String>,
}

/// What came of confirming a second factor: recovery codes, when it is the account's first one.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct FactorConfirmed {
    /// What is open to the session now.
    pub standing: StandingView,
    /// Codes for when the factor is lost, shown this once; empty unless this is the first factor.
    pub recovery_codes: Vec<String>,
}

/// A ceremony with a passkey, to be carried out by the browser.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct Ceremony {
    /// Comes back with the answer.
    pub state: String,
    /// What `parseCreationOptionsFromJSON` or `parseRequestOptionsFromJSON` takes.
    pub options: serde_json::Value,
}

/// A passkey's answer.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasskeyAnswer {
    /// The ceremony's `state`.
    pub state: String,
    /// What the browser's `toJSON()` gave.
    pub answer: serde_json::Value,
    /// What the new passkey is called.
    #[serde(default)]
    pub name: String,
    /// What signs in, as the account's list of sessions shows it.
    #[serde(default)]
    pub client: String,
}

/// `POST /api/v1/password-reset`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordReset {
    /// The account's name or e-mail address.
    pub name: String,
}
