//! Services.

use super::{
    errors::Errors,
    format as f,
    order::{Entry, OrderForm},
    shell::Shell,
};
use askama::Template;
use wardroom_wire::{
    api::List,
    desk::{CustomerView, ServiceView},
};

/// Services by name: for a customer's account, its catalogue.
#[derive(Template)]
#[template(path = "services.html")]
pub(crate) struct ServicesPage {
    /// The frame.
    pub(crate) shell: Shell,
    /// The services.
    pub(crate) list: List<ServiceView>,
    /// In this state.
    pub(crate) state: String,
    /// Whether this is not the first page.
    pub(crate) later: bool,
}

impl ServicesPage {
    fn next(&self) -> Option<String> {
        let after = self.list.next.as_deref()?;
        Some(f::query(&[("state", &self.state), ("after", after)]))
    }
}

/// When an order begins and how much it presses, as typed.
#[derive(Debug, Clone, Default)]
pub(crate) struct OrderTerms {
    /// For which customer.
    pub(crate) customer: String,
    /// How much it presses.
    pub(crate) priority: String,
    /// When it should be done.
    pub(crate) due_at: String,
    /// When it begins.
    pub(crate) scheduled_for: String,
}

/// One service and its form.
#[derive(Template)]
#[template(path = "service.html")]
pub(crate) struct ServicePage {
    /// The frame.
    pub(crate) shell: Shell,
    /// The service.
    pub(crate) service: ServiceView,
    /// Its form.
    pub(crate) form: OrderForm,
    /// When and how.
    pub(crate) terms: OrderTerms,
    /// Whether the viewer works here and orders for customers.
    pub(crate) for_others: bool,
    /// Customers to choose from.
    pub(crate) customers: Vec<CustomerView>,
    /// Whether the viewer may order it.
    pub(crate) may_order: bool,
    /// Makes a repeated order answer with the first one's request.
    pub(crate) key: String,
    /// What was wrong.
    pub(crate) errors: Errors,
}

/// A service as somebody writes it.
#[derive(Debug, Clone, Default)]
pub(crate) struct ServiceDraft {
    /// Its name in addresses.
    pub(crate) name: String,
    /// What people call it.
    pub(crate) title: String,
    /// What it does for them.
    pub(crate) description: String,
    /// The form's JSON Schema.
    pub(crate) form: String,
    /// `manual` or `command`.
    pub(crate) kind: String,
    /// The command.
    pub(crate) command: String,
    /// `node` or `labels`.
    pub(crate) place: String,
    /// The node or the labels.
    pub(crate) at: String,
    /// Fixed values, a line each: `name=value`.
    pub(crate) fixed: String,
    /// Named secrets, a line each: `parameter=name`.
    pub(crate) secrets: String,
    /// Must be over within so many seconds.
    pub(crate) deadline_seconds: String,
    /// The customers that it is for, a line each; empty for all.
    pub(crate) audience: String,
    /// Open requests of one customer.
    pub(crate) open_max: String,
    /// Requests of one customer within 24 hours.
    pub(crate) per_day_max: String,
}

/// A service's text, to be written.
#[derive(Template)]
#[template(path = "service_edit.html")]
pub(crate) struct ServiceEditPage {
    /// The frame.
    pub(crate) shell: Shell,
    /// The service; absent for a new one.
    pub(crate) service: Option<ServiceView>,
    /// What is written.
    pub(crate) draft: ServiceDraft,
    /// What was wrong.
    pub(crate) errors: Errors,
}
