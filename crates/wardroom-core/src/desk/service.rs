//! What customers order: a published form over a command, or over work that people do.

use super::check_text;
use crate::{
    CustomerId, ServiceId, Timestamp, UserId, field::FieldError, named::named, person::is_name,
    secret,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The longest title, in characters.
pub const TITLE_CHARS_MAX: usize = 100;
/// The longest description, in characters.
pub const DESCRIPTION_CHARS_MAX: usize = 4000;
/// Customers that one service can be for, when it is not for all.
pub const AUDIENCE_MAX: usize = 1000;
/// Named secrets that one service gives its command.
const SECRETS_MAX: usize = 16;

named! {
    /// Whether a service can be ordered.
    ServiceState = "draft, published, retired" {
        /// Is being made: only those who make it see it.
        Draft = "draft",
        /// Can be ordered.
        Published = "published",
        /// Can't be ordered any more; its requests stay.
        Retired = "retired",
    }
}

/// What a request of a service comes to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Fulfilment {
    /// People do it.
    Manual,
    /// A command does it, with the form's values and the fixed ones as its parameters.
    Command {
        /// The command's name.
        command: String,
        /// The node, by name or id; or `labels`.
        #[serde(default)]
        node: Option<String>,
        /// One of the nodes that match.
        #[serde(default)]
        labels: Option<String>,
        /// Values that the service gives; the form has no field of the same name.
        #[serde(default)]
        fixed: BTreeMap<String, serde_json::Value>,
        /// Named secrets that its author may use, by the parameters that they are for.
        #[serde(default)]
        secrets: BTreeMap<String, String>,
        /// Must be over within so many seconds.
        #[serde(default)]
        deadline_seconds: Option<u64>,
    },
}

/// How much one customer may order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrderLimits {
    /// Requests that are not closed, at the same time.
    pub open_max: u32,
    /// Requests within 24 hours.
    pub per_day_max: u32,
}

impl Default for OrderLimits {
    fn default() -> Self {
        Self { open_max: 20, per_day_max: 100 }
    }
}

/// A service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// The service.
    pub id: ServiceId,
    /// Counts changes; an update names the version that it was made from.
    pub version: i64,
    /// Its name in addresses; unique: 1 to 64 of `a-z 0-9 . _ -`.
    pub name: String,
    /// What people call it, 1 to 100 characters.
    pub title: String,
    /// What it does for them.
    pub description: String,
    /// Whether it can be ordered.
    pub state: ServiceState,
    /// The customers that it is for; `None` for all.
    pub audience: Option<Vec<CustomerId>>,
    /// The form, a JSON Schema of the part that the desk takes.
    pub form: serde_json::Value,
    /// What a request of it comes to.
    pub fulfilment: Fulfilment,
    /// How much one customer may order.
    pub limits: OrderLimits,
    /// Under whose rights its command runs: who wrote its present version.
    pub author: UserId,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

impl Service {
    /// Whether it is for `customer`.
    pub fn is_for(&self, customer: CustomerId) -> bool {
        self.audience.as_ref().is_none_or(|audience| audience.contains(&customer))
    }

    /// Checks what does not need the form's own rules.
    pub fn check(&self) -> Result<(), FieldError> {
        if !is_name(&self.name) {
            let reason = "must be 1 to 64 of a-z 0-9 . _ - and begin with a letter or digit";
            return Err(FieldError::new("name", reason));
        }
        check_text("title", &self.title, TITLE_CHARS_MAX, false, false)?;
        check_text("description", &self.description, DESCRIPTION_CHARS_MAX, true, true)?;
        if self.audience.as_ref().is_some_and(|audience| audience.len() > AUDIENCE_MAX) {
            return Err(FieldError::new(
                "audience",
                format!("must be at most {AUDIENCE_MAX} customers"),
            ));
        }
        let limits = self.limits;
        if !(1..=10_000).contains(&limits.open_max) || !(1..=100_000).contains(&limits.per_day_max)
        {
            let reason = "open_max must be 1 to 10,000, per_day_max 1 to 100,000";
            return Err(FieldError::new("limits", reason));
        }
        match &self.fulfilment {
            Fulfilment::Command { command, node, labels, secrets, .. } => {
                let fits = |(parameter, name): (&String, &String)| {
                    !parameter.is_empty() && parameter.len() <= 64 && secret::is_name(name)
                };
                if secrets.len() > SECRETS_MAX || !secrets.iter().all(fits) {
                    let reason =
                        format!("must be names of secrets by parameters, {SECRETS_MAX} at most");
                    return Err(FieldError::new("fulfilment.secrets", reason));
                }
                if command.is_empty() || command.len() > 64 {
                    return Err(FieldError::new("fulfilment.command", "needs a command’s name"));
                }
                if node.is_some() == labels.is_some() {
                    let reason = "give exactly one of node and labels";
                    return Err(FieldError::new("fulfilment.node", reason));
                }
                Ok(())
            }
            Fulfilment::Manual => Ok(()),
        }
    }
}
