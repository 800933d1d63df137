//! Delivering messages that wait.

use super::{MailRules, Tracker, Webhook, mail::Mailer};
use crate::{App, Outbound, OutboundError};
use futures_util::StreamExt as _;
use std::{sync::Arc, time::Duration};
use wardroom_core::{
    store::StoreResult,
    watch::message::{Channel, Message},
};
use wardroom_engine::{
    EngineError,
    watch::{Letter, Outlets},
};
use wardroom_trust::vault::ERASED;

/// How often waiting messages are looked for.
const TICK: Duration = Duration::from_secs(1);
/// Messages that one tick tries.
const MESSAGES_MAX: u32 = 20;
/// Of these, at the same time.
const AT_ONCE_MAX: usize = 8;
/// What one try may take, whatever the other side does.
const SEND_TIMEOUT: Duration = Duration::from_secs(30);

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
            alerts_to: self.mail.as_ref().map(|mail| mail.alerts_to.clone()).unwrap_or_default(),
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
                () = self.stop.cancelled() => return,
                _ = tick.tick() => {}
            }
            // What is cut off here is tried again when its try counts as lost.
            tokio::select! {
                () = self.stop.cancelled() => return,
                delivered = self.deliver_due() => if let Err(error) = delivered {
                    tracing::warn!(%error, "messages could not be read; the next tick tries again");
                },
            }
        }
    }

    /// Puts down what went wrong until the server shuts down.
    pub async fn count_faults(self: Arc<Self>) {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        loop {
            let stopped = tokio::select! {
                () = self.stop.cancelled() => true,
                _ = tick.tick() => false,
            };
            // What went wrong last is the most telling.
            if let Err(error) = self.take_down_faults().await {
                tracing::warn!(%error, "what went wrong could not be counted; the next tick tries again");
            }
            if stopped {
                return;
            }
        }
    }

    /// Several at a time: a server that says nothing holds up no message that goes elsewhere.
    async fn deliver_due(&self) -> StoreResult<()> {
        let now = self.engine.now();
        let due = self.engine.store().list_due_messages(now, MESSAGES_MAX).await?;
        futures_util::stream::iter(due)
            .for_each_concurrent(AT_ONCE_MAX, |message| async move {
                if let Err(error) = self.deliver_one(&message).await {
                    tracing::warn!(message = %message.id, %error, "what came of a message could not be noted");
                }
            })
            .await;
        Ok(())
    }

    async fn deliver_one(&self, message: &Message) -> StoreResult<()> {
        if !self.engine.take_message(message).await? {
            return Ok(());
        }
        let trying = tokio::time::timeout(SEND_TIMEOUT, self.try_message(message));
        let outcome = trying.await.unwrap_or_else(|_| Err("nobody answered in time".to_owned()));
        if let Err(problem) = &outcome {
            // Not as an error: that would be a fault of ours, and one to be told to the outside again.
            tracing::warn!(message = %message.id, channel = message.channel.as_str(), problem, "a message was not delivered; it is tried again");
        }
        self.engine.message_tried(message, outcome).await
    }

    async fn try_message(&self, message: &Message) -> Result<(), String> {
        let letter = self.engine.letter(message).await.map_err(|error| error.to_string())?;
        // Its recipient was erased: nobody is to have it.
        let Some(letter) = letter else { return Ok(()) };
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
        let to = match (&letter.to, message.recipient) {
            (Some(to), _) => to.clone(),
            (None, None) => return Ok(()),
            (None, Some(user)) => {
                let found = self.engine.store().lookup_user(user).await;
                let Some(user) = found.map_err(|error| error.to_string())? else { return Ok(()) };
                self.engine.profile(&user).await.map_err(|error| error.to_string())?.email
            }
        };
        // Somebody without an address, or who was erased, gets none.
        if to.is_empty() || to == ERASED {
            return Ok(());
        }
        mailer.send(&to, message, letter, &self.public_url).await
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
