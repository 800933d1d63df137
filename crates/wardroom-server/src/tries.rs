//! How often somebody may try something within a while.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Mutex, PoisonError},
    time::Duration,
};
use wardroom_core::Timestamp;

/// Keys that are counted at the same time; beyond that the oldest window goes first.
const KEPT_MAX: usize = 16_384;

/// Counts tries by key.
pub(crate) struct Tries<K> {
    most: u32,
    window: Duration,
    counted: Mutex<HashMap<K, (Timestamp, u32)>>,
}

impl<K: Eq + Hash + Clone> Tries<K> {
    /// At most `most` tries of one key within `window`.
    pub(crate) fn new(most: u32, window: Duration) -> Self {
        Self { most, window, counted: Mutex::default() }
    }

    /// Counts a try; `None` when it is one too many.
    pub(crate) fn take(&self, key: K, now: Timestamp) -> Option<()> {
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        if counted.len() >= KEPT_MAX && !counted.contains_key(&key) {
            counted.retain(|_, (since, _)| now.since(*since) < self.window);
            let oldest = counted.iter().min_by_key(|(_, (since, _))| *since);
            if counted.len() >= KEPT_MAX
                && let Some(oldest) = oldest.map(|(key, _)| key.clone())
            {
                counted.remove(&oldest);
            }
        }
        let (since, count) = counted.entry(key).or_insert((now, 0));
        if now.since(*since) >= self.window {
            (*since, *count) = (now, 0);
        }
        *count = count.saturating_add(1);
        (*count <= self.most).then_some(())
    }

    /// Whether a key was counted within its window.
    pub(crate) fn has(&self, key: &K, now: Timestamp) -> bool {
        let counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        counted.get(key).is_some_and(|(since, _)| now.since(*since) < self.window)
    }

    /// Forgets what was counted of a key: it succeeded.
    pub(crate) fn forget(&self, key: K) {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner).remove(&key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tries_are_counted_by_key_and_window() {
        let tries = Tries::new(2, Duration::from_secs(60));
        let start = Timestamp::from_micros(0);
        let later = start.plus(Duration::from_secs(60));
        assert!(!tries.has(&"a", start));
        assert_eq!([1, 2, 3].map(|_| tries.take("a", start).is_some()), [true, true, false]);
        assert!(tries.take("b", start).is_some() && tries.take("a", later).is_some());
        tries.take("b", start);
        assert!(tries.has(&"b", start) && !tries.has(&"b", later));
        tries.forget("b");
        assert!(tries.take("b", start).is_some());
    }

    #[test]
    fn no_more_keys_are_kept_than_the_bound() {
        let tries = Tries::new(1, Duration::from_secs(60));
        for number in 0..KEPT_MAX + 100 {
            tries.take(number, Timestamp::from_micros(number as i64));
        }
        assert_eq!(tries.counted.lock().map(|counted| counted.len()).unwrap_or(0), KEPT_MAX);
    }
}
