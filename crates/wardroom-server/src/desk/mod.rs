//! What the doors of the desk share: what a caller sees of customers, and how an order's command is submitted.

mod clock;
mod fulfil;
mod sight;
mod table;

pub(crate) use fulfil::{runnable, submission};
pub(crate) use sight::Sight;
pub(crate) use table::{TABLE_BYTES_MAX, read_table, write_table};

/// What all attachments of one customer may be long, in bytes.
pub(crate) const ATTACHMENT_QUOTA_BYTES: u64 = 1024 * 1024 * 1024;
