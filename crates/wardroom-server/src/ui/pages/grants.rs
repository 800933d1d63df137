//! A program of others asks somebody what it may do in their name.

use askama::Template;

/// Leading on by itself.
#[derive(Template)]
#[template(path = "onward.html")]
pub(crate) struct OnwardPage<'a> {
    /// Where the assets are.
    pub(crate) assets: &'static str,
    /// What the program is called.
    pub(crate) client: &'a str,
    /// Where to go on: a path of this site, or an address that is registered for the program.
    pub(crate) next: &'a str,
}

/// Asking.
#[derive(Template)]
#[template(path = "consent.html")]
pub(crate) struct ConsentPage {
    /// Where the assets are.
    pub(crate) assets: &'static str,
    /// What its form must carry.
    pub(crate) csrf: String,
    /// What the program is called.
    pub(crate) client: String,
    /// Where the answer goes.
    pub(crate) place: String,
    /// Where it says itself what it is, if nobody registered it.
    pub(crate) document: Option<String>,
    /// Whether the answer goes to a program on the person's own machine, where any other could take it.
    pub(crate) near: bool,
    /// Who asks, as it is shown.
    pub(crate) asker: String,
    /// Whose name it is.
    pub(crate) name: String,
    /// What it asks for.
    pub(crate) asked: Vec<Asked>,
    /// For how long at most.
    pub(crate) most: String,
    /// For how long without being used.
    pub(crate) idle: String,
    /// The names of the actions, separated by spaces.
    pub(crate) shown: String,
    /// The program's own request.
    pub(crate) query: String,
}

/// One action that is asked for.
pub(crate) struct Asked {
    /// Its name.
    pub(crate) name: &'static str,
    /// What it is.
    pub(crate) about: &'static str,
}
