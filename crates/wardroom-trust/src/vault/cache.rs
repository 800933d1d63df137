//! Ciphers that are kept, so that keys are not read and unwrapped for each value.

use super::PersonCipher;
use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};
use wardroom_core::PersonId;

/// People whose ciphers are kept.
const CACHED_MAX: usize = 8192;

/// Ciphers by person; the one that came first goes first.
#[derive(Default)]
pub(super) struct Cache {
    by_person: HashMap<PersonId, Arc<PersonCipher>>,
    order: VecDeque<PersonId>,
    /// Counts what was forgotten.
    age: u64,
}

impl Cache {
    pub(super) fn get(&self, person: PersonId) -> Option<Arc<PersonCipher>> {
        self.by_person.get(&person).cloned()
    }

    /// How often something was forgotten until now.
    pub(super) fn age(&self) -> u64 {
        self.age
    }

    /// Keeps a cipher whose keys were read at `age`. SECURITY: what was read before something was forgotten may be
    /// just that, such as the keys of somebody who was erased meanwhile, and is not kept.
    pub(super) fn keep(&mut self, person: PersonId, cipher: &Arc<PersonCipher>, age: u64) {
        if age != self.age {
            return;
        }
        if self.by_person.insert(person, Arc::clone(cipher)).is_none() {
            self.order.push_back(person);
        }
        if self.order.len() > CACHED_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.by_person.remove(&oldest);
        }
    }

    /// Forgets all ciphers.
    pub(super) fn clear(&mut self) {
        *self = Self { age: self.age + 1, ..Self::default() };
    }

    /// Forgets a person's cipher.
    pub(super) fn forget(&mut self, person: PersonId) {
        self.age += 1;
        if self.by_person.remove(&person).is_some() {
            self.order.retain(|kept| *kept != person);
        }
    }
}
