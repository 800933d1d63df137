//! Customers by their names, addresses and numbers, in memory: what is sealed at rest can't be searched there.

use crate::{Engine, EngineError};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
};
use wardroom_core::{
    CustomerId, UserId,
    desk::customer::{Customer, CustomerProfile, CustomerState},
};

/// Customers that building reads at once.
const BUILD_PAGE: u32 = 1000;

/// What the index knows of a customer.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its name, address and number in lower case, a line each.
    text: Box<str>,
    /// Who looks after it.
    pub operators: Box<[UserId]>,
    /// Of which version of the customer it is: what is older does not take its place.
    version: i64,
}

/// Customers by id, the newest last.
#[derive(Debug, Default)]
pub struct CustomerIndex {
    entries: RwLock<BTreeMap<CustomerId, Entry>>,
    /// Those that were erased: nothing that was read before brings them back.
    erased: RwLock<BTreeSet<CustomerId>>,
    /// Those that could not be read when they changed.
    stale: Mutex<BTreeSet<CustomerId>>,
    built: AtomicBool,
}

impl CustomerIndex {
    /// Whether it knows all customers.
    pub fn is_built(&self) -> bool {
        self.built.load(Ordering::Acquire)
    }

    /// How many it knows.
    pub fn len(&self) -> usize {
        self.entries.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Whether it knows none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Customers in which every word of `text` is, that `keep` wants, newest first; at most `limit`, and whether
    /// there are more.
    pub fn search(
        &self,
        text: &str,
        after: Option<CustomerId>,
        limit: usize,
        mut keep: impl FnMut(CustomerId, &Entry) -> bool,
    ) -> (Vec<CustomerId>, bool) {
        let folded = text.to_lowercase();
        let words: Vec<&str> = folded.split_whitespace().collect();
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        let mut found = Vec::new();
        let range = match after {
            Some(after) => entries.range(..after),
            None => entries.range(..),
        };
        for (id, entry) in range.rev() {
            if words.iter().all(|word| entry.text.contains(word)) && keep(*id, entry) {
                if found.len() == limit {
                    return (found, true);
                }
                found.push(*id);
            }
        }
        (found, false)
    }

    fn stale(&self) -> MutexGuard<'_, BTreeSet<CustomerId>> {
        self.stale.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn put(&self, customer: &Customer, profile: &CustomerProfile) {
        let text = [&profile.name, &profile.email, &profile.phone].map(|text| text.to_lowercase());
        let entry = Entry {
            text: text.join("\n").into_boxed_str(),
            operators: customer.operators.clone().into_boxed_slice(),
            version: customer.version,
        };
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        let erased = self.erased.read().unwrap_or_else(PoisonError::into_inner);
        let older = |known: &Entry| known.version > customer.version;
        if !erased.contains(&customer.id) && !entries.get(&customer.id).is_some_and(older) {
            entries.insert(customer.id, entry);
        }
    }

    pub(super) fn remove(&self, id: CustomerId) {
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        self.erased.write().unwrap_or_else(PoisonError::into_inner).insert(id);
        entries.remove(&id);
    }
}

impl Engine {
    /// Customers by what is known of them.
    pub fn customers(&self) -> &CustomerIndex {
        &self.customers
    }

    /// Takes a customer over into the index as it is now.
    pub(crate) async fn reindex_customer(&self, id: CustomerId) -> Result<(), EngineError> {
        match self.store.lookup_customer(id).await? {
            Some(customer) if customer.state == CustomerState::Active => {
                let profile = self.customer_profile(&customer).await?;
                self.customers.put(&customer, &profile);
            }
            Some(_) => self.customers.remove(id),
            // It is not durable yet, or never was.
            None => {}
        }
        Ok(())
    }

    /// The same; where it does not come through now, the sweep tries again.
    pub(crate) async fn reindex_or_later(&self, id: CustomerId) -> Result<(), EngineError> {
        let outcome = self.reindex_customer(id).await;
        if outcome.is_err() {
            self.customers.stale().insert(id);
        }
        outcome
    }

    /// Takes over customers that could not be read when they changed.
    pub(crate) async fn reindex_stale(&self) -> Result<(), EngineError> {
        let stale = std::mem::take(&mut *self.customers.stale());
        for id in stale {
            self.reindex_or_later(id).await?;
        }
        Ok(())
    }

    /// Takes all customers over into the index.
    pub(crate) async fn build_customer_index(&self) -> Result<(), EngineError> {
        let mut after = None;
        loop {
            let found = self.store.walk_customers(after, BUILD_PAGE).await?;
            let Some(last) = found.last() else { break };
            after = Some(last.id);
            for customer in &found {
                if customer.state != CustomerState::Active {
                    self.customers.remove(customer.id);
                    continue;
                }
                match self.customer_profile(customer).await {
                    Ok(profile) => self.customers.put(customer, &profile),
                    // One that can't be read must not take the others out of sight.
                    Err(error) => {
                        tracing::error!(customer = %customer.id, %error, "a customer can't be read");
                    }
                }
            }
        }
        self.customers.built.store(true, Ordering::Release);
        Ok(())
    }
}
