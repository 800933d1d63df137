//! What a run has seen, where that matters to what else it may do.

use crate::agent::Deed;
use serde::{Deserialize, Serialize};

/// What a run has seen. It never has seen less again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Labels {
    /// What is somebody's own.
    pub private: bool,
    /// What a stranger may have written.
    pub untrusted: bool,
}

impl Labels {
    /// Nothing.
    pub const NONE: Self = Self { private: false, untrusted: false };
    /// Everything there is to see.
    pub const ALL: Self = Self { private: true, untrusted: true };

    /// What it has seen when something that does these was done.
    #[must_use]
    pub fn with(self, deeds: &[Deed]) -> Self {
        Self {
            private: self.private || deeds.contains(&Deed::ReadsPrivate),
            untrusted: self.untrusted || deeds.contains(&Deed::BringsUntrusted),
        }
    }

    /// Their names in policies.
    pub fn names(self) -> Vec<&'static str> {
        let named = [(self.private, "private"), (self.untrusted, "untrusted")];
        named.into_iter().filter_map(|(seen, name)| seen.then_some(name)).collect()
    }

    /// What both have seen.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self {
            private: self.private || other.private,
            untrusted: self.untrusted || other.untrusted,
        }
    }
}
