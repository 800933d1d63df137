//! Pages without navigation: signing in, and errors.

use askama::Template;

/// The sign-in page.
#[derive(Template)]
#[template(path = "sign_in.html")]
pub(crate) struct SignInPage {
    /// Where the assets are.
    pub(crate) assets: &'static str,
    /// Where to go on after signing in: a path of this site, or empty.
    pub(crate) next: String,
    /// Whether the last try failed.
    pub(crate) failed: bool,
    /// Whether a link has just set a password.
    pub(crate) welcome: bool,
    /// Whether a link for a new password can be asked for.
    pub(crate) forgotten: bool,
    /// What the provider is called by which one can sign in, if there is one.
    pub(crate) outside: Option<String>,
}

/// Arriving from the provider.
#[derive(Template)]
#[template(path = "arrived.html")]
pub(crate) struct ArrivedPage<'a> {
    /// Where the assets are.
    pub(crate) assets: &'static str,
    /// Where to go on: a path of this site.
    pub(crate) next: &'a str,
}

/// Asking for a link that sets a new password.
#[derive(Template)]
#[template(path = "forgotten.html")]
pub(crate) struct ForgottenPage {
    /// Where the assets are.
    pub(crate) assets: &'static str,
    /// Whether somebody has just asked.
    pub(crate) asked: bool,
    /// For how many minutes a link is good.
    pub(crate) minutes: u64,
}

/// An error.
#[derive(Template)]
#[template(path = "error.html")]
pub(crate) struct ErrorPage {
    /// Where the assets are.
    pub(crate) assets: &'static str,
    /// The HTTP status.
    pub(crate) status: u16,
    /// In a few words.
    pub(crate) title: String,
    /// What happened and what to do.
    pub(crate) detail: String,
    /// What is wrong with single fields.
    pub(crate) fields: Vec<(String, String)>,
    /// The stable code.
    pub(crate) code: &'static str,
    /// The request, as the log names it.
    pub(crate) request: String,
    /// The way out.
    pub(crate) back: Back,
}

/// A link out of an error.
pub(crate) struct Back {
    /// Where it leads.
    pub(crate) path: String,
    /// What it says.
    pub(crate) label: &'static str,
}
