//! People: their list, and one of them.

use super::{errors::Errors, format as f, shell::Shell};
use askama::Template;
use wardroom_wire::{
    api::List,
    identity::{NewLink, NewUser, SessionView, UserCreate, UserView},
};

/// The roles, as people call them.
fn roles() -> [(&'static str, &'static str); 4] {
    [
        ("operator", "Operator"),
        ("manager", "Manager"),
        ("admin", "Administrator"),
        ("customer", "Customer"),
    ]
}

/// Accounts, newest first, and the dialog that asks somebody in.
#[derive(Template)]
#[template(path = "users.html")]
pub(crate) struct UsersPage {
    /// The frame.
    pub(crate) shell: Shell,
    /// The accounts.
    pub(crate) list: List<UserView>,
    /// Whether this is not the first page.
    pub(crate) later: bool,
    /// The filters in force.
    pub(crate) filter_role: String,
    /// The filters in force.
    pub(crate) filter_state: String,
    /// The wanted customer.
    pub(crate) filter_customer: String,
    /// The dialog.
    pub(crate) dialog: InviteDialog,
}

/// The dialog as it stands.
pub(crate) struct InviteDialog {
    /// Whether it is open without a script.
    pub(crate) open: bool,
    /// What was typed.
    pub(crate) wanted: UserCreate,
    /// What was wrong.
    pub(crate) errors: Errors,
    /// Who was asked in: shown this once.
    pub(crate) made: Option<NewUser>,
}

impl InviteDialog {
    /// An empty one.
    pub(crate) fn new(open: bool, customer: &str) -> Self {
        let customer = Some(customer.to_owned()).filter(|id| !id.is_empty());
        let wanted = UserCreate {
            name: String::new(),
            display_name: String::new(),
            email: String::new(),
            role: if customer.is_some() { "customer" } else { "operator" }.to_owned(),
            customer,
        };
        Self { open, wanted, errors: Errors::default(), made: None }
    }
}

impl UsersPage {
    fn roles(&self) -> [(&'static str, &'static str); 4] {
        roles()
    }

    fn next(&self) -> Option<String> {
        let after = self.list.next.as_deref()?;
        Some(f::query(&[
            ("role", &self.filter_role),
            ("state", &self.filter_state),
            ("customer", &self.filter_customer),
            ("after", after),
        ]))
    }
}

/// One account.
#[derive(Template)]
#[template(path = "user.html")]
pub(crate) struct UserPage {
    /// The frame.
    pub(crate) shell: Shell,
    /// The account.
    pub(crate) user: UserView,
    /// What the form holds: the account, or what was typed.
    pub(crate) wanted: UserCreate,
    /// The groups in the form.
    pub(crate) groups: String,
    /// Its sessions, for who may see them.
    pub(crate) sessions: Option<Vec<SessionView>>,
    /// A new link: shown this once.
    pub(crate) link: Option<NewLink>,
    /// What was wrong.
    pub(crate) errors: Errors,
    /// What was wrong with the wish to erase.
    pub(crate) erase_problem: Option<String>,
}

impl UserPage {
    fn roles(&self) -> [(&'static str, &'static str); 4] {
        roles()
    }
}
