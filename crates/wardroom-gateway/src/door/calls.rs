//! The book of calls: each is on disk before its tool server hears of it, and its end is written behind.

use super::{client::Client, request_state::CallRound};
use crate::registry::Known;
use data_encoding::HEXLOWER;
use serde_json::value::RawValue;
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::sync::mpsc;
use wardroom_core::{
    ApprovalId, Clock, Origin, Principal, Rng, Timestamp, ToolCallId,
    approval::{ApprovalWrite, Use},
    audit::{AuditDraft, AuditOutcome},
    change::{Change, Write},
    digest::sha256,
    hint::Hint,
    store::{Commit, Store, StoreError},
    tool::{
        arguments::SaltedArguments,
        call::{CallEnd, CallOutcome, ToolCall},
    },
};
use wardroom_trust::vault::{Vault, VaultError};

/// What arguments are sealed for.
pub const SEAL_ARGUMENTS: &str = "tool_call.arguments";
/// Ends that wait to be written.
const ENDS_WAITING_MAX: usize = 8192;
/// Ends that are written together, and how long the first of them waits for others.
const ENDS_TOGETHER_MAX: usize = 512;
const TOGETHER: Duration = Duration::from_millis(50);
/// How long a store that can't be written is waited for.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// Calls without an end that are ended together.
const OPEN_TOGETHER_MAX: u32 = 200;

/// A call that began.
pub(super) struct Begun {
    pub(super) id: ToolCallId,
    audit: AuditDraft,
}

/// Why a call can't be written down.
#[derive(Debug, thiserror::Error)]
pub enum BookError {
    /// The store can't.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The arguments can't be sealed.
    #[error("the arguments can't be sealed: {0}")]
    Seal(String),
}

struct Ended {
    id: ToolCallId,
    end: CallEnd,
    audit: AuditDraft,
}

/// Writes calls down.
pub struct CallBook {
    ledger: Arc<dyn Commit>,
    vault: Arc<Vault>,
    clock: Arc<dyn Clock>,
    rng: Arc<dyn Rng>,
    ends: mpsc::Sender<Ended>,
    waiting: Mutex<Option<mpsc::Receiver<Ended>>>,
}

impl CallBook {
    /// An open book.
    pub fn new(
        ledger: Arc<dyn Commit>,
        vault: Arc<Vault>,
        clock: Arc<dyn Clock>,
        rng: Arc<dyn Rng>,
    ) -> Self {
        let (ends, waiting) = mpsc::channel(ENDS_WAITING_MAX);
        Self { ledger, vault, clock, rng, ends, waiting: Mutex::new(Some(waiting)) }
    }

    /// Writes down that a call begins. When this returns, it survives a crash.
    pub(super) async fn begin(
        &self,
        client: &Client,
        known: &Known,
        tool: &str,
        arguments: &RawValue,
        (audit, approval): (AuditDraft, Option<ApprovalId>),
    ) -> Result<Begun, BookError> {
        let now = self.clock.now();
        let caller = &client.caller;
        let kept = SaltedArguments::new(arguments, &*self.rng);
        let unsealed = |error: String| BookError::Seal(error);
        let plain = serde_json::to_vec(&kept).map_err(|error| unsealed(error.to_string()))?;
        let cipher =
            self.vault.cipher(caller.user().into()).await.map_err(|error| match error {
                VaultError::Store(error) => BookError::Store(error),
                error => unsealed(error.to_string()),
            })?;
        let sealed = cipher.seal(SEAL_ARGUMENTS, &plain, &*self.rng);
        let digest = kept.digest();
        let id = caller.call().unwrap_or_else(|| ToolCallId::new(now, &*self.rng));
        let server = &known.upstream.server;
        let target = format!("{}/{tool}", server.name);
        let policy = audit.record.policy.clone().unwrap_or_default();
        let audit = audit.on(target).detail("call", id);
        let call = ToolCall {
            id,
            server: server.id,
            server_name: server.name.clone(),
            tool: tool.to_owned(),
            user: caller.user(),
            client: caller.client(),
            door: caller.door(),
            arguments: sealed.map_err(|error| unsealed(error.to_string()))?,
            arguments_digest: digest,
            arguments_bytes: arguments.get().len() as u64,
            policy,
            begun_at: now,
            end: None,
        };
        let recorded = audit
            .clone()
            .detail("arguments", HEXLOWER.encode(&digest))
            .detail("bytes", call.arguments_bytes);
        let mut change = Change::recorded(recorded).write(Write::AddToolCall(Box::new(call)));
        change.writes.extend(caller.guard());
        if let Some(approval) = approval {
            let used = Use { by: id.uuid(), at: now };
            change.writes.push(Write::Approval(ApprovalWrite::Use { id: approval, used }));
            change.hints.push(Hint::Approval(approval));
        }
        self.ledger.commit(change).await?;
        Ok(Begun { id, audit })
    }

    /// Writes down that a call goes on with what its client was asked for.
    pub(super) async fn go_on(
        &self,
        round: CallRound,
        known: &Known,
        tool: &str,
        audit: AuditDraft,
    ) -> Result<Begun, BookError> {
        let id = round.call();
        let target = format!("{}/{tool}", known.name());
        let audit = audit.on(target).detail("call", id);
        let recorded = audit.clone().detail("goes_on", round.round + 1);
        // SECURITY: what a client carries is good once, whoever copies it and however often it is sent.
        let guard = Write::ContinueToolCall { id, round: round.round };
        self.ledger.commit(Change::recorded(recorded).write(guard)).await?;
        Ok(Begun { id, audit })
    }

    /// Writes down how a call ended, a moment later and together with others.
    pub(super) async fn end(
        &self,
        begun: Begun,
        outcome: CallOutcome,
        result: Option<&str>,
        problem: Option<String>,
    ) {
        let at = self.clock.now();
        let mut audit = begun.audit;
        audit.record.action = "tool.result".to_owned();
        audit.record.policy = None;
        audit.record.at = at;
        let digest = result.map(|text| sha256(&[text.as_bytes()]));
        audit = audit.detail("outcome", outcome.as_str());
        if let Some(result) = result {
            audit = audit.detail("bytes", result.len());
        }
        if !matches!(outcome, CallOutcome::Succeeded) {
            audit = audit.outcome(AuditOutcome::Failed, problem.clone().unwrap_or_default());
        }
        let end = CallEnd {
            outcome,
            at,
            result_digest: digest,
            result_bytes: result.map_or(0, |text| text.len() as u64),
            problem,
        };
        // The book is full only while the store can't be written: then calls can't begin either.
        let _ = self.ends.send(Ended { id: begun.id, end, audit }).await;
    }

    /// Writes ends until the book is closed.
    pub(super) async fn work(&self) {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut waiting) = waiting else { return };
        while let Some(first) = waiting.recv().await {
            let mut ended = vec![first];
            let until = tokio::time::Instant::now() + TOGETHER;
            while ended.len() < ENDS_TOGETHER_MAX {
                match tokio::time::timeout_at(until, waiting.recv()).await {
                    Ok(Some(next)) => ended.push(next),
                    Ok(None) | Err(_) => break,
                }
            }
            self.write(ended).await;
        }
    }

    async fn write(&self, ended: Vec<Ended>) {
        let mut change = Change::default();
        let mut ends = vec![];
        for Ended { id, end, audit } in ended {
            ends.push((id, end));
            change.audit.push(audit);
        }
        change.writes.push(Write::EndToolCalls(ends));
        // What is not written stays open, and is found by the next sweep.
        while let Err(error) = self.ledger.commit(change.clone()).await {
            tracing::warn!(%error, "ends of calls could not be written; they are tried again");
            tokio::time::sleep(RETRY_AFTER).await;
        }
    }

    /// Ends calls that began before this time and have no end: whoever made them is gone, and what came of them
    /// nobody knows.
    pub(super) async fn end_open(
        &self,
        store: &dyn Store,
        before: Timestamp,
    ) -> Result<(), StoreError> {
        loop {
            let open = store.list_open_tool_calls(before, OPEN_TOGETHER_MAX).await?;
            if open.is_empty() {
                return Ok(());
            }
            let at = self.clock.now();
            let mut change = Change::default();
            let mut ends = vec![];
            for call in open {
                let why = "nothing was heard of it any more: the orchestrator ended, or nobody came back for it";
                let audit =
                    AuditDraft::event("tool.result", &Principal::System, &Origin::INTERNAL, at)
                        .on(format!("{}/{}", call.server_name, call.tool))
                        .detail("call", call.id)
                        .detail("outcome", CallOutcome::Interrupted.as_str())
                        .outcome(AuditOutcome::Failed, why);
                let end = CallEnd {
                    outcome: CallOutcome::Interrupted,
                    at,
                    result_digest: None,
                    result_bytes: 0,
                    problem: Some(why.to_owned()),
                };
                ends.push((call.id, end));
                change.audit.push(audit);
            }
            change.writes.push(Write::EndToolCalls(ends));
            self.ledger.commit(change).await?;
        }
    }

    /// Forgets calls that began before this time.
    pub(super) async fn forget(&self, before: Timestamp) -> Result<(), StoreError> {
        self.ledger.commit(Change::default().write(Write::RemoveToolCalls(before))).await
    }

    /// The arguments of a call; nothing where whoever made it was erased.
    pub async fn arguments(&self, call: &ToolCall) -> Result<Option<String>, BookError> {
        let cipher = match self.vault.cipher(call.user.into()).await {
            Ok(cipher) => cipher,
            Err(VaultError::Erased) => return Ok(None),
            Err(VaultError::Store(error)) => return Err(error.into()),
            Err(error) => return Err(BookError::Seal(error.to_string())),
        };
        let plain = cipher.open(SEAL_ARGUMENTS, &call.arguments);
        let plain = plain.map_err(|error| BookError::Seal(error.to_string()))?;
        let kept: SaltedArguments =
            serde_json::from_slice(&plain).map_err(|error| BookError::Seal(error.to_string()))?;
        Ok(Some(kept.text().to_owned()))
    }
}
