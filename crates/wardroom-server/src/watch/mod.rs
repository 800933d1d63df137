//! Telling the outside what somebody should know: alerts and notices by e-mail and to a signed webhook, faults to an
//! error tracker, traces to a collector.

mod deliver;
mod faults;
mod mail;
#[cfg(feature = "otlp")]
mod traces;
mod tracker;
mod webhook;

pub(crate) use deliver::Courier;
pub use deliver::Delivery;
pub use faults::FaultLog;
pub use mail::MailRules;
#[cfg(feature = "otlp")]
pub use traces::{TraceRules, open_traces};
pub use tracker::Tracker;
pub use webhook::Webhook;
