//! Customers by their names, addresses and numbers, in memory: what is sealed at rest can't be searched there.

use crate::{Engine, EngineError};
use std::{
    collections::BTreeMap,
    sync::{
        PoisonError, RwLock,
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
}

/// Customers by id, the newest last.
#[derive(Debug, Default)]
pub struct CustomerIndex {
    entries: RwLock<BTreeMap<CustomerId, Entry>>,
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

    pub(super) fn put(&self, customer: &Customer, profile: &CustomerProfile) {
        let text = [&profile.name, &profile.email, &profile.phone].map(|text| text.to_lowercase());
        let entry = Entry {
            text: text.join("\n").into_boxed_str(),
            operators: customer.operators.clone().into_boxed_slice(),
        };
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        entries.insert(customer.id, entry);
    }

    pub(super) fn remove(&self, id: CustomerId) {
        self.entries.write().unwrap_or_else(PoisonError::into_inner).remove(&id);
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
            _ => self.customers.remove(id),
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
