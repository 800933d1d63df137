//! Runs that were forgotten lately: the repetition of an offer that is still on its way must not be run.

use std::collections::{HashMap, VecDeque};

/// The most that are remembered.
const REMEMBERED_MAX: usize = 4096;

/// Run and last fencing token.
#[derive(Debug, Default)]
pub(super) struct Forgotten {
    fences: HashMap<String, i64>,
    order: VecDeque<String>,
}

impl Forgotten {
    pub(super) fn remember(&mut self, run: &str, fence: i64) {
        if let Some(known) = self.fences.get_mut(run) {
            *known = fence.max(*known);
            return;
        }
        self.fences.insert(run.to_owned(), fence);
        self.order.push_back(run.to_owned());
        if self.order.len() > REMEMBERED_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.fences.remove(&oldest);
        }
    }

    /// Whether this lease, or a newer one, of the run is over here.
    pub(super) fn is_over(&self, run: &str, fence: i64) -> bool {
        self.fences.get(run).is_some_and(|known| *known >= fence)
    }
}

impl From<VecDeque<(String, i64)>> for Forgotten {
    fn from(runs: VecDeque<(String, i64)>) -> Self {
        let mut forgotten = Self::default();
        runs.into_iter().for_each(|(run, fence)| forgotten.remember(&run, fence));
        forgotten
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_are_remembered_with_their_newest_lease() {
        let mut forgotten = Forgotten::default();
        for number in 0..=REMEMBERED_MAX {
            forgotten.remember(&number.to_string(), 3);
        }
        forgotten.remember("7", 1);
        assert!(!forgotten.is_over("0", 1), "the oldest is given up");
        assert!(
            forgotten.is_over("7", 3) && forgotten.is_over("7", 2) && !forgotten.is_over("7", 4)
        );
        assert_eq!(forgotten.order.len(), forgotten.fences.len());
    }
}
