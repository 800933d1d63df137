//! Messages to the outside: kept until they are delivered, tried again with growing pauses.

use crate::{MessageId, Timestamp, UserId, named::named};
use std::time::Duration;

/// How often a message is tried.
pub const ATTEMPTS_MAX: u32 = 10;
/// The first pause; each is twice the one before.
const PAUSE_FIRST: Duration = Duration::from_secs(10);
/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(3600);

named! {
    /// Which way a message goes.
    Channel = "mail, webhook, tracker" {
        /// By e-mail.
        Mail = "mail",
        /// To the signed webhook.
        Webhook = "webhook",
        /// To the error tracker.
        Tracker = "tracker",
    }
}

/// A message that waits to be delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its id, by which a receiver knows that it has it already.
    pub id: MessageId,
    /// Which way it goes.
    pub channel: Channel,
    /// To whom, where it is for one account; otherwise to whom the settings say.
    pub recipient: Option<UserId>,
    /// What it says, sealed.
    pub sealed: Vec<u8>,
    /// How often it was tried.
    pub attempts: u32,
    /// When it is tried next.
    pub due_at: Timestamp,
    /// When it was made.
    pub created_at: Timestamp,
    /// Why it did not come through the last time.
    pub problem: Option<String>,
    /// Whether it is given up.
    pub dead: bool,
}

/// How long to wait after the `attempts`th try.
pub fn pause(attempts: u32) -> Duration {
    PAUSE_FIRST
        .saturating_mul(2_u32.saturating_pow(attempts.saturating_sub(1).min(16)))
        .min(PAUSE_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_an_hour() {
        assert_eq!([1, 2, 3, 30].map(|n| pause(n).as_secs()), [10, 20, 40, 3600]);
    }
}
