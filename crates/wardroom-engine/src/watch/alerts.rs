//! Alerts: the audit log is read on from where it was left, and what gives reason becomes an alert in the same
//! change that moves on. So a crash neither loses one nor makes it twice.

use super::Letter;
use crate::{Engine, EngineError};
use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet},
    sync::PoisonError,
    time::Duration,
};
use wardroom_core::{
    AlertId, UserId,
    audit::{AuditDraft, AuditOutcome, AuditRecord},
    change::{Change, Write},
    page::PageRequest,
    store::{AuditFilter, StoreError},
    watch::alert::{
        Alert, BURST_FROM, BURST_WINDOW, Rule, Sighting, failed_agent, is_failed_proof, sighting,
    },
};

/// Whose place in the log it is.
const CURSOR: &str = "alerts";
/// Records that one tick reads.
const RECORDS_MAX: u64 = 1000;
/// Alerts of one rule that are told of within [`TOLD_WINDOW`]: a flood of them must not bury what else is told.
const TOLD_MAX: u32 = 20;
const TOLD_WINDOW: Duration = Duration::from_secs(3600);

impl Engine {
    /// Looks at what is new in the audit log.
    pub(crate) async fn watch_audit(&self) -> Result<(), EngineError> {
        let from = self.store.cursor(CURSOR).await?;
        let (size, _) = self.store.audit_head().await?;
        if size <= from {
            return Ok(());
        }
        let to = size.min(from + RECORDS_MAX);
        let mut seen = vec![];
        let (mut failed_proof, mut failed_agents) = (false, BTreeSet::new());
        for entry in self.store.read_audit(from..to).await? {
            let Ok(record) = serde_json::from_str::<AuditRecord>(&entry.body) else { continue };
            failed_proof |= is_failed_proof(&record);
            failed_agents.extend(failed_agent(&record).map(ToOwned::to_owned));
            seen.extend(sighting(&record));
        }
        if failed_proof {
            seen.extend(self.burst().await?);
        }
        seen.extend(self.failing(failed_agents).await?);
        let mut change = self.alert(seen).await?;
        change.writes.push(Write::MoveCursor { name: CURSOR, from, to });
        match self.commit(change).await {
            // Another orchestrator was faster, or somebody acknowledged one of them: the next tick looks again.
            Err(StoreError::Conflict(_) | StoreError::Duplicate(_)) => Ok(()),
            other => Ok(other?),
        }
    }

    /// Many failed proofs lately.
    async fn burst(&self) -> Result<Option<Sighting>, EngineError> {
        let now = self.now();
        let filter = AuditFilter {
            action: Some("auth.".to_owned()),
            outcome: Some(AuditOutcome::Refused),
            from: Some(now.minus(BURST_WINDOW)),
            ..AuditFilter::default()
        };
        let found = self.store.list_audit(&filter, PageRequest::new(None, BURST_FROM)).await?;
        if found.items.len() < usize::try_from(BURST_FROM).unwrap_or(usize::MAX) {
            return Ok(None);
        }
        let minutes = BURST_WINDOW.as_secs() / 60;
        let detail = format!("{BURST_FROM} or more within {minutes} minutes");
        let subject = "sign-in".to_owned();
        Ok(Some(Sighting { rule: Rule::SignInFailures, subject, detail, at: now }))
    }

    /// Gives an alert about something that no record tells of.
    pub async fn raise(&self, seen: Sighting) -> Result<(), EngineError> {
        let change = self.alert(vec![seen]).await?;
        match self.commit(change).await {
            Err(StoreError::Conflict(_) | StoreError::Duplicate(_)) => Ok(()),
            other => Ok(other?),
        }
    }

    /// What makes alerts of what was seen: a new one, told to the outside, or one more time of one that is open.
    pub(super) async fn alert(&self, seen: Vec<Sighting>) -> Result<Change, EngineError> {
        let mut grouped: BTreeMap<(&str, String), (u32, Sighting)> = BTreeMap::new();
        for one in seen {
            let key = (one.rule.as_str(), one.subject.clone());
            let times = grouped.get(&key).map_or(0, |(times, _)| *times);
            grouped.insert(key, (times + 1, one));
        }
        let mut change = Change::default();
        for ((rule, subject), (times, one)) in grouped {
            if let Some(open) = self.store.lookup_open_alert(rule, &subject).await? {
                let (id, at, detail) = (open.id, one.at, one.detail);
                change.writes.push(Write::RepeatAlert { id, times, at, detail });
                continue;
            }
            let alert = Alert {
                id: AlertId::new(self.now(), &*self.rng),
                rule: one.rule,
                subject,
                detail: one.detail,
                count: times,
                first_at: one.at,
                last_at: one.at,
                acknowledged: None,
            };
            self.tell_of(&alert, &mut change).await?;
            tracing::warn!(alert = %alert.id, rule, subject = %alert.subject, "ALERT: {}", alert.rule.title());
            change.writes.push(Write::AddAlert(alert));
        }
        Ok(change)
    }

    /// Tells of an alert, unless many of its kind were told of lately.
    async fn tell_of(&self, alert: &Alert, change: &mut Change) -> Result<(), EngineError> {
        let mut letter = Letter::about(alert);
        let told = {
            let now = self.now();
            let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
            let (since, count) = told.entry(alert.rule).or_insert((now, 0));
            if now.since(*since) >= TOLD_WINDOW {
                (*since, *count) = (now, 0);
            }
            *count += 1;
            *count
        };
        match told.cmp(&TOLD_MAX) {
            Ordering::Less => {}
            Ordering::Equal => letter.text.push_str(
                "\nThere are many of these. For an hour from the first on, further ones are on the security page only.\n",
            ),
            Ordering::Greater => return Ok(()),
        }
        change.writes.extend(self.alert_messages(&letter).await?);
        Ok(())
    }

    /// Somebody looked at an alert.
    pub async fn acknowledge(
        &self,
        alert: AlertId,
        by: UserId,
        audit: AuditDraft,
    ) -> Result<(), EngineError> {
        let found = self.store.lookup_alert(alert).await?.ok_or(EngineError::NotFound("alert"))?;
        let audit = audit.on(alert).detail("rule", found.rule.as_str());
        let write = Write::AcknowledgeAlert { id: alert, by, at: self.now() };
        match self.commit(Change::recorded(audit).write(write)).await {
            Err(StoreError::Conflict(_)) => Err(EngineError::Conflict),
            other => Ok(other?),
        }
    }
}
