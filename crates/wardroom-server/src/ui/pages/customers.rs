//! Customers.

use super::{errors::Errors, format as f, shell::Shell};
use askama::Template;
use wardroom_wire::{
    api::List,
    desk::{CustomerCreate, CustomerView, ImportReport, RequestView, SavedViewView},
    identity::UserView,
};

/// Customers, newest first.
#[derive(Template)]
#[template(path = "customers.html")]
pub(crate) struct CustomersPage {
    /// The frame.
    pub(crate) shell: Shell,
    /// The customers.
    pub(crate) list: List<CustomerView>,
    /// The searched text.
    pub(crate) text: String,
    /// Only those that the viewer looks after.
    pub(crate) mine: bool,
    /// Whether this is not the first page.
    pub(crate) later: bool,
    /// Kept filters.
    pub(crate) views: Vec<SavedViewView>,
    /// What was wrong with the filters.
    pub(crate) problem: Option<String>,
}

impl CustomersPage {
    fn query(&self, after: &str) -> String {
        let operator = if self.mine { "me" } else { "" };
        f::query(&[("text", &self.text), ("operator", operator), ("after", after)])
    }

    fn next(&self) -> Option<String> {
        self.list.next.as_deref().map(|after| self.query(after))
    }

    fn any(&self) -> bool {
        self.mine || !self.text.is_empty()
    }

    fn kept(&self) -> String {
        self.query("").trim_start_matches('?').to_owned()
    }
}

/// What is known of a customer, as typed.
#[derive(Debug, Clone, Default)]
pub(crate) struct CustomerForm {
    /// What is to be known.
    pub(crate) wanted: CustomerCreate,
    /// Further fields, a line each: `name=value`.
    pub(crate) fields: String,
    /// What was wrong.
    pub(crate) errors: Errors,
}

/// A new customer.
#[derive(Template)]
#[template(path = "customer_new.html")]
pub(crate) struct NewCustomerPage {
    /// The frame.
    pub(crate) shell: Shell,
    /// The form.
    pub(crate) form: CustomerForm,
}

/// One customer.
#[derive(Template)]
#[template(path = "customer.html")]
pub(crate) struct CustomerPage {
    /// The frame.
    pub(crate) shell: Shell,
    /// The customer.
    pub(crate) customer: CustomerView,
    /// The form.
    pub(crate) form: CustomerForm,
    /// Who looks after it, as typed.
    pub(crate) operators: String,
    /// What was wrong with that.
    pub(crate) operators_problem: Option<String>,
    /// Its accounts, for those who may list accounts.
    pub(crate) users: Option<Vec<UserView>>,
    /// Its newest requests.
    pub(crate) requests: Vec<RequestView>,
    /// What was wrong with its erasure.
    pub(crate) erase_problem: Option<String>,
    /// Whether the viewer may change it.
    pub(crate) may_change: bool,
    /// Whether the viewer may say who looks after it.
    pub(crate) may_assign: bool,
    /// Whether the viewer may erase it.
    pub(crate) may_erase: bool,
}

/// Customers out of a table.
#[derive(Template)]
#[template(path = "customer_import.html")]
pub(crate) struct ImportPage {
    /// The frame.
    pub(crate) shell: Shell,
    /// The table.
    pub(crate) table: String,
    /// What came of it.
    pub(crate) report: Option<ImportReport>,
    /// What was wrong with the table as a whole.
    pub(crate) problem: Option<String>,
}
