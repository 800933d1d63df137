//! Pages without navigation on which somebody proves who they are, or sets what proves it.

use super::format as f;
use askama::Template;
use wardroom_core::Timestamp;
use wardroom_wire::identity::{FactorsView, NewTotp};

/// What is wrong with single fields.
pub(crate) type Wrong = Vec<(String, String)>;

fn wrong_with<'a>(wrong: &'a Wrong, field: &str) -> Option<&'a str> {
    wrong.iter().find(|(name, _)| name == field).map(|(_, reason)| reason.as_str())
}

/// Showing a second factor.
#[derive(Template)]
#[template(path = "second_factor.html")]
pub(crate) struct SecondFactorPage {
    /// Where the assets are.
    pub(crate) assets: &'static str,
    /// What its forms must carry.
    pub(crate) csrf: String,
    /// Where to go on: a path of this site.
    pub(crate) next: String,
    /// Whether the account has a passkey.
    pub(crate) passkey: bool,
    /// What was wrong.
    pub(crate) problem: Option<String>,
}

/// Proving anew who one is.
#[derive(Template)]
#[template(path = "prove.html")]
pub(crate) struct ProvePage {
    /// Where the assets are.
    pub(crate) assets: &'static str,
    /// What its forms must carry.
    pub(crate) csrf: String,
    /// Where to go on: a path of this site.
    pub(crate) next: String,
    /// How long a proof is fresh.
    pub(crate) minutes: u64,
    /// Whether the account has a second factor.
    pub(crate) factor: bool,
    /// Whether it has a passkey.
    pub(crate) passkey: bool,
    /// What the provider is called by which they prove it, where they have no password here.
    pub(crate) outside: Option<String>,
    /// What was wrong.
    pub(crate) problem: Option<String>,
}

/// Setting one's password.
#[derive(Template)]
#[template(path = "password.html")]
pub(crate) struct PasswordPage {
    /// Where the assets are.
    pub(crate) assets: &'static str,
    /// What its forms must carry.
    pub(crate) csrf: String,
    /// Where to go on: a path of this site.
    pub(crate) next: String,
    /// Whether nothing else is open before.
    pub(crate) forced: bool,
    /// The fewest characters.
    pub(crate) chars_min: usize,
    /// The rules, for people.
    pub(crate) rules: String,
    /// What was wrong.
    pub(crate) wrong: Wrong,
}

impl PasswordPage {
    fn wrong(&self, field: &str) -> Option<&str> {
        wrong_with(&self.wrong, field)
    }
}

/// Setting a password by a link.
#[derive(Template)]
#[template(path = "welcome.html")]
pub(crate) struct WelcomePage {
    /// Where the assets are.
    pub(crate) assets: &'static str,
    /// What the link carries.
    pub(crate) link: String,
    /// The fewest characters.
    pub(crate) chars_min: usize,
    /// The rules, for people.
    pub(crate) rules: String,
    /// What was wrong.
    pub(crate) wrong: Wrong,
    /// What was wrong with the link.
    pub(crate) problem: Option<String>,
}

impl WelcomePage {
    fn wrong(&self, field: &str) -> Option<&str> {
        wrong_with(&self.wrong, field)
    }
}

/// One's second factors, a new one, or recovery codes.
#[derive(Template)]
#[template(path = "second_factors.html")]
pub(crate) struct SecondFactorsPage {
    /// Where the assets are.
    pub(crate) assets: &'static str,
    /// What its forms must carry.
    pub(crate) csrf: String,
    /// Where to go on: a path of this site.
    pub(crate) next: String,
    /// The time on the page.
    pub(crate) now: Timestamp,
    /// Whether nothing else is open before there is one.
    pub(crate) forced: bool,
    /// Whether passkeys can be used here.
    pub(crate) passkeys: bool,
    /// Those that are there.
    pub(crate) factors: FactorsView,
    /// The name typed for a new one.
    pub(crate) name: String,
    /// The new authenticator: shown this once.
    pub(crate) made: Option<NewTotp>,
    /// New recovery codes: shown this once.
    pub(crate) codes: Vec<String>,
    /// What was wrong.
    pub(crate) problem: Option<String>,
}
