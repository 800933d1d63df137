//! Telling the outside what somebody should know: alerts and notices by e-mail and to a signed webhook, faults to an
//! error tracker.

mod deliver;
mod faults;
mod mail;
mod tracker;
mod webhook;

pub(crate) use deliver::Courier;
pub use deliver::Delivery;
pub use faults::FaultLog;
pub use mail::MailRules;
pub use tracker::Tracker;
pub use webhook::Webhook;
