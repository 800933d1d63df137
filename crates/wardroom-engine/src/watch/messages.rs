//! Messages to the outside: put down with the change that they tell of, delivered by whoever knows how.

use crate::{Engine, EngineError};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use wardroom_core::{
    MessageId, UserId,
    change::{Change, Write},
    store::{StoreError, StoreResult},
    watch::{
        alert::Alert,
        fault::Fault,
        message::{ATTEMPTS_MAX, Channel, Message, pause},
    },
};
use wardroom_trust::vault::VaultError;

/// What a message's words are sealed for.
pub(crate) const LETTER: &str = "message";
/// A try that nobody heard of again is repeated after this.
const TRY_TIMEOUT: Duration = Duration::from_secs(120);

/// Which ways to the outside there are.
#[derive(Debug, Clone, Default)]
pub struct Outlets {
    /// Those that alerts take.
    pub alerts: Vec<Channel>,
    /// Who is told of alerts by e-mail.
    pub alerts_to: Vec<String>,
    /// Whether accounts can be written to.
    pub mail: bool,
    /// Whether there is an error tracker.
    pub tracker: bool,
}

/// What a message says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Letter {
    /// In one line.
    pub subject: String,
    /// In full, for people.
    pub text: String,
    /// The same for programs.
    pub data: serde_json::Value,
    /// The address, where it is not the recipient's own.
    #[serde(default)]
    pub to: Option<String>,
}

impl Letter {
    /// Tells of an alert.
    pub(super) fn about(alert: &Alert) -> Self {
        let (title, advice) = (alert.rule.title(), alert.rule.advice());
        Self {
            subject: title.to_owned(),
            text: format!(
                "{title}: {}\n{}\n\nWhat to do: {advice}\n\nAlert {} at {}\n",
                alert.subject, alert.detail, alert.id, alert.first_at
            ),
            data: serde_json::json!({
                "type": "alert", "id": alert.id.to_string(), "rule": alert.rule.as_str(), "title": title,
                "subject": alert.subject, "detail": alert.detail, "advice": advice, "at": alert.first_at.to_string(),
            }),
            to: None,
        }
    }

    /// Tells of a fault.
    pub(super) fn of(fault: &Fault) -> Self {
        Self {
            subject: fault.place.clone(),
            text: fault.message.clone(),
            data: serde_json::json!({
                "type": "fault", "fingerprint": fault.fingerprint, "place": fault.place, "message": fault.message,
                "count": fault.count, "request": fault.request, "run": fault.run, "at": fault.last_at.to_string(),
            }),
            to: None,
        }
    }
}

impl Engine {
    /// The write that puts a message down. What is for one account is sealed under its person's key.
    pub(crate) async fn message(
        &self,
        channel: Channel,
        recipient: Option<UserId>,
        letter: &Letter,
    ) -> Result<Write, EngineError> {
        let seal = |error: String| EngineError::Seal(error);
        let sealed = match recipient {
            Some(user) => {
                let cipher = self.vault.cipher(user.into()).await?;
                cipher.seal_json(LETTER, letter, &*self.rng).map_err(|e| seal(e.to_string()))?
            }
            None => {
                let plain = serde_json::to_vec(letter).map_err(|e| seal(e.to_string()))?;
                let sealed = self.sealer.seal(LETTER, &plain, &*self.rng);
                sealed.map_err(|e| seal(e.to_string()))?
            }
        };
        let now = self.now();
        Ok(Write::AddMessage(Message {
            id: MessageId::new(now, &*self.rng),
            channel,
            recipient,
            sealed,
            attempts: 0,
            due_at: now,
            created_at: now,
            problem: None,
            dead: false,
        }))
    }

    /// Writes to an account, where that is possible; the message goes with `change`.
    pub(crate) async fn write_to(
        &self,
        user: UserId,
        to: Option<String>,
        subject: &str,
        text: String,
        change: &mut Change,
    ) -> Result<(), EngineError> {
        if self.outlets.mail {
            let data = serde_json::Value::Null;
            let letter = Letter { subject: subject.to_owned(), text, data, to };
            change.writes.push(self.message(Channel::Mail, Some(user), &letter).await?);
        }
        Ok(())
    }

    /// The writes that put a message down for everybody who is told of alerts: one each, so that none waits for
    /// another.
    pub(super) async fn alert_messages(&self, letter: &Letter) -> Result<Vec<Write>, EngineError> {
        let mut writes = vec![];
        for channel in &self.outlets.alerts {
            if *channel != Channel::Mail {
                writes.push(self.message(*channel, None, letter).await?);
                continue;
            }
            for to in &self.outlets.alerts_to {
                let letter = Letter { to: Some(to.clone()), ..letter.clone() };
                writes.push(self.message(*channel, None, &letter).await?);
            }
        }
        Ok(writes)
    }

    /// Which ways to the outside there are.
    pub fn outlets(&self) -> &Outlets {
        &self.outlets
    }

    /// Puts down a message that tries out a way to the outside.
    pub async fn try_outlets(
        &self,
        audit: wardroom_core::audit::AuditDraft,
    ) -> Result<usize, EngineError> {
        let mut change = Change::recorded(audit);
        let data = serde_json::json!({"type": "test", "at": self.now().to_string()});
        let letter = Letter {
            subject: "A test".to_owned(),
            text: "Somebody wanted to know whether alerts arrive here. They do.\n".to_owned(),
            data,
            to: None,
        };
        change.writes.extend(self.alert_messages(&letter).await?);
        let sent = change.writes.len();
        self.commit(change).await?;
        Ok(sent)
    }

    /// What a message says; nothing where it was for somebody who was erased.
    pub async fn letter(&self, message: &Message) -> Result<Option<Letter>, EngineError> {
        let seal = |error: String| EngineError::Seal(error);
        match message.recipient {
            Some(user) => {
                let cipher = match self.vault.cipher(user.into()).await {
                    Ok(cipher) => cipher,
                    Err(VaultError::Erased) => return Ok(None),
                    Err(error) => return Err(error.into()),
                };
                let opened = cipher.open_json(LETTER, &message.sealed);
                opened.map(Some).map_err(|e| seal(e.to_string()))
            }
            None => {
                let plain = self.sealer.open(LETTER, &message.sealed);
                let plain = plain.map_err(|e| seal(e.to_string()))?;
                serde_json::from_slice(&plain).map(Some).map_err(|e| seal(e.to_string()))
            }
        }
    }

    /// Takes a message for one try; false when somebody else has it.
    pub async fn take_message(&self, message: &Message) -> StoreResult<bool> {
        let due_at = self.now().plus(TRY_TIMEOUT);
        let write = Write::TryMessage { id: message.id, attempts: message.attempts, due_at };
        match self.commit(Change::default().write(write)).await {
            Ok(()) => Ok(true),
            Err(StoreError::Conflict(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Notes what came of a try.
    pub async fn message_tried(
        &self,
        message: &Message,
        outcome: Result<(), String>,
    ) -> StoreResult<()> {
        let write = match outcome {
            Ok(()) => Write::RemoveMessage { id: message.id, attempts: message.attempts + 1 },
            Err(problem) => {
                let dead = message.attempts + 1 >= ATTEMPTS_MAX;
                let due_at = self.now().plus(pause(message.attempts + 1));
                let attempts = message.attempts + 1;
                Write::FailMessage { id: message.id, attempts, problem, due_at, dead }
            }
        };
        match self.commit(Change::default().write(write)).await {
            Err(StoreError::Conflict(_)) => Ok(()),
            other => other,
        }
    }
}
