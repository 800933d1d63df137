//! Records of refusals, bounded so that nobody can fill the log with them.

use crate::{App, error::ApiError, places::network};
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};
use wardroom_core::{
    Origin, Principal, Timestamp,
    audit::{AuditDraft, AuditOutcome, AuditRecord},
    change::Change,
};

/// Refusals of one kind and one party that are recorded one by one within [`WINDOW`].
const EACH_MAX: u32 = 20;
/// The window.
const WINDOW: Duration = Duration::from_secs(60);
/// Kinds and parties that are kept apart; beyond that they share one allowance.
const KEPT_MAX: usize = 4096;

/// Whose refusals of which action: one kind must not use up what another would be recorded with.
type Key = (String, String);

/// Counts refusals.
#[derive(Default)]
pub(crate) struct RefusalLog(Mutex<HashMap<Key, Counted>>);

struct Counted {
    since: Timestamp,
    seen: u32,
}

impl Counted {
    fn passed_over(&self) -> u32 {
        self.seen.saturating_sub(EACH_MAX)
    }
}

impl RefusalLog {
    /// Records a refusal, or counts it when its party had its share. What was only counted is recorded as
    /// a number with the first refusal of anybody after its window.
    pub(crate) async fn record(&self, app: &App, audit: AuditDraft) -> Result<(), ApiError> {
        app.metrics.refused(&audit.record.action);
        if let (true, Some(address)) = (is_attempt(&audit.record), address_of(&audit.record)) {
            app.blocks.failed(app, address).await?;
        }
        let (each, ended) = self.count(key(&audit.record), app.engine.now());
        let at = app.engine.now();
        let told = |((party, action), count): (Key, u32)| {
            let name = "refusals.not_recorded";
            AuditDraft::event(name, &Principal::System, &Origin::INTERNAL, at)
                .on(party)
                .detail("action", action)
                .detail("count", count)
        };
        let records: Vec<AuditDraft> =
            ended.into_iter().map(told).chain(each.then_some(audit)).collect();
        if records.is_empty() {
            return Ok(());
        }
        let change = Change { audit: records, ..Change::default() };
        Ok(app.engine.commit(change).await?)
    }

    /// Whether the refusal is recorded, and what was only counted in windows that are over.
    fn count(&self, key: Key, now: Timestamp) -> (bool, Vec<(Key, u32)>) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut ended = Vec::new();
        seen.retain(|key, counted| {
            let over = now.since(counted.since) >= WINDOW;
            if over && counted.passed_over() > 0 {
                ended.push((key.clone(), counted.passed_over()));
            }
            !over
        });
        let key =
            if seen.len() >= KEPT_MAX && !seen.contains_key(&key) { Key::default() } else { key };
        let counted = seen.entry(key).or_insert(Counted { since: now, seen: 0 });
        counted.seen = counted.seen.saturating_add(1);
        (counted.seen <= EACH_MAX, ended)
    }
}

/// Whether somebody tried to be let in and was not: too many of these block an address.
fn is_attempt(record: &AuditRecord) -> bool {
    record.outcome == AuditOutcome::Refused
        && (record.action.starts_with("auth.") || record.action == "node.enrol")
        && record.action != "auth.cross_site"
}

fn address_of(record: &AuditRecord) -> Option<std::net::IpAddr> {
    record.address.as_deref()?.parse().ok()
}

/// A user by themselves, anybody else by their network.
fn key(record: &AuditRecord) -> Key {
    let party = if record.actor.starts_with("user_") {
        record.actor.clone()
    } else {
        address_of(record).map(|address| network(address).to_string()).unwrap_or_default()
    };
    (party, record.action.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(party: &str, action: &str) -> Key {
        (party.to_owned(), action.to_owned())
    }

    #[test]
    fn a_flood_is_counted_and_told_of_after_its_window_by_whoever_comes_next() {
        let log = RefusalLog::default();
        let start = Timestamp::from_micros(0);
        let recorded = (0..100).filter(|_| log.count(named("a", "x"), start).0).count();
        assert_eq!(recorded, 20);
        assert!(log.count(named("b", "x"), start).0, "another party has its own share");
        assert!(log.count(named("a", "y"), start).0, "another kind as well");
        let (recorded, ended) = log.count(named("c", "z"), start.plus(WINDOW));
        assert_eq!((recorded, ended), (true, vec![(named("a", "x"), 80)]));
        assert_eq!(log.count(named("a", "x"), start.plus(WINDOW)), (true, vec![]));
    }

    #[test]
    fn more_parties_than_are_kept_share_one_allowance() {
        let log = RefusalLog::default();
        let start = Timestamp::from_micros(0);
        for number in 0..KEPT_MAX {
            assert!(log.count(named(&number.to_string(), "x"), start).0);
        }
        let more = (0..100).filter(|n| log.count(named(&format!("more {n}"), "x"), start).0);
        assert_eq!(more.count(), 20);
    }
}
