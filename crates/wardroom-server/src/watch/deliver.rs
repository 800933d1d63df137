//! Delivering messages that wait.

use super::{MailRules, Tracker, Webhook, mail::Mailer};
use crate::{App, Outbound, OutboundError};
use std::{sync::Arc, time::Duration};
use wardroom_core::{
    store::StoreResult,
    watch::message::{Channel, Message},
};
use wardroom_engine::{
    EngineError,
    watch::{Letter, Outlets},
};

/// How often waiting messages are looked for.
const TICK: Duration = Duration::from_secs(1);
/// Messages that one tick tries.
const MESSAGES_MAX: u32 = 20;

/// The ways to the outside.
#[derive(Clone, Default)]
pub struct Delivery {
    /// By e-mail.
    pub mail: Option<MailRules>,
    /// To a signed webhook.
    pub webhook: Option<Webhook>,
    /// To an error tracker.
    pub tracker: Option<Tracker>,
}

impl Delivery {
    /// Which there are, for whoever puts messages down.
    pub fn outlets(&self) -> Outlets {
        let alerts_by_mail = self.mail.as_ref().is_some_and(|mail| !mail.alerts_to.is_empty());
        let alerts = [
            self.webhook.is_some().then_some(Channel::Webhook),
            alerts_by_mail.then_some(Channel::Mail),
        ];
        Outlets {
            alerts: alerts.into_iter().flatten().collect(),
            mail: self.mail.is_some(),
            tracker: self.tracker.is_some(),
        }
    }
}

/// What delivers.
pub(crate) struct Courier {
    pub(crate) delivery: Delivery,
    pub(crate) mailer: Option<Mailer>,
    pub(crate) outbound: Outbound,
}

impl Courier {
    pub(crate) fn new(delivery: Delivery, outbound: Outbound) -> Self {
        let mailer = delivery.mail.clone().map(Mailer::new);
        Self { delivery, mailer, outbound }
    }
}

impl App {
    /// Delivers messages until the server shuts down.
    pub async fn deliver(self: Arc<Self>) {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        loop {
            tokio::select! {
                () = self.stop.cancelled() => break,
                _ = tick.tick() => {}
            }
            if let Err(error) = self.take_down_faults().await {
                tracing::warn!(%error, "what went wrong could not be counted; the next tick tries again");
            }
            if let Err(error) = self.deliver_due().await {
                tracing::warn!(%error, "messages could not be read; the next tick tries again");
            }
        }
        // What went wrong last is the most telling.
        let _ = self.take_down_faults().await;
    }

    async fn deliver_due(&self) -> StoreResult<()> {
        let now = self.engine.now();
        for message in self.engine.store().list_due_messages(now, MESSAGES_MAX).await? {
            if !self.engine.take_message(&message).await? {
                continue;
            }
            let outcome = self.try_message(&message).await;
            if let Err(problem) = &outcome {
                // Not as an error: that would be a fault of ours, and one to be told to the outside again.
                tracing::warn!(message = %message.id, channel = message.channel.as_str(), problem, "a message was not delivered; it is tried again");
            }
            self.engine.message_tried(&message, outcome).await?;
        }
        Ok(())
    }

    async fn try_message(&self, message: &Message) -> Result<(), String> {
        let letter = match self.engine.letter(message).await {
            Ok(letter) => letter,
            // Its recipient was erased, or the way that it was meant for: nobody is to have it.
            Err(EngineError::Seal(_)) => return Ok(()),
            Err(error) => return Err(error.to_string()),
        };
        let courier = &self.courier;
        let gone = || Err("there is no such way to the outside any more".to_owned());
        match message.channel {
            Channel::Webhook => match &courier.delivery.webhook {
                Some(webhook) => {
                    let now = self.engine.now();
                    webhook.send(&courier.outbound, message, &letter, now).await.map_err(told)
                }
                None => gone(),
            },
            Channel::Tracker => match &courier.delivery.tracker {
                Some(tracker) => {
                    tracker.send(&courier.outbound, message, &letter).await.map_err(told)
                }
                None => gone(),
            },
            Channel::Mail => match &courier.mailer {
                Some(mailer) => self.mail(mailer, message, &letter).await,
                None => gone(),
            },
        }
    }

    async fn mail(
        &self,
        mailer: &Mailer,
        message: &Message,
        letter: &Letter,
    ) -> Result<(), String> {
        let to = match message.recipient {
            None => mailer.alerts_to().to_vec(),
            Some(user) => {
                let found = self.engine.store().lookup_user(user).await;
                let Some(user) = found.map_err(|error| error.to_string())? else { return Ok(()) };
                let profile =
                    self.engine.profile(&user).await.map_err(|error| error.to_string())?;
                // Somebody without an address, or who was erased, gets none.
                [profile.email].into_iter().filter(|email| !email.is_empty()).collect()
            }
        };
        for address in to {
            mailer.send(&address, message, letter, &self.public_url).await?;
        }
        Ok(())
    }

    /// Puts down what went wrong since the last time.
    async fn take_down_faults(&self) -> Result<(), EngineError> {
        let faults = self.faults.take(self.engine.now());
        if faults.is_empty() {
            return Ok(());
        }
        let outcome = self.engine.count_faults(faults.clone()).await;
        if outcome.is_err() {
            self.faults.put_back(faults);
        }
        outcome
    }
}

/// Why it did not come through, without what the other side said: nobody knows what that is.
fn told(error: OutboundError) -> String {
    error.to_string()
}
