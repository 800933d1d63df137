//! Records of refusals that anybody can cause, bounded so that nobody can fill the log with them.

use crate::{App, error::ApiError};
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};
use wardroom_core::{Timestamp, audit::AuditDraft};

/// Refusals of one address that are recorded one by one within [`WINDOW`].
const EACH_MAX: u32 = 20;
/// The window.
const WINDOW: Duration = Duration::from_secs(60);
/// Addresses that are kept apart; beyond that they share one allowance.
const ADDRESSES_MAX: usize = 4096;

/// Counts refusals by address.
#[derive(Default)]
pub(crate) struct RefusalLog(Mutex<HashMap<String, Counted>>);

struct Counted {
    since: Timestamp,
    seen: u32,
}

impl RefusalLog {
    /// Records a refusal, or counts it for the next record when its address had its share.
    pub(crate) async fn record(&self, app: &App, audit: AuditDraft) -> Result<(), ApiError> {
        let address = audit.0.address.clone().unwrap_or_default();
        app.metrics.refused(&audit.0.action);
        let Some(passed_over) = self.count(address, app.engine.now()) else { return Ok(()) };
        let audit =
            if passed_over > 0 { audit.detail("not_recorded_before", passed_over) } else { audit };
        Ok(app.engine.record(audit).await?)
    }

    /// `None` when the refusal is only counted; else how many were only counted before it.
    fn count(&self, address: String, now: Timestamp) -> Option<u32> {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= ADDRESSES_MAX {
            seen.retain(|_, counted| now.since(counted.since) < WINDOW);
        }
        let key = if seen.len() >= ADDRESSES_MAX { String::new() } else { address };
        let counted = seen.entry(key).or_insert(Counted { since: now, seen: 0 });
        if now.since(counted.since) >= WINDOW {
            let passed_over = counted.seen.saturating_sub(EACH_MAX);
            *counted = Counted { since: now, seen: 1 };
            return Some(passed_over);
        }
        counted.seen = counted.seen.saturating_add(1);
        (counted.seen <= EACH_MAX).then_some(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_counted_and_told_of_in_the_next_window() {
        let log = RefusalLog::default();
        let start = Timestamp::from_micros(0);
        let recorded = (0..100).filter(|_| log.count("a".into(), start).is_some()).count();
        assert_eq!(recorded, 20);
        assert_eq!(log.count("b".into(), start), Some(0), "another address has its own share");
        assert_eq!(log.count("a".into(), start.plus(WINDOW)), Some(80));
    }
}
