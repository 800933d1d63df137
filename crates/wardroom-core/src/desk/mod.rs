//! The desk: customers, the services that they order, and the requests that come of it.

pub mod customer;
pub mod form;
pub mod request;
pub mod service;

use crate::{SavedViewId, Timestamp, UserId, field::FieldError};

/// Filters of a list that somebody keeps under a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedView {
    /// The view.
    pub id: SavedViewId,
    /// Whose it is.
    pub user: UserId,
    /// Of which list: `customers` or `requests`.
    pub list: String,
    /// What its owner calls it, 1 to 64 characters.
    pub name: String,
    /// The filters, as a query string without `?`.
    pub query: String,
    /// When it was made.
    pub created_at: Timestamp,
}

/// The most views that one account keeps.
pub const SAVED_VIEWS_MAX: usize = 50;
/// The longest query of a view, in bytes.
pub const SAVED_QUERY_BYTES_MAX: usize = 1000;

/// Checks a text: 1 to `most` characters (0 where `empty`), no control characters but, where `lines`, line breaks.
fn check_text(
    field: &str,
    text: &str,
    most: usize,
    empty: bool,
    lines: bool,
) -> Result<(), FieldError> {
    let count = text.chars().count();
    if count == 0 && !empty {
        return Err(FieldError::new(field, "needs a value"));
    }
    if count > most {
        return Err(FieldError::new(field, format!("must be at most {most} characters")));
    }
    if text.chars().any(|c| c.is_control() && !(lines && matches!(c, '\n' | '\t'))) {
        return Err(FieldError::new(field, "must have no control characters"));
    }
    Ok(())
}
